//! What the machine itself is and gives: the part of an observation that is about no object.

use crate::model::observed::{Host, IdSpan};
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Without a line in /etc/subuid: ids from a million, a thousand millions of them (architecture.md, Identity).
const DEFAULT_IDS: IdSpan = IdSpan { first: 1_000_000, count: 1_000_000_000 };

/// Reads the machine's facts; what cannot be read is absent, and checks say so where it is needed.
pub fn observe(controllers: BTreeSet<String>, ids_taken: Vec<IdSpan>, foreign_subnets: Vec<IpNet>) -> Host {
    Host {
        machine_id: read_line("/etc/machine-id"),
        hostname: read_line("/proc/sys/kernel/hostname"),
        architecture: architecture(std::env::consts::ARCH).to_owned(),
        cpus: u32::try_from(online_processors().len()).unwrap_or(u32::MAX),
        memory: memory_total(&fs::read_to_string("/proc/meminfo").unwrap_or_default()),
        user_namespaces: read_line("/proc/sys/user/max_user_namespaces").parse::<u64>().unwrap_or(0) > 0,
        controllers,
        id_ranges: id_ranges(
            &fs::read_to_string("/etc/subuid").unwrap_or_default(),
            &fs::read_to_string("/etc/subgid").unwrap_or_default(),
        ),
        ids_taken,
        rlimit_ceilings: rlimit_ceilings(),
        foreign_subnets,
    }
}

fn read_line(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

/// Debian's word for a processor that Rust names.
pub fn architecture(rust: &str) -> &str {
    match rust {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "i386",
        "arm" => "armhf",
        "powerpc64" => "ppc64el",
        other => other,
    }
}

/// The numbers of the online processors.
pub fn online_processors() -> Vec<u32> {
    numbers(&read_line("/sys/devices/system/cpu/online"))
}

/// The numbers of a kernel list (`0-3,5`).
fn numbers(list: &str) -> Vec<u32> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse::<u32>().ok()?..=last.parse::<u32>().ok()?)
    };
    list.split(',').filter_map(range).flatten().collect()
}

fn memory_total(meminfo: &str) -> u64 {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// Root's ranges that are in both files: containers use the same numbers for users and groups.
fn id_ranges(subuid: &str, subgid: &str) -> Vec<IdSpan> {
    let (uids, gids) = (root_lines(subuid), root_lines(subgid));
    if uids.is_empty() || gids.is_empty() {
        return vec![DEFAULT_IDS];
    }
    let mut both = vec![];
    for uid in &uids {
        for gid in &gids {
            let first = uid.first.max(gid.first);
            let end = end(uid).min(end(gid));
            if u64::from(first) < end {
                both.push(IdSpan { first, count: u32::try_from(end - u64::from(first)).unwrap_or(u32::MAX) });
            }
        }
    }
    both.sort();
    both
}

fn end(span: &IdSpan) -> u64 {
    u64::from(span.first) + u64::from(span.count)
}

/// `root:FIRST:COUNT` or `0:FIRST:COUNT` (subuid(5)).
fn root_lines(text: &str) -> Vec<IdSpan> {
    text.lines()
        .filter_map(|line| {
            let mut fields = line.trim().split(':');
            let user = fields.next()?;
            let first = fields.next()?.parse().ok()?;
            let count = fields.next()?.parse().ok()?;
            (user == "root" || user == "0").then_some(IdSpan { first, count })
        })
        .collect()
}

/// Hard limits cannot be raised without CAP_SYS_RESOURCE in the first user namespace (setrlimit(2)); with it there is
/// no ceiling but the kernel's own for open files.
fn rlimit_ceilings() -> BTreeMap<String, Option<u64>> {
    let may_raise = caps::has_cap(None, caps::CapSet::Effective, caps::Capability::CAP_SYS_RESOURCE);
    let open_files = read_line("/proc/sys/fs/nr_open").parse().ok();
    if may_raise.unwrap_or(false) {
        return BTreeMap::from([("nofile".to_owned(), open_files)]);
    }
    parse_limits(&fs::read_to_string(Path::new("/proc/self/limits")).unwrap_or_default())
}

/// The hard column of /proc/PID/limits (proc_pid_limits(5)), by LXD's names.
fn parse_limits(text: &str) -> BTreeMap<String, Option<u64>> {
    const NAMES: [(&str, &str); 16] = [
        ("Max cpu time", "cpu"),
        ("Max file size", "fsize"),
        ("Max data size", "data"),
        ("Max stack size", "stack"),
        ("Max core file size", "core"),
        ("Max resident set", "rss"),
        ("Max processes", "nproc"),
        ("Max open files", "nofile"),
        ("Max locked memory", "memlock"),
        ("Max address space", "as"),
        ("Max file locks", "locks"),
        ("Max pending signals", "sigpending"),
        ("Max msgqueue size", "msgqueue"),
        ("Max nice priority", "nice"),
        ("Max realtime priority", "rtprio"),
        ("Max realtime timeout", "rttime"),
    ];
    let hard = |line: &str, title: &str| line.strip_prefix(title)?.split_whitespace().nth(1)?.parse().ok();
    NAMES
        .into_iter()
        .filter_map(|(title, name)| {
            let line = text.lines().find(|line| line.starts_with(title))?;
            Some((name.to_owned(), hard(line, title)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_ranges_are_those_of_root_in_both_files() {
        let both = id_ranges("lxd:1:2\nroot:100000:65536\n", "root:110000:65536\n");
        assert_eq!(both, vec![IdSpan { first: 110_000, count: 55_536 }]);
        assert_eq!(id_ranges("", ""), vec![DEFAULT_IDS]);
    }

    #[test]
    fn hard_limits_are_read_by_their_names() {
        let text = "Limit                     Soft Limit           Hard Limit           Units     \n\
                    Max open files            1024                 20000                files     \n\
                    Max cpu time              unlimited            unlimited            seconds   \n\
                    Max nice priority         0                    0                    \n";
        let limits = parse_limits(text);
        assert_eq!(limits["nofile"], Some(20_000));
        assert_eq!(limits["cpu"], None);
        assert_eq!(limits["nice"], Some(0));
    }

    #[test]
    fn a_list_of_processors_is_read() {
        assert_eq!(numbers("0-3,5"), vec![0, 1, 2, 3, 5]);
        assert_eq!(numbers("0"), vec![0]);
    }
}
