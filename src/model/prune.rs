//! What becomes of objects that a site no longer declares.

use super::share::Share;
use super::time_span::TimeSpan;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The site of objects that are loaded without a Site document. It is never pruned.
pub const DEFAULT_SITE: &str = "default";

/// A site's `prune`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Prune {
    pub mode: PruneMode,
    /// The most that one apply may prune of the site's objects.
    pub max: Share,
    pub empty: PruneEmpty,
    /// How long a pruned container stays parked.
    pub grace: TimeSpan,
}

impl Prune {
    /// Seven days.
    pub const DEFAULT_GRACE: TimeSpan = TimeSpan::of_milliseconds(7 * 24 * 3_600_000);

    pub fn is_default(&self) -> bool {
        *self == Prune::default()
    }
}

impl Default for Prune {
    fn default() -> Prune {
        Prune {
            mode: PruneMode::default(),
            max: Share::Percent(20),
            empty: PruneEmpty::default(),
            grace: Prune::DEFAULT_GRACE,
        }
    }
}

/// Whether, and on whose word, what is no longer declared goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PruneMode {
    /// It stays.
    Off,
    /// It goes once somebody has confirmed it.
    #[default]
    Confirm,
    /// It goes, within the guards.
    Auto,
}

/// What a load without any object means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PruneEmpty {
    /// A mistake: apply stops.
    #[default]
    Refuse,
    /// That all is to go.
    Allow,
}

/// `metadata.deletion`: the way in which an object goes that is no longer declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Deletion {
    /// Stopped, detached and kept for the site's grace; `undelete` brings it back.
    Park,
    /// Removed at once.
    Delete,
    /// Forgotten, and left on the host.
    Retain,
}

impl Deletion {
    pub fn word(self) -> &'static str {
        match self {
            Deletion::Park => "park",
            Deletion::Delete => "delete",
            Deletion::Retain => "retain",
        }
    }
}
