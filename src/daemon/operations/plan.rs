//! A request → its goal → its plan. Changes nothing.

use super::{load, sets};
use crate::api::error::{Failure, FailureKind};
use crate::api::types::{GoalRequest, HoldUntil, KeyPattern, PlanRequest, StopWish};
use crate::daemon::wiring::Bay;
use crate::driver::Scope;
use crate::model::content::Content;
use crate::model::desired::Desired;
use crate::model::finding::Finding;
use crate::model::key::{Key, Kind};
use crate::model::object::Object;
use crate::model::observed::{Host, Observed};
use crate::model::step::{Action, StopHow};
use crate::model::words::meant;
use crate::reconcile::goal::{Goal, HoldTerms, PlanOptions};
use crate::reconcile::near::is_near;
use crate::reconcile::plan::{self, Plan};
use crate::reconcile::world::recorded;
use crate::reconcile::{check, looked_up, render, with_dropped};
use crate::spec::TextRole;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

impl Bay {
    /// What would be done; for a saved plan what it does, if the host is as it was.
    pub fn plan(&self, request: &PlanRequest) -> Result<Plan, Failure> {
        if let Some(basis) = &request.basis {
            return self.plan_as_saved(request, basis);
        }
        let scope = scope(&request.goal);
        let observed = self.observe(&scope)?;
        let planned = self.plan_on(request, &observed, Moment::now());
        match planned {
            _ if scope == Scope::All => planned,
            Ok(plan) if plan.steps.iter().all(is_near) => Ok(plan),
            // What more it needs, or what is wrong, is for a look at everything to say.
            _ => self.plan_on(request, &self.observe(&Scope::All)?, Moment::now()),
        }
    }

    /// The plan of one moment: same request, host, contents and moment, same plan.
    pub fn plan_on(
        &self,
        request: &PlanRequest,
        observed: &Observed,
        moment: Moment,
    ) -> Result<Plan, Failure> {
        let (desired, warnings) = match &request.goal {
            GoalRequest::Site(manifests) | GoalRequest::DeleteDeclared(manifests) => {
                let loaded = load::load(&manifests.texts(), &observed.host)?;
                (loaded.desired, loaded.warnings)
            }
            _ => (Desired::default(), vec![]),
        };
        self.plan_for(request, (&desired, warnings), observed, moment)
    }

    /// The plan of a request whose manifests are loaded, with the warnings of that.
    pub fn plan_for(
        &self,
        request: &PlanRequest,
        (desired, warnings): (&Desired, Vec<Finding>),
        observed: &Observed,
        moment: Moment,
    ) -> Result<Plan, Failure> {
        let goal = goal(&request.goal, desired, observed, moment.now)?;
        let mut options = PlanOptions::new(moment.now, moment.seed, &request.actor);
        let recorded = recorded_objects(observed);
        options.only = sets::members(&request.only, desired.objects.iter().chain(recorded));
        if !request.only_like.is_empty() {
            let known = desired.objects.keys().filter(|key| !desired.builtin.contains(*key));
            options.only.extend(like(&request.only_like, known)?);
        }
        options.allow_restart = request.approval.restarts();
        options.allow_replace = request.approval.replaces();
        options.deletions = request.deletions;
        options.take_ownership = request.take_ownership;
        if let Goal::Site(desired) = goal {
            options.missing_paths = self.missing(check::paths_to_check(desired));
        }
        let options = looked_up(self.driver(), &goal, observed, options)
            .map_err(|error| Failure::from_error(FailureKind::Host, &error))?;
        let options = self.with_edited(request, options)?;
        let plan = plan::plan(&goal, observed, &options).map_err(plan_failure)?;
        let mut plan = with_dropped(self.driver(), plan, observed)
            .map_err(|error| Failure::from_error(FailureKind::Host, &error))?;
        plan.warnings.splice(0..0, warnings);
        if let Some(wish) = stop_wish(&request.goal) {
            stop_as_wished(&mut plan, wish);
        }
        Ok(plan)
    }

