//! An object that is to be gone.

use super::{ObjectDiff, Scene, because, orphans};
use crate::model::key::{Key, Kind};
use crate::model::prune::Deletion;
use crate::model::step::{Action, Class, StopHow};
use crate::reconcile::deletions::Leaving;
use crate::reconcile::diff::container::STOP_TIMEOUT_MS;
use crate::reconcile::graph::Way;

pub fn diff(scene: &Scene<'_>, key: &Key, leaving: &Leaving) -> ObjectDiff {
    let mut diff = ObjectDiff::new(key);
    diff.way = Way::Down;
    match leaving.way {
        Deletion::Park => park(scene, key, leaving, &mut diff),
        Deletion::Retain => push(&mut diff, Action::ForgetRecord, leaving),
        Deletion::Delete => delete(scene, key, leaving, &mut diff),
    }
    diff
}

fn push(diff: &mut ObjectDiff, action: Action, leaving: &Leaving) {
    let reasons = vec![because(leaving.cause, "", leaving.why.clone())];
    diff.push(action, Class::Delete, reasons, None);
}

/// Marked first: whatever happens then, the next pass goes on with it.
fn park(scene: &Scene<'_>, key: &Key, leaving: &Leaving, diff: &mut ObjectDiff) {
    let marked = scene.observed.records.get(key).and_then(|record| record.parked.as_ref());
    if let Some(until) = leaving.until.filter(|until| marked.is_none_or(|parked| parked.until != *until)) {
        push(diff, Action::Park { until }, leaving);
    }
    if let Some(run) = scene.joined.view(key).run {
        let how = StopHow::Clean { timeout_ms: STOP_TIMEOUT_MS };
        push(diff, Action::Stop { uuid: run.run.uuid, how }, leaving);
    }
}

fn delete(scene: &Scene<'_>, key: &Key, leaving: &Leaving, diff: &mut ObjectDiff) {
    let record = scene.observed.records.get(key);
    let effects = effects(scene, key);
    if record.is_some_and(|record| !record.retiring) && !effects.is_empty() {
        push(diff, Action::Retire, leaving);
    }
    for action in effects {
        push(diff, action, leaving);
    }
    if record.is_some() {
        push(diff, Action::ForgetRecord, leaving);
    }
}

fn effects(scene: &Scene<'_>, key: &Key) -> Vec<Action> {
    match key.kind {
        Kind::Site | Kind::Host | Kind::Secret | Kind::Profile | Kind::ContainerSet => vec![],
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

/// The content goes with the last image that names it: of several that go at once, the last by name.
fn image(scene: &Scene<'_>, key: &Key) -> Option<Action> {
    let content = |key: &Key| scene.observed.records.get(key)?.applied.as_ref()?.fingerprint.clone();
    let fingerprint = content(key).filter(|content| scene.observed.images.contains_key(content))?;
    let shared = scene.observed.records.keys().any(|other| {
        let goes = scene.world.leaving.get(other).is_some_and(|leaving| leaving.way == Deletion::Delete);
        let holds = other.kind == Kind::Image && other != key && (!goes || other > key);
        holds && content(other).as_ref() == Some(&fingerprint)
    });
    (!shared && !orphans::becomes_named(scene, &fingerprint)).then_some(Action::DeleteImage { fingerprint })
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
