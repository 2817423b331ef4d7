//! The file `root.json` beside a container's root: on which layers it stands.

use super::error::StorageError;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

const VERSION: u32 = 1;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RootRecord {
    version: u32,
    layers: Vec<PathBuf>,
}

/// Writes the layers of the root in `folder`.
pub(super) fn write(folder: &Path, layers: &[PathBuf]) -> Result<(), StorageError> {
    let path = folder.join("root.json");
    let record = RootRecord { version: VERSION, layers: layers.to_vec() };
    let text = serde_json::to_vec_pretty(&record)
        .map_err(|source| StorageError::Record { path: path.clone(), source })?;
    tree::durable::write(&path, &text).map_err(|source| StorageError::io("write", &path, source))
}

/// The layers of the root in `folder`, if there is one.
pub(super) fn read(folder: &Path) -> Result<Option<Vec<PathBuf>>, StorageError> {
    let path = folder.join("root.json");
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StorageError::io("read", &path, error)),
    };
    let record: RootRecord = serde_json::from_slice(&text)
        .map_err(|source| StorageError::Record { path: path.clone(), source })?;
    if record.version > VERSION {
        return Err(StorageError::Version { path, found: record.version, known: VERSION });
    }
    Ok(Some(record.layers))
}
