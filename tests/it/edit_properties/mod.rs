//! A site that is edited again and again, on a host that never begins anew: every plan is minimal, explained and
//! within its guards, loses nothing, touches nothing of another site, and the plan after it is empty.
//!
//! **Minimal**: a step is needed if the plan without it ends otherwise, or cannot be carried out to its end; so is
//! each rest of an object's steps, from one of them on. How often a container was started counts only where it
//! follows another's restart. Three kinds of step may change nothing that lasts and are needed for another reason: a
//! wait for readiness is a look, behind a start; the mark of a deletion is for a crash between it and the end; files
//! of what was parked, or whose record does not know them, are written without a look. Of each plan two steps, picked at
//! random, are left out.

mod explained;
mod guarded;
mod lossless;
mod minimal;
mod snapshot;
mod told_again;

use crate::properties::cases;
use crate::random_edits::{Consent, Edit, Tale, Turn, tale};
use crate::random_manifests::Manifests;
use crate::reconcile_support::*;
use crate::spec_load::{load_text, text};
use bayplan::driver::memory::Memory;
use bayplan::driver::memory::host::HostModel;
use bayplan::model::desired::Desired;
use bayplan::model::finding::Severity;
use bayplan::model::key::Key;
use bayplan::model::step::{Action, Class};
use bayplan::reconcile::goal::{DeletionApproval, Goal, HoldTerms, PlanOptions};
use bayplan::reconcile::plan::{Error as PlanError, Plan};
use bayplan::reconcile::render::{TextOptions, plan_text};
use bayplan::reconcile::{Error as PassError, propose, reconcile};
use bayplan::spec::{LoadContext, RenderFor, load};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::Config;
use snapshot::Snapshot;
use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;

/// Another site on the same host: a network, an image with the same content, and containers on them and on a network
/// of the first site.
const OTHER: &str = "\
apiVersion: bayplan/v1
kind: Site
metadata: {name: core}
---
kind: Network
metadata: {name: core0}
spec: {type: bridge, config: {ipv4.address: 10.99.0.1/24}}
---
kind: Network
metadata: {name: bay1}
spec: {external: true}
---
kind: Image
metadata: {name: mini}
spec: {source: {busybox: {}}}
---
kind: Container
metadata: {name: core-1}
spec:
  image: mini
  devices: {eth0: {network: core0}}
  files: {/etc/motd: {content: hello}}
---
kind: Container
metadata: {name: core-2}
spec: {image: mini, devices: {eth0: {network: bay1}}, dependsOn: [core-1], persist: [/var/lib/a]}
";

/// What refuses an edit as a whole: what cannot be done in place, and what a rename may not take, or take from others.
const REFUSALS: [&str; 4] = ["refused", "renamed-parked", "renamed-taken", "renamed-used"];

/// A case is a whole story: a quarter of the usual number takes 20 seconds (debug).
fn fewer_cases() -> Config {
    let all = cases();
    Config { cases: all.cases.div_ceil(4), ..all }
}

proptest! {
    #![proptest_config(fewer_cases())]

    #[test]
    fn edits_in_sequence_are_planned_minimally_explained_and_without_loss(tale in tale()) {
        tell(&tale);
    }
}

fn tell(tale: &Tale) {
    let mut edge = Edge::new(&tale.first);
    for turn in &tale.turns {
        edge.turn(turn);
    }
    edge.heal();
}

/// The host, what is written for it now, and before.
struct Edge {
    host: Memory,
    written: Manifests,
    history: Vec<Manifests>,
    now: Timestamp,
}

/// What came of one apply.
#[derive(Debug, PartialEq)]
enum Outcome {
    Done,
    Refused,
    Guarded,
}

impl Edge {
    fn new(first: &Manifests) -> Edge {
        let now = Timestamp::from_second(SECOND).unwrap();
        let edge = Edge { host: server(), written: first.clone(), history: vec![], now };
        assert_eq!(edge.apply(&first.clone(), &edge.options(None), &[]), Outcome::Done);
        converge(&edge.host, &Goal::Site(&load_text(OTHER).unwrap().desired), &options());
        edge
    }

    fn options(&self, consent: Option<Consent>) -> PlanOptions {
        // Each plan has its own: the uuid of a renamed container is not given out again.
        let mut seed = [7; 16];
        seed[0] = u8::try_from(self.history.len()).unwrap();
        let plain = PlanOptions { now: self.now, seed, ..options() };
        match consent {
            None => plain,
            Some(consent) => PlanOptions {
                allow_restart: consent.restart,
                allow_replace: consent.replace,
                deletions: consent.deletions,
                ..plain
            },
        }
    }

    fn turn(&mut self, turn: &Turn) {
        self.happen(&turn.edit);
        let edited = turn.edit.of(&self.written, &self.history);
        let options = self.options(Some(turn.consent));
        let mut outcome = self.apply(&edited, &options, &turn.picks);
        if outcome == Outcome::Guarded && turn.insists {
            let lifted = PlanOptions { deletions: DeletionApproval::Any, ..options };
            outcome = self.apply(&edited, &lifted, &turn.picks);
            assert_eq!(outcome, Outcome::Done, "it was lifted");
        }
        if outcome == Outcome::Done {
            self.history.push(std::mem::replace(&mut self.written, edited));
        } else {
            // The user takes it back.
            let former = self.written.clone();
            assert_eq!(self.apply(&former, &self.options(None), &turn.picks), Outcome::Done);
        }
    }

