//! What a load, a look and a plan allocate grows as the objects do: ten times the containers, ten times the work.
//!
//! Allocations and their bytes are counted, not time: the same on every machine, however busy. What goes over all objects
//! for each of them and allocates nothing is not seen here; `make bench` measures the times.
#![allow(clippy::unwrap_used)]

use bayplan::driver::memory::Memory;
use bayplan::driver::memory::host::HostModel;
use bayplan::driver::{Driver, Scope};
use bayplan::reconcile::apply::{ApplyOptions, apply};
use bayplan::reconcile::goal::{Goal, PlanOptions};
use bayplan::reconcile::plan::Plan;
use bayplan::reconcile::render::{TextOptions, plan_json, plan_text};
use bayplan::reconcile::{drift, plan_on};
use bayplan::spec::{LoadContext, Loaded, SourceText, TextRole, load};
use bayplan::store::memory::MemoryRecords;
use jiff::Timestamp;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn document(kind: &str, name: &str, spec: &str) -> String {
    format!("---\napiVersion: bayplan/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {spec}\n")
}

/// So many containers of one profile, each after the one before, with limits and an address.
fn site(count: usize) -> String {
    let mut text = document("Site", "edge", "{}")
        + &document("Image", "tiny", "{source: {busybox: {}}}")
        + &document("Network", "lan", "{type: bridge, config: {ipv4.address: 10.213.0.1/16}}")
        + &document(
            "Profile",
            "web",
            "{devices: {root: {type: disk, path: /, pool: default}, eth0: {network: lan, type: nic}}}",
        );
    for number in 0..count {
        let needs = if number == 0 { String::new() } else { format!("container/c{}", number - 1) };
        text += &document(
            "Container",
            &format!("c{number}"),
            &format!(
                "{{image: tiny, profiles: [web], dependsOn: [{needs}], config: {{limits.memory: 64MiB, user.note: x}}, \
                 files: {{/etc/motd: {{content: hello}}}}}}"
            ),
        );
    }
    text
}

fn loaded(text: &str) -> Loaded {
    let root = PathBuf::from("/srv/site");
    let texts = [SourceText {
        path: "site.yaml".into(),
        text: text.into(),
        base: root.clone(),
        root,
        role: TextRole::Manifest,
    }];
    load(&texts, &LoadContext::new("amd64")).unwrap()
}

fn options() -> PlanOptions {
    PlanOptions::new(Timestamp::from_second(1_800_000_000).unwrap(), [7; 16], "apply by test")
}

/// Step → how often and how many bytes it allocates.
type Counts = BTreeMap<&'static str, (usize, usize)>;

fn counted<T>(counts: &mut Counts, step: &'static str, work: impl FnOnce() -> T) -> T {
    let region = Region::new(ALLOCATOR);
    let value = work();
    let change = region.change();
    let bytes = change.bytes_allocated + usize::try_from(change.bytes_reallocated.max(0)).unwrap();
    counts.insert(step, (change.allocations + change.reallocations, bytes));
    value
}

fn rendered(counts: &mut Counts, steps: [&'static str; 2], plan: &Plan) {
    counted(counts, steps[0], || plan_text(plan, TextOptions::default()));
    counted(counts, steps[1], || plan_json(plan));
}

fn carried_out(host: &Memory, plan: &Plan) {
    let cancel = AtomicBool::new(false);
    let now = options().now;
    let begun = std::time::Instant::now();
    let options = ApplyOptions {
        workers: 1,
        cancel: &cancel,
        deadline: None,
        progress: &|_| (),
        clock: &|| begun,
        now,
        actor: "test",
    };
    assert!(apply(host, plan, &options).is_done());
}

fn counts(count: usize) -> Counts {
    let mut counts = Counts::new();
    let text = site(count);
    let site = counted(&mut counts, "load and validate", || loaded(&text));
    let goal = Goal::Site(&site.desired);
    let host = Memory::new(HostModel::server(), Box::new(MemoryRecords::default()));
    let look = || host.observe(&Scope::All).unwrap();
    let nothing = look();
    let plan =
        counted(&mut counts, "plan what is new", || plan_on(&host, &goal, &nothing, &options()).unwrap());
    rendered(&mut counts, ["new, as text", "new, as JSON"], &plan);
    counted(&mut counts, "apply", || carried_out(&host, &plan));
    let observed = counted(&mut counts, "observe", look);
    for (step, goal) in [("no-op plan", &goal), ("no-op plan of what is recorded", &Goal::Recorded)] {
        let plan = counted(&mut counts, step, || plan_on(&host, goal, &observed, &options()).unwrap());
        assert!(plan.is_empty());
    }
    host.edit_host(|host| host.runs.clear());
    let observed = look();
    let plan = counted(&mut counts, "plan of drift", || {
        plan_on(&host, &Goal::Recorded, &observed, &options()).unwrap()
    });
    assert!(plan.steps.len() >= count);
    counted(&mut counts, "drift", || drift::drift(&plan));
    let keys = observed.records.keys().cloned().collect();
    let plan = counted(&mut counts, "plan of a deletion", || {
        plan_on(&host, &Goal::Delete(keys), &observed, &options()).unwrap()
    });
    rendered(&mut counts, ["deletion, as text", "deletion, as JSON"], &plan);
    counts
}

#[test]
fn what_is_allocated_grows_as_the_objects_do() {
    // What is made once in a process.
    counts(10);
    let [one, two, four] = [100, 200, 400].map(counts);
    let mut more = vec![];
    for (step, four) in &four {
        let (one, two) = (one[step], two[step]);
        let parts = [("allocations", one.0, two.0, four.0), ("bytes", one.1, two.1, four.1)];
        for (what, one, two, four) in parts {
            // Of what grows linearly, the second growth is twice the first; of a square it is four times that.
            let (first, second) = (two.saturating_sub(one) as f64, four.saturating_sub(two) as f64);
            if second > first * 2.2 + 1000.0 {
                more.push(format!("{step}: {one}, {two}, {four} {what}"));
            }
        }
    }
    assert!(more.is_empty(), "more than linear from 100 to 200 to 400 containers:\n{}", more.join("\n"));
}