    /// The options with the contents of the files that come edited with the manifests.
    fn with_edited(&self, request: &PlanRequest, mut options: PlanOptions) -> Result<PlanOptions, Failure> {
        let files = request.goal.manifests().into_iter().flat_map(|manifests| &manifests.files);
        let edited = files.filter_map(|file| match &file.role {
            TextRole::Source(source) => {
                Some((Content::File(source.clone()), Content::Text(file.text.clone())))
            }
            _ => None,
        });
        let edited: BTreeMap<Content, Content> = edited.collect();
        if edited.is_empty() {
            return Ok(options);
        }
        let digests = self
            .driver()
            .digests(&edited.values().cloned().collect())
            .map_err(|error| Failure::from_error(FailureKind::Host, &error))?;
        let of = |(file, text)| Some((file, digests.get(&text)?.clone()));
        options.contents.extend(edited.into_iter().filter_map(of));
        Ok(options)
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

/// What a plan depends on besides request and host.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    pub now: Timestamp,
    /// Where new uuids come from.
    pub seed: [u8; 16],
}

impl Moment {
    pub fn now() -> Moment {
        Moment { now: Timestamp::now(), seed: uuid::Uuid::new_v4().into_bytes() }
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

/// The keys that patterns match; one that matches none is an error, as a key that nothing has is.
fn like<'a>(
    patterns: &BTreeSet<KeyPattern>,
    keys: impl Iterator<Item = &'a Key> + Clone,
) -> Result<BTreeSet<Key>, Failure> {
    let mut found = BTreeSet::new();
    for pattern in patterns {
        let matching: BTreeSet<Key> = keys.clone().filter(|key| pattern.matches(key)).cloned().collect();
        if matching.is_empty() {
            let message = format!("no declared object is like {}; nothing was changed", pattern.0);
            return Err(Failure::new(FailureKind::NotFound, message));
        }
        found.extend(matching);
    }
    Ok(found)
}

/// A verb on containers needs a look at these, and at what they refer to; a restart at all, for others may restart with
/// them; so does one on a set, whose members are not known yet.
fn scope(goal: &GoalRequest) -> Scope {
    let is_container = |key: &Key| key.kind == Kind::Container;
    match goal {
        GoalRequest::Power { keys, .. } | GoalRequest::Hold { keys, .. } | GoalRequest::Resume(keys)
            if keys.iter().all(is_container) =>
        {
            Scope::Keys(keys.clone())
        }
        _ => Scope::All,
    }
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
        GoalRequest::Park(keys) => Goal::Park(known_members(keys, observed)?),
        GoalRequest::Undelete(key) => Goal::Undelete(parked(key, observed)?),
        GoalRequest::DeleteAll => Goal::Delete(observed.records.keys().cloned().collect()),
        GoalRequest::DeleteDeclared(_) => Goal::Delete(declared_and_known(desired, observed)),
        GoalRequest::Power { keys, power, hold, reason, .. } => {
            let hold = HoldTerms { until: until(*hold, now), reason: reason.clone() };
            Goal::Power { keys: known_members(keys, observed)?, power: *power, hold }
        }
        GoalRequest::Hold { keys, power, hold, reason } => {
            let hold = HoldTerms { until: until(*hold, now), reason: reason.clone() };
            Goal::Hold { keys: known_members(keys, observed)?, power: *power, hold }
        }
        GoalRequest::Resume(keys) => Goal::Resume(known_members(keys, observed)?),
        GoalRequest::Restart { keys, .. } => Goal::Restart(known_members(keys, observed)?),
        GoalRequest::PowerOff => Goal::PowerOff,
        GoalRequest::Rollback(keys) => Goal::Rollback(keys.clone()),
    })
}

/// Each object as its record has it.
pub fn recorded_objects(observed: &Observed) -> impl Iterator<Item = (&Key, &Object)> + Clone {
    observed.records.iter().filter_map(|(key, record)| Some((key, recorded(record)?)))
}

/// The keys, of sets their members; fails for one without a record.
fn known_members<'a>(
    keys: impl IntoIterator<Item = &'a Key>,
    observed: &'a Observed,
) -> Result<BTreeSet<Key>, Failure> {
    let keys = sets::members(keys, recorded_objects(observed));
    keys.iter().try_for_each(|key| known(key, observed))?;
    Ok(keys)
}

/// The key; of a set the members that are parked, if any is.
fn parked(key: &Key, observed: &Observed) -> Result<BTreeSet<Key>, Failure> {
    let mut keys = known_members([key], observed)?;
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
    match observed.records.contains_key(key) {
        true => Ok(()),
        false => Err(unknown(key, observed, observed.records.keys())),
    }
}

/// The failure for a key without a record, which may be on the host all the same; `keys` are those that could be meant.
pub fn unknown<'a>(key: &Key, observed: &Observed, keys: impl Iterator<Item = &'a Key> + Clone) -> Failure {
    if !is_on_host(key, observed) {
        return no_such(key, keys);
    }
    let message = format!(
        "{key} has no record: declare it and apply, or remove it with `bayplan delete {key}`; `bayplan get {key}` shows it"
    );
    Failure::new(FailureKind::NotFound, message)
}

/// Whether it has a root, with or without a record.
fn is_on_host(key: &Key, observed: &Observed) -> bool {
    let mut roots = observed.containers.values().filter_map(|facts| facts.root.as_ref());
    roots.any(|root| root.identity.key == *key)
}

/// Fails for a key without a record that is not on the host either: what was retained can be deleted.
fn found(key: &Key, observed: &Observed) -> Result<(), Failure> {
    if is_on_host(key, observed) { Ok(()) } else { known(key, observed) }
}

/// The failure for a key that is not among `keys`.
fn no_such<'a>(key: &Key, keys: impl Iterator<Item = &'a Key> + Clone) -> Failure {
    let help = meant(key, keys).unwrap_or_else(|| "`bayplan get` lists what there is".to_owned());
    Failure::new(FailureKind::NotFound, format!("there is no {key}; {help}"))
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
