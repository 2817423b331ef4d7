//! The state folder's records: one JSON file an object, written to a temporary name and renamed, so that a reader, or
//! whoever comes after a killed writer, sees the old record or the new one.
//!
//! Nothing is synced until `settle`, once for many records. What a crash of the machine would leave of an unsynced
//! file is not known (it may be empty), so the last settled content stays beside it until then:
//!
//! ```text
//! put     NAME.json ─link─► .NAME.json.kept (empty: there was none)     new content ─rename─► NAME.json
//! settle  fsync NAME.json, remove .NAME.json.kept, fsync the folder
//! read    NAME.json; where that is no record, .NAME.json.kept
//! ```
//!
//! Layout: `records/KIND/NAME.json`, in other projects `records/KIND/PROJECT:NAME.json`, with `PARENT:` before the
//! name where there is one. Names are checked by spec: they have no `/`, no `:` and are no longer than 63 characters.

use super::record_file::{Stored, keep, kept, read, record_files, write};
use super::{Error, Records};
use crate::model::key::{DEFAULT_PROJECT, Key, Kind};
use crate::model::record::Record;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Records under a folder.
#[derive(Debug)]
pub struct FileRecords {
    folder: PathBuf,
    /// Files that were put or forgotten. Held while files change: the last settled content of a file must not go before
    /// the new one has settled.
    ours: Mutex<BTreeSet<PathBuf>>,
    /// Those that a killed writer left. They count as written, so they have to last, too. Apart from `ours`: a reader
    /// does not wait for a writer's fsync.
    found: Mutex<BTreeSet<PathBuf>>,
}

impl FileRecords {
    /// Records in `state_folder`; nothing is written until the first put.
    pub fn new(state_folder: &Path) -> FileRecords {
        let folder = state_folder.join("records");
        FileRecords { folder, ours: Mutex::default(), found: Mutex::default() }
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
            let (files, unsettled) = record_files(&self.folder.join(kind.slug()))?;
            for path in files {
                if let Some(stored) = read(&path)? {
                    records.insert(stored.key, stored.record);
                }
            }
            locked(&self.found).extend(unsettled);
        }
        Ok(records)
    }

    fn get(&self, key: &Key) -> Result<Option<Record>, Error> {
        let path = self.path(key);
        let stored = read(&path)?;
        if kept(&path).exists() {
            locked(&self.found).insert(path);
        }
        Ok(stored.map(|stored| stored.record))
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
        let mut ours = locked(&self.ours);
        keep(&path).and_then(|()| write(&path, &text)).map_err(|source| Error::Io {
            action: "write",
            path: path.clone(),
            source,
        })?;
        ours.insert(path);
        Ok(true)
    }

    fn forget(&self, key: &Key) -> Result<bool, Error> {
        let path = self.path(key);
        let mut ours = locked(&self.ours);
        let settled = !ours.contains(&path) && !kept(&path).exists();
        let ends = settled && read(&path).is_ok_and(|stored| stored.is_some_and(|it| it.record.retiring));
        match fs::remove_file(&path) {
            Ok(()) => {
                if !ends {
                    ours.insert(path);
                }
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(Error::Io { action: "remove", path, source }),
        }
    }

    fn settle(&self) -> Result<(), Error> {
        let mut ours = locked(&self.ours);
        let found = locked(&self.found).clone();
        let sync = |path: &Path| {
            let failed = |source| Error::Io { action: "fsync", path: path.to_owned(), source };
            match File::open(path).and_then(|file| file.sync_all()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
                _ => Ok(()),
            }
        };
        let files: BTreeSet<&PathBuf> = ours.union(&found).collect();
        let folders: BTreeSet<&Path> = files.iter().filter_map(|path| path.parent()).collect();
        files.iter().try_for_each(|path| sync(path))?;
        // No content can be torn any more. Before the folders are synced: one that a crash brought back would be taken
        // for what was settled last by the next put.
        files.iter().for_each(|path| drop(fs::remove_file(kept(path))));
        folders.into_iter().try_for_each(sync)?;
        ours.clear();
        locked(&self.found).retain(|path| !found.contains(path));
        Ok(())
    }
}

