//! The objects' steps in one order: what stands before what, numbered.

use super::chain::Chain;
use super::diff::{Draft, ObjectDiff, Scene, because};
use super::graph::{Order, Way};
use super::ignore;
use super::plan::{ObjectChange, PLAN_VERSION, Pending, Plan};
use super::rollout::{Turns, is_turn};
use super::world::recorded;
use crate::model::finding::Finding;
use crate::model::key::{Key, Kind};
use crate::model::prune::Deletion;
use crate::model::references::references;
use crate::model::renaming::is_on_host;
use crate::model::step::{Action, Cause, Class, Step, StepId};
use std::collections::{BTreeMap, BTreeSet};

/// What comes before each object.
pub fn needs(scene: &Scene<'_>, diffs: &BTreeMap<Key, ObjectDiff>) -> BTreeMap<Key, BTreeSet<Key>> {
    let contents = if scene.world.leaving.is_empty() { BTreeMap::new() } else { contents(scene) };
    let of = |(key, diff): (&Key, &ObjectDiff)| {
        let record = scene.observed.records.get(key);
        let applied = record.and_then(|record| record.applied.as_ref()).map(|applied| &applied.object);
        let mut needs = match scene.world.targets.get(key) {
            Some(target) => ignore::references(target.object, applied),
            None => record.and_then(recorded).map(references).unwrap_or_default(),
        };
        needs.extend(diff.also_after.iter().cloned());
        if scene.world.leaving.contains_key(key) {
            needs.extend(stands_on(scene, key, &contents));
        }
        (key.clone(), needs)
    };
    diffs.iter().map(of).collect()
}

/// Fingerprint → the images that name it.
type Contents<'a> = BTreeMap<&'a str, Vec<&'a Key>>;

fn contents<'a>(scene: &Scene<'a>) -> Contents<'a> {
    let mut contents = Contents::new();
    for (key, record) in scene.observed.records.iter().filter(|(key, _)| key.kind == Kind::Image) {
        if let Some(content) = record.applied.as_ref().and_then(|applied| applied.fingerprint.as_deref()) {
            contents.entry(content).or_default().push(key);
        }
    }
    contents
}

/// What a container on the host stands on, whatever is declared: its pool, its content's images, its bridges.
fn stands_on(scene: &Scene<'_>, key: &Key, contents: &Contents<'_>) -> BTreeSet<Key> {
    let view = scene.joined.view(key);
    let mut keys = BTreeSet::new();
    if let Some(root) = view.root {
        keys.insert(Key::pool(&root.pool));
        let images = root.contents().filter_map(|content| contents.get(content.as_str())).flatten();
        keys.extend(images.map(|image| (*image).clone()));
    }
    let bridges =
        view.run.into_iter().flat_map(|run| run.nics.values()).filter_map(|nic| nic.bridge.as_ref());
    keys.extend(bridges.map(Key::network));
    keys
}

/// Which way each object goes.
pub fn ways(diffs: &BTreeMap<Key, ObjectDiff>) -> BTreeMap<Key, Way> {
    diffs.iter().map(|(key, diff)| (key.clone(), diff.way)).collect()
}

/// Numbers the steps in the objects' order. An object without steps hands on what it waits for.
pub fn assemble(
    scene: &Scene<'_>,
    mut diffs: BTreeMap<Key, ObjectDiff>,
    order: &Order,
    (rollouts, warnings): (Vec<Turns>, Vec<Finding>),
) -> Plan {
    let turns: BTreeMap<Key, Turn> = rollouts.iter().flat_map(Turn::all).collect();
    let mut ends: BTreeMap<Key, StepId> = BTreeMap::new();
    let mut plan = Plan {
        version: PLAN_VERSION,
        site: None,
        generation: scene.generation,
        steps: vec![],
        objects: BTreeMap::new(),
        pending: vec![],
        kept: scene.world.kept.keys().cloned().collect(),
        kept_because: scene.world.kept.clone(),
        prune: scene.world.intents.clone(),
        guards: scene.world.guards.clone(),
        parked: scene.world.parked.clone(),
        sets: scene.world.sets.clone(),
        holds: scene.world.holds(),
        rollouts,
        broken: vec![],
        replacing: BTreeSet::new(),
        dropped: BTreeMap::new(),
        unmanaged: vec![],
        unmanaged_policy: Default::default(),
        stale: vec![],
        unchanged: 0,
        unchanged_keys: BTreeSet::new(),
        warnings,
    };
    let first = renames_first(scene, &mut diffs, order, &mut plan);
    let mut tails: BTreeMap<&Key, BTreeSet<StepId>> = BTreeMap::new();
    for key in &order.keys {
        let Some(diff) = diffs.remove(key) else { continue };
        let before = order.before.get(key).into_iter().flatten();
        let tails_before = before.filter_map(|other| tails.get(other)).flatten().copied();
        let mut chain = Chain::new(tails_before.chain(first).collect());
        if !diff.steps.is_empty() || diff.pending.is_some() {
            plan.objects.insert(key.clone(), object_change(scene, key));
        }
        let is_renamed = plan.objects.contains_key(key);
        if diff.steps.is_empty() && diff.pending.is_none() && diff.broken.is_none() && !is_renamed {
            plan.unchanged += 1;
            plan.unchanged_keys.insert(key.clone());
        }
        for draft in diff.steps {
            let id = next_id(&plan);
            let (mut after, mut after_end) = chain.before(&draft);
            if let Some(turn) = turns.get(key).filter(|_| is_turn(&draft.action, draft.class)) {
                let former = turn.before.iter().filter_map(|other| ends.get(other)).copied();
                match turn.failures {
                    Failures::Stop => after.extend(former),
                    Failures::Pass => after_end.extend(former),
                }
            }
            let is_end = match &draft.action {
                Action::Start(_) => true,
                Action::WaitReady { .. } => turns.get(key).is_none_or(|turn| turn.waits_ready),
                _ => false,
            };
            if is_end {
                ends.insert(key.clone(), id);
            }
            chain.push(id, &draft);
            plan.steps.push(Step { after_end, ..step(id, key, draft, after) });
        }
        tails.insert(key, chain.tail());
        plan.pending.extend(diff.pending);
        plan.broken.extend(diff.broken);
        if diff.stale {
            plan.stale.push(key.clone());
        }
        if diff.replacing {
            plan.replacing.insert(key.clone());
        }
    }
    for (key, way) in &scene.world.waiting {
        plan.objects.insert(key.clone(), object_change(scene, key));
        plan.pending.push(unconfirmed(key, *way));
    }
    plan
}

