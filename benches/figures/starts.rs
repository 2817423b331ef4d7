//! Making containers run: one, one whole life, a hundred.

use crate::Bench;
use crate::measure::{Samples, Side, Table, interleave, time};
use crate::ours::{Net, stop};
use crate::peers::Way;
use anyhow::Result;
use bayplan::model::object::Power;
use bayplan::model::step::Action;
use bayplan::reconcile::goal::Goal;
use std::time::Duration;

pub fn start(bench: &Bench, table: &mut Table) -> Result<()> {
    start_one(bench, table, "start, no nic", Net::None)
}

pub fn start_with_nic(bench: &Bench, table: &mut Table) -> Result<()> {
    start_one(bench, table, "start, veth on a bridge", Net::Bridged)
}

fn start_one(bench: &Bench, table: &mut Table, work: &str, net: Net) -> Result<()> {
    let ours = bench.ours("start")?;
    ours.pass(&Goal::Site(&ours.load(&ours.site(1, net))?.desired))?;
    stop(&ours)?;
    bench.lxc.declare("c0", net)?;
    // Each leaves nothing running, as the next one finds it.
    let mut sides = vec![
        Side::timed("`bayplan start`", || {
            let spent = ours.command(&["start", "c0"])?;
            stop(&ours)?;
            Ok(spent)
        }),
        Side::timed("crun", || {
            let spent = bench.crun.start("c0", Way::Full, net)?;
            bench.crun.delete("c0")?;
            Ok(spent)
        }),
        Side::timed("warm, pass", || {
            let spent = time(|| ours.carry_out(&ours.power(Power::Running)?))?;
            stop(&ours)?;
            Ok(spent)
        }),
        Side::timed("lxc-start", || {
            let spent = bench.lxc.start("c0")?;
            bench.lxc.kill("c0")?;
            Ok(spent)
        }),
        Side::timed("warm, step", || {
            let plan = ours.power(Power::Running)?;
            let spent = ours.steps(&plan, |action| matches!(action, Action::Start(_)))?;
            stop(&ours)?;
            Ok(spent)
        }),
        Side::timed("crun without seccomp", || {
            let spent = bench.crun.start("c0", Way::NoSeccomp, net)?;
            bench.crun.delete("c0")?;
            Ok(spent)
        }),
    ];
    sides.push(Side::timed("crun without cgroups", || {
        let spent = bench.crun.start("c0", Way::NoCgroup, net)?;
        bench.crun.delete("c0")?;
        Ok(spent)
    }));
    if let Some(floor) = &bench.floor {
        sides.push(Side::timed("floor", move || {
            Ok(match net {
                Net::None => floor.plain()?.start,
                Net::Bridged => floor.bridged()?.start,
            })
        }));
    }
    let samples = interleave(bench.rounds, &mut sides)?;
    report(table, work, &samples);
    Ok(())
}

/// Every way of ours beside every peer.
fn report(table: &mut Table, work: &str, samples: &[Samples]) {
    let is_ours = |samples: &&Samples| samples.name.contains("bayplan") || samples.name.starts_with("warm");
    let (ours, peers): (Vec<&Samples>, Vec<&Samples>) = samples.iter().partition(is_ours);
    table.compare(work, "ms", &ours, &peers);
    if !peers.iter().any(|peer| peer.name == "floor") {
        table.not_measured(work, &ours[0].name, "floor");
    }
}

pub fn life(bench: &Bench, table: &mut Table) -> Result<()> {
    let net = Net::None;
    let ours = bench.ours("life")?;
    let loaded = ours.load(&ours.site(1, net))?;
    bench.lxc.declare("c0", net)?;
    let ready = || {
        ours.pass(&Goal::Site(&loaded.desired))?;
        stop(&ours)
    };
    let mut sides = vec![
        Side::timed("`bayplan start`, `stop --force`, `delete`", || {
            ready()?;
            let start = ours.command(&["start", "c0"])?;
            let stop = ours.command(&["stop", "--force", "c0"])?;
            Ok(start + stop + ours.command(&["delete", "c0", "--yes"])?)
        }),
        Side::timed("crun run, delete --force", || {
            Ok(bench.crun.start("c0", Way::Full, net)? + bench.crun.delete("c0")?)
        }),
        Side::timed("warm, three passes", || {
            ready()?;
            time(|| {
                ours.carry_out(&ours.power(Power::Running)?)?;
                stop(&ours)?;
                ours.delete_containers()
            })
        }),
        Side::timed("lxc-start, lxc-stop -k", || Ok(bench.lxc.start("c0")? + bench.lxc.kill("c0")?)),
    ];
    if let Some(floor) = &bench.floor {
        sides.push(Side::timed("floor", move || Ok(floor.plain()?.life)));
    }
    let samples = interleave(bench.rounds, &mut sides)?;
    report(table, "start, forced stop, delete", &samples);
    Ok(())
}

pub fn hundred(bench: &Bench, table: &mut Table) -> Result<()> {
    hundred_with(bench, table, "100 at once, no nic", Net::None)
}

pub fn hundred_with_nic(bench: &Bench, table: &mut Table) -> Result<()> {
    hundred_with(bench, table, "100 at once, veth on a bridge", Net::Bridged)
}

fn hundred_with(bench: &Bench, table: &mut Table, work: &str, net: Net) -> Result<()> {
    let ids: Vec<String> = (0..100).map(|number| format!("c{number}")).collect();
    let ours = bench.ours("hundred")?;
    // The image and the bridge are there before, as the peers' root file system and bridge are.
    ours.pass(&Goal::Site(&ours.load(&ours.site(1, net))?.desired))?;
    ours.delete_containers()?;
    let manifest = ours.declare(100, net)?;
    let manifest = manifest.to_string_lossy();
    ids.iter().try_for_each(|id| bench.lxc.declare(id, net))?;
    let mut sides = vec![
        Side::timed("one `bayplan apply`", || {
            let spent = ours.command(&["apply", "-f", &manifest, "--yes"])?;
            ours.delete_containers()?;
            Ok(spent)
        }),
        Side::timed("crun, 100 times", || {
            let start = |id: &String| bench.crun.start(id, Way::Full, net);
            let spent: Duration = ids.iter().map(start).sum::<Result<_>>()?;
            ids.iter().try_for_each(|id| bench.crun.delete(id).map(drop))?;
            Ok(spent)
        }),
        Side::timed("lxc-start, 100 times", || {
            let spent: Duration = ids.iter().map(|id| bench.lxc.start(id)).sum::<Result<_>>()?;
            ids.iter().try_for_each(|id| bench.lxc.kill(id).map(drop))?;
            Ok(spent)
        }),
    ];
    if let Some(floor) = &bench.floor
        && net == Net::None
    {
        sides.push(Side::timed("floor", move || floor.hundred()));
    }
    let samples = interleave(bench.rounds.min(9), &mut sides)?;
    report(table, work, &samples);
    Ok(())
}
