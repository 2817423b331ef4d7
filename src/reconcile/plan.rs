//! The plan: all steps in order, what waits, what is left alone, and why.

use super::goal::{Goal, PlanOptions};
use crate::model::finding::Finding;
use crate::model::key::Key;
use crate::model::object::{Object, Power};
use crate::model::observed::Observed;
use crate::model::origin::FieldOrigins;
use crate::model::record::Owner;
use crate::model::step::{Class, Reason, Step};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of a plan's JSON.
pub const PLAN_VERSION: u32 = 1;

/// What is to be done. Complete: apply has no choice left. `steps` is in an order that respects every `after`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    pub version: u32,
    /// The number that objects changed by this plan carry.
    pub generation: u64,
    pub steps: Vec<Step>,
    /// The objects that steps or pending changes are about, for people: before and after.
    pub objects: BTreeMap<Key, ObjectChange>,
    /// What a policy holds back; it is no change and no drift.
    pub pending: Vec<Pending>,
    /// Owned objects that the load does not declare: left as they are.
    pub kept: Vec<Key>,
    /// Holds in force.
    pub holds: Vec<Hold>,
    /// What is broken and not repaired by itself.
    pub broken: Vec<Broken>,
    /// Containers whose root stands on another content than their image now names.
    pub stale: Vec<Key>,
    /// Objects looked at that need nothing.
    pub unchanged: usize,
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
    pub delete: usize,
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

    /// The exit code of `plan`: 0 nothing to do, 2 changes or drift (what is broken is drift).
    pub fn exit_code(&self) -> u8 {
        if self.is_empty() && self.broken.is_empty() { 0 } else { 2 }
    }
}

/// What has to happen so that the host has what `goal` wants. Pure: same input, same plan.
pub fn plan(_goal: &Goal<'_>, _observed: &Observed, _options: &PlanOptions) -> Result<Plan, Error> {
    Err(Error::Findings(vec![]))
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
