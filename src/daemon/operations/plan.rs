//! A request → its goal → its plan. Changes nothing.

use super::{load, sets};
use crate::api::error::{Failure, FailureKind};
use crate::api::types::{GoalRequest, HoldUntil, PlanRequest, StopWish};
use crate::daemon::wiring::Bay;
use crate::driver::Scope;
use crate::model::desired::Desired;
use crate::model::key::Key;
use crate::model::object::Object;
use crate::model::observed::{Host, Observed};
use crate::model::step::{Action, StopHow};
use crate::reconcile::goal::{Goal, PlanOptions};
use crate::reconcile::plan::{self, Plan};
use crate::reconcile::world::recorded;
use crate::reconcile::{check, contents, follow, render, with_dropped};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

impl Bay {
    /// What would be done.
    pub fn plan(&self, request: &PlanRequest) -> Result<Plan, Failure> {
        let mut scope = scope(&request.goal);
        let mut observed = self.observe(&scope)?;
        if let (Scope::Keys(keys), GoalRequest::Restart { key, .. }) = (&mut scope, &request.goal) {
            let followers = follow::followers(&observed, key);
            if !followers.is_empty() {
                keys.extend(followers);
                observed = self.observe(&scope)?;
            }
        }
        let plan = self.plan_on(request, &observed)?;
        if scope == Scope::All || !allocates(&plan, &observed) {
            return Ok(plan);
        }
        self.plan_on(request, &self.observe(&Scope::All)?)
    }

    fn plan_on(&self, request: &PlanRequest, observed: &Observed) -> Result<Plan, Failure> {
        let (desired, warnings) = match &request.goal {
            GoalRequest::Site(manifests) | GoalRequest::DeleteDeclared(manifests) => {
                let loaded = load::load(&manifests.texts(), &observed.host)?;
                (loaded.desired, loaded.warnings)
            }
            _ => (Desired::default(), vec![]),
        };
        let now = Timestamp::now();
        let goal = goal(&request.goal, &desired, observed, now)?;
        let mut options = PlanOptions::new(now, uuid::Uuid::new_v4().into_bytes(), &request.actor);
        let recorded = recorded_objects(observed);
        options.only = sets::members(&request.only, desired.objects.iter().chain(recorded));
        options.allow_restart = request.approval.restarts();
        options.allow_replace = request.approval.replaces();
        options.deletions = request.deletions;
        options.take_ownership = request.take_ownership;
        if let Goal::Site(desired) = goal {
            options.missing_paths = self.missing(check::paths_to_check(desired));
        }
        let wanted = contents::wanted(&goal, observed);
        options.contents =
            self.driver().digests(&wanted).map_err(|error| Failure::from_error(FailureKind::Host, &error))?;
        let plan = plan::plan(&goal, observed, &options).map_err(plan_failure)?;
        let mut plan = with_dropped(self.driver(), plan, observed)
            .map_err(|error| Failure::from_error(FailureKind::Host, &error))?;
        plan.warnings.splice(0..0, warnings);
        if let Some(wish) = stop_wish(&request.goal) {
            stop_as_wished(&mut plan, wish);
        }
        Ok(plan)
    }

    /// What the machine itself is.
    pub fn machine(&self) -> Result<Host, Failure> {
        Ok(self.observe(&Scope::Keys(BTreeSet::new()))?.host)
    }

    /// What the host has.
    pub fn observe(&self, scope: &Scope) -> Result<Observed, Failure> {
        self.driver().observe(scope).map_err(|error| Failure::from_error(FailureKind::Host, &error))
    }
}

/// What two plans share when they do the same for the same reasons; uuids that were drawn for new objects, and times,
/// take no part.
pub fn digest(plan: &Plan) -> String {
    let mut hash = Sha256::new();
    for step in &plan.steps {
        let words =
            format!("{} {} {:?} {:?}\n", step.key, render::step_words(&step.action), step.class, step.after);
        hash.update(words);
        for reason in &step.reasons {
            hash.update(format!("{:?} {} {:?} {:?}\n", reason.cause, reason.field, reason.from, reason.to));
        }
    }
    for pending in &plan.pending {
        hash.update(format!("pending {} {:?}\n", pending.key, pending.class));
    }
    hex::encode(hash.finalize())
}

/// A verb on one container needs a look at that one, and at what it refers to.
fn scope(goal: &GoalRequest) -> Scope {
    match goal {
        GoalRequest::Power { key, .. } | GoalRequest::Resume(key) | GoalRequest::Restart { key, .. } => {
            Scope::Keys(BTreeSet::from([key.clone()]))
        }
        _ => Scope::All,
    }
}

