//! What is to go: deletions that are asked for, and those that were begun and go on.

use super::graph::references;
use super::join::Joined;
use super::world::{World, no_such};
use crate::model::finding::{Finding, Severity};
use crate::model::key::{Key, Kind};
use crate::model::observed::Observed;
use crate::model::record::Owner;
use std::collections::{BTreeMap, BTreeSet};

pub fn delete<'a>(world: &mut World<'a>, keys: &BTreeSet<Key>, observed: &'a Observed, joined: &Joined<'a>) {
    let all_users = users(observed, joined);
    for key in keys {
        if !observed.records.contains_key(key) && joined.view(key).root.is_none() {
            world.findings.push(no_such(key));
            continue;
        }
        let users = all_users.get(key).into_iter().flatten().filter(|user| !keys.contains(user));
        let users: Vec<String> = users.map(Key::to_string).collect();
        if users.is_empty() {
            world.deletions.insert(key.clone());
        } else {
            world.findings.push(Finding {
                severity: Severity::Error,
                code: "in-use",
                place: None,
                key: Some(key.clone()),
                message: format!("{key} is used by {}", users.join(", ")),
                help: Some(format!("delete {} as well, or change what they refer to", users.join(", "))),
            });
        }
    }
}

/// Deletions that were begun go on, but for what is declared again or needed again.
pub fn retire<'a>(world: &mut World<'a>, observed: &'a Observed, joined: &Joined<'a>) {
    let retiring = observed.records.iter().filter(|(_, record)| record.retiring);
    let mut keys: BTreeSet<Key> = retiring.map(|(key, _)| key.clone()).collect();
    keys.retain(|key| !world.targets.contains_key(key));
    if keys.is_empty() {
        return;
    }
    let leaving = keys.clone();
    let needed: BTreeSet<Key> = world.targets.values().flat_map(|target| references(target.object)).collect();
    let users = users(observed, joined);
    keys.retain(|key| {
        let mut users = users.get(key).into_iter().flatten();
        !needed.contains(key) && users.all(|user| leaving.contains(user))
    });
    world.deletions.extend(keys);
}

/// Who needs each object: by references, declared or established; by ownership; by what stands on it.
fn users(observed: &Observed, joined: &Joined<'_>) -> BTreeMap<Key, BTreeSet<Key>> {
    let mut users: BTreeMap<Key, BTreeSet<Key>> = BTreeMap::new();
    let mut contents: BTreeMap<&str, Vec<&Key>> = BTreeMap::new();
    for (key, record) in &observed.records {
        let objects = [record.desired.as_ref(), record.applied.as_ref().map(|applied| &applied.object)];
        for needed in objects.into_iter().flatten().flat_map(references) {
            users.entry(needed).or_default().insert(key.clone());
        }
        if let Owner::Site(site) = &record.owner {
            users.entry(Key::site(site)).or_default().insert(key.clone());
        }
        let content = record.applied.as_ref().and_then(|applied| applied.fingerprint.as_deref());
        if let (Kind::Image, Some(content)) = (key.kind, content) {
            contents.entry(content).or_default().push(key);
        }
    }
    for (key, view) in &joined.containers {
        let Some(root) = view.root else { continue };
        users.entry(Key::pool(&root.pool)).or_default().insert(key.clone());
        for image in contents.get(root.identity.fingerprint.as_str()).into_iter().flatten() {
            users.entry((*image).clone()).or_default().insert(key.clone());
        }
    }
    for (key, others) in &mut users {
        others.remove(key);
    }
    users
}

pub fn leaving(key: &Key) -> Finding {
    Finding {
        severity: Severity::Error,
        code: "being-deleted",
        place: None,
        key: Some(key.clone()),
        message: format!("{key} is being deleted"),
        help: Some(format!("`bayplan delete {key}` goes on; declaring and applying it makes it anew")),
    }
}
