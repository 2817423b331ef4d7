//! `restartWith`: a container that runs since before another's restart is restarted too.
//!
//! Each container notes which incarnation of the others ran when it started, so that a restart by whatever means, also
//! one from inside or in an apply that was cut short, is made good by the next plan.

use super::diff::{self, ObjectDiff, Scene};
use super::world::recorded;
use crate::model::key::Key;
use crate::model::object::{Container, Object, Spec};
use crate::model::observed::Observed;
use crate::model::record::Identity;
use crate::model::step::Action;
use std::collections::{BTreeMap, BTreeSet};

/// Makes the diffs of containers that restart with others anew, in the order in which one follows the other.
pub fn others(
    scene: &Scene<'_>,
    identities: &BTreeMap<Key, Identity>,
    diffs: &mut BTreeMap<Key, ObjectDiff>,
) {
    let targets = scene.world.targets.iter();
    let followers: BTreeMap<&Key, &Container> = targets
        .filter_map(|(key, target)| Some((key, container(target.object)?)))
        .filter(|(_, container)| !container.restart_with.is_empty())
        .collect();
    let mut done = BTreeSet::new();
    for key in followers.keys() {
        follow(scene, identities, &followers, (key, &mut done), diffs);
    }
}

fn container(object: &Object) -> Option<&Container> {
    match &object.spec {
        Spec::Container(container) => Some(container),
        _ => None,
    }
}

fn follow<'a>(
    scene: &Scene<'_>,
    identities: &BTreeMap<Key, Identity>,
    followers: &BTreeMap<&'a Key, &'a Container>,
    (key, done): (&'a Key, &mut BTreeSet<&'a Key>),
    diffs: &mut BTreeMap<Key, ObjectDiff>,
) {
    let Some(container) = followers.get(key).filter(|_| done.insert(key)) else { return };
    for other in &container.restart_with {
        if let Some((other, _)) = followers.get_key_value(other) {
            follow(scene, identities, followers, (other, done), diffs);
        }
    }
    let (Some(target), Some(identity)) = (scene.world.targets.get(key), identities.get(key)) else { return };
    let now = |other: &Key| Some((other.clone(), incarnation(scene, other, diffs.get(other))?));
    let others: BTreeMap<Key, u64> = container.restart_with.iter().filter_map(now).collect();
    let diff = diff::container::diff(scene, key, target, container, (identity, &others));
    diffs.insert(key.clone(), diff);
}

/// The incarnation that runs once the plan is done; none: it does not run then.
fn incarnation(scene: &Scene<'_>, key: &Key, diff: Option<&ObjectDiff>) -> Option<u64> {
    let view = scene.joined.view(key);
    let running = view.run.map(|run| run.incarnation);
    let last_turn = diff.and_then(|diff| {
        let mut turns = diff.steps.iter().rev();
        turns.find(|step| matches!(step.action, Action::Start(_) | Action::Stop { .. }))
    });
    match last_turn.map(|step| &step.action) {
        None => running,
        Some(Action::Stop { .. }) => None,
        // With a root that is deleted its count goes; one that was lost leaves it.
        Some(_) if diff.is_some_and(deletes_root) => Some(1),
        Some(_) => Some(running.or(view.exit.map(|exit| exit.incarnation)).unwrap_or(0) + 1),
    }
}

fn deletes_root(diff: &ObjectDiff) -> bool {
    diff.steps.iter().any(|step| matches!(step.action, Action::DeleteRoot { .. }))
}

/// The recorded containers that restart with this one, and with those in turn.
pub fn followers(observed: &Observed, key: &Key) -> BTreeSet<Key> {
    let mut found = BTreeSet::new();
    let mut open = vec![key.clone()];
    while let Some(next) = open.pop() {
        for (other, record) in &observed.records {
            let container = recorded(record).and_then(container);
            let follows = container.is_some_and(|container| container.restart_with.contains(&next));
            if follows && other != key && found.insert(other.clone()) {
                open.push(other.clone());
            }
        }
    }
    found
}
