//! Who needs an object: by references, by what stands on it, by what is plugged into it. An object that is converged
//! counts as it will be; every other as its record and the host have it.

use super::contents::wanted_content;
use super::goal::PlanOptions;
use super::ignore;
use super::join::Joined;
use super::world::{Target, World};
use crate::model::key::{Key, Kind};
use crate::model::object::{Object, Spec};
use crate::model::observed::Observed;
use crate::model::record::{Owner, Record};
use crate::model::references::references;
use std::collections::{BTreeMap, BTreeSet};

/// Each key's users.
pub type Users = BTreeMap<Key, BTreeSet<Key>>;

pub fn users(world: &World<'_>, observed: &Observed, joined: &Joined<'_>, options: &PlanOptions) -> Users {
    let mut users = Users::new();
    let mut contents: BTreeMap<String, Vec<&Key>> = BTreeMap::new();
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
        let content = record.applied.as_ref().and_then(|applied| applied.fingerprint.clone());
        if let (Kind::Image, Some(content), None) = (key.kind, content, target) {
            contents.entry(content).or_default().push(key);
        }
    }
    for (key, target) in &world.targets {
        if let Some(content) = content(observed, key, target, options) {
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
            let drops = world.targets.contains_key(key) && view.drops_replaced(options.now);
            for content in root.contents().filter(|content| !drops || root.replaced.as_ref() != Some(content))
            {
                for image in bearers(contents.get(content), world) {
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

/// The content that an image has, once this plan is done.
fn content(observed: &Observed, key: &Key, target: &Target<'_>, options: &PlanOptions) -> Option<String> {
    let Spec::Image(image) = &target.object.spec else { return None };
    let wanted = wanted_content(observed, key, image, &options.image_contents);
    wanted.or_else(|| observed.records.get(key)?.applied.as_ref()?.fingerprint.clone())
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
pub fn former_users(
    world: &World<'_>,
    observed: &Observed,
    joined: &Joined<'_>,
    options: &PlanOptions,
) -> Users {
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
        let view = joined.view(key);
        if let Some(dropped) = view.root.and_then(|root| root.replaced.as_ref())
            && view.drops_replaced(options.now)
        {
            let content = |key: &Key| observed.records.get(key)?.applied.as_ref()?.fingerprint.as_ref();
            let leaving = world.leaving.keys().filter(|key| key.kind == Kind::Image);
            for image in leaving.filter(|image| content(image) == Some(dropped)) {
                users.entry(image.clone()).or_default().insert(key.clone());
            }
        }
    }
    users
}
