//! The file `meta.json` beside an image's rootfs.

use super::error::ImageError;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

const VERSION: u32 = 1;

/// What the store knows of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Meta {
    pub version: u32,
    /// Where it came from, in words.
    pub source: String,
    /// The kernel's name of the processor (`x86_64`).
    pub architecture: String,
    /// Content of all files.
    pub bytes: u64,
    pub names: u64,
    /// Devices and sockets that the source had and the image has not.
    pub skipped: Vec<PathBuf>,
}

impl Meta {
    pub(super) fn new(source: String, bytes: u64, names: u64, skipped: Vec<PathBuf>) -> Meta {
        let architecture = std::env::consts::ARCH.to_owned();
        Meta { version: VERSION, source, architecture, bytes, names, skipped }
    }
}

pub(super) fn write(folder: &Path, meta: &Meta) -> Result<(), ImageError> {
    let path = folder.join("meta.json");
    let text = serde_json::to_vec_pretty(meta)
        .map_err(|source| ImageError::Record { path: path.clone(), source })?;
    tree::durable::write(&path, &text).map_err(|error| ImageError::io("write", &path, error))
}

pub(super) fn read(folder: &Path) -> Result<Option<Meta>, ImageError> {
    let path = folder.join("meta.json");
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(ImageError::io("read", &path, error)),
    };
    let meta: Meta =
        serde_json::from_slice(&text).map_err(|source| ImageError::Record { path: path.clone(), source })?;
    if meta.version > VERSION {
        return Err(ImageError::Version { path, found: meta.version, known: VERSION });
    }
    Ok(Some(meta))
}
