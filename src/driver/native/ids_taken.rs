//! Host ids that others use: other Bayplans' containers, LXD's, and whatever runs in a user namespace that is not ours.

use super::Layout;
use crate::model::observed::IdSpan;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Reads every process's uid_map and the records that other Bayplans leave in /run/bayplan/*/ids. Ours are told apart
/// by the caller, who knows its own records: a span that a record of ours has is not a conflict.
pub fn observe(layout: &Layout) -> Vec<IdSpan> {
    let mut taken = BTreeSet::new();
    let own = fs::read_link("/proc/self/ns/user").ok();
    let ours = own_pids(&layout.run);
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let namespace = fs::read_link(entry.path().join("ns/user")).ok();
        if namespace.is_none() || namespace == own || ours.iter().any(|ns| Some(ns) == namespace.as_ref()) {
            continue;
        }
        let map = fs::read_to_string(format!("/proc/{pid}/uid_map")).unwrap_or_default();
        taken.extend(spans(&map));
    }
    taken.into_iter().collect()
}

/// The user namespaces of our own running containers.
fn own_pids(run: &Path) -> Vec<std::path::PathBuf> {
    let mut namespaces = vec![];
    for entry in fs::read_dir(run).into_iter().flatten().flatten() {
        let started = fs::read_to_string(entry.path().join("started.json")).unwrap_or_default();
        let pid = serde_json::from_str::<serde_json::Value>(&started)
            .ok()
            .and_then(|value| value.get("pid")?.as_u64());
        if let Some(pid) = pid
            && let Ok(namespace) = fs::read_link(format!("/proc/{pid}/ns/user"))
        {
            namespaces.push(namespace);
        }
    }
    namespaces
}

/// The lines of a uid_map; the first namespace's own (everything to itself) takes nothing.
fn spans(map: &str) -> Vec<IdSpan> {
    map.lines()
        .filter_map(|line| {
            let mut fields = line.split_whitespace().map(str::parse::<u32>);
            let (_, first, count) = (fields.next()?.ok()?, fields.next()?.ok()?, fields.next()?.ok()?);
            (first != 0).then_some(IdSpan { first, count })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_takes_the_ids_outside() {
        let map = "         0    1000000      65536\n     65536          0          1\n";
        assert_eq!(spans(map), vec![IdSpan { first: 1_000_000, count: 65_536 }]);
    }
}
