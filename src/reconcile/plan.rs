//! The plan: all steps in order, what waits, what is left alone, and why.

use super::addresses;
use super::assemble::{assemble, needs, ways};
use super::check;
use super::diff::{self, ImageState, ObjectDiff, Scene};
use super::follow;
use super::goal::{Goal, PlanOptions};
use super::graph::{Order, order};
use super::identities::{identities, networks};
use super::intent::{Guard, Intent};
use super::join::join;
use super::rename;
use super::rollout::{self, Turns};
use super::unmanaged::{self, UnmanagedContainer};
use super::unready;
use super::users::{Users, former_users};
use super::world::{World, world};
use crate::model::finding::{Finding, Severity};
use crate::model::key::Key;
use crate::model::object::{Object, Power, Spec, Unmanaged};
use crate::model::observed::{Dropped, Observed};
use crate::model::origin::FieldOrigins;
use crate::model::prune::Deletion;
use crate::model::record::{HoldReason, Identity, Override, OverrideField, Owner, Parked, Record};
use crate::model::step::{Class, ImageContent, Reason, Step};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The version of a plan's JSON.
pub const PLAN_VERSION: u32 = 1;

/// What is to be done. Complete: apply has no choice left. `steps` is in an order that respects every `after`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    pub version: u32,
    /// The site whose load it is for; none where no manifests are loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// The number that objects changed by this plan carry.
    pub generation: u64,
    pub steps: Vec<Step>,
    /// The objects that steps or pending changes are about, for people: before and after.
    pub objects: BTreeMap<Key, ObjectChange>,
    /// What a policy holds back; it is no change and no drift.
    pub pending: Vec<Pending>,
    /// Owned objects that the load does not declare: left as they are.
    pub kept: Vec<Key>,
    /// Sets whose members come or go: one intent each.
    pub sets: Vec<SetChange>,
    /// Why each of them is.
    #[serde(default)]
    pub kept_because: BTreeMap<Key, String>,
    /// What prune does, or would do once it is confirmed: one intent a way, kind and set.
    #[serde(default)]
    pub prune: Vec<Intent>,
    /// What stops apply before its first step.
    #[serde(default)]
    pub guards: Vec<Guard>,
    /// Objects out of service, each until when.
    #[serde(default)]
    pub parked: BTreeMap<Key, Timestamp>,
    /// Holds in force.
    pub holds: Vec<Hold>,
    /// The containers that are stopped and started, in turns; none where there is one turn.
    #[serde(default)]
    pub rollouts: Vec<Turns>,
    /// What is broken and not repaired by itself.
    pub broken: Vec<Broken>,
    /// Containers that get a new root: one that fails is rolled back.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub replacing: BTreeSet<Key>,
    /// What else would be lost with a root that is, or would be, replaced.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dropped: BTreeMap<Key, Dropped>,
    /// Containers on the host that no site owns, whether or not the site wants to know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unmanaged: Vec<UnmanagedContainer>,
    /// What the site says about them.
    #[serde(default, skip_serializing_if = "Unmanaged::is_default")]
    pub unmanaged_policy: Unmanaged,
    /// Containers whose root stands on another content than their image now names.
    pub stale: Vec<Key>,
    /// Objects looked at that need nothing.
    pub unchanged: usize,
    /// Which.
    #[serde(default)]
    pub unchanged_keys: BTreeSet<Key>,
    pub warnings: Vec<Finding>,
}

/// An object before and after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectChange {
    /// What steps established so far; None: it is new.
    pub before: Option<Object>,
    /// None: it is deleted.
    pub after: Option<Object>,
    /// Where the values of `after` were written.
    pub origins: FieldOrigins,
    /// How it goes, where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaves: Option<Deletion>,
    /// It was parked before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parked: Option<Parked>,
    /// The folders that outlive its roots, and go with it where it is deleted.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub deleted_folders: BTreeSet<String>,
}

/// A set that gets more or fewer members. What becomes of those that are no longer declared, `prune` and `kept` say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetChange {
    pub set: Key,
    pub before: usize,
    pub after: usize,
    /// Members that it did not have, or had parked.
    pub added: Vec<Key>,
    /// Members that nothing declares any more.
    pub removed: Vec<Key>,
}

/// A change that waits for approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pending {
    pub key: Key,
    pub class: Class,
    pub reasons: Vec<Reason>,
    /// Predicted, in milliseconds.
    pub downtime_ms: u64,
    /// What lifts it.
    pub waits_for: String,
    /// Whether a yes on the terminal does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub askable: bool,
}

/// A hold that is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    pub key: Key,
    pub declared: Power,
    pub held: Power,
    pub by: String,
    /// None: until the next apply of a manifest.
    pub until: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<HoldReason>,
}

