//! Config values that are lists: processors, id maps, subnets. Sorted, merged, no item twice.

use super::value::{BadValue, bad};
use std::collections::BTreeSet;
use std::str::FromStr;

/// The highest processor number that a set may name.
const MAX_CPU: u32 = 8191;

/// `1,0` → `0-1`; a single processor stays a range (`3-3`), since a bare number is a count.
pub fn cpu_set(text: &str) -> Result<String, BadValue> {
    let wrong = || bad("a number of processors or a set like `0-3,6`", None);
    let mut cpus = BTreeSet::new();
    for part in text.split(',') {
        let part = part.trim();
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let first: u32 = first.parse().map_err(|_| wrong())?;
        let last: u32 = last.parse().map_err(|_| wrong())?;
        if first > last {
            return Err(bad("a range from low to high", Some(format!("write `{last}-{first}`"))));
        }
        if last > MAX_CPU {
            return Err(bad(format!("processors up to {MAX_CPU}"), None));
        }
        cpus.extend(first..=last);
    }
    Ok(show_cpu_set(&cpus))
}

fn show_cpu_set(cpus: &BTreeSet<u32>) -> String {
    let mut ranges: Vec<(u32, u32)> = vec![];
    for &cpu in cpus {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == cpu => *last = cpu,
            _ => ranges.push((cpu, cpu)),
        }
    }
    let alone = ranges.len() == 1;
    let show = |&(first, last): &(u32, u32)| match first == last && !alone {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    ranges.iter().map(show).collect::<Vec<_>>().join(",")
}

/// The lines of `raw.idmap`, sorted: `both|uid|gid HOST INSIDE`.
pub fn id_maps(text: &str) -> Result<String, BadValue> {
    let mut lines = BTreeSet::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        lines.insert(id_map(line)?);
    }
    if lines.is_empty() {
        return Err(bad("lines like `both 1000 1000`", None));
    }
    Ok(lines.into_iter().collect::<Vec<_>>().join("\n"))
}

fn id_map(line: &str) -> Result<String, BadValue> {
    let help = "write `both|uid|gid HOST INSIDE`, each an id or a range: `uid 50-60 500-510`";
    let wrong = || bad(format!("lines like `both 1000 1000`; `{line}` is none"), Some(help.to_owned()));
    let words: Vec<&str> = line.split_whitespace().collect();
    let [kind @ ("both" | "uid" | "gid"), host, inside] = words[..] else { return Err(wrong()) };
    let (host_first, host_last) = id_range(host).ok_or_else(wrong)?;
    let (first, last) = id_range(inside).ok_or_else(wrong)?;
    if host_last - host_first != last - first {
        return Err(bad(format!("two ranges of the same length; `{line}` has not"), None));
    }
    Ok(format!("{kind} {} {}", show_range(host_first, host_last), show_range(first, last)))
}

/// u32::MAX is no id (setresuid(2)).
fn id_range(word: &str) -> Option<(u32, u32)> {
    let (first, last) = word.split_once('-').unwrap_or((word, word));
    let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last && last < u32::MAX).then_some((first, last))
}

fn show_range(first: u32, last: u32) -> String {
    if first == last { first.to_string() } else { format!("{first}-{last}") }
}

/// Subnets, comma-separated; host bits are cleared.
pub fn networks<N: FromStr + ToString + Ord>(
    text: &str,
    example: &str,
    trunc: impl Fn(&N) -> N,
) -> Result<String, BadValue> {
    let wrong = |item: &str| bad(format!("subnets like `{example}`; `{item}` is none"), None);
    let mut nets = BTreeSet::new();
    for item in text.split(',').map(str::trim) {
        let net: N = item.parse().map_err(|_| wrong(item))?;
        nets.insert(trunc(&net));
    }
    Ok(nets.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
}
