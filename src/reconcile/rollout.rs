//! How changes that stop and start containers go through a site: in turns, as edges of the plan's graph.
//!
//! ```text
//! not ready since an earlier turn ─► turn 1 ─► turn 2 ─► …      each waits until the one before is started, or ready
//!                                       └─ a failure: what comes after is blocked, and stays as it is
//! ```
//!
//! One that was started and never seen ready counts: it is restarted first when it changes, else it must be ready
//! before others are stopped. So a second apply, or the daemon's next pass, goes no further than the first.

use super::diff::{ObjectDiff, Scene};
use super::graph::Order;
use super::unready::is_unready;
use super::world::World;
use crate::model::key::{Key, Kind};
use crate::model::object::Spec;
use crate::model::record::Owner;
use crate::model::rollout::Rollout;
use crate::model::step::{Action, Class};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The most of one turn, whatever the site allows: apply has far fewer workers, and each of a turn waits for each of the
/// turn before.
const MOST_AT_ONCE: usize = 64;

/// The containers of one owner that a plan stops and starts, in turns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Turns {
    pub owner: Owner,
    pub rollout: Rollout,
    /// So many are stopped at once.
    pub at_once: usize,
    /// Not seen ready since they were started, and not restarted by this plan: they must be ready before the first turn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unready: Vec<Key>,
    pub turns: Vec<Vec<Key>>,
}

impl Turns {
    /// How many containers are stopped.
    pub fn count(&self) -> usize {
        self.turns.iter().map(Vec::len).sum()
    }

    /// The containers that come directly before each of a turn.
    pub fn before(&self) -> BTreeMap<&Key, &[Key]> {
        let turns = self.turns.iter().map(Vec::as_slice);
        let former = std::iter::once(self.unready.as_slice()).chain(turns.clone());
        former.zip(turns).flat_map(|(former, turn)| turn.iter().map(move |key| (key, former))).collect()
    }
}

/// Whether a step takes a running container down to bring it up again.
pub fn is_turn(action: &Action, class: Class) -> bool {
    matches!(action, Action::Stop { .. }) && matches!(class, Class::Restart | Class::Replace)
}

/// The turns of every owner. A container without its turn's settings (a verb's own) takes no part.
pub fn turns(scene: &Scene<'_>, diffs: &BTreeMap<Key, ObjectDiff>, order: &Order) -> Vec<Turns> {
    let stopped: BTreeSet<&Key> =
        diffs.iter().filter(|(_, diff)| restarts(diff)).map(|(key, _)| key).collect();
    let mut by_owner: BTreeMap<&Owner, Vec<&Key>> = BTreeMap::new();
    for key in order.keys.iter().filter(|key| stopped.contains(key)) {
        if let Some(target) = scene.world.targets.get(key).filter(|target| !target.verb && !target.rollback) {
            by_owner.entry(&target.owner).or_default().push(key);
        }
    }
    if by_owner.is_empty() {
        return vec![];
    }
    let behind = behind(order, &stopped);
    by_owner.into_iter().map(|(owner, keys)| owner_turns(scene, owner, keys, &behind)).collect()
}

fn restarts(diff: &ObjectDiff) -> bool {
    diff.steps.iter().any(|step| is_turn(&step.action, step.class))
}

fn owner_turns(scene: &Scene<'_>, owner: &Owner, keys: Vec<&Key>, behind: &BTreeSet<&Key>) -> Turns {
    let rollout = settings(scene.world, owner);
    let at_once = rollout.max_unavailable.of(containers(scene, owner)).clamp(1, MOST_AT_ONCE);
    let unready = match rollout.wait_ready && rollout.stop_on_failure {
        true => unready(scene, owner, &keys, behind),
        false => vec![],
    };
    let is_first = |key: &&Key| is_unready(scene, key) && !behind.contains(key);
    let (first, rest): (Vec<&Key>, Vec<&Key>) = keys.into_iter().partition(is_first);
    let sequence: Vec<Key> = first.into_iter().chain(rest).cloned().collect();
    Turns {
        owner: owner.clone(),
        rollout,
        at_once,
        unready,
        turns: sequence.chunks(at_once).map(<[Key]>::to_vec).collect(),
    }
}

/// What the owner says about rollouts.
pub fn settings(world: &World<'_>, owner: &Owner) -> Rollout {
    let Owner::Site(site) = owner else { return Rollout::default() };
    match world.objects.get(&Key::site(site)).map(|object| &object.spec) {
        Some(Spec::Site(site)) => site.rollout.clone(),
        _ => Rollout::default(),
    }
}

/// How many containers the owner has in service.
fn containers(scene: &Scene<'_>, owner: &Owner) -> usize {
    let targets = scene.world.targets.iter().filter(|(_, target)| target.owner == *owner).map(|(key, _)| key);
    let records = scene.observed.records.iter();
    let records =
        records.filter(|(_, record)| record.owner == *owner && record.parked.is_none() && !record.retiring);
    let keys: BTreeSet<&Key> = targets.chain(records.map(|(key, _)| key)).collect();
    keys.into_iter().filter(|key| key.kind == Kind::Container).count()
}

/// The owner's containers that were started and not seen ready since, and that this plan leaves running.
fn unready(scene: &Scene<'_>, owner: &Owner, stopped: &[&Key], behind: &BTreeSet<&Key>) -> Vec<Key> {
    let views = scene.joined.containers.iter().filter(|(key, view)| {
        let record = view.record.filter(|record| record.owner == *owner && record.parked.is_none());
        let goes = scene.world.leaving.contains_key(*key);
        record.is_some()
            && view.run.is_some_and(|run| !run.frozen)
            && !goes
            && !behind.contains(key)
            && !stopped.contains(key)
    });
    let mut unready: Vec<Key> =
        views.map(|(key, _)| key).filter(|key| is_unready(scene, key)).cloned().collect();
    unready.sort_by(Key::natural);
    unready
}

/// What comes after a container that is stopped: it cannot come before others that are.
fn behind<'a>(order: &'a Order, stopped: &BTreeSet<&Key>) -> BTreeSet<&'a Key> {
    let mut behind = BTreeSet::new();
    for key in &order.keys {
        let mut before = order.before.get(key).into_iter().flatten();
        if before.any(|other| stopped.contains(other) || behind.contains(other)) {
            behind.insert(key);
        }
    }
    behind
}

/// What the order has to put before each container of a turn.
pub fn edges(turns: &[Turns]) -> BTreeMap<Key, BTreeSet<Key>> {
    let mut edges: BTreeMap<Key, BTreeSet<Key>> = BTreeMap::new();
    for (key, before) in turns.iter().flat_map(Turns::before) {
        edges.entry(key.clone()).or_default().extend(before.iter().cloned());
    }
    edges
}
