//! Wraps any driver with faults: at chosen calls of `execute` a step fails before its effect, or is carried out and
//! then reported as failed, as a crash after the effect would leave it.

use super::{Driver, Error, Scope, StepContext};
use crate::model::content::{Content, Contents};
use crate::model::key::Key;
use crate::model::object::{ImageContents, ImageSource};
use crate::model::observed::{Dropped, Observed, RootQuery};
use crate::model::step::{Outcome, Step};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

/// Which side of the effect the fault is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Nothing was done.
    Before,
    /// All was done, and nobody heard of it.
    After,
}

/// When faults strike; calls count from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Call `at` alone.
    Once { at: u64, side: Side },
    /// Call `at`, and nothing is carried out from then on: the process is gone.
    Crash { at: u64, side: Side },
}

/// A driver with a fault.
pub struct Faulty<'a> {
    inner: &'a dyn Driver,
    fault: Fault,
    calls: AtomicU64,
    settled: AtomicU64,
}

impl<'a> Faulty<'a> {
    pub fn new(inner: &'a dyn Driver, fault: Fault) -> Faulty<'a> {
        Faulty { inner, fault, calls: AtomicU64::new(0), settled: AtomicU64::new(0) }
    }

    /// How many times `execute` was called.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    /// How many times `settle` was called.
    pub fn settled(&self) -> u64 {
        self.settled.load(Ordering::SeqCst)
    }
}

impl Driver for Faulty<'_> {
    fn observe(&self, scope: &Scope) -> Result<Observed, Error> {
        self.inner.observe(scope)
    }

    fn digests(&self, contents: &BTreeSet<Content>) -> Result<Contents, Error> {
        self.inner.digests(contents)
    }

    fn image_contents(&self, sources: &BTreeSet<ImageSource>) -> Result<ImageContents, Error> {
        self.inner.image_contents(sources)
    }

    fn dropped(&self, roots: &BTreeMap<Key, RootQuery>) -> Result<BTreeMap<Key, Dropped>, Error> {
        self.inner.dropped(roots)
    }

    fn execute(&self, step: &Step, context: &StepContext<'_>) -> Result<Outcome, Error> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        let (at, side, gone) = match self.fault {
            Fault::Once { at, side } => (at, side, false),
            Fault::Crash { at, side } => (at, side, call > at),
        };
        if gone {
            return Err(Error::Injected { at: call });
        }
        if call != at {
            return self.inner.execute(step, context);
        }
        if side == Side::After {
            self.inner.execute(step, context)?;
        }
        Err(Error::Injected { at: call })
    }

    fn settle(&self) -> Result<(), Error> {
        self.settled.fetch_add(1, Ordering::SeqCst);
        self.inner.settle()
    }
}
