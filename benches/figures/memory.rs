//! What a running container costs for as long as it runs: the memory of its monitor.

use crate::Bench;
use crate::measure::{Samples, Table};
use crate::ours::{Net, Ours};
use anyhow::{Context, Result};
use bayplan::runtime::records::{self, Started};
use std::fs;

/// PSS of one process, in KiB.
fn pss(pid: i32) -> Result<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).context("no Pss")?;
    Ok(line.trim_end_matches("kB").trim().parse()?)
}

/// The monitors of a Bayplan's running containers.
fn monitors(ours: &Ours) -> Result<Vec<i32>> {
    let mut found = vec![];
    for entry in fs::read_dir(&ours.native.layout().run)? {
        let folder = entry?.path();
        if folder.is_dir()
            && let Some(started) = records::read::<Started>(&folder, records::STARTED)?
        {
            found.push(started.monitor.pid);
        }
    }
    Ok(found)
}

pub fn memory(bench: &Bench, table: &mut Table) -> Result<()> {
    let ours = bench.ours("memory")?;
    for count in [1, 100] {
        // By a command, whose spawner is gone then: what lasts are the monitors.
        let manifest = ours.declare(count, Net::None)?;
        ours.command(&["apply", "-f", &manifest.to_string_lossy(), "--yes"])?;
        let ids: Vec<String> = (0..count).map(|number| format!("c{number}")).collect();
        ids.iter().try_for_each(|id| bench.lxc.declare(id, Net::None))?;
        ids.iter().try_for_each(|id| bench.lxc.start(id).map(drop))?;
        let own = monitors(&ours)?.into_iter().map(pss).collect::<Result<_>>()?;
        let theirs = ids.iter().map(|id| bench.lxc.monitor(id).and_then(pss)).collect::<Result<_>>()?;
        let (own, theirs) = (Samples::new("monitor", own), Samples::new("lxc-start's monitor", theirs));
        table.compare(&format!("memory (PSS) of one of {count}"), "KiB", &[&own], &[&theirs]);
        ids.iter().try_for_each(|id| bench.lxc.kill(id).map(drop))?;
        ours.delete_containers()?;
    }
    Ok(())
}
