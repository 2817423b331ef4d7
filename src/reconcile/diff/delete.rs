//! An object that is to be gone.

use super::{ObjectDiff, Scene, because, orphans};
use crate::model::key::{Key, Kind};
use crate::model::step::{Action, Cause, Class, StopHow};
use crate::reconcile::diff::container::STOP_TIMEOUT_MS;
use crate::reconcile::graph::Way;

pub fn diff(scene: &Scene<'_>, key: &Key) -> ObjectDiff {
    let mut diff = ObjectDiff::new(key);
    diff.way = Way::Down;
    let record = scene.observed.records.get(key);
    let effects = effects(scene, key);
    if record.is_some_and(|record| !record.retiring) && !effects.is_empty() {
        let reasons = vec![because(Cause::Verb, "", "delete")];
        diff.push(Action::Retire, Class::Delete, reasons, None);
    }
    for action in effects {
        diff.push(action, Class::Delete, vec![because(Cause::Verb, "", "delete")], None);
    }
    if record.is_some() {
        let reasons = vec![because(Cause::Verb, "", "delete")];
        diff.push(Action::ForgetRecord, Class::Delete, reasons, None);
    }
    diff
}

fn effects(scene: &Scene<'_>, key: &Key) -> Vec<Action> {
    match key.kind {
        Kind::Site | Kind::Profile => vec![],
        Kind::StoragePool if scene.observed.pools.contains_key(&key.name) => vec![Action::DeletePool],
        Kind::StoragePool => vec![],
        Kind::Network => match scene.observed.networks.get(&key.name) {
            Some(facts) if facts.ours => vec![Action::DeleteNetwork { name: key.name.clone() }],
            _ => vec![],
        },
        Kind::Image => {
            let orphans = orphans::of(scene, key).into_iter();
            let orphans = orphans.map(|fingerprint| Action::DeleteImage { fingerprint });
            image(scene, key).into_iter().chain(orphans).collect()
        }
        Kind::Container => container(scene, key),
    }
}

/// The content goes with the last image that names it.
fn image(scene: &Scene<'_>, key: &Key) -> Option<Action> {
    let content = |key: &Key| scene.observed.records.get(key)?.applied.as_ref()?.fingerprint.clone();
    let fingerprint = content(key).filter(|content| scene.observed.images.contains_key(content))?;
    let shared = scene.observed.records.keys().any(|other| {
        let stays = other.kind == Kind::Image && other != key && !scene.world.deletions.contains(other);
        stays && content(other).as_ref() == Some(&fingerprint)
    });
    (!shared).then_some(Action::DeleteImage { fingerprint })
}

fn container(scene: &Scene<'_>, key: &Key) -> Vec<Action> {
    let view = scene.joined.view(key);
    let mut actions = vec![];
    if let Some(run) = view.run {
        let how = StopHow::Clean { timeout_ms: STOP_TIMEOUT_MS };
        actions.push(Action::Stop { uuid: run.run.uuid, how });
    }
    if let Some(root) = view.root {
        actions.push(Action::DeleteRoot { pool: root.pool.clone(), uuid: root.identity.identity.uuid });
    }
    actions
}
