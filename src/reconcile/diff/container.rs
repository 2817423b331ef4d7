//! Containers: root, power, and what a restart costs. Live repairs are in `live`.
//!
//! ```text
//!  no root ──► CreateRoot ──► stopped ──► Start, WaitReady ──► running ──► Freeze ──► frozen
//!                                ▲                               │ live repairs        │
//!                                └──────────── Stop ◄────────────┴──── Unfreeze ◄──────┘
//! ```

use super::field::{Field, differing};
use super::files::{self, Audience};
use super::reasons::{change_reasons, note_class, restart_downtime_ms, restart_reasons};
use super::starting::{kept_secrets, secrets};
use super::{ObjectDiff, Scene, because, live, record_update, replace};
use crate::model::key::Key;
use crate::model::object::{Container, ImagePolicy, Object, Power, RestartPolicy, Spec};
use crate::model::observed::RunFacts;
use crate::model::record::{Applied, Identity};
use crate::model::run::{ContainerRun, SecretUse};
use crate::model::step::{Action, Cause, Class, ImageContent, Reason, StopHow};
use crate::model::typed;
use crate::reconcile::graph::Way;
use crate::reconcile::ignore;
use crate::reconcile::join::ContainerView;
use crate::reconcile::plan::{Hold, Pending};
use crate::reconcile::realize;
use crate::reconcile::world::Target;
use std::collections::{BTreeMap, BTreeSet};

/// How long a clean stop may take before it is forced, in milliseconds.
pub const STOP_TIMEOUT_MS: u64 = 30_000;

/// The diff of one container under way: what is established so far, and what is still to do.
pub struct Walk<'a> {
    pub scene: &'a Scene<'a>,
    pub key: &'a Key,
    pub target: &'a Target<'a>,
    /// As declared, with the power state that counts now.
    pub desired: Container,
    pub identity: &'a Identity,
    pub view: ContainerView<'a>,
    /// What it is to run.
    pub run: ContainerRun,
    /// The secrets that a start gives it.
    pub start_secrets: BTreeMap<String, SecretUse>,
    /// Secret variables that it cannot be given: name, and why.
    pub unresolved: Vec<(String, String)>,
    /// What steps established so far; None: nothing.
    pub applied: Option<Applied>,
    /// Fields in which `desired` differs from `applied`.
    pub changed: BTreeSet<Field>,
    pub reasons: Vec<Reason>,
    /// How often its root was made afresh because it was complete.
    pub remakes: u64,
    /// The incarnation of each that it restarts with, once this plan is done; none that does not run then.
    pub others: &'a BTreeMap<Key, u64>,
    pub diff: ObjectDiff,
}

pub fn diff<'a>(
    scene: &'a Scene<'a>,
    key: &'a Key,
    target: &'a Target<'a>,
    container: &Container,
    (identity, others): (&'a Identity, &'a BTreeMap<Key, u64>),
) -> ObjectDiff {
    let mut walk = Walk::new(scene, key, target, container, (identity, others));
    walk.power();
    walk.note();
    walk.stale();
    walk.diff
}