/// Networks and pools get their new names before all else, one after the other: records of any object may name them.
/// Answers the last of these steps.
fn renames_first(
    scene: &Scene<'_>,
    diffs: &mut BTreeMap<Key, ObjectDiff>,
    order: &Order,
    plan: &mut Plan,
) -> Option<StepId> {
    let mut last = None;
    for key in order.keys.iter().filter(|key| is_on_host(key.kind)) {
        let steps = diffs.get_mut(key).map(|diff| &mut diff.steps);
        let renames = |draft: &&Draft| matches!(draft.action, Action::Rename { .. });
        let Some(steps) = steps.filter(|steps| steps.first().as_ref().is_some_and(renames)) else { continue };
        let id = next_id(plan);
        plan.steps.push(step(id, key, steps.remove(0), last.into_iter().collect()));
        let change = object_change(scene, key);
        // It may be no target of the goal, and yet it stays.
        let stays = change.before.clone().filter(|_| change.leaves.is_none());
        plan.objects.insert(key.clone(), ObjectChange { after: change.after.or(stays), ..change });
        last = Some(id);
    }
    last
}

fn next_id(plan: &Plan) -> StepId {
    StepId(u32::try_from(plan.steps.len()).unwrap_or(u32::MAX))
}

fn step(id: StepId, key: &Key, draft: Draft, after: BTreeSet<StepId>) -> Step {
    Step {
        id,
        key: key.clone(),
        action: draft.action,
        class: draft.class,
        reasons: draft.reasons,
        downtime_ms: draft.downtime_ms,
        after: after.into_iter().collect(),
        after_end: vec![],
        applied: draft.applied.map(Box::new),
    }
}

/// What a container of a turn waits for before it is stopped.
struct Turn {
    before: Vec<Key>,
    failures: Failures,
    /// Whether it has had its turn once it is ready; else once it is started.
    waits_ready: bool,
}

/// What a failure does to the turns after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failures {
    Stop,
    Pass,
}

impl Turn {
    fn all(turns: &Turns) -> Vec<(Key, Turn)> {
        let failures = if turns.rollout.stop_on_failure { Failures::Stop } else { Failures::Pass };
        let waits_ready = turns.rollout.wait_ready;
        let turn = |(key, before): (&Key, &[Key])| {
            (key.clone(), Turn { before: before.to_vec(), failures, waits_ready })
        };
        turns.before().into_iter().map(turn).collect()
    }
}

fn unconfirmed(key: &Key, way: Deletion) -> Pending {
    let note = format!("no longer declared: {}", way.word());
    Pending {
        key: key.clone(),
        class: Class::Delete,
        reasons: vec![because(Cause::Change, "", note)],
        downtime_ms: 0,
        waits_for: "prune.mode is confirm: a yes on the terminal, or --allow delete=N".to_owned(),
        askable: false,
    }
}

fn object_change(scene: &Scene<'_>, key: &Key) -> ObjectChange {
    let record = scene.observed.records.get(key);
    let before = record.and_then(|record| record.applied.as_ref()).map(|applied| applied.object.clone());
    let target = scene.world.targets.get(key);
    let waits = || scene.world.waiting.get(key).copied();
    let goes = scene.world.leaving.get(key).map(|leaving| leaving.way).or_else(waits);
    let root = scene.joined.view(key).root.filter(|_| goes == Some(Deletion::Delete));
    ObjectChange {
        before,
        after: target.map(|target| target.object.clone()),
        origins: target.and_then(|target| target.origins).cloned().unwrap_or_default(),
        leaves: scene.world.leaving.get(key).map(|leaving| leaving.way),
        parked: record.and_then(|record| record.parked.clone()),
        deleted_folders: root.map(|root| root.persisted.clone()).unwrap_or_default(),
    }
}
