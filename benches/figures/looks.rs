//! What lasts and what looks: memory, no-op plans, parsing, healing.

use crate::Bench;
use crate::measure::{Samples, Side, Table, interleave, time};
use crate::ours::{Net, Ours, carry_out, loaded, options};
use anyhow::{Context, Result, ensure};
use bayplan::driver::memory::Memory;
use bayplan::driver::memory::host::HostModel;
use bayplan::reconcile::goal::Goal;
use bayplan::reconcile::propose;
use bayplan::runtime::records::{self, Started};
use bayplan::store::memory::MemoryRecords;
use std::fs;
use std::time::Instant;

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

pub fn plan_modelled(bench: &Bench, table: &mut Table) -> Result<()> {
    let ours = bench.ours("modelled")?;
    let host = Memory::new(HostModel::server(), Box::new(MemoryRecords::default()));
    let site = loaded(&ours.site(1000, Net::Bridged))?;
    carry_out(&host, &propose(&host, &Goal::Site(&site.desired), &options())?)?;
    let mut sides = [Side::timed("warm, memory driver", || {
        let begun = Instant::now();
        let plan = propose(&host, &Goal::Site(&site.desired), &options())?;
        let spent = begun.elapsed();
        ensure!(plan.is_empty(), "the second plan has steps");
        Ok(spent)
    })];
    let samples = interleave(bench.rounds, &mut sides)?;
    table.alone("no-op plan of 1,000 (modelled host)", "ms", &samples[0]);
    Ok(())
}

/// The peers' lists of as many containers stand beside: the nearest that they have to a look at all of them.
pub fn plan_real(bench: &Bench, table: &mut Table) -> Result<()> {
    let ours = bench.ours("real")?;
    let mut peers = 0;
    for count in [100, 200, 500, 1000].into_iter().filter(|count| *count <= bench.most) {
        let manifest = ours.declare(count, Net::Bridged)?;
        let manifest = manifest.to_string_lossy();
        let site = ours.load(&ours.site(count, Net::Bridged))?;
        let made = ours.pass(&Goal::Site(&site.desired))?;
        eprintln!("  {count} containers run ({} more s)", made.as_secs());
        if count == 100 {
            for id in (0..count).map(|number| format!("c{number}")) {
                bench.lxc.declare(&id, Net::None)?;
                bench.lxc.start(&id)?;
                bench.crun.start(&id, crate::peers::Way::Full, Net::None)?;
            }
            peers = count;
        }
        let mut sides = vec![
            Side::timed("warm: observe and plan", || {
                let begun = Instant::now();
                let plan = ours.plan(&Goal::Site(&site.desired))?;
                let spent = begun.elapsed();
                ensure!(plan.is_empty(), "the second plan has steps");
                Ok(spent)
            }),
            Side::timed("`bayplan plan`", || ours.command(&["plan", "-f", &manifest])),
            Side::timed("`bayplan drift`", || ours.command(&["drift"])),
        ];
        let work = format!("no-op plan of {count} real ones");
        if count == peers {
            sides.push(Side::timed("lxc-ls --fancy", || bench.lxc.list()));
            sides.push(Side::timed("crun list", || bench.crun.list()));
        }
        let samples = interleave(bench.rounds, &mut sides)?;
        drop(sides);
        let (own, theirs) = samples.split_at(3);
        if theirs.is_empty() {
            own.iter().for_each(|samples| table.alone(&work, "ms", samples));
        } else {
            table.compare(&work, "ms", &own.iter().collect::<Vec<_>>(), &theirs.iter().collect::<Vec<_>>());
            for id in (0..count).map(|number| format!("c{number}")) {
                bench.lxc.kill(&id)?;
                bench.crun.delete(&id)?;
            }
        }
    }
    Ok(())
}

pub fn parse(bench: &Bench, table: &mut Table) -> Result<()> {
    let ours = bench.ours("parse")?;
    let text = documents(&ours, 1000);
    let mut sides = [
        Side::timed("parse and validate, in process", || time(|| loaded(&text))),
        Side::timed("serde-saphyr's parse alone", || {
            time(|| Ok(serde_saphyr::from_multiple::<serde_json::Value>(&text)?))
        }),
    ];
    let samples = interleave(bench.rounds.max(15), &mut sides)?;
    let work = format!("1,000 documents ({} KB)", text.len() / 1000);
    table.compare(&work, "ms", &[&samples[0]], &[&samples[1]]);
    Ok(())
}

/// As people write them: block style, a few keys, labels and devices.
fn documents(ours: &Ours, count: usize) -> String {
    let mut text = ours.site(0, Net::Bridged);
    for number in 0..count {
        text += &format!(
            "---\napiVersion: bayplan/v1\nkind: Container\nmetadata:\n  name: web-{number}\n  labels:\n    \
             tier: front\n    number: \"{number}\"\nspec:\n  image: tiny\n  profiles:\n    - bare\n  config:\n    \
             limits.cpu: 1\n    limits.memory: 64MiB\n    limits.processes: 200\n    \
             environment.GREETING: hello from {number}\n    user.note: made for a measurement\n  devices:\n    \
             eth0:\n      ipv4.address: 10.213.{}.{}\n",
            1 + number / 250,
            2 + number % 250
        );
    }
    text
}

pub fn heal(bench: &Bench, table: &mut Table) -> Result<()> {
    let _ = bench;
    table.not_measured("heal: kill -9 of init until init runs again", "daemon", "a full start");
    Ok(())
}
