//! What a plan found on the host, as digests: tells whether the host has moved since, and what of it. PURE.
//!
//! Left out is what no plan depends on (pids, incarnations, usage, free space, times, who wrote a record, names that a
//! start draws), and what others do beside us (ids, subnets and links of theirs): whether that matters only a plan made
//! again tells.

use crate::model::key::Key;
use crate::model::observed::{ContainerFacts, ExitFacts, NicFacts, Observed, PoolFacts, RunFacts};
use crate::model::record::Record;
use crate::reconcile::join::join;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Thing (`container/web-1`) → aspect (`state`) → digest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Imprint(BTreeMap<String, BTreeMap<String, String>>);

/// So many hexadecimal digits tell one aspect from another.
const DIGITS: usize = 16;

impl Imprint {
    /// One hash of all of it.
    pub fn hash(&self) -> String {
        let mut hash = Sha256::new();
        for (thing, aspects) in &self.0 {
            for (aspect, digest) in aspects {
                hash.update(format!("{thing}\n{aspect}\n{digest}\n"));
            }
        }
        hex::encode(hash.finalize())
    }

    /// What is no longer as it was: `container/web-1 (limits, state)`; empty: nothing.
    pub fn moved(&self, now: &Imprint) -> Vec<String> {
        let things: BTreeSet<&String> = self.0.keys().chain(now.0.keys()).collect();
        things
            .into_iter()
            .filter_map(|thing| difference(thing, self.0.get(thing), now.0.get(thing)))
            .collect()
    }

    fn put(&mut self, thing: &str, aspect: &str, what: &impl Serialize) {
        let text = serde_json::to_vec(what).expect("facts and records are plain data with text keys");
        let mut digest = hex::encode(Sha256::digest(text));
        digest.truncate(DIGITS);
        self.0.entry(thing.to_owned()).or_default().insert(aspect.to_owned(), digest);
    }
}

type Aspects = BTreeMap<String, String>;

fn difference(thing: &str, before: Option<&Aspects>, now: Option<&Aspects>) -> Option<String> {
    match (before, now) {
        (Some(before), Some(now)) if before == now => None,
        (Some(before), Some(now)) => {
            let aspects: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
            let other: Vec<&str> = aspects
                .into_iter()
                .filter(|aspect| before.get(*aspect) != now.get(*aspect))
                .map(String::as_str)
                .collect();
            Some(format!("{thing} ({})", other.join(", ")))
        }
        (Some(_), None) => Some(format!("{thing} (gone)")),
        _ => Some(format!("{thing} (new)")),
    }
}

/// The imprint of a whole look at the host.
pub fn imprint(observed: &Observed) -> Imprint {
    let Observed { host: _, records, images, pools, networks, containers } = observed;
    let mut imprint = Imprint::default();
    for (key, of) in records {
        imprint.put(&key.to_string(), "record", &record(of));
    }
    for content in images.keys() {
        imprint.put(&format!("image content {content}"), "content", &());
    }
    for (name, PoolFacts { source, is_mount_point: _, free: _ }) in pools {
        imprint.put(&Key::pool(name).to_string(), "folder", source);
    }
    for (name, facts) in networks {
        let key = Key::network(name);
        // Strangers' links come and go; one that stands where a network of ours should be is of interest.
        if facts.ours || records.contains_key(&key) {
            imprint.put(&key.to_string(), "bridge", facts);
        }
    }
    let names = names(observed);
    for (uuid, facts) in containers {
        let name = names.get(uuid).cloned().unwrap_or_else(|| format!("container of uuid {uuid}"));
        container(&mut imprint, &name, facts);
    }
    imprint
}

/// What a container is called, by its record or by the identity beside its root.
fn names(observed: &Observed) -> BTreeMap<Uuid, String> {
    let joined = join(observed);
    let views = joined.containers.iter();
    views.filter_map(|(key, view)| Some((view.identity()?.uuid, key.to_string()))).collect()
}

/// A record but for who wrote it. Whoever adds a field decides here whether plans depend on it.
fn record(record: &Record) -> impl Serialize {
    let Record {
        version: _,
        owner,
        generation,
        desired,
        origins,
        applied,
        identity,
        files,
        overrides,
        retiring,
        parked,
        renaming,
        undeleted,
        actor: _,
    } = record;
    let declared = (owner, generation, desired, origins);
    (declared, applied, identity, files, overrides, retiring, parked, renaming, undeleted)
}

fn container(imprint: &mut Imprint, name: &str, facts: &ContainerFacts) {
    let ContainerFacts { root, run, exit, files } = facts;
    imprint.put(name, "state", &state(run.as_ref(), exit.as_ref()));
    if let Some(root) = root {
        imprint.put(name, "root", root);
    }
    if !files.is_empty() {
        imprint.put(name, "files", files);
    }
    if let Some(run) = run {
        running(imprint, name, run);
    }
}

/// As above: each fact is decided about.
fn running(imprint: &mut Imprint, name: &str, facts: &RunFacts) {
    let RunFacts {
        pid: _,
        incarnation: _,
        run,
        supervised,
        frozen: _,
        in_cgroup,
        root_lost,
        limits,
        nics,
        disks,
        unlocked_disks,
        persisted,
        usage: _,
    } = facts;
    imprint.put(name, "run", run);
    imprint.put(name, "monitor", supervised);
    if *root_lost {
        imprint.put(name, "root lost", root_lost);
    }
    imprint.put(name, "limits", &(in_cgroup, limits));
    let nics = nics
        .iter()
        .map(|(device, NicFacts { host_name: _, bridge, up, routes })| (device, bridge, up, routes));
    imprint.put(name, "nics", &nics.collect::<Vec<_>>());
    imprint.put(name, "disks", disks);
    if !unlocked_disks.is_empty() {
        imprint.put(name, "unlocked disks", unlocked_disks);
    }
    imprint.put(name, "persisted", persisted);
}

fn state(run: Option<&RunFacts>, exit: Option<&ExitFacts>) -> String {
    match (run, exit) {
        (Some(run), _) if run.frozen => "frozen".to_owned(),
        (Some(_), _) => "running".to_owned(),
        (None, Some(ExitFacts { incarnation: _, cause, status, at: _ })) => format!("{cause:?} {status:?}"),
        (None, None) => "stopped".to_owned(),
    }
}
