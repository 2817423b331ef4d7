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
    let mut intents: BTreeMap<(Deletion, Kind, Option<Key>), Intent> = BTreeMap::new();
    for Going { key, set, way, until } in going {
        let kind = key.kind;
        let intent = intents.entry((way, kind, set.clone())).or_insert_with(|| Intent {
            site: site.to_owned(),
            kind,
            set,
            way,
            count: 0,
            keys: vec![],
            until: None,
            waits,
        });
        intent.count += 1;
        intent.keys.push(key);
        intent.until = intent.until.max(until);
    }
    intents.into_values().collect()
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
