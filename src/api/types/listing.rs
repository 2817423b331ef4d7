//! What `get`, `describe`, `holds` and a daemon say of what there is.

use crate::model::key::{Key, Kind};
use crate::model::object::Power;
use crate::model::observed::{ExitFacts, Usage};
use crate::model::origin::Origin;
use crate::model::record::{HoldReason, Override, Parked, Replaced};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use uuid::Uuid;

/// What `get` shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listing {
    pub version: u32,
    pub objects: Vec<ObjectStatus>,
}

/// One object as it stands. Fields that a kind does not have are absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectStatus {
    pub key: Key,
    pub kind: Kind,
    pub name: String,
    /// `site edge`, `system`, `the API`; `none` of what has no record.
    pub owner: String,
    pub generation: u64,
    /// Whatever is parked: `parked`. A container: `running`, `frozen`, `stopped`; else `present` or `missing`.
    pub state: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<ContainerStatus>,
    /// A network: its bridge's, with their prefix lengths.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
    /// What an image or a container's root is made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parked: Option<Parked>,
    /// What people should know; empty when all is well.
    pub conditions: Vec<Condition>,
}

/// What only containers have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerStatus {
    /// Of its init, on the host.
    pub pid: Option<u32>,
    pub incarnation: Option<u64>,
    pub uuid: Option<Uuid>,
    pub declared: Option<Power>,
    pub image: Option<String>,
    pub addresses: Vec<Address>,
    pub usage: Option<Usage>,
    /// A verb's say against the declared state.
    pub hold: Option<Override>,
    /// Whether its root stands on another content than its image now has.
    pub stale: bool,
    /// How the last incarnation ended, while none runs.
    pub last_exit: Option<ExitFacts>,
    /// An ephemeral container: how often it was complete and made afresh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remakes: Option<u64>,
    /// The root whose place its own took, and how long it is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced: Option<Replaced>,
}

/// An address of a nic, with its prefix length.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Address {
    pub device: String,
    pub address: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// One word: `Held`, `Stale`, `Unsupervised`, `Broken`, `NotApplied`, `Unrecorded`, `Undeleted`, `CrashLoop`,
    /// `NotReady`.
    #[serde(rename = "type")]
    pub condition_type: String,
    pub message: String,
}

/// What `describe` shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Description {
    pub version: u32,
    pub status: ObjectStatus,
    /// Who wrote the record last.
    pub actor: Option<String>,
    pub labels: BTreeMap<String, String>,
    pub description: String,
    pub fields: Vec<FieldStatus>,
}

/// One declared field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FieldStatus {
    /// `config.limits.memory`
    pub field: String,
    pub desired: Option<String>,
    /// What steps established; equal to `desired` when all is applied.
    pub applied: Option<String>,
    pub origin: Option<Origin>,
}

/// What `holds` shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HoldListing {
    pub version: u32,
    pub holds: Vec<HoldStatus>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HoldStatus {
    pub key: Key,
    pub declared: Power,
    pub held: Power,
    pub by: String,
    pub since: Timestamp,
    /// None: until the next apply of a manifest.
    pub until: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<HoldReason>,
}

/// What the daemon says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DaemonStatus {
    pub version: u32,
    pub pid: u32,
    pub bayplan: String,
    pub driver: String,
    /// What it follows, if it follows anything.
    pub follows: Option<FollowStatus>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FollowStatus {
    pub path: PathBuf,
    pub site: Option<String>,
    /// When the manifests in force were loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_load: Option<Timestamp>,
    /// When a pass last ended well.
    pub last_success: Option<Timestamp>,
    /// What is wrong with the manifests now; the last good ones stay in force.
    pub load_problem: Option<String>,
    /// What went wrong in the last pass.
    pub pass_problem: Option<String>,
}
