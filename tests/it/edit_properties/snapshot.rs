//! What a host has at one time, what of it is another site's, and what of it means something.

use bayplan::driver::memory::Memory;
use bayplan::driver::memory::host::{HostModel, RootModel};
use bayplan::model::key::Key;
use bayplan::model::observed::{NetworkFacts, RunFacts};
use bayplan::model::record::{Owner, Record};
use bayplan::store::memory::MemoryRecords;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// All that a host has at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    pub host: HostModel,
    pub records: BTreeMap<Key, Record>,
}

/// What belongs to the other site.
#[derive(Debug, PartialEq)]
pub struct Others {
    records: BTreeMap<Key, Record>,
    roots: BTreeMap<Uuid, RootModel>,
    runs: BTreeMap<Uuid, RunFacts>,
    networks: BTreeMap<String, NetworkFacts>,
}

impl Snapshot {
    pub fn of(host: &Memory) -> Snapshot {
        let records = host.records().all().unwrap();
        let mut host = host.host();
        host.note_lost_roots();
        Snapshot { host, records }
    }

    pub fn fork(&self) -> Memory {
        Memory::new(self.host.clone(), Box::new(MemoryRecords::new(self.records.clone())))
    }

    pub fn of_others(&self) -> Others {
        let theirs = Owner::Site("core".to_owned());
        let host = self.host.clone();
        let mut records = self.records.clone();
        records.retain(|_, record| record.owner == theirs);
        let mut roots = host.roots;
        roots.retain(|_, root| root.identity.owner == theirs);
        let mut runs = host.runs;
        runs.retain(|uuid, _| roots.contains_key(uuid));
        let mut networks = host.networks;
        networks.retain(|name, _| name == "core0");
        Others { records, roots, runs, networks }
    }

    /// The contents in the store that the other site's images name or its roots stand on. Sites share them: one that
    /// was lost may come back.
    pub fn contents_of_others(&self) -> BTreeSet<String> {
        let others = self.of_others();
        let established = others.records.values().filter_map(|record| record.applied.as_ref());
        let named = established.filter_map(|applied| applied.fingerprint.as_ref());
        let stood_on = others.roots.values().flat_map(RootModel::contents);
        named.chain(stood_on).filter(|content| self.host.images.contains_key(*content)).cloned().collect()
    }

    /// Whether a content that a root lacks came back by an import of `imported` whose record did not tell so: that is
    /// known only then, by one more pass.
    pub fn got_back_unforeseen(&self, imported: &BTreeSet<&Key>, after: &Snapshot) -> bool {
        let told: BTreeSet<&String> = imported
            .iter()
            .filter_map(|image| self.records.get(*image)?.applied.as_ref()?.fingerprint.as_ref())
            .collect();
        let is_back = |content: &String| {
            let (before, now) = (&self.host.images, &after.host.images);
            !before.contains_key(content) && now.contains_key(content) && !told.contains(content)
        };
        self.host.roots.values().flat_map(RootModel::contents).any(is_back)
    }

    /// Without what differs from one run of the same steps to another, and, where `starts` do not count, without how
    /// often containers were started.
    pub fn meaning(mut self, starts: bool) -> Snapshot {
        self.host.last_pid = 0;
        self.host.contents.clear();
        self.host.runs.values_mut().for_each(|run| run.pid = 0);
        if !starts {
            self.host.incarnations.clear();
            self.host.runs.values_mut().for_each(|run| run.incarnation = 0);
            self.host.exits.values_mut().for_each(|exit| exit.incarnation = 0);
        }
        self
    }
}
