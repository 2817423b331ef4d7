//! Host ids that others use: whatever runs in a user namespace that is not ours (other Bayplans' containers and LXD's
//! among it).

use crate::model::observed::IdSpan;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

/// Reads every process's uid_map. `inits` are those of our own running containers: their namespaces take nothing from
/// us, and neither do namespaces inside them, whose ids are the containers' own.
pub fn observe(inits: &[i32]) -> Vec<IdSpan> {
    let host = namespace(std::process::id() as i32);
    let own_spans: Vec<IdSpan> = inits.iter().flat_map(|pid| spans(&uid_map(*pid))).collect();
    let mut seen: BTreeSet<PathBuf> = host.into_iter().collect();
    let mut taken = BTreeSet::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        if let Some(namespace) = namespace(pid)
            && seen.insert(namespace)
        {
            taken.extend(spans(&uid_map(pid)));
        }
    }
    taken.into_iter().filter(|span| !own_spans.iter().any(|own| contains(own, span))).collect()
}

fn namespace(pid: i32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/ns/user")).ok()
}

fn uid_map(pid: i32) -> String {
    fs::read_to_string(format!("/proc/{pid}/uid_map")).unwrap_or_default()
}

fn contains(outer: &IdSpan, inner: &IdSpan) -> bool {
    let end = |span: &IdSpan| u64::from(span.first) + u64::from(span.count);
    outer.first <= inner.first && end(inner) <= end(outer)
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
