//! What a plan is for.

use crate::model::content::Contents;
use crate::model::desired::Desired;
use crate::model::key::Key;
use crate::model::object::{ImageContents, Power};
use crate::model::record::HoldReason;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// What the host is to be brought to.
#[derive(Debug, Clone, PartialEq)]
pub enum Goal<'a> {
    /// A load of manifests: its objects; what its site no longer declares goes as the site's `prune` says.
    Site(&'a Desired),
    /// What was last declared, from the records: healing, and `drift`.
    Recorded,
    /// These recorded objects are to be gone.
    Delete(BTreeSet<Key>),
    /// These recorded containers are put out of service, and kept for their site's grace.
    Park(BTreeSet<Key>),
    /// Parked objects come back, with what they need.
    Undelete(BTreeSet<Key>),
    /// A verb's power state for recorded containers: away from the declared one it is a hold, back to it the hold's
    /// end.
    Power { keys: BTreeSet<Key>, power: Power, hold: HoldTerms },
    /// Recorded containers are held in a power state, whatever is declared.
    Hold {
        keys: BTreeSet<Key>,
        /// None: each as it is now.
        power: Option<Power>,
        hold: HoldTerms,
    },
    /// Ends the holds of recorded containers.
    Resume(BTreeSet<Key>),
    /// Stop and start of recorded containers; also takes what waits for a restart.
    Restart(BTreeSet<Key>),
    /// Every recorded container that runs is stopped, as before the host goes down. Nothing is held and nothing else is
    /// done: the next pass runs what is declared running.
    PowerOff,
    /// These recorded containers get back the root whose place a new one took, where that was not seen ready.
    Rollback(BTreeSet<Key>),
}

/// How long a hold lasts, and why it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HoldTerms {
    /// None: until the next apply of a manifest.
    pub until: Option<Timestamp>,
    pub reason: Option<HoldReason>,
}

/// What is said about the objects that prune would take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DeletionApproval {
    /// Nothing: where they need a confirmation, they wait.
    #[default]
    None,
    /// A yes: they go, within the guards.
    Confirmed,
    /// `delete=N`: so many may go, whatever other guards say; more stop the apply.
    AtMost(usize),
    /// `delete`: they go, whatever guards say.
    Any,
}

/// What a plan depends on besides goal and host.
#[derive(Debug, Clone)]
pub struct PlanOptions {
    pub now: Timestamp,
    /// Where new uuids come from: random bytes of the caller. Same seed, same plan.
    pub seed: [u8; 16],
    /// Not empty: only these objects, and what they need (`--only`).
    pub only: BTreeSet<Key>,
    /// Approves restarts (`--allow restart`, or a yes on the terminal); else they are pending.
    pub allow_restart: bool,
    /// Approves new roots (`--allow replace`, or a yes on the terminal); else they are pending.
    pub allow_replace: bool,
    pub deletions: DeletionApproval,
    /// A site may take objects from their owner (`--take-ownership`).
    pub take_ownership: bool,
    /// Who asks: `apply by root`; holds are signed with it.
    pub actor: String,
    /// Those of [`super::check::paths_to_check`] that the host does not have.
    pub missing_paths: BTreeSet<PathBuf>,
    /// The digests of [`super::contents::wanted`].
    pub contents: Contents,
    /// What the sources of [`super::contents::image_sources`] give.
    pub image_contents: ImageContents,
    /// Containers that are not started before this time: their inits end as soon as they begin.
    pub not_before: BTreeMap<Key, Timestamp>,
    /// The same manifests as before are looked at again: no apply that ends holds without a time.
    pub again: bool,
}

impl PlanOptions {
    /// Plain options: nothing is approved, nothing is left out.
    pub fn new(now: Timestamp, seed: [u8; 16], actor: impl Into<String>) -> PlanOptions {
        PlanOptions {
            now,
            seed,
            only: BTreeSet::new(),
            allow_restart: false,
            allow_replace: false,
            deletions: DeletionApproval::None,
            take_ownership: false,
            actor: actor.into(),
            missing_paths: BTreeSet::new(),
            contents: Contents::new(),
            image_contents: ImageContents::new(),
            not_before: BTreeMap::new(),
            again: false,
        }
    }
}