impl<'a> Walk<'a> {
    fn new(
        scene: &'a Scene<'a>,
        key: &'a Key,
        target: &'a Target<'a>,
        container: &Container,
        (identity, others): (&'a Identity, &'a BTreeMap<Key, u64>),
    ) -> Walk<'a> {
        let view = scene.joined.view(key);
        let before = view.record.and_then(|record| record.applied.as_ref()).map(|applied| &applied.object);
        let desired = Container { state: target.power, ..ignore::effective(container, before) };
        let (start_secrets, unresolved) = secrets(&desired, &scene.options.contents);
        let secrets = kept_secrets(&desired, view.run, &start_secrets);
        let memory = scene.observed.host.memory;
        let run = realize::run(key, &desired, identity, scene.networks, secrets, memory);
        let mut diff = ObjectDiff::new(key);
        // Most containers are as they should be: for those nothing is written out.
        let object =
            || Object { meta: target.object.meta.clone(), spec: Spec::Container(Box::new(desired.clone())) };
        let adopted = view.is_unrecorded().then(|| Applied {
            fingerprint: view.root.map(|root| root.identity.fingerprint.clone()),
            ..Applied::plain(object())
        });
        let applied = view.record.and_then(|record| record.applied.clone()).or_else(|| adopted.clone());
        if let Some((update, reasons)) = record_update(scene, target, view.record, Some(identity), adopted) {
            diff.push(Action::PutRecord(Box::new(update)), Class::Record, reasons, None);
        }
        let (changed, reasons) = match &applied {
            Some(Applied { object: Object { meta, spec: Spec::Container(before) }, .. }) => {
                let mut changed = differing((meta, before), (&target.object.meta, &desired));
                if before.state == Power::Any && container.state == Power::Any {
                    changed.remove(&Field::State); // not managed, whatever a hold makes of it
                }
                match changed.is_empty() {
                    true => (changed, vec![]),
                    false => (changed, change_reasons(applied.as_ref(), &object())),
                }
            }
            _ => (BTreeSet::new(), vec![]),
        };
        let remakes = applied.as_ref().map_or(0, |applied| applied.remakes);
        Walk {
            scene,
            key,
            target,
            desired,
            identity,
            view,
            run,
            start_secrets,
            unresolved,
            applied,
            changed,
            reasons,
            remakes,
            others,
            diff,
        }
    }

    fn power(&mut self) {
        let want = self.target.power;
        let up = matches!(want, Power::Running | Power::Frozen);
        if up && self.view.run.is_none() && self.must_wait() {
            return;
        }
        let completed = self.desired.ephemeral
            && up
            && !self.was_parked()
            && !typed::protected_from_delete(&self.desired.config)
            && self.view.is_complete();
        match (self.view.root, self.view.run) {
            (None, None) => self.create_root(vec![]),
            (Some(root), None) if completed => {
                let uuid = root.identity.identity.uuid;
                let why = vec![because(Cause::Drift, "", "ephemeral, and powered off from inside: complete")];
                let delete = Action::DeleteRoot { pool: root.pool.clone(), uuid };
                self.diff.push(delete, Class::Replace, why.clone(), None);
                self.remakes += 1;
                self.create_root(why);
            }
            _ => {}
        }
        if self.is_broken_content() {
            replace::clear(self);
        } else if replace::diff(self) {
            return;
        }
        let starts =
            up && self.view.run.is_none() && !self.is_barred() && !self.is_broken() && self.has_secrets();
        match self.view.run {
            None if starts => {
                files::diff(self, Audience::Nobody);
                self.start(self.start_reasons(), Class::Live);
            }
            None => {
                if !self.is_broken() {
                    files::diff(self, Audience::Nobody);
                }
            }
            Some(_) if want == Power::Stopped => {
                self.stop();
                files::diff(self, Audience::Nobody);
            }
            Some(run) => self.running(run),
        }
    }

    /// Whether its inits end as soon as they begin, so that the next start has a time; that is pending.
    fn must_wait(&mut self) -> bool {
        let Some(not_before) = self.scene.options.not_before.get(self.key) else { return false };
        if *not_before <= self.scene.options.now {
            return false;
        }
        self.diff.pending = Some(Pending {
            key: self.key.clone(),
            class: Class::Live,
            reasons: self.start_reasons(),
            downtime_ms: 0,
            waits_for: format!("{not_before:.0}: its inits end as soon as they begin"),
            askable: false,
        });
        true
    }

    fn stop(&mut self) {
        self.diff.way = Way::Down;
        let reasons = self.power_reasons("running");
        self.establish(&Field::State);
        let how = StopHow::Clean { timeout_ms: STOP_TIMEOUT_MS };
        let action = Action::Stop { uuid: self.identity.uuid, how };
        self.diff.push(action, Class::Live, reasons, self.applied.clone());
    }

    fn running(&mut self, facts: &RunFacts) {
        let why = restart_reasons(self, facts);
        let approved = match self.desired.update.restart {
            RestartPolicy::Ask => self.scene.options.allow_restart,
            RestartPolicy::Allow => true,
            RestartPolicy::Deny => false,
        };
        let allowed = self.target.restart || (!why.is_empty() && approved && self.held().is_none());
        let barred = typed::protected_from_start(&self.desired.config);
        if allowed && !barred && !self.is_broken() && self.has_secrets() {
            self.restart(why);
            return;
        }
        if !why.is_empty() {
            self.pend_restart(why);
        }
        live::diff(self, facts);
        if facts.root_lost {
            self.lacks_files();
        } else {
            files::diff(self, Audience::Programs);
            if !facts.frozen {
                files::settle(self);
                replace::prove(self);
            }
        }
        match (self.target.power, facts.frozen) {
            (Power::Frozen, false) => {
                let reasons = self.power_reasons("running");
                self.establish(&Field::State);
                let action = Action::Freeze { uuid: self.identity.uuid };
                self.diff.push(action, Class::Live, reasons, self.applied.clone());
            }
            (Power::Running, true) => {
                let reasons = self.power_reasons("frozen");
                self.establish(&Field::State);
                let action = Action::Unfreeze { uuid: self.identity.uuid };
                self.diff.push(action, Class::Live, reasons, self.applied.clone());
                if !facts.root_lost {
                    files::settle(self);
                }
            }
            _ => {}
        }
    }

    pub fn freeze(&mut self, why: Reason) {
        self.establish(&Field::State);
        let action = Action::Freeze { uuid: self.identity.uuid };
        self.diff.push(action, Class::Live, vec![why], self.applied.clone());
    }

    fn restart(&mut self, mut why: Vec<Reason>) {
        if self.target.restart {
            why.push(because(Cause::Verb, "", "restart"));
        }
        let how = StopHow::Clean { timeout_ms: STOP_TIMEOUT_MS };
        let stop = Action::Stop { uuid: self.identity.uuid, how };
        let stopped = self.stopped_on_the_way();
        self.diff.push(stop, Class::Restart, why.clone(), stopped);
        let downtime = restart_downtime_ms(&self.desired);
        if let Some(step) = self.diff.steps.last_mut() {
            step.downtime_ms = downtime;
        }
        files::diff(self, Audience::Nobody);
        self.start(why, Class::Restart);
    }

    /// Its record while it is down on the way to another incarnation: should that fail, it was not powered off from inside.
    pub fn stopped_on_the_way(&self) -> Option<Applied> {
        let incarnation = self.view.run.map(|run| run.incarnation);
        self.applied.clone().map(|applied| Applied { stopped: incarnation, ..applied })
    }

    fn pend_restart(&mut self, reasons: Vec<Reason>) {
        self.changed.retain(|field| field.class() != Class::Restart);
        if self.diff.pending.is_some() {
            return; // a replace that waits takes it along
        }
        let held = self.held();
        let waits_for = match (&held, self.desired.update.restart) {
            (Some(held), _) => (held.as_str(), false),
            (None, RestartPolicy::Deny) => ("update.restart is deny: `bayplan restart` by hand", false),
            (None, RestartPolicy::Ask | RestartPolicy::Allow) => {
                ("update.restart is ask: a yes on the terminal, --allow restart, or `bayplan restart`", true)
            }
        };
        self.pend(Class::Restart, reasons, waits_for);
    }

    /// What lifts its hold, where that keeps what runs from being stopped and started; a verb's own restart it does not.
    pub fn held(&self) -> Option<String> {
        let entry =
            self.target.overrides.first().filter(|_| !self.target.restart && self.view.run.is_some())?;
        let hold = Hold::of(self.key, entry).words();
        Some(format!("the end of its hold: `bayplan resume {}`; {hold}", self.key))
    }

    pub fn pend(&mut self, class: Class, reasons: Vec<Reason>, (waits_for, askable): (&str, bool)) {
        self.diff.pending = Some(Pending {
            key: self.key.clone(),
            class,
            reasons,
            downtime_ms: if self.view.run.is_some() { restart_downtime_ms(&self.desired) } else { 0 },
            waits_for: waits_for.to_owned(),
            askable,
        });
    }

    /// What is left differs in records alone, or takes effect at the next start.
    fn note(&mut self) {
        if self.applied.is_none() {
            return; // nothing is established yet: its root could not be planned
        }
        // A broken container's files are as they were: they are told once they are written.
        let is_left = |field: &Field| self.diff.broken.is_some() && matches!(field, Field::File(_));
        let is_noted = |field: &&Field| {
            (!field.serves_creation() || (**field == Field::Image && self.has_content())) && !is_left(field)
        };
        let rest: BTreeSet<Field> = self.changed.iter().filter(is_noted).cloned().collect();
        let reasons = self.reasons_of(|field| rest.contains(field));
        let class = rest.iter().map(note_class).max().unwrap_or(Class::Record);
        for field in &rest {
            self.establish(field);
        }
        if rest.contains(&Field::RestartWith) {
            self.note_others(|before, now| before.unwrap_or(now));
        }
        if !rest.is_empty() {
            self.diff.push(Action::Note, class, reasons, self.applied.clone());
        }
    }

    /// Whether it takes each content of its image, and its root has the present one: then the image has another name only.
    fn has_content(&self) -> bool {
        let current = self.scene.images.get(&self.desired.image).map(|state| &state.content);
        let stands = self.view.root.map(|root| &root.identity.fingerprint);
        self.desired.update.image == ImagePolicy::Replace
            && !self.has_fresh_root()
            && matches!((current, stands), (Some(ImageContent::Fingerprint(current)), Some(stands)) if current == stands)
    }

    fn stale(&mut self) {
        let current = self.scene.images.get(&self.desired.image).map(|state| &state.content);
        let stands = self.view.root.map(|root| &root.identity.fingerprint);
        let replaced = self.has_fresh_root();
        if let (Some(ImageContent::Fingerprint(current)), Some(stands), false) = (current, stands, replaced) {
            self.diff.stale = current != stands;
        }
    }

    /// Whether this plan makes its root.
    pub fn makes_root(&self) -> bool {
        self.diff.steps.iter().any(|step| matches!(step.action, Action::CreateRoot { .. }))
    }

    /// Whether this plan makes its root, or takes another one into use.
    pub fn has_fresh_root(&self) -> bool {
        let brings = |action: &Action| {
            matches!(action, Action::CreateRoot { .. } | Action::SwapRoot { .. } | Action::RestoreRoot { .. })
        };
        self.diff.steps.iter().any(|step| brings(&step.action))
    }

    /// The pool that its root is in, or will be.
    pub fn root_pool(&self) -> String {
        let stands = self.view.root.filter(|_| !self.has_fresh_root()).map(|root| root.pool.clone());
        stands.unwrap_or_else(|| self.run.pool.clone())
    }

    /// Whether a field is neither compared nor written; a root that this plan makes gets all.
    pub fn ignores(&self, field: &Field) -> bool {
        ignore::ignores(&self.desired.ignore, field) && !self.has_fresh_root()
    }

    pub fn was_parked(&self) -> bool {
        self.view.record.is_some_and(|record| record.parked.is_some())
    }

    /// `field` is as declared once the next pushed step is done.
    pub fn establish(&mut self, field: &Field) {
        self.changed.remove(field);
        let state = self.managed(self.desired.state);
        if let Some(Applied { object: Object { meta, spec: Spec::Container(container) }, .. }) =
            &mut self.applied
        {
            field.copy((&self.target.object.meta, &self.desired), (meta, container));
            if *field == Field::State {
                container.state = state;
            }
        }
    }

    /// A power state as it is established: one that is not managed stays so, whatever a verb or a restart makes of it.
    fn managed(&self, state: Power) -> Power {
        match &self.target.object.spec {
            Spec::Container(declared) if declared.state == Power::Any => Power::Any,
            _ => state,
        }
    }

    /// Everything but what serves creation alone is as declared, in power state `state`.
    pub fn establish_all(&mut self, state: Power) {
        let mut desired = Container { state: self.managed(state), ..self.desired.clone() };
        let fingerprint = self.view.root.map(|root| root.identity.fingerprint.clone());
        let mut kept = fingerprint;
        if let Some(Applied { object: Object { spec: Spec::Container(before), .. }, fingerprint, .. }) =
            &self.applied
        {
            desired.image.clone_from(&before.image);
            desired.architecture.clone_from(&before.architecture);
            kept.clone_from(fingerprint);
        }
        let spec = Spec::Container(Box::new(desired));
        let object = Object { meta: self.target.object.meta.clone(), spec };
        let before = self.applied.take().unwrap_or_else(|| Applied::plain(object.clone()));
        self.applied =
            Some(Applied { object, fingerprint: kept, remakes: self.remakes, stopped: None, ..before });
        self.changed.retain(Field::serves_creation);
    }
}
