//! What prune means to do, told once for each way, kind and set; and what stops it.

use crate::model::key::{Key, Kind};
use crate::model::prune::Deletion;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Objects of one kind, or members of one set, that leave their site in one way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    pub site: String,
    pub kind: Kind,
    /// The ContainerSet whose members they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<Key>,
    pub way: Deletion,
    pub count: usize,
    pub keys: Vec<Key>,
    /// Until when the last of them is parked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Nobody has confirmed it: nothing is done about it.
    pub waits: bool,
}

/// One object that goes.
pub struct Going {
    pub key: Key,
    /// The ContainerSet that it is a member of.
    pub set: Option<Key>,
    pub way: Deletion,
    pub until: Option<Timestamp>,
}

/// The intents of a site, in the order of ways, kinds and sets.
pub fn intents(site: &str, going: impl Iterator<Item = Going>, waits: bool) -> Vec<Intent> {
    let mut groups: BTreeMap<(Deletion, Kind, Option<Key>), (Vec<Key>, Option<Timestamp>)> = BTreeMap::new();
    for one in going {
        let group = groups.entry((one.way, one.key.kind, one.set)).or_default();
        group.0.push(one.key);
        group.1 = group.1.max(one.until);
    }
    let intents = groups.into_iter().map(|((way, kind, set), (keys, until))| Intent {
        site: site.to_owned(),
        kind,
        set,
        way,
        count: keys.len(),
        keys,
        until,
        waits,
    });
    intents.collect()
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