impl Hold {
    pub fn of(key: &Key, entry: &Override) -> Hold {
        let OverrideField::State(held) = entry.field;
        let (declared, by, reason) = (entry.declared, entry.by.clone(), entry.reason.clone());
        Hold { key: key.clone(), declared, held, by, until: entry.until, reason }
    }

    /// `held stopped by stop by root until 2026-11-26T12:00:00Z (declared running): the disk is swapped`
    pub fn words(&self) -> String {
        let until = self.until.map_or("the next apply".to_owned(), |until| format!("{until:.0}"));
        let reason = self.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        let (held, declared) = (self.held.word(), self.declared.word());
        format!("held {held} by {} until {until} (declared {declared}){reason}", self.by)
    }
}

/// Something that no step can repair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Broken {
    pub key: Key,
    pub message: String,
    pub help: String,
}

/// How many objects are created, changed, repaired and so on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    pub create: usize,
    pub change: usize,
    pub repair: usize,
    pub restart: usize,
    #[serde(default)]
    pub replace: usize,
    pub delete: usize,
    #[serde(default)]
    pub park: usize,
    #[serde(default)]
    pub retain: usize,
    #[serde(default)]
    pub undelete: usize,
    /// Looked at until they are ready, for others.
    #[serde(default)]
    pub wait: usize,
    pub record: usize,
    pub pending: usize,
    pub kept: usize,
    pub broken: usize,
    pub unchanged: usize,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Everything that is wrong; nothing is done.
    #[error("{}", first_message(.0))]
    Findings(Vec<Finding>),
    /// The keys of a dependency cycle, the first one again at the end.
    #[error("dependency cycle: {}", path_text(.path))]
    Cycle { path: Vec<Key> },
}

impl Plan {
    /// Whether the host is as it should be: no step. What is pending, kept or broken does not count.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The exit code of `plan`: 0 nothing to do, 2 changes or drift (what is broken is drift), or a guard to decide about.
    pub fn exit_code(&self) -> u8 {
        if self.is_empty() && self.broken.is_empty() && self.guards.is_empty() { 0 } else { 2 }
    }
}

/// What has to happen so that the host has what `goal` wants. Pure: same input, same plan.
pub fn plan(goal: &Goal<'_>, observed: &Observed, options: &PlanOptions) -> Result<Plan, Error> {
    let renames = rename::due(goal, observed);
    let renamed = (!renames.is_empty()).then(|| rename::view(observed, &renames));
    let (found, observed) = (observed, renamed.as_ref().unwrap_or(observed));
    let joined = join(observed);
    let mut world = world(goal, observed, &joined, options);
    let networks = networks(&world);
    let mut findings = std::mem::take(&mut world.findings);
    let identities = identities(&world, observed, &joined, options, &mut findings);
    findings.extend(check::check(&world, observed, &joined, options));
    if matches!(goal, Goal::Site(_)) {
        findings.extend(check::contents(&world, options));
        findings.extend(addresses::check(&world, observed, &joined, &networks));
    }
    findings.sort_by(|a, b| (&a.place, &a.key, &a.message).cmp(&(&b.place, &b.key, &b.message)));
    if let Goal::Site(desired) = goal {
        findings.extend(rename::findings::refused(desired, found));
        if options.only.is_empty() {
            findings.extend(rename::findings::proposals(desired, observed));
        }
    }
    let external = match goal {
        Goal::Site(desired) => Some(&desired.external),
        _ => None,
    };
    let unmanaged = unmanaged::containers(&world, observed, &joined, external);
    let policy = match goal {
        Goal::Site(desired) => unmanaged::policy(desired),
        _ => Unmanaged::Ignore,
    };
    if let (Goal::Site(desired), Unmanaged::Fail, true) = (goal, policy, options.only.is_empty()) {
        findings.extend(unmanaged::findings(desired, &unmanaged));
    }
    // Healing goes on with what is right, and a stop with all; a load with an error has no effect at all.
    let strict = !matches!(goal, Goal::Recorded | Goal::Rollback(_) | Goal::PowerOff);
    if strict && findings.iter().any(|finding| finding.severity == Severity::Error) {
        return Err(Error::Findings(findings));
    }
    let mut scene = Scene {
        observed,
        joined: &joined,
        world: &world,
        networks: &networks,
        options,
        condemned: condemned(&world, observed),
        generation: generation(goal, observed),
        images: BTreeMap::new(),
    };
    scene.images = image_states(&scene);
    let mut diffs = diffs(&scene, &identities);
    rename::begin_with(&renames, observed, &mut diffs);
    let former = former_users(&world, observed, &joined, options);
    let (order, rollouts) = in_turns(&scene, &mut diffs, former)?;
    let plan = assemble(&scene, diffs, &order, (rollouts, findings));
    let site = match goal {
        Goal::Site(desired) => Some(desired.site.clone()),
        _ => None,
    };
    Ok(Plan { site, unmanaged, unmanaged_policy: policy, ..plan })
}

