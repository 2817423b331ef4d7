//! What this host has for containers. Looks only.

use crate::runtime::cgroup::Hierarchies;
use linux::probe;
use serde::Serialize;
use std::path::Path;

/// The oldest kernel that is tried: Debian 12's.
const OLDEST_KERNEL: (u32, u32) = (6, 1);

/// One look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    pub name: &'static str,
    pub verdict: Verdict,
    pub found: String,
    pub help: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    Good,
    /// Works, with less.
    Warning,
    Missing,
}

/// All of them.
pub fn checks() -> Vec<Check> {
    let mut checks = vec![root(), kernel(), user_namespaces()];
    checks.extend(cgroups());
    checks.extend([overlay(), seccomp(), apparmor(), inotify(), ids()]);
    checks.push(program(
        "nft",
        "NAT and filter rules of networks",
        Verdict::Missing,
        "apt-get install nftables",
    ));
    checks.push(program(
        "busybox",
        "images of source busybox",
        Verdict::Warning,
        "apt-get install busybox-static",
    ));
    checks.push(program(
        "mmdebstrap",
        "images of source bootstrap",
        Verdict::Warning,
        "apt-get install mmdebstrap",
    ));
    checks
}

fn check(name: &'static str, found: impl Into<String>, problem: Option<(Verdict, &str)>) -> Check {
    let (verdict, help) = match problem {
        None => (Verdict::Good, None),
        Some((verdict, help)) => (verdict, Some(help.to_owned())),
    };
    Check { name, verdict, found: found.into(), help }
}

fn root() -> Check {
    match nix::unistd::geteuid().is_root() {
        true => check("root", "yes", None),
        false => check(
            "root",
            "no",
            Some((Verdict::Missing, "run as root, or try --driver memory --state-dir DIR")),
        ),
    }
}

fn kernel() -> Check {
    let (major, minor) = probe::kernel_version();
    let old = (major, minor) < OLDEST_KERNEL;
    let help =
        "Bayplan is made for Linux 6.1 or later (idmapped mounts, clone3 into a cgroup); upgrade the kernel";
    check("kernel", format!("{major}.{minor}"), old.then_some((Verdict::Missing, help)))
}

fn user_namespaces() -> Check {
    let count = probe::user_namespaces();
    let help = "set user.max_user_namespaces with sysctl, or use security.privileged containers only";
    check("user namespaces", format!("at most {count}"), (count == 0).then_some((Verdict::Missing, help)))
}

fn cgroups() -> Vec<Check> {
    let hierarchies = match Hierarchies::detect() {
        Ok(hierarchies) => hierarchies,
        Err(error) => {
            return vec![check("cgroups", error.to_string(), Some((Verdict::Missing, "mount cgroup2")))];
        }
    };
    let flavour =
        if Path::new("/sys/fs/cgroup/cgroup.controllers").exists() { "v2" } else { "v1 and v2 (hybrid)" };
    let missing = hierarchies.missing_controllers();
    let help =
        "limits of these are refused; enable them in the kernel or in the parent cgroup's subtree_control";
    let found = if missing.is_empty() { "all".to_owned() } else { format!("without {}", missing.join(", ")) };
    vec![
        check("cgroups", flavour, None),
        check("cgroup controllers", found, (!missing.is_empty()).then_some((Verdict::Warning, help))),
    ]
}

fn overlay() -> Check {
    let help = "roots need the overlay file system; `modprobe overlay`";
    yes_or("overlay", probe::has_overlay(), (Verdict::Missing, help))
}

fn seccomp() -> Check {
    let help = "containers run without a system call filter; use a kernel with CONFIG_SECCOMP_FILTER";
    yes_or("seccomp", probe::has_seccomp(), (Verdict::Warning, help))
}

fn apparmor() -> Check {
    let found = match probe::has_apparmor() {
        true => "in the kernel, not used: profiles for containers are not supported yet",
        false => "not in the kernel",
    };
    let help = "CONTAINERS ARE NOT CONFINED BY APPARMOR: user namespaces, seccomp, capabilities and the device filter \
                hold them; a privileged container has the host's root behind these alone";
    check("apparmor", found, Some((Verdict::Warning, help)))
}

fn inotify() -> Check {
    let count = probe::inotify_instances();
    let help = "each systemd takes several: sysctl fs.inotify.max_user_instances=1024";
    check("inotify instances", count.to_string(), (count < 512).then_some((Verdict::Warning, help)))
}

fn ids() -> Check {
    let lines = |path: &str| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines().any(|line| line.starts_with("root:") || line.starts_with("0:"))
    };
    match lines("/etc/subuid") && lines("/etc/subgid") {
        true => check("ids for containers", "root's lines in /etc/subuid and /etc/subgid", None),
        false => check("ids for containers", "1000000 and up (no line of root in /etc/subuid)", None),
    }
}

fn program(name: &'static str, what: &str, without: Verdict, help: &'static str) -> Check {
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/sbin:/usr/bin:/sbin:/bin".into());
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file());
    match found {
        Some(path) => check(name, path.display().to_string(), None),
        None => check(name, format!("not there; needed for {what}"), Some((without, help))),
    }
}

fn yes_or(name: &'static str, there: bool, problem: (Verdict, &str)) -> Check {
    check(name, if there { "yes" } else { "no" }, (!there).then_some(problem))
}
