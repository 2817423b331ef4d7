//! The file `root.json` beside a container's roots: on which layers each stands, and which is the one in use. One write
//! of it swaps them.

use super::error::StorageError;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

const VERSION: u32 = 2;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RootRecord {
    version: u32,
    pub layers: Vec<PathBuf>,
    /// The folder of its upper part, inside the container's; empty: the container's folder itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub place: String,
    /// What the caller calls its content; none: what stands in the identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// Made beside the one in use, to take its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Beside>,
    /// The one that was in use before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced: Option<Beside>,
}

/// A root beside the one in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Beside {
    pub layers: Vec<PathBuf>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub place: String,
    pub content: String,
}

impl RootRecord {
    /// A root of its own, with nothing beside it.
    pub fn new(layers: Vec<PathBuf>) -> RootRecord {
        RootRecord {
            version: VERSION,
            layers,
            place: String::new(),
            content: None,
            next: None,
            replaced: None,
        }
    }

    /// The folders that are in use.
    pub fn places(&self) -> impl Iterator<Item = &str> {
        let beside = self.next.iter().chain(&self.replaced).map(|beside| beside.place.as_str());
        std::iter::once(self.place.as_str()).chain(beside)
    }

    /// The root in use, once it is put beside; `content` is its name where it has none of its own.
    pub fn as_beside(&self, content: &str) -> Beside {
        Beside {
            layers: self.layers.clone(),
            place: self.place.clone(),
            content: self.content.clone().unwrap_or_else(|| content.to_owned()),
        }
    }

    /// Takes another root into use.
    pub fn use_root(&mut self, root: Beside) {
        self.layers = root.layers;
        self.place = root.place;
        self.content = Some(root.content);
    }
}

/// Writes the record of the roots in `folder`, durably and at once.
pub(super) fn write(folder: &Path, record: &RootRecord) -> Result<(), StorageError> {
    let path = folder.join("root.json");
    let record = RootRecord { version: VERSION, ..record.clone() };
    let text = serde_json::to_vec_pretty(&record)
        .map_err(|source| StorageError::Record { path: path.clone(), source })?;
    tree::durable::write(&path, &text).map_err(|source| StorageError::io("write", &path, source))
}

/// The record of the roots in `folder`, if there is one.
pub(super) fn read(folder: &Path) -> Result<Option<RootRecord>, StorageError> {
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
    Ok(Some(record))
}
