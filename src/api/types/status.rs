//! What `status` says of a whole host.

use super::listing::DaemonStatus;
use crate::model::key::Key;
use crate::model::record::Parked;
use crate::reconcile::drift::Row;
use crate::reconcile::plan::{Broken, Hold, Pending};
use crate::reconcile::unmanaged::UnmanagedContainer;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// One host at one time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostStatus {
    pub version: u32,
    pub bayplan: String,
    pub hostname: String,
    /// `native`, `memory`.
    pub driver: String,
    pub state_dir: PathBuf,
    /// Who serves the state folder; none: nobody does.
    pub daemon: Option<DaemonStatus>,
    pub owners: Vec<OwnerStatus>,
    pub containers: ContainerCounts,
    pub drift: DriftStatus,
    /// Changes that wait: for approval, for the end of a hold, for a time.
    pub pending: Vec<Pending>,
    pub holds: Vec<Hold>,
    /// What is out of service.
    pub parked: Vec<ParkedStatus>,
    /// Containers that no site owns; none: no site wants them told.
    pub unmanaged: Option<Vec<UnmanagedContainer>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnerStatus {
    /// `site edge`, `system`, `the API`.
    pub owner: String,
    pub objects: usize,
}

/// Containers by what they are doing. Those that are not ready run, and are counted as running too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerCounts {
    pub running: usize,
    pub stopped: usize,
    pub frozen: usize,
    /// Declared, and without a root.
    pub missing: usize,
    pub not_ready: usize,
    /// What no step repairs, in whatever state.
    pub broken: usize,
}

/// As `drift` says, in short.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DriftStatus {
    /// How many differences there are, what is broken with them.
    pub count: usize,
    /// The first few.
    pub rows: Vec<Row>,
    pub broken: Vec<Broken>,
    /// How many differences were declared and never applied: no drift.
    pub not_applied: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ParkedStatus {
    pub key: Key,
    pub parked: Parked,
}
