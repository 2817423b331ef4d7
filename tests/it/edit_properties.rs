//! A site that is edited again and again, on a host that never begins anew: every plan is minimal, explained and
//! within its guards, loses nothing, touches nothing of another site, and the plan after it is empty.
//!
//! **Minimal**: a step is needed if the plan without it ends otherwise, or cannot be carried out to its end; so is
//! each rest of an object's steps, from one of them on. How often a container was started counts only where it
//! follows another's restart. Two kinds of step change nothing that lasts and are needed for another reason: a wait
//! for readiness is a look, behind a start; the mark of a deletion is for a crash between it and the end.

use crate::properties::cases;
use crate::random_edits::{Consent, Edit, Tale, Turn, tale};
use crate::random_manifests::Manifests;
use crate::reconcile_support::*;
use crate::spec_load::{load_text, text};
use bayplan::driver::memory::Memory;
use bayplan::driver::memory::host::{HostModel, RootModel};
use bayplan::driver::{Driver, StepContext};
use bayplan::model::desired::Desired;
use bayplan::model::key::{Key, Kind};
use bayplan::model::object::{Container, ImagePolicy, Power, RestartPolicy, Spec};
use bayplan::model::observed::{NetworkFacts, Observed, RunFacts};
use bayplan::model::origin::{Layer, Place};
use bayplan::model::prune::{Deletion, PruneMode};
use bayplan::model::record::{Owner, Record};
use bayplan::model::step::{Action, Cause, Class, Reason, Step};
use bayplan::reconcile::goal::{DeletionApproval, Goal, PlanOptions};
use bayplan::reconcile::plan::{Error as PlanError, Plan};
use bayplan::reconcile::render::{TextOptions, plan_text};
use bayplan::reconcile::why::standing::State;
use bayplan::reconcile::why::{Explanation, Subject, explain};
use bayplan::reconcile::{Error as PassError, propose, reconcile};
use bayplan::spec::{LoadContext, RenderFor, load};
use bayplan::store::memory::MemoryRecords;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::Config;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicBool;
use uuid::Uuid;

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

