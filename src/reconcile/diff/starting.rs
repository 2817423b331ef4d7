//! What a container starts with: its root, the folders that outlive it, its secrets, and what is noted of the start.

use super::because;
use super::container::Walk;
use super::field::Field;
use crate::model::content::{Content, Contents};
use crate::model::key::Key;
use crate::model::object::{Container, Power, Spec};
use crate::model::observed::RunFacts;
use crate::model::ready::ReadyProbe;
use crate::model::run::{ContainerRun, SecretUse};
use crate::model::step::{Action, Cause, Class, ImageContent, Reason, RootSeed};
use crate::reconcile::contents::digest;
use crate::reconcile::ignore;
use std::collections::BTreeMap;

impl Walk<'_> {
    pub fn create_root(&mut self, why: Vec<Reason>) {
        let Some(state) = self.scene.images.get(&self.desired.image) else {
            self.broken(
                format!("its image {} is not known", self.desired.image),
                format!("declare {}, and apply", self.desired.image),
            );
            return;
        };
        let reasons = match &self.applied {
            _ if !why.is_empty() => why,
            None => vec![because(Cause::Change, "", "new")],
            Some(_) => vec![because(Cause::Drift, "", "its root is gone; a fresh one is made")],
        };
        let fingerprint = match &state.content {
            ImageContent::Fingerprint(fingerprint) => Some(fingerprint.clone()),
            ImageContent::ImportOf(_) => None,
        };
        let root = RootSeed { owner: self.target.owner.clone(), identity: self.identity.clone() };
        let action = Action::CreateRoot {
            pool: self.run.pool.clone(),
            image: state.content.clone(),
            root: Box::new(root),
        };
        let class = if self.applied.is_none() { Class::Create } else { Class::Replace };
        let resting = if self.target.power == Power::Any { Power::Any } else { Power::Stopped };
        self.establish_all(resting);
        if let Some(applied) = &mut self.applied
            && let Spec::Container(container) = &mut applied.object.spec
        {
            container.image.clone_from(&self.desired.image);
            container.architecture.clone_from(&self.desired.architecture);
            applied.fingerprint = fingerprint;
            applied.unready = false;
            applied.replaced = None;
        }
        self.diff.push(action, class, reasons, self.applied.clone());
    }

    /// Start with all that is declared, wait, and freeze where that is wanted.
    pub fn start(&mut self, reasons: Vec<Reason>, class: Class) {
        let fresh = self.diff.steps.iter().any(|step| step.class == Class::Create);
        let class = if fresh { Class::Create } else { class };
        let state = if self.target.power == Power::Frozen { Power::Running } else { self.target.power };
        self.persist(&self.root_pool(), class);
        self.establish_all(state);
        // What others wait for is to be seen ready, in this plan or a later one; what needs but to run is seen to.
        let is_new = self.has_unproven_root();
        self.diff.replacing |= is_new;
        let proves = is_new || self.desired.ready.probe != ReadyProbe::Alive;
        self.note_unready(proves);
        self.note_others(|_, now| now);
        // A former value of a secret cannot be had, whatever an incarnation that ran until now was given.
        let run = ContainerRun { secrets: self.start_secrets.clone(), ..self.run.clone() };
        self.diff.push(Action::Start(Box::new(run)), class, reasons, self.applied.clone());
        self.note_ready();
        let wait = Action::WaitReady { uuid: self.identity.uuid, ready: self.desired.ready.clone() };
        let ready = proves.then(|| self.applied.clone()).flatten();
        self.diff.push(wait, class, vec![because(Cause::Consequence, "ready", "started")], ready);
        if self.target.power == Power::Frozen {
            self.freeze(because(Cause::Consequence, "state", "declared frozen"));
        }
    }

    /// What it restarts with as it is once this plan is done; `pick` chooses from the incarnation noted before and
    /// the one now.
    pub fn note_others(&mut self, pick: impl Fn(Option<u64>, u64) -> u64) {
        let Some(applied) = &mut self.applied else { return };
        let now = |key: &Key| self.others.get(key).copied().unwrap_or(0);
        let noted = self.desired.restart_with.iter();
        let noted = noted.map(|key| (key.clone(), pick(applied.started_with.get(key).copied(), now(key))));
        applied.started_with = noted.collect();
    }

    /// Whether its root took another one's place, and was not seen ready yet.
    pub fn has_unproven_root(&self) -> bool {
        let replaced = self.applied.as_ref().and_then(|applied| applied.replaced.as_ref());
        replaced.is_some_and(|replaced| !replaced.proven)
    }

    /// Seen ready: so is a root that took another one's place.
    pub fn note_ready(&mut self) {
        self.note_unready(false);
        if let Some(replaced) = self.applied.as_mut().and_then(|applied| applied.replaced.as_mut()) {
            replaced.proven = true;
        }
    }

    /// The folders that outlive the root, where they are not there yet.
    pub fn persist(&mut self, pool: &str, class: Class) {
        let fresh = self.makes_root();
        let kept = self.view.root.filter(|_| !fresh).map(|root| root.persisted.clone()).unwrap_or_default();
        for path in self.desired.persist.clone() {
            let planned =
                |action: &Action| matches!(action, Action::Persist { path: other, .. } if *other == path);
            if kept.contains(&path) || self.diff.steps.iter().any(|step| planned(&step.action)) {
                continue;
            }
            let why = because(Cause::Change, "persist", format!("{path} gets a place of its own"));
            let action = Action::Persist { pool: pool.to_owned(), uuid: self.identity.uuid, path };
            self.diff.push(action, class, vec![why], None);
        }
    }

    pub fn note_unready(&mut self, unready: bool) {
        if let Some(applied) = &mut self.applied {
            applied.unready = unready;
        }
    }

    /// Whether it can be started with all that its environment is to have; says so if not.
    pub fn has_secrets(&mut self) -> bool {
        let Some((name, why)) = self.unresolved.first() else { return true };
        let message = format!("it cannot be started: variable {name}: {why}");
        self.broken(
            message,
            "bring the secret back to where it is declared, or change the manifest".to_owned(),
        );
        false
    }
}

/// What its environment is given in secret at a start, and what cannot be had.
pub fn secrets(
    container: &Container,
    contents: &Contents,
) -> (BTreeMap<String, SecretUse>, Vec<(String, String)>) {
    let (mut secrets, mut unresolved) = (BTreeMap::new(), vec![]);
    for (name, secret) in &container.environment {
        match digest(contents, &Content::Variable(secret.clone())) {
            Ok(digest) => {
                let given = SecretUse { secret: secret.clone(), digest: digest.clone() };
                secrets.insert(name.clone(), given);
            }
            Err(why) => unresolved.push((name.clone(), why)),
        }
    }
    (secrets, unresolved)
}

/// What a running one is to have: it keeps the value of a secret that is ignored, or that cannot be had now.
pub fn kept_secrets(
    container: &Container,
    running: Option<&RunFacts>,
    at_start: &BTreeMap<String, SecretUse>,
) -> BTreeMap<String, SecretUse> {
    let mut secrets = at_start.clone();
    for (name, secret) in &container.environment {
        let Some(given) = running.and_then(|facts| facts.run.secrets.get(name)) else { continue };
        let is_ignored = ignore::ignores(&container.ignore, &Field::Environment(name.clone()));
        let is_lost = !at_start.contains_key(name) && given.secret.from == secret.from;
        if is_ignored || is_lost {
            secrets.insert(name.clone(), given.clone());
        }
    }
    secrets
}
