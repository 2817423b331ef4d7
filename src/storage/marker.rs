//! The file `.bayplan-pool` that says whose a pool's folder is.

use super::Presence;
use super::error::StorageError;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

const NAME: &str = ".bayplan-pool";
const VERSION: u32 = 1;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Marker {
    version: u32,
    driver: String,
    tag: String,
    pool: String,
    /// The name that it is known by as well, while it gets another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former: Option<String>,
    /// Bayplan made the folder itself, and removes it with the pool.
    pub made_folder: bool,
}

impl Marker {
    pub fn dir(tag: &str, pool: &str, made_folder: bool) -> Marker {
        let (driver, tag, pool) = ("dir".into(), tag.into(), pool.into());
        Marker { version: VERSION, driver, tag, pool, former: None, made_folder }
    }

    /// Whether it marks the pool that the other one describes.
    fn is_same_pool(&self, other: &Marker) -> bool {
        let is_named = self.pool == other.pool || self.former.as_ref() == Some(&other.pool);
        is_named && (&self.driver, &self.tag) == (&other.driver, &other.tag)
    }
}

pub(super) fn path(source: &Path) -> PathBuf {
    source.join(NAME)
}

pub(super) fn write(source: &Path, marker: &Marker) -> Result<(), StorageError> {
    let path = path(source);
    let text = serde_json::to_vec_pretty(marker)
        .map_err(|source| StorageError::Record { path: path.clone(), source })?;
    tree::durable::write(&path, &text).map_err(|source| StorageError::io("write", &path, source))
}

pub(super) fn read(source: &Path) -> Result<Option<Marker>, StorageError> {
    let path = path(source);
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StorageError::io("read", &path, error)),
    };
    let marker: Marker = serde_json::from_slice(&text)
        .map_err(|source| StorageError::Record { path: path.clone(), source })?;
    if marker.version > VERSION {
        return Err(StorageError::Version { path, found: marker.version, known: VERSION });
    }
    Ok(Some(marker))
}

/// Whose the folder is, seen from the pool that `wanted` describes.
pub(super) fn presence(source: &Path, wanted: &Marker) -> Result<Presence, StorageError> {
    let mut entries = match std::fs::read_dir(source) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Presence::Absent),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return Ok(Presence::Foreign("it is not a folder".into()));
        }
        Err(error) => return Err(StorageError::io("list", source, error)),
    };
    match read(source)? {
        Some(found) if found.is_same_pool(wanted) => Ok(Presence::Ours),
        Some(found) => Ok(Presence::Foreign(format!(
            "it belongs to pool {} of the bayplan with tag {}",
            found.pool, found.tag
        ))),
        // A fresh file system has this folder; a marker cut short by a crash has this name.
        None => {
            let harmless = ["lost+found", "..bayplan-pool.new"];
            let alien = entries.find(|entry| {
                entry.as_ref().map_or(true, |entry| !harmless.iter().any(|name| entry.file_name() == *name))
            });
            Ok(match alien {
                None => Presence::Empty,
                Some(_) => Presence::Foreign("it has content that is not bayplan's".into()),
            })
        }
    }
}