/// Whether a plan gives out ids or addresses: for that, all that others use must be known.
fn allocates(plan: &Plan, observed: &Observed) -> bool {
    plan.steps.iter().any(|step| match &step.action {
        Action::PutRecord(update) if update.identity.is_some() => {
            observed.records.get(&step.key).is_none_or(|record| record.identity != update.identity)
        }
        _ => false,
    })
}

fn goal<'a>(
    request: &GoalRequest,
    desired: &'a Desired,
    observed: &Observed,
    now: Timestamp,
) -> Result<Goal<'a>, Failure> {
    Ok(match request {
        GoalRequest::Site(_) => Goal::Site(desired),
        GoalRequest::Recorded => Goal::Recorded,
        GoalRequest::Delete(keys) => {
            let keys = sets::members(keys, recorded_objects(observed));
            keys.iter().try_for_each(|key| found(key, observed))?;
            Goal::Delete(keys)
        }
        GoalRequest::Park(keys) => {
            let keys = sets::members(keys, recorded_objects(observed));
            keys.iter().try_for_each(|key| known(key, observed))?;
            Goal::Park(keys)
        }
        GoalRequest::Undelete(key) => Goal::Undelete(parked(key, observed)?),
        GoalRequest::DeleteAll => Goal::Delete(observed.records.keys().cloned().collect()),
        GoalRequest::DeleteDeclared(_) => Goal::Delete(declared_and_known(desired, observed)),
        GoalRequest::Power { key, power, hold, .. } => {
            known(key, observed)?;
            Goal::Power { key: key.clone(), power: *power, until: until(*hold, now) }
        }
        GoalRequest::Resume(key) => {
            known(key, observed)?;
            Goal::Resume(key.clone())
        }
        GoalRequest::Restart { key, .. } => {
            known(key, observed)?;
            Goal::Restart(key.clone())
        }
        GoalRequest::Rollback(keys) => Goal::Rollback(keys.clone()),
    })
}

/// Each object as its record has it.
pub fn recorded_objects(observed: &Observed) -> impl Iterator<Item = (&Key, &Object)> + Clone {
    observed.records.iter().filter_map(|(key, record)| Some((key, recorded(record)?)))
}

/// The key; of a set the members that are parked, if any is.
fn parked(key: &Key, observed: &Observed) -> Result<BTreeSet<Key>, Failure> {
    let mut keys = sets::members([key], recorded_objects(observed));
    keys.iter().try_for_each(|key| known(key, observed))?;
    let is_parked = |key: &Key| observed.records.get(key).is_some_and(|record| record.parked.is_some());
    if keys.iter().any(is_parked) {
        keys.retain(is_parked);
    }
    Ok(keys)
}

fn declared_and_known(desired: &Desired, observed: &Observed) -> BTreeSet<Key> {
    let declared = desired.objects.keys().filter(|key| !desired.builtin.contains(key));
    declared.filter(|key| observed.records.contains_key(key)).cloned().collect()
}

/// Fails for a key without a record.
pub fn known(key: &Key, observed: &Observed) -> Result<(), Failure> {
    if observed.records.contains_key(key) {
        return Ok(());
    }
    Err(no_such(key))
}

/// Fails for a key without a record that is not on the host either: what was retained can be deleted.
fn found(key: &Key, observed: &Observed) -> Result<(), Failure> {
    let mut roots = observed.containers.values().filter_map(|facts| facts.root.as_ref());
    if roots.any(|root| root.identity.key == *key) { Ok(()) } else { known(key, observed) }
}

pub fn no_such(key: &Key) -> Failure {
    Failure::new(FailureKind::NotFound, format!("there is no {key}; `bayplan get` lists what there is"))
}

fn until(hold: HoldUntil, now: Timestamp) -> Option<Timestamp> {
    match hold {
        HoldUntil::NextApply => None,
        HoldUntil::Seconds(seconds) => {
            let length = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
            Some(now.checked_add(length).unwrap_or(Timestamp::MAX))
        }
    }
}

fn stop_wish(goal: &GoalRequest) -> Option<StopWish> {
    match goal {
        GoalRequest::Power { stop, .. } | GoalRequest::Restart { stop, .. } => *stop,
        _ => None,
    }
}

fn stop_as_wished(plan: &mut Plan, wish: StopWish) {
    for step in &mut plan.steps {
        if let Action::Stop { how, .. } = &mut step.action {
            *how = match wish {
                StopWish::Force => StopHow::Forced,
                StopWish::TimeoutSeconds(seconds) => {
                    StopHow::Clean { timeout_ms: seconds.saturating_mul(1000) }
                }
            };
        }
    }
}

fn plan_failure(error: plan::Error) -> Failure {
    match error {
        plan::Error::Findings(findings) => Failure::findings(findings),
        plan::Error::Cycle { .. } => Failure::from_error(FailureKind::Findings, &error),
    }
}
