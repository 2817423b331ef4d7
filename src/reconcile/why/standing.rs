//! Why an object is there or is not: who declares it, what holds it, what waits, what goes.

use super::Subject;
use crate::model::key::{Key, Kind};
use crate::model::object::Object;
use crate::model::origin::{Elsewhere, Layer, Origin, Place};
use crate::model::record::Record;
use crate::reconcile::plan::Plan;
use crate::reconcile::render::prune::way_words;
use crate::reconcile::render::sets::{few, in_order};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One thing about an object, in a word for machines and in words for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    pub state: State,
    pub message: String,
    /// The line that says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    Declared,
    /// A set asks for it.
    Member,
    BuiltIn,
    /// Must be there, and is never changed from here.
    External,
    /// Not rendered for this host.
    Elsewhere,
    /// The manifests no longer declare it.
    Undeclared,
    /// It goes with this plan.
    Leaves,
    /// Owned and not declared, and left as it is.
    Kept,
    /// Its deletion has begun.
    Retiring,
    Parked,
    Undeleted,
    Held,
    /// Something about it waits for approval.
    Pending,
    Broken,
    /// Its root stands on another content than its image now has.
    Stale,
}

pub fn standing(subject: &Subject<'_>) -> Vec<Standing> {
    let mut list = vec![declared(subject)];
    list.extend(fate(subject));
    if let Some(record) = subject.record() {
        list.extend(of_record(record));
    }
    list.extend(of_plan(subject));
    list
}

/// A set by its members, each with the line that asks for it. None: there is none, and it is placed nowhere else.
pub fn of_set(members: &BTreeMap<Key, Option<Place>>, elsewhere: Option<&Elsewhere>) -> Option<Standing> {
    if let Some(elsewhere) = elsewhere {
        return Some(placed_elsewhere(elsewhere));
    }
    let place = members.values().next()?.clone();
    let names = few(&in_order(members.keys()));
    let count = members.len();
    let message = format!("a set with {count} members, each explained by its own key: {names}");
    Some(Standing { place, ..say(State::Declared, message) })
}

fn placed_elsewhere(elsewhere: &Elsewhere) -> Standing {
    let message = format!("declared for {}: {}", elsewhere.placement, elsewhere.unmet);
    Standing { place: Some(elsewhere.place.clone()), ..say(State::Elsewhere, message) }
}

fn say(state: State, message: impl Into<String>) -> Standing {
    Standing { state, message: message.into(), place: None }
}

/// Which line declares it, or that none does.
fn declared(subject: &Subject<'_>) -> Standing {
    if let Some(elsewhere) = subject.elsewhere {
        return placed_elsewhere(elsewhere);
    }
    let origin = subject.origins().and_then(|origins| origins.get(""));
    let place = origin.and_then(|origin| origin.place.clone());
    let standing = match subject.desired {
        Some(desired) if desired.external.contains(subject.key) => {
            say(State::External, "declared external: it must be there, and is never changed from here")
        }
        Some(desired) if !desired.objects.contains_key(subject.key) => say(
            State::Undeclared,
            format!("the manifests of site {} do not declare it; last declared", desired.site),
        ),
        _ => by_layer(origin, subject.object()),
    };
    Standing { place, ..standing }
}

fn by_layer(origin: Option<&Origin>, object: Option<&Object>) -> Standing {
    let rendered = object.and_then(|object| object.meta.member_of.as_ref());
    match (origin.map(|origin| &origin.layer), rendered) {
        (Some(Layer::Set(name)), _) => say(State::Member, format!("a member of containerset/{name}")),
        (_, Some(set)) => say(State::Member, format!("declared as a member of {set}")),
        (Some(Layer::Default), _) => {
            say(State::BuiltIn, "built in: something refers to it, and nobody declares it")
        }
        _ => say(State::Declared, "declared"),
    }
}

/// What becomes of one that is not declared any more.
fn fate(subject: &Subject<'_>) -> Vec<Standing> {
    let (plan, key) = (subject.plan, subject.key);
    let mut list = vec![];
    if let Some(way) = plan.objects.get(key).and_then(|change| change.leaves) {
        list.push(say(State::Leaves, format!("this plan {}", way_words(way))));
    }
    let intent = plan.prune.iter().find(|intent| intent.waits && intent.keys.contains(key));
    if let Some(intent) = intent {
        let message = format!(
            "site {} no longer declares it; once that is confirmed, apply {} (--allow delete, or a yes)",
            intent.site,
            way_words(intent.way)
        );
        list.push(say(State::Pending, message));
    }
    let goes = intent.is_some() || !list.is_empty();
    for guard in plan.guards.iter().filter(|_| goes) {
        list.push(say(State::Pending, format!("{} stops apply: {}", guard.name, guard.words())));
    }
    if plan.kept.contains(key) && intent.is_none() {
        let why = plan.kept_because.get(key).map_or(String::new(), |why| format!(": {why}"));
        list.push(say(State::Kept, format!("kept, not declared{why}; `bayplan delete {key}` removes it")));
    }
    list
}

fn of_record(record: &Record) -> Vec<Standing> {
    let mut list = vec![];
    if record.retiring {
        list.push(say(State::Retiring, "its deletion has begun; the next pass goes on with it"));
    }
    if let Some(parked) = &record.parked {
        let message =
            format!("parked since {:.0} by {}, kept until {:.0}", parked.at, parked.by, parked.until);
        list.push(say(State::Parked, message));
    }
    if record.undeleted {
        list.push(say(State::Undeleted, "undeleted by hand: prune leaves it until a manifest declares it"));
    }
    list
}

fn of_plan(subject: &Subject<'_>) -> Vec<Standing> {
    let (plan, key): (&Plan, _) = (subject.plan, subject.key);
    let mut list = vec![];
    for hold in plan.holds.iter().filter(|hold| hold.key == *key) {
        list.push(say(State::Held, hold.words()));
    }
    for pending in plan.pending.iter().filter(|pending| pending.key == *key) {
        list.push(say(State::Pending, format!("a change waits for {}", pending.waits_for)));
    }
    for broken in plan.broken.iter().filter(|broken| broken.key == *key) {
        list.push(say(State::Broken, format!("{}; {}", broken.message, broken.help)));
    }
    if plan.stale.contains(key) && key.kind == Kind::Container {
        list.push(say(State::Stale, "its image names a newer content, which serves new containers"));
    }
    list
}
