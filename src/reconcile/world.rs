//! Goal ⊕ records ⊕ overrides: the objects as they should be, who owns them, and what is left alone.

use super::deletions::{Leaving, delete, park, refuse_protected, retire};
use super::goal::{Goal, PlanOptions};
use super::intent::{Guard, Intent};
use super::join::Joined;
use super::needs::narrow;
use super::ownership::{moves, orphans, owned_elsewhere};
use super::plan::{Hold, SetChange, site_owner};
use super::undelete::undelete;
use super::verbs::{power_off, rollback, verb};
use super::{external, ignore, parking, prune, sets};
use crate::model::desired::Desired;
use crate::model::finding::{Finding, Severity};
use crate::model::key::Key;
use crate::model::object::{Object, Power, Spec};
use crate::model::observed::Observed;
use crate::model::origin::FieldOrigins;
use crate::model::prune::Deletion;
use crate::model::record::{Override, OverrideField, Owner, Record};
use crate::model::words::meant;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// One object to converge.
#[derive(Debug, Clone)]
pub struct Target<'a> {
    pub object: &'a Object,
    pub owner: Owner,
    pub origins: Option<&'a FieldOrigins>,
    /// The power state that counts now: declared ⊕ overrides. `Any` for what is no container.
    pub power: Power,
    /// The overrides that are left.
    pub overrides: Vec<Override>,
    /// A verb named it.
    pub verb: bool,
    /// A running incarnation is to be replaced, whatever the policy.
    pub restart: bool,
    /// It stays although nothing declares it.
    pub undeleted: bool,
    /// A root that was replaced and not proven is taken back.
    pub rollback: bool,
    /// It is stopped before the host goes down.
    pub powered_off: bool,
}

/// What is wanted.
#[derive(Debug, Clone, Default)]
pub struct World<'a> {
    pub targets: BTreeMap<Key, Target<'a>>,
    pub leaving: BTreeMap<Key, Leaving>,
    /// What would leave, and waits for a confirmation.
    pub waiting: BTreeMap<Key, Deletion>,
    pub intents: Vec<Intent>,
    pub guards: Vec<Guard>,
    /// Until when.
    pub parked: BTreeMap<Key, Timestamp>,
    /// Every known object, for references: declared ones, then recorded ones.
    pub objects: BTreeMap<Key, &'a Object>,
    /// Owned and not declared, each with why it stays.
    pub kept: BTreeMap<Key, String>,
    pub sets: Vec<SetChange>,
    pub findings: Vec<Finding>,
}

impl World<'_> {
    /// The holds in force.
    pub fn holds(&self) -> Vec<Hold> {
        let held = |(key, target): (&Key, &Target<'_>)| Some(Hold::of(key, target.overrides.first()?));
        self.targets.iter().filter_map(held).collect()
    }
}

/// The world that `goal` wants.
pub fn world<'a>(
    goal: &Goal<'a>,
    observed: &'a Observed,
    joined: &Joined<'a>,
    options: &PlanOptions,
) -> World<'a> {
    let mut world = World::default();
    for (key, record) in &observed.records {
        if let Some(object) = recorded(record) {
            world.objects.insert(key.clone(), object);
        }
    }
    match goal {
        Goal::Site(desired) => {
            site(&mut world, desired, observed, joined, options);
            external::check(&mut world, desired, observed, joined);
            prune::site(&mut world, desired, observed, joined, options);
            ignored_needs(&mut world, desired, observed, options);
            retire(&mut world, observed, joined, options);
        }
        Goal::Recorded => {
            all_recorded(&mut world, observed, options);
            parking::recorded_sites(&mut world, observed, joined, options);
            retire(&mut world, observed, joined, options);
        }
        Goal::Delete(keys) => delete(&mut world, keys, observed, joined, options),
        Goal::Park(keys) => park(&mut world, keys, observed, joined, options),
        Goal::Undelete(keys) => undelete(&mut world, keys, observed, options),
        Goal::PowerOff => power_off(&mut world, joined, options),
        Goal::Rollback(keys) => rollback(&mut world, keys, observed, options),
        Goal::Power { keys, .. } | Goal::Hold { keys, .. } | Goal::Resume(keys) | Goal::Restart(keys) => {
            keys.iter().for_each(|key| verb(&mut world, goal, key, (observed, joined), options));
        }
    }
    if !options.only.is_empty() {
        narrow(&mut world, observed, options);
    }
    refuse_protected(&mut world, observed);
    world
}

/// What a record says should be: the last declaration, else what was established.
pub fn recorded(record: &Record) -> Option<&Object> {
    record.desired.as_ref().or(record.applied.as_ref().map(|applied| &applied.object))
}

/// An object as steps established it.
pub fn established<'o>(observed: &'o Observed, key: &Key) -> Option<&'o Object> {
    observed.records.get(key)?.applied.as_ref().map(|applied| &applied.object)
}

