//! The model of a host: what the kernel, the storage and the run folder would have.

use crate::model::observed::{
    ExitFacts, Host, IdSpan, ImageFacts, NetworkFacts, PoolFacts, RegularFile, RunFacts,
};
use crate::model::record::RootIdentity;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use uuid::Uuid;

/// Everything that a host has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostModel {
    pub machine: Host,
    pub images: BTreeMap<String, ImageFacts>,
    /// What each image source gives: its JSON text → fingerprint.
    pub contents: BTreeMap<String, String>,
    pub pools: BTreeMap<String, PoolFacts>,
    pub roots: BTreeMap<Uuid, RootModel>,
    pub networks: BTreeMap<String, NetworkFacts>,
    pub runs: BTreeMap<Uuid, RunFacts>,
    pub exits: BTreeMap<Uuid, ExitFacts>,
    pub incarnations: BTreeMap<Uuid, u64>,
    /// Host paths that are not there.
    pub missing_paths: BTreeSet<PathBuf>,
    /// What files beside manifests and secrets hold, by the words for them; others hold those words.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, String>,
    /// Texts that hands wrote into files inside, by their digests: of all others digests alone are known.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub texts: BTreeMap<String, String>,
    /// Contents that cannot be had, by the words for them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub lost_contents: BTreeSet<String>,
    /// Commands that end with status 1 inside.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub failing_commands: BTreeSet<Vec<String>>,
    /// Ports that nobody serves, and web addresses that are not found, as `80` and `80/path`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unserved: BTreeSet<String>,
    /// Those that `onChange` ran, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands_run: Vec<Vec<String>>,
    pub last_pid: u32,
}

/// A container's root on a pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RootModel {
    pub pool: String,
    pub identity: RootIdentity,
    /// What was put into it, by path.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, RegularFile>,
    /// Paths that programs inside wrote.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub written: BTreeSet<String>,
    /// The content of a root that was made to take its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The root whose place it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced: Option<Box<FormerRoot>>,
    /// Folders that outlive the root, each with what programs wrote there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub persisted: BTreeMap<String, BTreeSet<String>>,
}

/// What a replaced root has of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FormerRoot {
    pub fingerprint: String,
    pub files: BTreeMap<String, RegularFile>,
    pub written: BTreeSet<String>,
}

impl RootModel {
    pub fn new(pool: &str, identity: RootIdentity) -> RootModel {
        RootModel {
            pool: pool.to_owned(),
            identity,
            files: BTreeMap::new(),
            written: BTreeSet::new(),
            next: None,
            replaced: None,
            persisted: BTreeMap::new(),
        }
    }

    /// The contents that it stands on, and those of the roots beside it.
    pub fn contents(&self) -> impl Iterator<Item = &String> {
        let replaced = self.replaced.iter().map(|replaced| &replaced.fingerprint);
        std::iter::once(&self.identity.fingerprint).chain(&self.next).chain(replaced)
    }
}

impl HostModel {
    /// What runs on a content that is not in the store lacks its files until it is restarted.
    pub fn note_lost_roots(&mut self) {
        for (uuid, run) in &mut self.runs {
            let root = self.roots.get(uuid);
            run.root_lost |= root.is_some_and(|root| !self.images.contains_key(&root.identity.fingerprint));
        }
    }

    /// A small server with nothing on it: 8 processors, 16 GiB, all controllers, a wide id range.
    pub fn server() -> HostModel {
        let controllers = ["cpu", "cpuset", "memory", "pids", "devices", "freezer"];
        HostModel {
            machine: Host {
                machine_id: "6d6f64656c6c6564686f737400000001".to_owned(),
                hostname: "modelled".to_owned(),
                architecture: "amd64".to_owned(),
                cpus: 8,
                memory: 16 << 30,
                user_namespaces: true,
                controllers: controllers.into_iter().map(str::to_owned).collect(),
                id_ranges: vec![IdSpan { first: 1_000_000, count: 1_000_000_000 }],
                ids_taken: vec![],
                rlimit_ceilings: BTreeMap::from([("nofile".to_owned(), Some(1_048_576))]),
                foreign_subnets: vec![],
            },
            ..HostModel::default()
        }
    }
}
