//! Records: one per object, kept crash-safe.
//!
//! `files` is the state folder, `record_file` one file in it; `memory` serves the modelled host. Records change only by steps
//! (`driver::records` carries them out).

pub mod files;
pub mod lock;
pub mod memory;
mod record_file;

use crate::model::key::Key;
use crate::model::record::Record;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Where records are. Readers never wait for a writer; writers are kept apart by [`lock`].
pub trait Records: Send + Sync {
    fn all(&self) -> Result<BTreeMap<Key, Record>, Error>;
    fn get(&self, key: &Key) -> Result<Option<Record>, Error>;
    /// Writes for every reader at once, and whatever becomes of this process; an equal record is not written again.
    /// Answers whether it was written. After a crash of the machine before [`Records::settle`] the record is this one
    /// or the last that was settled.
    fn put(&self, key: &Key, record: &Record) -> Result<bool, Error>;
    /// Answers whether there was one. After a crash of the machine before [`Records::settle`] it may be back; one
    /// whose mark of deletion was settled (`retiring`) also after that, and its deletion is completed then.
    fn forget(&self, key: &Key) -> Result<bool, Error>;
    /// Makes all that was put and forgotten last.
    fn settle(&self) -> Result<(), Error>;
}

/// Why records cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot {action} {path}")]
    Io {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error(
        "{path} is no record that this version reads; restore it from a backup, or remove it to re-adopt the object"
    )]
    Corrupt {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
    #[error(
        "{path} was written by a newer Bayplan (version {found}, this one reads {known}); upgrade Bayplan"
    )]
    Newer { path: PathBuf, found: u64, known: u32 },
}
