//! Records and host facts side by side: one view per container. A record alone is never taken for the host.

use crate::model::key::Key;
use crate::model::observed::{ExitCause, ExitFacts, Observed, RootFacts, RunFacts};
use crate::model::record::{Identity, Record, Replaced};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// One container: its record, if there is one, and what the host has of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct ContainerView<'a> {
    pub record: Option<&'a Record>,
    pub root: Option<&'a RootFacts>,
    pub run: Option<&'a RunFacts>,
    pub exit: Option<&'a ExitFacts>,
}

impl<'a> ContainerView<'a> {
    /// Its identity: from the record, else from the copy beside its root.
    pub fn identity(&self) -> Option<&'a Identity> {
        let recorded = self.record.and_then(|record| record.identity.as_ref());
        recorded.or_else(|| self.root.map(|root| &root.identity.identity))
    }

    /// Whether Bayplan stopped its last incarnation, though it is to run.
    pub fn was_stopped(&self) -> bool {
        let applied = self.record.and_then(|record| record.applied.as_ref());
        let stopped = applied.and_then(|applied| applied.stopped);
        self.exit.is_some_and(|exit| stopped == Some(exit.incarnation))
    }

    /// Whether it was powered off from inside, and does not run since.
    pub fn is_complete(&self) -> bool {
        let ended = self.exit.is_some_and(|exit| exit.cause == ExitCause::PowerOff);
        self.run.is_none() && ended && !self.was_stopped()
    }

    /// Whether a root is kept beside its own whose time is over: what looks at the container drops it.
    pub fn drops_replaced(&self, now: Timestamp) -> bool {
        let applied = self.record.and_then(|record| record.applied.as_ref());
        let is_over = |replaced: &Replaced| replaced.proven && replaced.until <= now;
        let is_there = self.root.is_some_and(|root| root.replaced.is_some());
        is_there && applied.and_then(|applied| applied.replaced.as_ref()).is_some_and(is_over)
    }

    /// Whether it is on the host without a record: a candidate for re-adoption.
    pub fn is_unrecorded(&self) -> bool {
        self.record.is_none() && self.root.is_some()
    }
}

/// All containers by key.
#[derive(Debug, Clone, Default)]
pub struct Joined<'a> {
    pub containers: BTreeMap<Key, ContainerView<'a>>,
    /// Facts that belong to no key: a second root of a key, or a run without record and root.
    pub strays: BTreeSet<Uuid>,
}

impl<'a> Joined<'a> {
    /// The view of `key`; an empty one where there is nothing.
    pub fn view(&self, key: &Key) -> ContainerView<'a> {
        self.containers.get(key).copied().unwrap_or_default()
    }
}

/// Puts records and facts side by side: by the recorded uuid, else by the identity beside the root.
pub fn join(observed: &Observed) -> Joined<'_> {
    let mut joined = Joined::default();
    let mut by_uuid = BTreeMap::new();
    for (key, record) in &observed.records {
        if key.kind != crate::model::key::Kind::Container {
            continue;
        }
        joined.containers.insert(key.clone(), ContainerView { record: Some(record), ..Default::default() });
        if let Some(identity) = &record.identity {
            by_uuid.insert(identity.uuid, key);
        }
    }
    for (uuid, facts) in &observed.containers {
        let key = by_uuid.get(uuid).copied().or(facts.root.as_ref().map(|root| &root.identity.key));
        let Some(key) = key else {
            joined.strays.insert(*uuid);
            continue;
        };
        let view = joined.containers.entry(key.clone()).or_default();
        let belongs = match view.identity() {
            Some(identity) => identity.uuid == *uuid,
            None => true,
        };
        if !belongs {
            joined.strays.insert(*uuid);
            continue;
        }
        view.root = facts.root.as_ref();
        view.run = facts.run.as_ref();
        view.exit = facts.exit.as_ref();
    }
    joined
}
