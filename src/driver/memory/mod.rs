//! A driver that models a host: `--driver memory`, and the planner's tests. It has native's steps and preconditions.
//!
//! | file | what |
//! | --- | --- |
//! | `host` | the model: what a host has, as plain values |
//! | `roots` | roots beside the one in use |
//! | `renames` | networks and pools that get another name |
//! | `steps` | each step's preconditions and effect on it |
//! | `contents` | files and secrets |
//! | `breakage` | what happens to hosts: killed inits, edited limits, deleted bridges, reboots |

pub mod breakage;
mod contents;
pub mod host;
mod renames;
mod roots;
mod steps;

use super::part::Part;
use super::{Driver, Error, Scope, StepContext, records};
use crate::model::content::{Content, Contents};
use crate::model::key::Key;
use crate::model::object::{ImageContents, ImageSource};
use crate::model::observed::{ContainerFacts, Dropped, FileFacts, Observed, RootFacts, RootQuery, RunFacts};
use crate::model::record::Record;
use crate::model::step::{Action, Outcome, Step};
use crate::store::Records;
use host::HostModel;
use records::Changed;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use uuid::Uuid;

/// A modelled host with its records.
pub struct Memory {
    host: Mutex<HostModel>,
    records: Box<dyn Records>,
    file: Option<PathBuf>,
}

impl Memory {
    /// A host in this process only.
    pub fn new(host: HostModel, records: Box<dyn Records>) -> Memory {
        Memory { host: Mutex::new(host), records, file: None }
    }

    /// A host that is kept in `file` (JSON), read now if it is there; [`Memory::save`] writes it.
    pub fn open(file: &Path, fresh: HostModel, records: Box<dyn Records>) -> io::Result<Memory> {
        let host = match fs::read(file) {
            Ok(text) => serde_json::from_slice(&text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => fresh,
            Err(error) => return Err(error),
        };
        Ok(Memory { host: Mutex::new(host), records, file: Some(file.to_owned()) })
    }

    /// Writes the host to its file, if it has one; a reader sees the old one or the new one.
    pub fn save(&self) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        let text = serde_json::to_vec(&*self.lock())?;
        let new = file.with_extension("new");
        fs::write(&new, text)?;
        fs::rename(&new, file)
    }

    /// The records beside the host.
    pub fn records(&self) -> &dyn Records {
        self.records.as_ref()
    }

    /// A copy of the host as it is now.
    pub fn host(&self) -> HostModel {
        self.lock().clone()
    }

    /// What a file inside holds, where a hand wrote it there.
    pub fn text_inside(&self, key: &Key, path: &str) -> Option<String> {
        let host = self.lock();
        let root = host.roots.values().find(|root| root.identity.key == *key)?;
        host.texts.get(&root.files.get(path)?.digest.0).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HostModel> {
        self.host.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Driver for Memory {
    /// What a part leaves out is left out, though it would cost nothing here: so does the real host.
    fn observe(&self, scope: &Scope) -> Result<Observed, Error> {
        let part = match scope {
            Scope::All => None,
            Scope::Keys(keys) => Part::of(self.records(), keys)?,
        };
        let (records, part) = match part {
            Some(mut part) => (std::mem::take(&mut part.records), Some(part)),
            None => (self.records.all().map_err(records::store_error)?, None),
        };
        let host = self.lock();
        let is_asked = |uuid: &Uuid| part.as_ref().is_none_or(|part| part.uuids.contains(uuid));
        let is_linked =
            |name: &String| part.as_ref().is_none_or(|part| part.keys.contains(&Key::network(name.clone())));
        let networks = host.networks.iter().filter(|(name, _)| is_linked(name));
        let mut observed = Observed {
            host: host.machine.clone(),
            records,
            images: host.images.clone(),
            pools: host.pools.clone(),
            networks: networks.map(|(name, facts)| (name.clone(), facts.clone())).collect(),
            ..Observed::default()
        };
        for (uuid, root) in host.roots.iter().filter(|(uuid, _)| is_asked(uuid)) {
            let facts: &mut ContainerFacts = observed.containers.entry(*uuid).or_default();
            let image_present = host.images.contains_key(&root.identity.fingerprint);
            let (pool, identity) = (root.pool.clone(), root.identity.clone());
            let key = root.identity.key.clone();
            let replaced = root.replaced.as_ref().map(|replaced| replaced.fingerprint.clone());
            let (next, persisted) = (root.next.clone(), root.persisted.keys().cloned().collect());
            facts.root = Some(RootFacts { pool, identity, image_present, next, replaced, persisted });
            let is_looked_into = |record: &&Record| record.parked.is_none() || host.runs.contains_key(uuid);
            let record = observed.records.get(&key).filter(is_looked_into);
            for path in record.map(records::file_paths).unwrap_or_default() {
                let found = root.files.get(&path).cloned();
                facts.files.insert(path, found.map_or(FileFacts::Missing, FileFacts::Regular));
            }
        }
        for (uuid, run) in host.runs.iter().filter(|(uuid, _)| is_asked(uuid)) {
            let facts = observed.containers.entry(*uuid).or_default();
            let is_lost = run.root_lost || facts.root.as_ref().is_some_and(|root| !root.image_present);
            facts.run = Some(RunFacts { root_lost: is_lost, ..run.clone() });
        }
        for (uuid, exit) in host.exits.iter().filter(|(uuid, _)| is_asked(uuid)) {
            observed.containers.entry(*uuid).or_default().exit = Some(exit.clone());
        }
        Ok(observed)
    }

    fn digests(&self, wanted: &BTreeSet<Content>) -> Result<Contents, Error> {
        let host = self.lock();
        Ok(wanted.iter().map(|content| (content.clone(), contents::digest(&host, content))).collect())
    }

    fn image_contents(&self, sources: &BTreeSet<ImageSource>) -> Result<ImageContents, Error> {
        let host = self.lock();
        let is_known = |source: &&ImageSource| !matches!(source, ImageSource::Bootstrap { .. });
        let known = sources.iter().filter(is_known);
        Ok(known.map(|source| (source.clone(), steps::given(&host, source))).collect())
    }

    fn dropped(&self, queries: &BTreeMap<Key, RootQuery>) -> Result<BTreeMap<Key, Dropped>, Error> {
        let host = self.lock();
        let count = |(key, query): (&Key, &RootQuery)| Some((key.clone(), roots::dropped(&host, query)?));
        Ok(queries.iter().filter_map(count).collect())
    }

    fn execute(&self, step: &Step, context: &StepContext<'_>) -> Result<Outcome, Error> {
        if context.cancelled() {
            return Err(Error::Cancelled);
        }
        let mut outcome = match records::execute(self.records(), step, context)? {
            Some(outcome) => {
                let mut refreshed = false;
                if matches!(step.action, Action::PutRecord(_) | Action::Rename { .. }) {
                    let record = records::existing(self.records(), &step.key)?;
                    refreshed = steps::refresh_identity(&mut self.lock(), &step.key, &record);
                }
                Outcome { changed: outcome.changed || refreshed, ..outcome }
            }
            None => {
                let outcome = steps::execute(&mut self.lock(), self.records(), step, context)?;
                let followed = records::follow_files(self.records(), step, Changed::of(outcome.changed))?;
                Outcome { changed: outcome.changed || followed, ..outcome }
            }
        };
        let fingerprint = outcome.outputs.get("fingerprint").cloned();
        outcome.changed |= records::commit(self.records(), step, fingerprint.as_deref(), context)?;
        Ok(outcome)
    }

    fn settle(&self) -> Result<(), Error> {
        self.records.settle().map_err(records::store_error)
    }
}
