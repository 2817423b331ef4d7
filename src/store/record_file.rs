//! One record's file, and the last settled content that is kept beside it.

use super::Error;
use crate::model::key::Key;
use crate::model::record::{RECORD_VERSION, Record};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Behind the name of the last settled content.
const KEPT: &str = ".kept";

/// A record with its key: a file explains itself, and a renamed one cannot stand for another object.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Stored {
    pub key: Key,
    pub record: Record,
}

/// Makes the folder, and keeps the settled content of the file at `path` beside it, unless a writer that did not settle
/// has kept it: this one, one before it, one that has forgotten the file since.
pub fn keep(path: &Path) -> io::Result<()> {
    let folder = path.parent().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let kept = kept(path);
    match fs::hard_link(path, &kept) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if !folder.is_dir() {
                fs::create_dir_all(folder)?;
                sync_folders_above(folder)?;
            }
            match File::create_new(kept) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
                _ => Ok(()),
            }
        }
        linked => linked,
    }
}

/// New folders last only when those above them do: STATE/records/KIND.
fn sync_folders_above(folder: &Path) -> io::Result<()> {
    folder.ancestors().skip(1).take(2).try_for_each(|above| File::open(above)?.sync_all())
}

pub fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(folder)?;
    file.write_all(content)?;
    file.persist(path)?;
    Ok(())
}

pub fn kept(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(KEPT);
    path.with_file_name(name)
}

/// The records of a folder, and those of them that are not settled.
pub fn record_files(folder: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>), Error> {
    let io_error = |source| Error::Io { action: "list", path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((vec![], vec![])),
        Err(error) => return Err(io_error(error)),
    };
    let (mut files, mut unsettled) = (vec![], vec![]);
    for entry in entries {
        let name = entry.map_err(io_error)?.file_name();
        let Some(name) = name.to_str() else { continue };
        match name.strip_prefix('.') {
            None if name.ends_with(".json") => files.push(folder.join(name)),
            None => {}
            Some(hidden) => unsettled.extend(hidden.strip_suffix(KEPT).map(|name| folder.join(name))),
        }
    }
    Ok((files, unsettled))
}

/// None: there is no such file (any more).
pub fn read(path: &Path) -> Result<Option<Stored>, Error> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::Io { action: "read", path: path.to_owned(), source }),
    };
    refuse_newer(path, &text)?;
    match serde_json::from_slice(&text) {
        Ok(stored) => Ok(Some(stored)),
        Err(source) => read_kept(path).ok_or_else(|| Error::Corrupt { path: path.to_owned(), source }),
    }
}

/// The last settled content of a file whose writing a crash of the machine cut short: `Some(None)` when there was
/// none. None: nothing was kept, so no crash did this.
fn read_kept(path: &Path) -> Option<Option<Stored>> {
    let text = fs::read(kept(path)).ok()?;
    if text.is_empty() { Some(None) } else { serde_json::from_slice(&text).ok().map(Some) }
}

/// The version is read on its own first: a newer record may have any other shape.
fn refuse_newer(path: &Path, text: &[u8]) -> Result<(), Error> {
    #[derive(Deserialize)]
    struct Header {
        record: Version,
    }
    #[derive(Deserialize)]
    struct Version {
        version: u64,
    }
    match serde_json::from_slice::<Header>(text) {
        Ok(header) if header.record.version > u64::from(RECORD_VERSION) => {
            Err(Error::Newer { path: path.to_owned(), found: header.record.version, known: RECORD_VERSION })
        }
        _ => Ok(()),
    }
}
