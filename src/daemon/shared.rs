//! What the loop and those who serve beside it have in common.

use super::lives::Lives;
use crate::api::types::FollowStatus;
use crate::model::desired::Desired;
use crate::model::key::Key;
use crate::spec::SourceText;
use jiff::Timestamp;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What the loop is told.
pub enum Event {
    /// Something about the manifests may have changed.
    Manifests,
    /// This container's init has ended, then.
    Ended(Key, Timestamp),
    /// A full pass, now.
    Pass,
}

/// What others may know of the loop, and what keeps it from acting at the same time as they.
pub struct Shared {
    /// Held by whoever changes the host.
    writer: Mutex<()>,
    followed: Mutex<Followed>,
    lives: Mutex<Lives>,
    /// Tells the loop.
    events: Mutex<Option<Sender<Event>>>,
}

/// What is followed, as last loaded well.
#[derive(Default)]
pub struct Followed {
    pub status: Option<FollowStatus>,
    pub texts: Vec<SourceText>,
    pub desired: Option<Arc<Desired>>,
}

impl Shared {
    pub fn new() -> Arc<Shared> {
        Arc::new(Shared {
            writer: Mutex::new(()),
            followed: Mutex::new(Followed::default()),
            lives: Mutex::new(Lives::default()),
            events: Mutex::new(None),
        })
    }

    pub fn writer(&self) -> MutexGuard<'_, ()> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn followed(&self) -> MutexGuard<'_, Followed> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn lives(&self) -> MutexGuard<'_, Lives> {
        self.lives.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on the loop is told through `events`.
    pub fn tell_through(&self, events: Sender<Event>) {
        *self.events.lock().unwrap_or_else(PoisonError::into_inner) = Some(events);
    }

    /// Asks for a full pass.
    pub fn ask_for_pass(&self) {
        if let Some(events) = self.events.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            // A loop that has ended makes no more passes.
            let _ = events.send(Event::Pass);
        }
    }
}