fn locked(files: &Mutex<BTreeSet<PathBuf>>) -> MutexGuard<'_, BTreeSet<PathBuf>> {
    files.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::record::{Owner, RECORD_VERSION};

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
            renaming: None,
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
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, br#"{"key":"container/web-1","record":{"version":2,"shape":"new"}}"#).unwrap();
        let error = records.all().unwrap_err();
        assert!(matches!(error, Error::Newer { found: 2, known: 1, .. }), "{error}");
    }

    /// What a crash of the machine may leave of a file that was never synced.
    fn tear(folder: &Path) {
        fs::write(folder.join("records/container/a.json"), b"").unwrap();
    }

    #[test]
    fn a_crash_before_settle_leaves_the_last_settled_record() {
        let folder = tempfile::tempdir().unwrap();
        let key = Key::container("a");
        let records = FileRecords::new(folder.path());
        records.put(&key, &record(1)).unwrap();
        tear(folder.path());
        assert_eq!(records.get(&key).unwrap(), None, "there was none before");
        assert!(records.all().unwrap().is_empty());

        let records = FileRecords::new(folder.path());
        records.put(&key, &record(2)).unwrap();
        records.settle().unwrap();
        records.put(&key, &record(3)).unwrap();
        records.put(&key, &record(4)).unwrap();
        tear(folder.path());
        assert_eq!(records.get(&key).unwrap(), Some(record(2)));

        let records = FileRecords::new(folder.path());
        records.put(&key, &record(5)).unwrap();
        tear(folder.path());
        assert_eq!(records.get(&key).unwrap(), Some(record(2)), "what is torn is not kept in its place");
    }

    #[test]
    fn what_was_settled_last_stays_over_writers_that_do_not_settle() {
        let folder = tempfile::tempdir().unwrap();
        let key = Key::container("a");
        let records = FileRecords::new(folder.path());
        records.put(&key, &record(1)).unwrap();
        records.settle().unwrap();
        for generation in [2, 3] {
            FileRecords::new(folder.path()).put(&key, &record(generation)).unwrap();
        }
        assert_eq!(FileRecords::new(folder.path()).get(&key).unwrap(), Some(record(3)));
        tear(folder.path());
        assert_eq!(FileRecords::new(folder.path()).get(&key).unwrap(), Some(record(1)));
    }

    #[test]
    fn what_was_settled_last_stays_whichever_writer_settled_it() {
        let folder = tempfile::tempdir().unwrap();
        let key = Key::container("a");
        let (first, second) = (FileRecords::new(folder.path()), FileRecords::new(folder.path()));
        first.put(&key, &record(1)).unwrap();
        second.put(&key, &record(2)).unwrap();
        second.settle().unwrap();
        first.put(&key, &record(3)).unwrap();
        tear(folder.path());
        assert_eq!(first.get(&key).unwrap(), Some(record(2)));
    }

    #[test]
    fn what_was_settled_last_stays_over_one_that_was_forgotten_and_put_again() {
        let folder = tempfile::tempdir().unwrap();
        let key = Key::container("a");
        let records = FileRecords::new(folder.path());
        records.put(&key, &record(1)).unwrap();
        records.settle().unwrap();
        records.put(&key, &record(2)).unwrap();
        records.forget(&key).unwrap();
        FileRecords::new(folder.path()).put(&key, &record(3)).unwrap();
        tear(folder.path());
        assert_eq!(records.get(&key).unwrap(), Some(record(1)));
    }

    #[test]
    fn a_reader_does_not_wait_for_a_writer_that_settles() {
        let folder = tempfile::tempdir().unwrap();
        let records = FileRecords::new(folder.path());
        records.put(&Key::container("a"), &record(1)).unwrap();
        let (told, tells) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let _settling = locked(&records.ours);
            scope.spawn(|| told.send(records.all().unwrap().len()));
            assert_eq!(tells.recv_timeout(std::time::Duration::from_secs(60)), Ok(1));
        });
    }

    #[test]
    fn the_end_of_a_deletion_needs_no_settling() {
        let folder = tempfile::tempdir().unwrap();
        let key = Key::container("a");
        let records = FileRecords::new(folder.path());
        let retiring = Record { retiring: true, ..record(1) };
        records.put(&key, &retiring).unwrap();
        records.settle().unwrap();
        assert!(records.forget(&key).unwrap());
        assert!(locked(&records.ours).is_empty(), "comes back as what is being deleted");
        records.put(&key, &retiring).unwrap();
        assert!(records.forget(&key).unwrap());
        assert!(!locked(&records.ours).is_empty(), "its mark had not settled");
    }

    #[test]
    fn what_a_killed_writer_left_is_settled_by_the_next() {
        let folder = tempfile::tempdir().unwrap();
        FileRecords::new(folder.path()).put(&Key::container("a"), &record(1)).unwrap();
        let records = FileRecords::new(folder.path());
        assert_eq!(records.all().unwrap().len(), 1);
        records.settle().unwrap();
        tear(folder.path());
        assert!(matches!(records.all(), Err(Error::Corrupt { .. })), "nothing is kept for a settled record");
    }

    #[test]
    fn a_settled_record_that_is_torn_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let records = FileRecords::new(folder.path());
        records.put(&Key::container("a"), &record(1)).unwrap();
        records.settle().unwrap();
        tear(folder.path());
        assert!(matches!(records.all(), Err(Error::Corrupt { .. })));
        assert_eq!(fs::read_dir(folder.path().join("records/container")).unwrap().count(), 1);
    }

    #[test]
    fn a_forgotten_record_may_come_back_whole_until_it_is_settled() {
        let folder = tempfile::tempdir().unwrap();
        let key = Key::container("a");
        let records = FileRecords::new(folder.path());
        records.put(&key, &record(1)).unwrap();
        records.settle().unwrap();
        records.put(&key, &record(2)).unwrap();
        records.forget(&key).unwrap();
        tear(folder.path());
        assert_eq!(records.get(&key).unwrap(), Some(record(1)));
        assert!(records.forget(&key).unwrap());
        records.settle().unwrap();
        assert_eq!(fs::read_dir(folder.path().join("records/container")).unwrap().count(), 0);
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
