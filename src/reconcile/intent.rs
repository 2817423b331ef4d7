//! What prune means to do, told once for each kind and way; and what stops it.

use crate::model::key::{Key, Kind};
use crate::model::prune::Deletion;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Objects of one kind that leave their site in one way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    pub site: String,
    pub kind: Kind,
    pub way: Deletion,
    pub count: usize,
    pub keys: Vec<Key>,
    /// Until when the last of them is parked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Nobody has confirmed it: nothing is done about it.
    pub waits: bool,
}

/// The intents of a site, in the order of ways and kinds.
pub fn intents(
    site: &str,
    going: impl Iterator<Item = (Key, Deletion, Option<Timestamp>)>,
    waits: bool,
) -> Vec<Intent> {
    let mut groups: BTreeMap<(Deletion, Kind), (Vec<Key>, Option<Timestamp>)> = BTreeMap::new();
    for (key, way, until) in going {
        let group = groups.entry((way, key.kind)).or_default();
        group.0.push(key);
        group.1 = group.1.max(until);
    }
    let intent = |((way, kind), (keys, until)): ((Deletion, Kind), (Vec<Key>, Option<Timestamp>))| Intent {
        site: site.to_owned(),
        kind,
        way,
        count: keys.len(),
        keys,
        until,
        waits,
    };
    groups.into_iter().map(intent).collect()
}

/// Something that keeps apply from its first step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Guard {
    /// `prune.max`, `prune.empty`, `delete`.
    pub name: String,
    pub message: String,
    /// The option that lifts it: `--allow delete=12`.
    pub lifted_by: String,
}

impl Guard {
    pub fn new(name: &str, message: String, count: usize) -> Guard {
        Guard { name: name.to_owned(), message, lifted_by: format!("--allow delete={count}") }
    }

    pub fn words(&self) -> String {
        format!("{}; {} lifts this", self.message, self.lifted_by)
    }
}
