//! Why storage could not do it.

use std::io;
use std::path::{Path, PathBuf};
use tree::error::{FileError, listed};
use uuid::Uuid;

/// An error of the storage room; paths are the host's.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{} cannot be a pool: {what}", path.display())]
    Foreign { path: PathBuf, what: String },
    #[error("pool folder {} is not there", path.display())]
    NoPool { path: PathBuf },
    #[error("the root of container {uuid} stands on other layers: {}", listed(layers))]
    OtherLayers { uuid: Uuid, layers: Vec<PathBuf> },
    #[error("layer {} is not a folder", path.display())]
    NoLayer { path: PathBuf },
    #[error("there is no root of container {uuid} in {}", pool.display())]
    NoRoot { uuid: Uuid, pool: PathBuf },
    #[error("container {uuid} has no next root of content {content}")]
    NoNextRoot { uuid: Uuid, content: String },
    #[error("{} is in use, mounted at {}", path.display(), listed(mounts))]
    Mounted { path: PathBuf, mounts: Vec<PathBuf> },
    #[error("pool {} still has {count} roots", path.display())]
    NotEmpty { path: PathBuf, count: usize },
    #[error("{} is a mount point: it cannot be renamed", path.display())]
    MountPoint { path: PathBuf },
    #[error("{} is there already", path.display())]
    Taken { path: PathBuf },
    #[error("{} cannot be read as JSON", path.display())]
    Record {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
    #[error("{} has version {found}; this program knows up to {known}", path.display())]
    Version { path: PathBuf, found: u32, known: u32 },
}

impl StorageError {
    /// The error for a failed call.
    pub(super) fn io(action: &'static str, path: &Path, source: impl Into<io::Error>) -> StorageError {
        FileError::new(action, path, source).into()
    }
}
