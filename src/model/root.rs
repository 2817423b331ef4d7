//! A container's root as storage describes it and the runtime mounts it.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Where the files of a container's root are on the host. Ids on disk are the container's own (33 is 33); the
/// runtime shifts them by idmapped mounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum Root {
    /// An overlay: read-only layers, the topmost first, and a writable folder on the pool.
    Overlay { layers: Vec<PathBuf>, upper: PathBuf, work: PathBuf },
    /// A writable tree of its own (a btrfs subvolume, a plain folder).
    Subvolume { path: PathBuf },
}
