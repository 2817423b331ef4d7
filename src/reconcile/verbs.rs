//! What a verb wants of containers that are recorded: a power state against the declared one is a hold. PURE.

use super::goal::{Goal, HoldTerms, PlanOptions};
use super::join::{ContainerView, Joined};
use super::world::{Target, World, declared_power, no_such, recorded_target};
use super::{deletions, follow};
use crate::model::finding::{Finding, Severity};
use crate::model::key::{Key, Kind};
use crate::model::object::Power;
use crate::model::observed::Observed;
use crate::model::record::{Override, OverrideField, Record};
use crate::model::references::references;
use std::collections::BTreeSet;

/// All that run are stopped.
pub fn power_off<'a>(world: &mut World<'a>, joined: &Joined<'a>, options: &PlanOptions) {
    for (key, view) in joined.containers.iter().filter(|(_, view)| view.run.is_some()) {
        if let Some(target) = view.record.and_then(|record| recorded_target(record, options)) {
            world.targets.insert(key.clone(), Target { powered_off: true, verb: true, ..target });
        }
    }
}

/// Roots that were not proven are taken back.
pub fn rollback<'a>(
    world: &mut World<'a>,
    keys: &BTreeSet<Key>,
    observed: &'a Observed,
    options: &PlanOptions,
) {
    let in_service = |record: &&Record| !record.retiring && record.parked.is_none();
    for key in keys.iter().filter(|key| key.kind == Kind::Container) {
        let record = observed.records.get(key).filter(in_service);
        if let Some(target) = record.and_then(|record| recorded_target(record, options)) {
            world.targets.insert(key.clone(), Target { rollback: true, ..target });
        }
    }
}

/// One container is to be in a power state, or to restart.
pub fn verb<'a>(
    world: &mut World<'a>,
    goal: &Goal<'_>,
    key: &Key,
    (observed, joined): (&'a Observed, &Joined<'a>),
    options: &PlanOptions,
) {
    let record = observed.records.get(key);
    if record.is_some_and(|record| record.retiring) {
        world.findings.push(deletions::leaving(key));
        return;
    }
    if let Some(parked) = record.and_then(|record| record.parked.as_ref()) {
        world.findings.push(deletions::parked(key, parked));
        return;
    }
    let target = record.and_then(|record| recorded_target(record, options));
    let (Some(mut target), Kind::Container) = (target, key.kind) else {
        world.findings.push(match record {
            Some(_) if key.kind != Kind::Container => no_container(key),
            _ => no_such(key, observed.records.keys()),
        });
        return;
    };
    let declared = declared_power(target.object);
    match goal {
        Goal::Power { power: wanted, hold, .. } => {
            target.power = *wanted;
            let led_back = *wanted == declared || declared == Power::Any;
            target.overrides = if led_back { vec![] } else { vec![held((*wanted, declared), hold, options)] };
        }
        Goal::Hold { power: wanted, hold, .. } => {
            target.power = wanted.unwrap_or_else(|| power_now(joined.view(key)));
            target.overrides = vec![held((target.power, declared), hold, options)];
        }
        Goal::Resume(_) => {
            target.overrides = vec![];
            target.power = declared;
        }
        _ => {
            target.restart = true;
            for follower in follow::followers(observed, key) {
                let record = observed.records.get(&follower).filter(|record| record.parked.is_none());
                if let Some(target) = record.and_then(|record| recorded_target(record, options)) {
                    // One that the verb names, too, has its own.
                    world.targets.entry(follower).or_insert(target);
                }
            }
        }
    }
    target.verb = true;
    let starts = target.restart || matches!(target.power, Power::Running | Power::Frozen);
    if starts {
        for needed in references(target.object) {
            let record = observed.records.get(&needed);
            if let Some(needs) = record.and_then(|record| recorded_target(record, options))
                && needed.kind != Kind::Container
            {
                world.targets.insert(needed, needs);
            }
        }
    }
    world.targets.insert(key.clone(), target);
}

fn held((power, declared): (Power, Power), hold: &HoldTerms, options: &PlanOptions) -> Override {
    Override {
        field: OverrideField::State(power),
        by: options.actor.clone(),
        at: options.now,
        until: hold.until,
        declared,
        reason: hold.reason.clone(),
    }
}

fn power_now(view: ContainerView<'_>) -> Power {
    match view.run {
        None => Power::Stopped,
        Some(run) if run.frozen => Power::Frozen,
        Some(_) => Power::Running,
    }
}

/// The finding for a verb on what does not run.
fn no_container(key: &Key) -> Finding {
    Finding {
        severity: Severity::Error,
        code: "no-container",
        place: None,
        key: Some(key.clone()),
        message: format!("{key} is no container"),
        help: Some("name a container, for example `web-1`".to_owned()),
    }
}
