//! What objects need, and the part of a world that `--only` names. PURE.

use super::goal::{Goal, PlanOptions};
use super::ignore;
use super::world::{World, established, no_such};
use crate::model::finding::Finding;
use crate::model::key::Key;
use crate::model::object::Object;
use crate::model::observed::Observed;
use crate::model::references::{references, restarts_with};
use std::collections::BTreeSet;

/// These keys, and what they need as the goal declares it; what is recorded says the rest.
pub fn around(goal: &Goal<'_>, keys: &[Key]) -> BTreeSet<Key> {
    match goal {
        Goal::Site(desired) => {
            let mut around = with_needs(keys, |key| desired.objects.get(key));
            let objects = around.iter().filter_map(|key| desired.objects.get(key));
            let others: Vec<Key> = objects.flat_map(restarts_with).collect();
            around.extend(others);
            around
        }
        _ => keys.iter().cloned().collect(),
    }
}

/// These keys, and all that they need.
pub fn with_needs<'k, 'o>(
    keys: impl IntoIterator<Item = &'k Key>,
    object: impl Fn(&Key) -> Option<&'o Object>,
) -> BTreeSet<Key> {
    closed(keys, |key| object(key).map(references))
}

/// These keys, and all that they need by `needs`.
pub fn closed<'k>(
    keys: impl IntoIterator<Item = &'k Key>,
    needs: impl Fn(&Key) -> Option<BTreeSet<Key>>,
) -> BTreeSet<Key> {
    let mut open: Vec<Key> = keys.into_iter().cloned().collect();
    let mut all = BTreeSet::new();
    while let Some(key) = open.pop() {
        if !all.contains(&key) {
            open.extend(needs(&key).unwrap_or_default());
            all.insert(key);
        }
    }
    all
}

/// Keeps what `--only` names, and what that needs as it will be.
pub fn narrow(world: &mut World<'_>, observed: &Observed, options: &PlanOptions) {
    let is_known = |key: &&Key| world.targets.contains_key(*key) || world.leaving.contains_key(*key);
    let (known, unknown): (Vec<&Key>, Vec<&Key>) = options.only.iter().partition(is_known);
    let wanted = closed(known, |key| {
        let target = world.targets.get(key)?;
        Some(ignore::references(target.object, established(observed, key)))
    });
    let all = world.targets.keys().chain(world.leaving.keys());
    let findings: Vec<Finding> = unknown.into_iter().map(|key| no_such(key, all.clone())).collect();
    world.findings.extend(findings);
    world.targets.retain(|key, _| wanted.contains(key));
    world.kept.retain(|key, _| wanted.contains(key));
    world.parked.retain(|key, _| wanted.contains(key));
    world.leaving.retain(|key, _| wanted.contains(key));
    // A part of a load does not tell how many a set is to have.
    world.sets.clear();
    world.findings.retain(|finding| {
        finding.code == "no-such-object" || finding.key.as_ref().is_none_or(|key| wanted.contains(key))
    });
}
