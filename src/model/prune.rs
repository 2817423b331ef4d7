//! What becomes of objects that a site no longer declares.

use super::time_span::TimeSpan;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A site's `prune`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Prune {
    pub mode: PruneMode,
    pub max: PruneMax,
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
            max: PruneMax::default(),
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

/// The most that one apply may prune.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum PruneMax {
    /// Of the site's objects; one object is always within it.
    Percent(u32),
    Number(u32),
}

impl PruneMax {
    /// How many of `total` objects that is.
    pub fn of(self, total: usize) -> usize {
        match self {
            PruneMax::Percent(percent) => (total.saturating_mul(percent as usize) / 100).max(1),
            PruneMax::Number(number) => number as usize,
        }
    }
}

impl Default for PruneMax {
    fn default() -> PruneMax {
        PruneMax::Percent(20)
    }
}

impl fmt::Display for PruneMax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PruneMax::Percent(percent) => write!(f, "{percent}%"),
            PruneMax::Number(number) => write!(f, "{number}"),
        }
    }
}

impl FromStr for PruneMax {
    type Err = String;

    fn from_str(text: &str) -> Result<PruneMax, String> {
        let wrong = || format!("`{text}` is neither a number nor a share from 1% to 100%");
        match text.strip_suffix('%') {
            Some(share) => match share.parse() {
                Ok(percent @ 1..=100) => Ok(PruneMax::Percent(percent)),
                _ => Err(wrong()),
            },
            None => text.parse().map(PruneMax::Number).map_err(|_| wrong()),
        }
    }
}

impl TryFrom<String> for PruneMax {
    type Error = String;

    fn try_from(text: String) -> Result<PruneMax, String> {
        text.parse()
    }
}

impl From<PruneMax> for String {
    fn from(max: PruneMax) -> String {
        max.to_string()
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_rounded_down_and_is_at_least_one() {
        let share: PruneMax = "20%".parse().unwrap();
        assert_eq!([0, 1, 4, 9, 10, 100].map(|total| share.of(total)), [1, 1, 1, 1, 2, 20]);
        let number: PruneMax = "3".parse().unwrap();
        assert_eq!(number.of(1000), 3);
        assert_eq!("0".parse::<PruneMax>().unwrap().of(10), 0);
        for wrong in ["", "0%", "101%", "-1", "many", "1.5"] {
            assert!(wrong.parse::<PruneMax>().is_err(), "{wrong}");
        }
    }
}
