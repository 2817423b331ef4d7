//! What looks and changes nothing: no-op plans, one object's state, parsing.

use crate::Bench;
use crate::measure::{Samples, Side, Table, interleave, time};
use crate::ours::{Net, Ours, carry_out, loaded, options};
use anyhow::{Result, ensure};
use bayplan::driver::Driver;
use bayplan::driver::memory::Memory;
use bayplan::driver::memory::host::HostModel;
use bayplan::reconcile::goal::Goal;
use bayplan::reconcile::propose;
use bayplan::spec::Loaded;
use bayplan::store::memory::MemoryRecords;
use std::time::{Duration, Instant};

/// Ten times the containers, in the same interleaving: a plan that grows linearly takes ten times as long.
pub fn plan_modelled(bench: &Bench, table: &mut Table) -> Result<()> {
    let ours = bench.ours("modelled")?;
    let (few, many) = (Modelled::new(&ours, 1_000)?, Modelled::new(&ours, 10_000)?);
    let mut sides = [
        Side::timed("10,000: warm, memory driver", || many.plan()),
        Side::timed("1,000: warm, memory driver", || few.plan()),
    ];
    let samples = interleave(bench.rounds, &mut sides)?;
    table.compare("no-op plan, modelled host", "ms", &[&samples[0]], &[&samples[1]]);
    Ok(())
}

/// A modelled host that has its site.
struct Modelled {
    host: Memory,
    site: Loaded,
}

impl Modelled {
    fn new(ours: &Ours, count: usize) -> Result<Modelled> {
        let host = Memory::new(HostModel::server(), Box::new(MemoryRecords::default()));
        let site = loaded(&ours.site(count, Net::Bridged))?;
        carry_out(&host, &propose(&host, &Goal::Site(&site.desired), &options())?)?;
        Ok(Modelled { host, site })
    }

    fn plan(&self) -> Result<Duration> {
        no_op(&self.host, &self.site)
    }
}

/// Observing and planning, in this process.
fn no_op(driver: &dyn Driver, site: &Loaded) -> Result<Duration> {
    let begun = Instant::now();
    let plan = propose(driver, &Goal::Site(&site.desired), &options())?;
    let spent = begun.elapsed();
    ensure!(plan.is_empty(), "the second plan has steps");
    Ok(spent)
}

/// The peers' lists of as many containers stand beside: the nearest that they have to a look at all of them.
pub fn plan_real(bench: &Bench, table: &mut Table) -> Result<()> {
    let ours = bench.ours("real")?;
    let (count, ids) = (100, (0..100).map(|number| format!("c{number}")));
    let site = ours.run_many(count)?;
    for id in ids.clone() {
        bench.lxc.declare(&id, Net::None)?;
        bench.lxc.start(&id)?;
        bench.crun.start(&id, crate::peers::Way::Full, Net::None)?;
    }
    let manifest = ours.declare(count, Net::Bridged)?;
    let manifest = manifest.to_string_lossy();
    let mut sides = [
        Side::timed("warm: observe and plan", || no_op(&ours.native, &site)),
        Side::timed("`bayplan plan`", || ours.command(&["plan", "-f", &manifest])),
        Side::timed("`bayplan drift`", || ours.command(&["drift"])),
        Side::timed("lxc-ls --fancy", || bench.lxc.list()),
        Side::timed("crun list", || bench.crun.list()),
    ];
    let samples = interleave(bench.rounds, &mut sides)?;
    let (own, theirs) = samples.split_at(3);
    table.compare(&format!("no-op plan of {count} real ones"), "ms", &all_of(own), &all_of(theirs));
    for id in ids {
        bench.lxc.kill(&id)?;
        bench.crun.delete(&id)?;
    }
    Ok(())
}

fn all_of(samples: &[Samples]) -> Vec<&Samples> {
    samples.iter().collect()
}

/// As many real containers as are asked for, beside ten in another state folder: what looks at one of them must not
/// cost more among many.
pub fn most(bench: &Bench, table: &mut Table) -> Result<()> {
    const FEW: usize = 10;
    let (few, many) = (bench.ours("few")?, bench.ours("most")?);
    few.run_many(FEW)?;
    let site = many.run_many(bench.most)?;
    let manifest = many.declare(bench.most, Net::Bridged)?;
    let manifest = manifest.to_string_lossy();
    let mut sides = vec![
        Side::timed("warm: observe and plan", || no_op(&many.native, &site)),
        Side::timed("`bayplan plan`", || many.command(&["plan", "-f", &manifest])),
        Side::timed("`bayplan drift`", || many.command(&["drift"])),
    ];
    // Each looks at one object; the same command in both state folders.
    let looks: [&[&str]; 2] = [&["get", "c0"], &["why", "c0"]];
    for words in looks {
        sides.push(Side::timed(&format!("`bayplan {}`", words.join(" ")), || many.command(words)));
        sides.push(Side::timed(&format!("the same of {FEW}"), || few.command(words)));
    }
    let samples = interleave(bench.rounds, &mut sides)?;
    let (plans, looks) = samples.split_at(3);
    let work = format!("no-op plan of {} real ones", bench.most);
    plans.iter().for_each(|samples| table.alone(&work, "ms", samples));
    let work = format!("one object of {} real ones", bench.most);
    for pair in looks.chunks_exact(2) {
        table.compare(&work, "ms", &[&pair[0]], &[&pair[1]]);
    }
    Ok(())
}

pub fn parse(bench: &Bench, table: &mut Table) -> Result<()> {
    let ours = bench.ours("parse")?;
    let (text, more) = (documents(&ours, 1_000), documents(&ours, 10_000));
    let mut sides = [
        Side::timed("parse and validate, in process", || time(|| loaded(&text))),
        Side::timed("serde-saphyr's parse alone", || {
            time(|| Ok(serde_saphyr::from_multiple::<serde_json::Value>(&text)?))
        }),
        Side::timed("10,000 documents", || time(|| loaded(&more))),
    ];
    let samples = interleave(bench.rounds.max(15), &mut sides)?;
    let work = format!("1,000 documents ({} KB)", text.len() / 1000);
    table.compare(&work, "ms", &[&samples[0]], &[&samples[1]]);
    table.compare("ten times the documents", "ms", &[&samples[2]], &[&samples[0]]);
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