/// What refuses an edit as a whole: what cannot be done in place, and what a rename may not take.
const REFUSALS: [&str; 1] = ["refused"];

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
            Edit::Break(breakage) => breakage.strike(&self.host),
            Edit::Wait(hours) => self.now += SignedDuration::from_hours(*hours),
            Edit::Hold(number, power) => {
                let Some(document) = self.written.containers.get(number) else { return };
                let until = Some(self.now + SignedDuration::from_hours(2));
                let goal = Goal::Power { key: Key::container(document.name(*number)), power: *power, until };
                // Refused where there is none, or it is parked.
                if let Ok(plan) = propose(&self.host, &goal, &self.options(None)) {
                    assert!(carry_out(&self.host, &plan, 1).is_done());
                }
            }
            _ => {}
        }
    }

    /// Plans and applies what is written, with all that is to hold of it.
    fn apply(&self, manifests: &Manifests, options: &PlanOptions, picks: &[prop::sample::Index]) -> Outcome {
        let written = manifests.text();
        let desired = desired(&written);
        let goal = Goal::Site(&desired);
        let before = Snapshot::of(&self.host);
        let plan = match propose(&self.host, &goal, options) {
            Ok(plan) => plan,
            Err(PassError::Plan(PlanError::Findings(findings))) => {
                let mut errors = findings
                    .iter()
                    .filter(|finding| finding.severity == bayplan::model::finding::Severity::Error);
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
        let next = planned(&self.host, &goal, options);
        assert!(
            next.is_empty() && next.guards.is_empty(),
            "not converged: {}\n{}\n{written}",
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

/// All that a host has at one time.
#[derive(Debug, Clone, PartialEq)]
struct Snapshot {
    host: HostModel,
    records: BTreeMap<Key, Record>,
}

/// What belongs to the other site.
#[derive(Debug, PartialEq)]
struct Others {
    records: BTreeMap<Key, Record>,
    roots: BTreeMap<Uuid, RootModel>,
    runs: BTreeMap<Uuid, RunFacts>,
    networks: BTreeMap<String, NetworkFacts>,
}

impl Snapshot {
    fn of(host: &Memory) -> Snapshot {
        Snapshot { host: host.host(), records: host.records().all().unwrap() }
    }

    fn fork(&self) -> Memory {
        Memory::new(self.host.clone(), Box::new(MemoryRecords::new(self.records.clone())))
    }

    fn of_others(&self) -> Others {
        let theirs = Owner::Site("core".to_owned());
        let host = self.host.clone();
        let mut records = self.records.clone();
        records.retain(|_, record| record.owner == theirs);
        let mut roots = host.roots;
        roots.retain(|_, root| root.identity.owner == theirs);
        let mut runs = host.runs;
        runs.retain(|uuid, _| roots.contains_key(uuid));
        let mut networks = host.networks;
        networks.retain(|name, _| name == "core0");
        Others { records, roots, runs, networks }
    }

    /// The contents in the store that the other site's images name or its roots stand on. Sites share them: one that
    /// was lost may come back.
    fn contents_of_others(&self) -> BTreeSet<String> {
        let others = self.of_others();
        let established = others.records.values().filter_map(|record| record.applied.as_ref());
        let named = established.filter_map(|applied| applied.fingerprint.as_ref());
        let stood_on = others.roots.values().flat_map(RootModel::contents);
        named.chain(stood_on).filter(|content| self.host.images.contains_key(*content)).cloned().collect()
    }

    /// Without what differs from one run of the same steps to another, and, where `starts` do not count, without how
    /// often containers were started.
    fn meaning(mut self, starts: bool) -> Snapshot {
        self.host.last_pid = 0;
        self.host.contents.clear();
        self.host.runs.values_mut().for_each(|run| run.pid = 0);
        if !starts {
            self.host.incarnations.clear();
            self.host.runs.values_mut().for_each(|run| run.incarnation = 0);
            self.host.exits.values_mut().for_each(|exit| exit.incarnation = 0);
        }
        self
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

// --- minimal

impl Case<'_> {
    fn is_minimal(&self, picks: &[prop::sample::Index]) {
        let steps = &self.plan.steps;
        if steps.is_empty() || picks.is_empty() {
            return;
        }
        let whole = self.without(&BTreeSet::new());
        let whole = whole.unwrap_or_else(|why| panic!("{why}\n{}\n{}", shown(self.plan), self.written));
        for pick in picks {
            let at = pick.index(steps.len());
            let step = &steps[at];
            let rest = (at..steps.len()).filter(|other| steps[*other].key == step.key).collect();
            for left_out in [BTreeSet::from([at]), rest] {
                if left_out.len() == 1 && self.changes_nothing_that_lasts(step) {
                    continue;
                }
                let counts = left_out.iter().any(|at| follows(&steps[*at]));
                if let Ok(end) = self.without(&left_out) {
                    let differs = end.meaning(counts) != whole.clone().meaning(counts);
                    assert!(differs, "not needed: {left_out:?} of\n{}\n{}", shown(self.plan), self.written);
                }
            }
        }
    }

    /// The end of the plan without these steps, or which of the others could not be carried out, and why.
    fn without(&self, left_out: &BTreeSet<usize>) -> Result<Snapshot, String> {
        let host = self.before.fork();
        let cancel = AtomicBool::new(false);
        let context = StepContext {
            cancel: &cancel,
            deadline: None,
            progress: &|_| (),
            now: options().now,
            actor: "apply by test",
        };
        let steps = self.plan.steps.iter().enumerate().filter(|(at, _)| !left_out.contains(at));
        for (_, step) in steps {
            host.execute(step, &context).map_err(|error| format!("step {}: {error}", step.id.0))?;
        }
        Ok(Snapshot::of(&host))
    }

    /// A look, and a mark for a crash.
    fn changes_nothing_that_lasts(&self, step: &Step) -> bool {
        let mut earlier = self.plan.steps.iter().take_while(|other| other.id != step.id);
        let mut later = self.plan.steps.iter().skip_while(|other| other.id != step.id).skip(1);
        let is_same = |other: &&Step| other.key == step.key;
        match &step.action {
            Action::WaitReady { .. } => {
                earlier.any(|other| is_same(&other) && matches!(other.action, Action::Start(_)))
            }
            Action::Retire => {
                later.find(is_same).is_some_and(|other| !matches!(other.action, Action::ForgetRecord))
            }
            // Files are not looked at in what is parked, or has no record.
            Action::WriteFile { .. } | Action::RunInside { .. } => {
                self.before.records.get(&step.key).is_none_or(|record| record.parked.is_some())
            }
            _ => false,
        }
    }
}

/// Whether it is part of a restart because another one was restarted.
fn follows(step: &Step) -> bool {
    step.reasons.iter().any(|reason| reason.field == "restartWith")
}

// --- explained

impl Case<'_> {
    fn is_explained(&self, observed: &Observed) {
        let mut explanations = BTreeMap::new();
        let steps =
            self.plan.steps.iter().map(|step| (&step.key, &step.reasons, format!("{:?}", step.action)));
        let pending = self.plan.pending.iter();
        let pending = pending.map(|pending| (&pending.key, &pending.reasons, pending.waits_for.clone()));
        for (key, reasons, what) in steps.chain(pending) {
            assert!(!reasons.is_empty() && !what.is_empty(), "{key}: nobody knows why: {what}");
            let explanation = explanations.entry(key).or_insert_with(|| {
                let subject =
                    Subject { key, plan: self.plan, observed, desired: Some(self.desired), elsewhere: None };
                explain(&subject).unwrap_or_else(|| panic!("{key} is not explained"))
            });
            for reason in reasons {
                let is_said = self.reason(key, reason, explanation);
                assert!(
                    is_said.is_ok(),
                    "{key}, {reason:?}: {is_said:?}\n{what:.300}\n{:?}\n{}",
                    explanation.values.iter().find(|value| value.field == reason.field),
                    self.written
                );
            }
        }
        for key in &self.plan.kept {
            assert!(self.plan.kept_because.get(key).is_some_and(|why| !why.is_empty()), "{key}");
        }
    }

    /// The reason says something, `why` has it, and the line that it comes from.
    fn reason(&self, key: &Key, reason: &Reason, explanation: &Explanation) -> Result<(), String> {
        let note = reason.note.as_ref().is_some_and(|note| !note.is_empty());
        if !note && reason.from.is_none() && reason.to.is_none() {
            return Err("it says nothing".to_owned());
        }
        if reason.field.is_empty() {
            let is_told = explanation.changes.iter().any(|change| change.note == reason.note);
            return if is_told {
                self.whole(key, explanation)
            } else {
                Err("`why` does not tell it".to_owned())
            };
        }
        let value = explanation.values.iter().find(|value| value.field == reason.field);
        let Some(value) = value else { return Err("`why` does not have the field".to_owned()) };
        if !value.changes.iter().any(|change| (&change.from, &change.to) == (&reason.from, &reason.to)) {
            return Err("`why` does not tell the change".to_owned());
        }
        let is_declared = matches!(reason.cause, Cause::Change | Cause::ChangeAndDrift)
            && reason.to.is_some()
            && self.desired.objects.contains_key(key);
        match (&value.origin, is_declared) {
            (_, false) => Ok(()),
            (None, true) if reason.field == "hostname" => Ok(()),
            (None, true) => Err("nobody gave the value".to_owned()),
            (Some(origin), true) => match &origin.place {
                Some(place) => {
                    let lines = words(&reason.field).into_iter().map(|word| self.line(place, word));
                    lines.reduce(Result::or).unwrap_or(Ok(()))
                }
                None if origin.layer == Layer::Default => Ok(()),
                None => Err("no line, and no default".to_owned()),
            },
        }
    }

    /// The object as a whole: a line says that it is there, or it is said that none does.
    fn whole(&self, key: &Key, explanation: &Explanation) -> Result<(), String> {
        let standing = &explanation.standing[0];
        match (standing.state, &standing.place) {
            (State::Declared, Some(place)) => self.line(place, "kind: "),
            (State::Member, Some(place)) => {
                // Of a set with keys the key's line, else the set's.
                let last = key.name.rsplit('-').next().unwrap_or_default();
                self.line(place, &format!("{last}: {{")).or_else(|_| self.line(place, "kind: ContainerSet"))
            }
            (State::BuiltIn, None) if self.desired.builtin.contains(key) => Ok(()),
            (State::Undeclared, _) if !self.desired.objects.contains_key(key) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    }

    /// The line is there, and has the word.
    fn line(&self, place: &Place, word: &str) -> Result<(), String> {
        let line = self.written.lines().nth(place.line as usize - 1);
        match line.filter(|_| &*place.file == "site.yaml") {
            None => Err(format!("there is no {place}")),
            Some(line) if line.contains(word) => Ok(()),
            Some(line) => Err(format!("{place} is not about {word}: {line}")),
        }
    }
}

/// The words of which the line of a field has one.
fn words(field: &str) -> Vec<&str> {
    match field.split_once('.') {
        Some(("config", key)) => vec![key],
        Some(("files", path)) => vec![path.split('.').next().unwrap_or_default()],
        Some((_, rest)) => rest.split('.').collect(),
        None => vec![field],
    }
}

// --- within its guards

impl Case<'_> {
    fn container(&self, key: &Key) -> Option<&Container> {
        match &self.desired.objects.get(key)?.spec {
            Spec::Container(container) => Some(container),
            _ => None,
        }
    }

    fn leaves(&self, key: &Key) -> Option<Deletion> {
        let intents = self.plan.prune.iter().filter(|intent| !intent.waits);
        intents.filter(|intent| intent.keys.contains(key)).map(|intent| intent.way).next()
    }

    fn is_within_its_guards(&self, after: &Snapshot) {
        self.prunes_no_more_than_it_may(after);
        let pids: BTreeMap<Uuid, u32> = after.host.runs.iter().map(|(uuid, run)| (*uuid, run.pid)).collect();
        for (uuid, run) in &self.before.host.runs {
            let goes_on = pids.get(uuid) == Some(&run.pid);
            let key = &self.before.host.roots[uuid].identity.key;
            let waits = |class: Class| {
                self.plan.pending.iter().any(|pending| pending.key == *key && pending.class == class)
            };
            let content =
                |host: &HostModel| host.roots.get(uuid).map(|root| root.identity.fingerprint.clone());
            let is_replaced = content(&self.before.host) != content(&after.host);
            assert!(!is_replaced || !waits(Class::Replace), "{key} waits, and was replaced");
            let waits = waits(Class::Restart) || waits(Class::Delete);
            assert!(goes_on || !waits, "{key} waits, and was stopped");
            assert!(
                goes_on || self.may_stop(key, pids.contains_key(uuid)),
                "{key} was stopped: {:#?}",
                self.plan.steps
            );
        }
        for key in &self.plan.kept {
            let steps = self.plan.steps.iter().filter(|step| step.key == *key).count();
            assert_eq!(steps, 0, "{key} is kept");
        }
        let declared = |step: &&Step| self.desired.objects.contains_key(&step.key);
        for step in self.plan.steps.iter().filter(declared) {
            assert!(step.class != Class::Delete, "{step:#?}");
        }
    }

    /// Whether a container that runs may be stopped; `runs`: it was started again.
    fn may_stop(&self, key: &Key, runs: bool) -> bool {
        let renamed = self.desired.renamed_from.iter().find(|(_, former)| *former == key).map(|(now, _)| now);
        let key = renamed.filter(|_| !self.desired.objects.contains_key(key)).unwrap_or(key);
        let Some(container) = self.container(key) else {
            let parked = self.before.records.get(key).is_some_and(|record| record.parked.is_some());
            return !runs && (parked || matches!(self.leaves(key), Some(Deletion::Park | Deletion::Delete)));
        };
        if container.state == Power::Stopped && !runs {
            return true;
        }
        let replaced = |step: &Step| step.key == *key && matches!(step.action, Action::SwapRoot { .. });
        let approved = match self.plan.steps.iter().any(replaced) {
            true => self.options.allow_replace && container.update.image == ImagePolicy::Replace,
            false => self.options.allow_restart,
        };
        match container.update.restart {
            RestartPolicy::Allow => true,
            RestartPolicy::Ask => approved,
            RestartPolicy::Deny => false,
        }
    }

    /// What went out of service went by the site's prune, and not more of it than may.
    fn prunes_no_more_than_it_may(&self, after: &Snapshot) {
        let mine = Owner::Site("edge".to_owned());
        let in_service = |snapshot: &Snapshot| -> BTreeSet<Key> {
            let records = snapshot.records.iter().filter(|(key, record)| {
                record.owner == mine && record.parked.is_none() && !record.retiring && key.kind != Kind::Site
            });
            records.map(|(key, _)| key.clone()).collect()
        };
        let (before, after) = (in_service(self.before), in_service(after));
        let renamed: BTreeSet<&Key> = self.desired.renamed_from.values().collect();
        let lost: BTreeSet<&Key> = before.difference(&after).filter(|key| !renamed.contains(key)).collect();
        if lost.is_empty() {
            return;
        }
        let Spec::Site(site) = &self.desired.objects[&Key::site("edge")].spec else { unreachable!() };
        let most = match self.options.deletions {
            DeletionApproval::Any => usize::MAX,
            DeletionApproval::AtMost(most) if most >= lost.len() => most,
            _ => site.prune.max.of(before.len()),
        };
        assert!(lost.len() <= most, "{} of {most}: {lost:?}", lost.len());
        let may = match site.prune.mode {
            PruneMode::Off => false,
            PruneMode::Confirm => self.options.deletions != DeletionApproval::None,
            PruneMode::Auto => true,
        };
        assert!(may, "{lost:?}");
        for key in lost {
            assert!(self.leaves(key).is_some() && !self.desired.objects.contains_key(key), "{key}");
        }
    }
}

// --- nothing lost

impl Case<'_> {
    /// What was in a root is there, or in the root that was kept, or a step took it that somebody allowed.
    fn loses_nothing(&self, after: &Snapshot) {
        for (uuid, before) in &self.before.host.roots {
            let key = &before.identity.key;
            let is_remade = self.is_complete(*uuid);
            let Some(now) = after.host.roots.get(uuid) else {
                assert!(self.may_go(key), "{key} is lost: {}", shown(self.plan));
                continue;
            };
            assert_eq!(now.identity.identity.uuid, *uuid);
            if is_remade {
                continue;
            }
            for (folder, written) in &before.persisted {
                let kept = now.persisted.get(folder).is_some_and(|now| written.is_subset(now));
                assert!(kept, "{key}: what was in {folder} is lost");
            }
            if before.written.is_subset(&now.written) {
                continue;
            }
            let former =
                now.replaced.as_ref().is_some_and(|former| before.written.is_subset(&former.written));
            let swap = self.plan.steps.iter().find(
                |step| matches!(step.action, Action::SwapRoot { uuid: swapped, .. } if swapped == *uuid),
            );
            let may =
                swap.and_then(|step| self.container(&step.key)).is_some_and(|container| {
                    match container.update.restart {
                        RestartPolicy::Allow => container.update.image == ImagePolicy::Replace,
                        RestartPolicy::Ask => {
                            container.update.image == ImagePolicy::Replace && self.options.allow_replace
                        }
                        RestartPolicy::Deny => false,
                    }
                });
            assert!(former && may, "{key}: what was written inside is lost");
        }
    }

    /// A power-off from inside completes what is ephemeral.
    fn is_complete(&self, uuid: Uuid) -> bool {
        let steps = self.plan.steps.iter();
        let ephemeral = |step: &Step| self.container(&step.key).is_some_and(|container| container.ephemeral);
        let mut deleted = steps
            .filter(|step| matches!(step.action, Action::DeleteRoot { uuid: other, .. } if other == uuid));
        let powered_off = self
            .before
            .host
            .exits
            .get(&uuid)
            .is_some_and(|exit| exit.cause == bayplan::model::observed::ExitCause::PowerOff);
        powered_off && deleted.any(ephemeral)
    }

    /// Whether a root may be deleted: it is no longer declared, was to be deleted then, and that was allowed, now or
    /// when it was parked.
    fn may_go(&self, key: &Key) -> bool {
        let record = self.before.records.get(key);
        let parked = record.and_then(|record| record.parked.as_ref());
        let is_over = parked.is_some_and(|parked| parked.until <= self.options.now);
        let is_begun = record.is_some_and(|record| record.retiring);
        let named = self
            .plan
            .steps
            .iter()
            .any(|step| step.key == *key && matches!(step.action, Action::DeleteRoot { .. }));
        named
            && !self.desired.objects.contains_key(key)
            && (is_over || is_begun || self.leaves(key) == Some(Deletion::Delete))
    }
}
