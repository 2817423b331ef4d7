//! What was started and never seen ready: who waits until it is. PURE.
//!
//! Unready is no drift: what runs is looked at again only where something else waits for it, which is what a plan starts
//! (here), and the turns of a rollout. So what a later plan starts waits as it would have waited in the first.

use super::diff::{ObjectDiff, Scene, because};
use super::goal::PlanOptions;
use super::needs::closed;
use super::world::recorded;
use crate::model::key::Key;
use crate::model::object::{Container, Object, Spec};
use crate::model::ready::Ready;
use crate::model::record::Applied;
use crate::model::step::{Action, Cause, Class};
use crate::model::time_span::TimeSpan;
use std::collections::{BTreeMap, BTreeSet};

/// The longest that a pass waits which looks again at manifests that were applied: it has waited before, and is made
/// again soon. Nobody else may change the host meanwhile.
const AGAIN: TimeSpan = TimeSpan::of_milliseconds(5_000);

/// Whether it was started, and not seen ready since.
pub fn is_unready(scene: &Scene<'_>, key: &Key) -> bool {
    let record = scene.joined.view(key).record;
    record.and_then(|record| record.applied.as_ref()).is_some_and(|applied| applied.unready)
}

/// Those that what is started needs, itself or through others. A verb's own start and a way back wait for nobody.
pub fn awaited(
    scene: &Scene<'_>,
    diffs: &BTreeMap<Key, ObjectDiff>,
    needs: &BTreeMap<Key, BTreeSet<Key>>,
) -> BTreeSet<Key> {
    let mut unready = diffs.keys().filter(|key| is_unready(scene, key)).peekable();
    if unready.peek().is_none() {
        return BTreeSet::new();
    }
    let waits =
        |key: &Key| scene.world.targets.get(key).is_some_and(|target| !target.verb && !target.rollback);
    let started = diffs.iter().filter(|(key, diff)| waits(key) && starts(diff)).map(|(key, _)| key);
    let needed = closed(started, |key| needs.get(key).cloned());
    unready.filter(|key| needed.contains(*key)).cloned().collect()
}

fn starts(diff: &ObjectDiff) -> bool {
    diff.steps.iter().any(|step| matches!(step.action, Action::Start(_)))
}

/// Makes the plan wait until these are ready, those that run once it is done.
pub fn wait_for<'k>(
    scene: &Scene<'_>,
    keys: impl IntoIterator<Item = &'k Key>,
    diffs: &mut BTreeMap<Key, ObjectDiff>,
) {
    for key in keys {
        let diff = diffs.entry(key.clone()).or_insert_with(|| ObjectDiff::new(key));
        let view = scene.joined.view(key);
        let established = diff.steps.iter().rev().find_map(|step| step.applied.clone());
        let applied = established.or_else(|| view.record.and_then(|record| record.applied.clone()));
        let target = scene.world.targets.get(key).map(|target| target.object);
        let object = target.or_else(|| view.record.and_then(recorded));
        let run = view.run.filter(|run| may_be_asked(diff, run.frozen));
        let (Some(applied), Some(container), Some(run)) = (applied, object.and_then(container), run) else {
            continue;
        };
        let ready = patience(&container.ready, scene.options);
        let wait = Action::WaitReady { uuid: run.run.uuid, ready };
        let why = because(
            Cause::Consequence,
            "ready",
            "it was not seen ready since it was started; others wait for it",
        );
        diff.push(wait, Class::Live, vec![why], Some(Applied { unready: false, ..applied }));
    }
}

fn patience(ready: &Ready, options: &PlanOptions) -> Ready {
    let timeout = if options.again { ready.timeout.min(AGAIN) } else { ready.timeout };
    Ready { timeout, ..ready.clone() }
}

/// Whether one that runs still does once its steps are done, and is not asked by one of them.
fn may_be_asked(diff: &ObjectDiff, is_frozen: bool) -> bool {
    let mut runs = !is_frozen;
    for step in &diff.steps {
        match step.action {
            Action::WaitReady { .. } => return false,
            Action::Stop { .. } | Action::Freeze { .. } => runs = false,
            Action::Start(_) | Action::Unfreeze { .. } => runs = true,
            _ => {}
        }
    }
    runs
}

fn container(object: &Object) -> Option<&Container> {
    match &object.spec {
        Spec::Container(container) => Some(container),
        _ => None,
    }
}
