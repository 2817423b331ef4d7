//! The state folder's records: one JSON file an object, written to a temporary name, fsynced, renamed, and the folder
//! fsynced, so that a reader or a crash sees the old record or the new one.
//!
//! Layout: `records/KIND/NAME.json`, in other projects `records/KIND/PROJECT:NAME.json`, with `PARENT:` before the
//! name where there is one. Names are checked by spec: they have no `/`, no `:` and are no longer than 63 characters.

use super::{Error, Records};
use crate::model::key::{DEFAULT_PROJECT, Key, Kind};
use crate::model::record::{RECORD_VERSION, Record};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Records under a folder.
#[derive(Debug)]
pub struct FileRecords {
    folder: PathBuf,
}

/// A record with its key: a file explains itself, and a renamed one cannot stand for another object.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Stored {
    key: Key,
    record: Record,
}

impl FileRecords {
    /// Records in `state_folder`; nothing is written until the first put.
    pub fn new(state_folder: &Path) -> FileRecords {
        FileRecords { folder: state_folder.join("records") }
    }

    fn path(&self, key: &Key) -> PathBuf {
        let mut name = String::new();
        if key.project != DEFAULT_PROJECT {
            name.push_str(&key.project);
            name.push(':');
        }
        if let Some(parent) = &key.parent {
            name.push_str(parent);
            name.push(':');
        }
        name.push_str(&key.name);
        name.push_str(".json");
        self.folder.join(key.kind.slug()).join(name)
    }
}

impl Records for FileRecords {
    fn all(&self) -> Result<BTreeMap<Key, Record>, Error> {
        let mut records = BTreeMap::new();
        for kind in Kind::ALL {
            for path in record_files(&self.folder.join(kind.slug()))? {
                if let Some(stored) = read(&path)? {
                    records.insert(stored.key, stored.record);
                }
            }
        }
        Ok(records)
    }

    fn get(&self, key: &Key) -> Result<Option<Record>, Error> {
        Ok(read(&self.path(key))?.map(|stored| stored.record))
    }

    fn put(&self, key: &Key, record: &Record) -> Result<bool, Error> {
        let path = self.path(key);
        if let Some(stored) = read(&path)?
            && stored.record == *record
        {
            return Ok(false);
        }
        let stored = Stored { key: key.clone(), record: record.clone() };
        let text = serde_json::to_vec_pretty(&stored)
            .map_err(|source| Error::Corrupt { path: path.clone(), source })?;
        write_durably(&path, &text).map_err(|source| Error::Io { action: "write", path, source })?;
        Ok(true)
    }

    fn forget(&self, key: &Key) -> Result<bool, Error> {
        let path = self.path(key);
        match fs::remove_file(&path) {
            Ok(()) => {
                sync_parent(&path).map_err(|source| Error::Io {
                    action: "fsync the folder of",
                    path,
                    source,
                })?;
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(Error::Io { action: "remove", path, source }),
        }
    }
}

/// Writes a file so that after a crash it has the old content or the new one; makes its folders.
pub fn write_durably(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(folder)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    sync_parent(path)
}

fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn record_files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let io_error = |source| Error::Io { action: "list", path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
        Err(error) => return Err(io_error(error)),
    };
    let mut paths = vec![];
    for entry in entries {
        let path = entry.map_err(io_error)?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && path.extension().is_some_and(|extension| extension == "json") {
            paths.push(path);
        }
    }
    Ok(paths)
}

/// None: there is no such file (any more).
fn read(path: &Path) -> Result<Option<Stored>, Error> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::Io { action: "read", path: path.to_owned(), source }),
    };
    refuse_newer(path, &text)?;
    serde_json::from_slice(&text).map(Some).map_err(|source| Error::Corrupt { path: path.to_owned(), source })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::record::Owner;

    fn record(generation: u64) -> Record {
        Record {
            version: RECORD_VERSION,
            owner: Owner::System,
            generation,
            desired: None,
            origins: BTreeMap::new(),
            applied: None,
            identity: None,
            files: BTreeMap::new(),
            overrides: vec![],
            retiring: false,
            parked: None,
            undeleted: false,
            actor: "test".to_owned(),
        }
    }

    #[test]
    fn a_record_that_is_put_is_read_back_and_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let records = FileRecords::new(folder.path());
        let key = Key::container("web-1");
        assert!(records.put(&key, &record(1)).unwrap());
        assert!(!records.put(&key, &record(1)).unwrap(), "an equal record is not written again");
        assert!(records.put(&key, &record(2)).unwrap());
        assert_eq!(records.all().unwrap(), BTreeMap::from([(key.clone(), record(2))]));
        assert!(records.forget(&key).unwrap());
        assert!(!records.forget(&key).unwrap());
        assert_eq!(records.get(&key).unwrap(), None);
    }

    #[test]
    fn a_newer_record_is_refused_by_its_version() {
        let folder = tempfile::tempdir().unwrap();
        let records = FileRecords::new(folder.path());
        let path = folder.path().join("records/container/web-1.json");
        write_durably(&path, br#"{"key":"container/web-1","record":{"version":2,"shape":"new"}}"#).unwrap();
        let error = records.all().unwrap_err();
        assert!(matches!(error, Error::Newer { found: 2, known: 1, .. }), "{error}");
    }

    #[test]
    fn a_torn_temporary_file_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let records = FileRecords::new(folder.path());
        records.put(&Key::container("a"), &record(1)).unwrap();
        fs::write(folder.path().join("records/container/.new-xyz.json"), b"{").unwrap();
        assert_eq!(records.all().unwrap().len(), 1);
    }
}