fn site<'a>(
    world: &mut World<'a>,
    desired: &'a Desired,
    observed: &'a Observed,
    joined: &Joined<'a>,
    options: &PlanOptions,
) {
    let site = site_owner(&desired.site);
    let mut foreign = BTreeSet::new();
    for (key, object) in &desired.objects {
        let record = observed.records.get(key);
        let builtin = desired.builtin.contains(key);
        if builtin && record.is_some_and(|record| record.owner != Owner::System) {
            continue; // somebody declares it: the built-in one stands back
        }
        let owner = if builtin { Owner::System } else { site.clone() };
        let before = record
            .map(|record| &record.owner)
            .or_else(|| joined.view(key).root.map(|root| &root.identity.owner));
        if let Some(before) = before
            && *before != owner
            && *before != Owner::System
            && !moves(desired, key, before)
            && !options.take_ownership
        {
            let parked = record.and_then(|record| record.parked.as_ref());
            world.findings.push(owned_elsewhere((key, before, &owner), parked, desired.origins.get(key)));
            foreign.insert(before);
            continue;
        }
        world.objects.insert(key.clone(), object);
        let overrides = left(record, object, options, true);
        let target = Target {
            object,
            owner,
            origins: desired.origins.get(key),
            power: power(object, &overrides),
            overrides,
            verb: false,
            restart: false,
            undeleted: false,
            rollback: false,
            powered_off: false,
        };
        world.targets.insert(key.clone(), target);
    }
    world.findings.extend(foreign.into_iter().filter_map(|owner| orphans(desired, owner, observed)));
    world.sets = sets::changes(desired, observed);
}

/// What a container needs by its ignored fields alone is healed with it, as it was last declared.
fn ignored_needs<'a>(
    world: &mut World<'a>,
    desired: &Desired,
    observed: &'a Observed,
    options: &PlanOptions,
) {
    let ignores = |object: &Object| match &object.spec {
        Spec::Container(container) => !container.ignore.is_empty(),
        _ => false,
    };
    let mut needed = BTreeSet::new();
    for (key, target) in world.targets.iter().filter(|(_, target)| ignores(target.object)) {
        needed.extend(ignore::references(target.object, established(observed, key)));
    }
    let site = site_owner(&desired.site);
    let ours = |owner: &Owner| *owner == Owner::System || *owner == site;
    for key in needed.into_iter().filter(|key| !desired.external.contains(key)) {
        let in_service =
            |record: &&Record| !record.retiring && record.parked.is_none() && ours(&record.owner);
        let record = observed.records.get(&key).filter(in_service);
        if let Some(target) = record.and_then(|record| recorded_target(record, options)) {
            world.targets.entry(key).or_insert(target);
        }
    }
}

fn all_recorded<'a>(world: &mut World<'a>, observed: &'a Observed, options: &PlanOptions) {
    let in_service = |record: &Record| !record.retiring && record.parked.is_none();
    for (key, record) in observed.records.iter().filter(|(_, record)| in_service(record)) {
        if let Some(target) = recorded_target(record, options) {
            world.targets.insert(key.clone(), target);
        }
    }
}

pub fn recorded_target<'a>(record: &'a Record, options: &PlanOptions) -> Option<Target<'a>> {
    let object = recorded(record)?;
    let overrides = left(Some(record), object, options, false);
    Some(Target {
        object,
        owner: record.owner.clone(),
        origins: Some(&record.origins),
        power: power(object, &overrides),
        overrides,
        verb: false,
        restart: false,
        undeleted: record.undeleted,
        rollback: false,
        powered_off: false,
    })
}

/// The overrides that still say something: not past their time, of the value that is declared now, and, for those
/// without a time, as long as no manifest is applied.
fn left(record: Option<&Record>, object: &Object, options: &PlanOptions, is_apply: bool) -> Vec<Override> {
    let declared = declared_power(object);
    let holds = |entry: &&Override| {
        let in_time = match entry.until {
            Some(until) => until > options.now,
            None => !is_apply || options.again,
        };
        in_time && entry.declared == declared
    };
    record.map(|record| record.overrides.iter().filter(holds).cloned().collect()).unwrap_or_default()
}

fn power(object: &Object, overrides: &[Override]) -> Power {
    match overrides.first() {
        Some(Override { field: OverrideField::State(power), .. }) => *power,
        None => declared_power(object),
    }
}

/// As declared; `Any` for what is no container.
pub fn declared_power(object: &Object) -> Power {
    match &object.spec {
        Spec::Container(container) => container.state,
        _ => Power::Any,
    }
}

/// The finding for a key that nothing has.
pub fn no_such<'a>(key: &Key, keys: impl Iterator<Item = &'a Key> + Clone) -> Finding {
    Finding {
        severity: Severity::Error,
        code: "no-such-object",
        place: None,
        key: Some(key.clone()),
        message: format!("there is no {key}"),
        help: meant(key, keys).or_else(|| Some("`bayplan get` lists what there is".to_owned())),
    }
}