    /// What is no edit of a manifest.
    fn happen(&mut self, edit: &Edit) {
        match edit {
            Edit::Break(breakages) => breakages.iter().for_each(|breakage| breakage.strike(&self.host)),
            Edit::Wait(hours) => self.now += SignedDuration::from_hours(*hours),
            Edit::Power(number, power) => {
                self.by_hand(*number, |keys, hold| Goal::Power { keys, power: *power, hold });
            }
            Edit::Hold(number, power) => {
                self.by_hand(*number, |keys, hold| Goal::Hold { keys, power: *power, hold });
            }
            _ => {}
        }
    }

    /// A verb on one container; refused where there is none, or it is parked.
    fn by_hand(&self, number: u8, goal: impl FnOnce(BTreeSet<Key>, HoldTerms) -> Goal<'static>) {
        let Some(document) = self.written.containers.get(&number) else { return };
        let until = Some(self.now + SignedDuration::from_hours(2));
        let keys = [Key::container(document.name(number))].into();
        let goal = goal(keys, HoldTerms { until, reason: None });
        if let Ok(plan) = propose(&self.host, &goal, &self.options(None)) {
            assert!(carry_out(&self.host, &plan, 1).is_done());
        }
    }

    /// Plans and applies what is written, with all that is to hold of it.
    fn apply(&self, manifests: &Manifests, options: &PlanOptions, picks: &[usize]) -> Outcome {
        let written = manifests.text();
        let desired = desired(&written);
        let goal = Goal::Site(&desired);
        let before = Snapshot::of(&self.host);
        let plan = match propose(&self.host, &goal, options) {
            Ok(plan) => plan,
            Err(PassError::Plan(PlanError::Findings(findings))) => {
                let mut errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
                assert!(errors.all(|finding| REFUSALS.contains(&finding.code)), "{written}\n{findings:#?}");
                assert!(before == Snapshot::of(&self.host));
                return Outcome::Refused;
            }
            Err(error) => panic!("{error}\n{written}"),
        };
        let case = Case { written: &written, desired: &desired, options, plan: &plan, before: &before };
        case.is_explained(&look(&self.host));
        if !plan.guards.is_empty() {
            let cancel = AtomicBool::new(false);
            let refused = reconcile(&self.host, &goal, options, &apply_options(&cancel));
            assert!(matches!(refused, Err(PassError::Guarded { .. })), "{refused:#?}");
            assert!(before == Snapshot::of(&self.host));
            return Outcome::Guarded;
        }
        case.is_minimal(picks);
        let report = carry_out(&self.host, &plan, 1);
        assert!(report.is_done(), "{report:#?}\n{}\n{written}", shown(&plan));
        let after = Snapshot::of(&self.host);
        case.is_within_its_guards(&after);
        case.loses_nothing(&after);
        assert!(before.of_others() == after.of_others(), "another site's\n{}", shown(&plan));
        assert!(before.contents_of_others().is_subset(&after.contents_of_others()), "{}", shown(&plan));
        case.keeps_what_is_renamed(&after);
        // What it brings back is known to be what roots lack only once it is there.
        let imports = plan.steps.iter().filter(|step| matches!(step.action, Action::ImportImage { .. }));
        let imported = imports.map(|step| &step.key).collect();
        let unforeseen = before.got_back_unforeseen(&imported, &after);
        let plan = if unforeseen { converge(&self.host, &goal, options) } else { plan };
        let next = planned(&self.host, &goal, options);
        assert!(
            next.is_empty() && next.guards.is_empty(),
            "not converged: {}\n{}\n{written}",
            shown(&next),
            shown(&plan)
        );
        let waiting = |plan: &Plan, of: fn(Class) -> bool| -> BTreeSet<Key> {
            let pending = plan.pending.iter().filter(|pending| of(pending.class));
            pending.map(|pending| pending.key.clone()).collect()
        };
        let told = waiting(&plan, |_| true);
        assert!(waiting(&next, |_| true).is_subset(&told), "{}\n{}", shown(&next), shown(&plan));
        // Once a content is known it may turn out to be the one that a root has: then no replace waits any more.
        let stays: fn(Class) -> bool = |class| class != Class::Replace;
        assert!(
            waiting(&plan, stays).is_subset(&waiting(&next, |_| true)),
            "{}\n{}",
            shown(&next),
            shown(&plan)
        );
        self.write_inside();
        Outcome::Done
    }

    /// Every container writes something that is its own.
    fn write_inside(&self) {
        for (uuid, root) in self.host.host().roots {
            let key = root.identity.key;
            for folder in ["/data", "/var/lib/a", "/var/lib/b"] {
                self.host.write_inside(&key, &format!("{folder}/{uuid}"));
            }
        }
    }

    /// What the daemon does with it by itself, and then nothing more to do.
    fn heal(&self) {
        let options = self.options(None);
        converge(&self.host, &Goal::Recorded, &options);
        let desired = desired(&self.written.text());
        for goal in [Goal::Recorded, Goal::Site(&desired)] {
            let plan = planned(&self.host, &goal, &options);
            assert!(plan.is_empty(), "{}\n{}", shown(&plan), self.written.text());
        }
    }
}

fn shown(plan: &Plan) -> String {
    plan_text(plan, TextOptions { steps: true, ..TextOptions::default() })
}

fn desired(written: &str) -> Desired {
    let machine = HostModel::server().machine;
    let render_for = RenderFor::Machine { machine_id: machine.machine_id, hostname: machine.hostname };
    let context = LoadContext { render_for, ..LoadContext::new("amd64") };
    match load(&[text("site.yaml", written)], &context) {
        Ok(loaded) => loaded.desired,
        Err(findings) => panic!("{written}\n{findings:#?}"),
    }
}

/// One plan with all that it was made from.
struct Case<'a> {
    written: &'a str,
    desired: &'a Desired,
    options: &'a PlanOptions,
    plan: &'a Plan,
    before: &'a Snapshot,
}