/// The order of the objects' steps, with the turns of what is stopped and started.
fn in_turns(
    scene: &Scene<'_>,
    diffs: &mut BTreeMap<Key, ObjectDiff>,
    mut former: Users,
) -> Result<(Order, Vec<Turns>), Error> {
    let needed = needs(scene, diffs);
    let awaited = unready::awaited(scene, diffs, &needed);
    unready::wait_for(scene, &awaited, diffs);
    let plain = order(&needed, &ways(diffs), &former)?;
    let mut rollouts = rollout::turns(scene, diffs, &plain);
    rollouts.retain(|turns| turns.turns.len() > 1 || !turns.unready.is_empty());
    if rollouts.is_empty() {
        return Ok((plain, rollouts));
    }
    unready::wait_for(scene, rollouts.iter().flat_map(|turns| &turns.unready), diffs);
    for (key, before) in rollout::edges(&rollouts) {
        former.entry(key).or_default().extend(before);
    }
    let turned = order(&needs(scene, diffs), &ways(diffs), &former)?;
    // The turns are about the restarts alone: the rest of an object waits for what it needs, and for nothing else.
    let mut before = plain.before;
    for (key, turned) in &turned.before {
        before.entry(key.clone()).or_insert_with(|| turned.clone());
    }
    Ok((Order { keys: turned.keys, before }, rollouts))
}

fn condemned(world: &World<'_>, observed: &Observed) -> BTreeMap<(Owner, String), Key> {
    let mut condemned = BTreeMap::new();
    for (key, record) in &observed.records {
        let content = record.applied.as_ref().and_then(|applied| applied.rolled_back.as_ref());
        if let Some(content) = content.filter(|_| rollout::settings(world, &record.owner).stop_on_failure) {
            condemned.entry((record.owner.clone(), content.clone())).or_insert_with(|| key.clone());
        }
    }
    condemned
}

/// One more than any record's; a verb declares nothing: what it changes keeps its number.
fn generation(goal: &Goal<'_>, observed: &Observed) -> u64 {
    let of = |record: &Record| record.generation;
    match goal {
        Goal::Power { keys, .. } | Goal::Hold { keys, .. } | Goal::Resume(keys) | Goal::Restart(keys) => {
            keys.iter().filter_map(|key| observed.records.get(key)).map(of).max().unwrap_or(0)
        }
        _ => observed.records.values().map(of).max().unwrap_or(0) + 1,
    }
}

fn image_states(scene: &Scene<'_>) -> BTreeMap<Key, ImageState> {
    let mut states = BTreeMap::new();
    for (key, object) in &scene.world.objects {
        let Spec::Image(image) = &object.spec else { continue };
        if let Some(target) = scene.world.targets.get(key) {
            states.insert(key.clone(), diff::image::state(scene, key, target, image));
            continue;
        }
        let applied = scene.observed.records.get(key).and_then(|record| record.applied.as_ref());
        let present = |fingerprint: &String| scene.observed.images.contains_key(fingerprint);
        if let Some(fingerprint) = applied.and_then(|applied| applied.fingerprint.clone()).filter(present) {
            let content = ImageContent::Fingerprint(fingerprint);
            states.insert(key.clone(), ImageState { content, imported: false });
        }
    }
    states
}

fn diffs(scene: &Scene<'_>, identities: &BTreeMap<Key, Identity>) -> BTreeMap<Key, ObjectDiff> {
    let alone = BTreeMap::new();
    let wanted = scene.world.targets.iter().filter_map(|(key, target)| {
        Some(match &target.object.spec {
            Spec::Site(_) | Spec::Profile(_) | Spec::Secret(_) => diff::record_only::diff(scene, key, target),
            Spec::Image(image) => diff::image::diff(scene, key, target, image),
            Spec::StoragePool(pool) => diff::pool::diff(scene, key, target, pool),
            Spec::Network(network) => diff::network::diff(scene, key, target, network),
            Spec::Container(_) if target.powered_off => diff::power_off::diff(scene, key),
            Spec::Container(container) => {
                diff::container::diff(scene, key, target, container, (identities.get(key)?, &alone))
            }
        })
    });
    let gone = scene.world.leaving.iter().map(|(key, leaving)| diff::delete::diff(scene, key, leaving));
    let mut diffs = wanted.chain(gone).map(|diff| (diff.key.clone(), diff)).collect();
    follow::others(scene, identities, &mut diffs);
    diffs
}

/// The owner that a goal writes into the records of its objects.
pub fn site_owner(name: &str) -> Owner {
    Owner::Site(name.to_owned())
}

fn first_message(findings: &[Finding]) -> String {
    match findings {
        [] => "no finding".to_owned(),
        [only] => only.message.clone(),
        [first, rest @ ..] => format!("{} (and {} more)", first.message, rest.len()),
    }
}

fn path_text(path: &[Key]) -> String {
    path.iter().map(Key::to_string).collect::<Vec<_>>().join(" -> ")
}
