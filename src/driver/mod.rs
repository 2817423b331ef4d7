//! Steps to host effects, and the host to facts: one trait, every driver.
//!
//! `conformance` is the suite that every driver passes; `memory` models a host; `faulty` wraps a driver with faults;
//! `part` is what a look at some objects is about; `records` and `rename` are what steps do to records.

pub mod conformance;
pub mod faulty;
pub mod memory;
pub mod native;
pub mod part;
pub mod records;
pub mod rename;

use crate::model::content::{Content, Contents};
use crate::model::key::Key;
use crate::model::object::{ImageContents, ImageSource};
use crate::model::observed::{Dropped, Observed, RootQuery};
use crate::model::step::{Outcome, Step};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Which objects a look is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    All,
    /// These, and what they refer to as far as records tell; of all else nothing is known after such a look, and it costs
    /// the same however much else there is. Images and pools are always whole.
    Keys(BTreeSet<Key>),
}

/// What surrounds a step while it is carried out.
pub struct StepContext<'a> {
    /// Set by Ctrl-C: long work ends at its next safe point with [`Error::Cancelled`].
    pub cancel: &'a AtomicBool,
    pub deadline: Option<Instant>,
    /// One line of what is going on, for a progress display.
    pub progress: &'a (dyn Fn(&str) + Sync),
    pub now: Timestamp,
    /// Who asked: written into each record (`apply by root`).
    pub actor: &'a str,
}

impl StepContext<'_> {
    /// Whether the step should end now.
    pub fn cancelled(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }
}

/// What looks at a host and changes it.
pub trait Driver: Sync {
    /// Reads the host; changes nothing.
    fn observe(&self, scope: &Scope) -> Result<Observed, Error>;
    /// What contents are now, as digests. One that cannot be had is an entry that says why.
    fn digests(&self, contents: &BTreeSet<Content>) -> Result<Contents, Error>;
    /// The fingerprints that imports from these sources would give now; one that only an import tells has no entry.
    fn image_contents(&self, sources: &BTreeSet<ImageSource>) -> Result<ImageContents, Error>;
    /// What was written or removed in these roots since they were made, and is not excepted. One that cannot be looked
    /// at has no entry.
    fn dropped(&self, roots: &BTreeMap<Key, RootQuery>) -> Result<BTreeMap<Key, Dropped>, Error>;
    /// Carries out one step, then writes `step.applied` into the record. Again: unchanged.
    fn execute(&self, step: &Step, context: &StepContext<'_>) -> Result<Outcome, Error>;
    /// Makes what the steps so far have written outlast a crash of the machine: the last act of every apply.
    fn settle(&self) -> Result<(), Error>;
}

/// Why a driver could not look or act. The next pass goes on from whatever was left.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{key}: {wanted}, but {found}")]
    Precondition { key: Key, wanted: String, found: String },
    #[error("{key} has no record")]
    NoRecord { key: Key },
    #[error("{key} is not ready after {waited_ms} ms: {last}")]
    NotReady { key: Key, waited_ms: u64, last: String },
    #[error(
        "{key}: the source gives {found}, but {wanted} is needed; another content is never put under an existing root"
    )]
    Fingerprint { key: Key, wanted: String, found: String },
    /// An `onChange` that did not end well. What it wrote is told to nobody: it may hold secrets.
    #[error("{key}: {command} {ended}")]
    Command { key: Key, command: String, ended: String },
    #[error("cancelled")]
    Cancelled,
    #[error("injected fault at step {at}")]
    Injected { at: u64 },
    #[error("{what}")]
    Host {
        what: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
