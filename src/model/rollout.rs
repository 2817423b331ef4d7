//! How many of a site's containers may be without service at once because of its own changes.

use super::share::Share;
use serde::{Deserialize, Serialize};

/// A site's `rollout`: for changes that stop and start containers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rollout {
    /// Of the site's containers; never none.
    pub max_unavailable: Share,
    /// Whether those of a turn are ready before the next turn begins; else they are only started.
    pub wait_ready: bool,
    /// Whether a failure keeps the turns after it from beginning.
    pub stop_on_failure: bool,
}

impl Rollout {
    pub fn is_default(&self) -> bool {
        *self == Rollout::default()
    }
}

impl Default for Rollout {
    fn default() -> Rollout {
        Rollout { max_unavailable: Share::Number(1), wait_ready: true, stop_on_failure: true }
    }
}
