//! Who needs an object: by references, by what stands on it, by what is plugged into it. An object that is converged
//! counts as it will be; every other as its record and the host have it.

use super::ignore;
use super::join::Joined;
use super::world::World;
use crate::model::key::{Key, Kind};
use crate::model::object::Object;
use crate::model::observed::Observed;
use crate::model::record::{Owner, Record};
use crate::model::references::references;
use std::collections::{BTreeMap, BTreeSet};

/// Each key's users.
pub type Users = BTreeMap<Key, BTreeSet<Key>>;

pub fn users(world: &World<'_>, observed: &Observed, joined: &Joined<'_>) -> Users {
    let mut users = Users::new();
    let mut contents: BTreeMap<&str, Vec<&Key>> = BTreeMap::new();
    for (key, record) in &observed.records {
        let target = world.targets.get(key);
        let applied = record.applied.as_ref().map(|applied| &applied.object);
        let needed = match target {
            Some(target) => ignore::references(target.object, applied),
            None => former_references(record),
        };
        for needed in needed {
            users.entry(needed).or_default().insert(key.clone());
        }
        if let Owner::Site(site) = target.map_or(&record.owner, |target| &target.owner) {
            users.entry(Key::site(site)).or_default().insert(key.clone());
        }
        let content = record.applied.as_ref().and_then(|applied| applied.fingerprint.as_deref());
        if let (Kind::Image, Some(content)) = (key.kind, content) {
            contents.entry(content).or_default().push(key);
        }
    }
    for (key, target) in world.targets.iter().filter(|(key, _)| !observed.records.contains_key(*key)) {
        for needed in references(target.object) {
            users.entry(needed).or_default().insert(key.clone());
        }
    }
    for (key, view) in &joined.containers {
        if let Some(root) = view.root {
            users.entry(Key::pool(&root.pool)).or_default().insert(key.clone());
            for content in root.contents() {
                for image in bearers(contents.get(content.as_str()), world) {
                    users.entry(image.clone()).or_default().insert(key.clone());
                }
            }
        }
        if !world.targets.contains_key(key) {
            let nics = view.run.into_iter().flat_map(|run| run.nics.values());
            for bridge in nics.filter_map(|nic| nic.bridge.as_ref()) {
                users.entry(Key::network(bridge)).or_default().insert(key.clone());
            }
        }
    }
    for (key, others) in &mut users {
        others.remove(key);
    }
    users
}

/// The images of a content that roots stand on: one that is declared bears it for all.
fn bearers<'a>(images: Option<&Vec<&'a Key>>, world: &World<'_>) -> Vec<&'a Key> {
    let images = images.cloned().unwrap_or_default();
    let declared: Vec<&Key> = images.iter().copied().filter(|key| world.targets.contains_key(key)).collect();
    if declared.is_empty() { images } else { declared }
}

/// What an object referred to as last declared, and as established.
fn former_references(record: &Record) -> BTreeSet<Key> {
    let objects = [record.desired.as_ref(), record.applied.as_ref().map(|applied| &applied.object)];
    objects.into_iter().flatten().flat_map(|object: &Object| references(object)).collect()
}

/// The converged objects that let go of each key that leaves: it goes after them. Not so a container: it needs things
/// itself, goes before they are changed, and they come before what is converged on them.
pub fn former_users(world: &World<'_>, observed: &Observed, joined: &Joined<'_>) -> Users {
    let mut users = Users::new();
    if world.leaving.is_empty() {
        return users;
    }
    for key in world.targets.keys() {
        let recorded = observed.records.get(key).map(former_references).unwrap_or_default();
        let nics = joined.view(key).run.into_iter().flat_map(|run| run.nics.values());
        let bridges = nics.filter_map(|nic| nic.bridge.as_ref()).map(Key::network);
        let leaves = |key: &Key| key.kind != Kind::Container && world.leaving.contains_key(key);
        for former in recorded.into_iter().chain(bridges).filter(leaves) {
            users.entry(former).or_default().insert(key.clone());
        }
    }
    users
}
