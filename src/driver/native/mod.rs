//! The real host: steps become calls of the rooms below (runtime, network, storage, image, store).
//!
//! ```text
//! execute: step ─► records | images | pools | networks | containers ─► commit `applied`
//! observe: records + images + pools + links + run folder + cgroups ─► Observed
//! ```
//!
//! No policy: what should be is in the step; what is is told as it is.

mod binds;
mod containers;
mod disks;
mod failure;
mod files;
pub mod host;
mod ids_taken;
mod images;
pub mod inside;
mod layout;
mod limits;
mod networks;
mod observation;
mod pools;
mod program;
mod ready;
mod renames;
mod roots;
mod rules;
mod run_record;

pub use layout::{Layout, LayoutError, real_path};

use crate::content::digest::DigestKey;
use crate::content::kept::Kept;
use crate::content::resolve::{self, Source};
use crate::driver::records as record_steps;
use crate::driver::{Driver, Error, Scope, StepContext};
use crate::model::content::{Content, Contents, Digest};
use crate::model::key::Key;
use crate::model::object::{ImageContents, ImageSource, Spec};
use crate::model::observed::{Dropped, Observed, RootQuery};
use crate::model::step::{Action, ImageContent, Outcome, Step};
use crate::model::typed;
use crate::runtime::cgroup::Hierarchies;
use crate::runtime::container::Place;
use crate::runtime::spawner::Spawner;
use crate::storage::Pool;
use crate::store::Records;
use crate::store::files::FileRecords;
use record_steps::{Changed, store_error};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::SystemTime;
use uuid::Uuid;

/// The output that an import declares.
const FINGERPRINT: &str = "fingerprint";

/// A driver of this host.
#[derive(Debug)]
pub struct Native {
    layout: Layout,
    records: FileRecords,
    spawner: Spawner,
    hierarchies: Hierarchies,
    program: PathBuf,
    digest_key: OnceLock<DigestKey>,
    kept: Kept,
}

impl Native {
    /// `program` is the bayplan binary: a monitor runs it after a reboot from inside.
    pub fn new(layout: Layout, spawner: Spawner, program: PathBuf) -> Result<Native, Error> {
        let hierarchies = Hierarchies::detect()
            .map_err(|error| failure::failed("the host's cgroups cannot be used", error))?;
        let records = FileRecords::new(&layout.state);
        Ok(Native {
            layout,
            records,
            spawner,
            hierarchies,
            program,
            digest_key: OnceLock::new(),
            kept: Kept::default(),
        })
    }

    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    pub fn spawner(&self) -> &Spawner {
        &self.spawner
    }

    /// Whether it runs and stands still: a program that enters it would not even begin.
    pub fn is_frozen(&self, key: &Key, uuid: Uuid) -> Result<bool, Error> {
        let seen = containers::look(self, key, uuid)?;
        Ok(seen.is_some_and(|seen| seen.init.is_some() && containers::is_frozen(self, &seen.spec)))
    }

    /// The secret variables of a running container for a program that exec runs in it.
    pub fn secret_variables(&self, key: &Key, uuid: Uuid) -> Result<inside::Variables, Error> {
        inside::variables(self, key, uuid)
    }

    /// By which contents are told apart. Read once: it does not change while a Bayplan works on the state folder.
    fn digest_key(&self) -> Result<&DigestKey, Error> {
        if let Some(key) = self.digest_key.get() {
            return Ok(key);
        }
        let key = DigestKey::open(&self.layout.state)
            .map_err(|error| failure::failed("the digest key cannot be read", error))?;
        Ok(self.digest_key.get_or_init(|| key))
    }

    /// Before a digest is kept, in a record or in a saved plan.
    pub fn keep_digest_key(&self) -> Result<(), Error> {
        let kept = self.digest_key()?.keep();
        kept.map_err(|error| failure::failed("the digest key cannot be written", error))
    }

    /// A file that has not changed since it was read last is not read again.
    fn digest_now(&self, key: &DigestKey, content: &Content) -> Result<Digest, resolve::Error> {
        if matches!(content, Content::Variable(_)) {
            return Ok(key.digest(resolve::value(content)?.expose()));
        }
        match resolve::source(content)? {
            Source::Bytes(value) => Ok(key.digest(value.expose())),
            Source::File(open) => self.kept.digest(&open.file, SystemTime::now(), || {
                open.read().map(|value| key.digest(value.expose()))
            }),
        }
    }

    fn place(&self) -> Place<'_> {
        Place { spawner: &self.spawner, hierarchies: &self.hierarchies, run: &self.layout.run }
    }

    fn controllers(&self) -> BTreeSet<String> {
        let missing = self.hierarchies.missing_controllers();
        let all = ["cpu", "cpuset", "memory", "pids"];
        all.into_iter().filter(|name| !missing.contains(name)).map(str::to_owned).collect()
    }

    /// What starts a container again after it rebooted itself while no daemon follows it.
    fn on_reboot(&self, key: &Key) -> Vec<String> {
        let folder = |name: &str, path: &PathBuf| [name.to_owned(), path.display().to_string()];
        let mut words = vec![self.program.display().to_string()];
        words.extend(folder("--state-dir", &self.layout.state));
        words.extend(folder("--data-dir", &self.layout.data));
        words.extend(["--wait", "60", "heal"].map(str::to_owned));
        words.push(key.to_string());
        words
    }

    fn fingerprint(&self, content: &ImageContent, key: &Key) -> Result<String, Error> {
        match content {
            ImageContent::Fingerprint(fingerprint) => Ok(fingerprint.clone()),
            ImageContent::ImportOf(image) => {
                let record = record_steps::existing(&self.records, image)?;
                record.applied.and_then(|applied| applied.fingerprint).ok_or_else(|| {
                    failure::precondition(key, format!("{image} imported"), "its record names no content")
                })
            }
        }
    }

    /// The step's effect on the host; an import also gives the fingerprint.
    fn act(&self, step: &Step, context: &StepContext<'_>) -> Result<(bool, Option<String>), Error> {
        let key = &step.key;
        let changed = match &step.action {
            Action::ImportImage { image } => {
                let (fingerprint, changed) = images::import(&self.layout, key, image, context)?;
                return Ok((changed, Some(fingerprint)));
            }
            Action::DeleteImage { fingerprint } => {
                pools::refuse_users(&self.layout, &self.all_records()?, key, fingerprint)?;
                images::delete(&self.layout, key, fingerprint)?
            }
            Action::CreateRoot { pool, image, root } => {
                let fingerprint = self.fingerprint(image, key)?;
                let layer = images::layer(&self.layout, key, &fingerprint)?;
                let pool = self.pool(pool)?;
                let changed = pools::create_root(key, &pool, layer, &root.with_content(key, &fingerprint))?;
                return Ok((changed, Some(fingerprint)));
            }
            Action::PrepareRoot { pool, image, root } => {
                let fingerprint = self.fingerprint(image, key)?;
                let layer = images::layer(&self.layout, key, &fingerprint)?;
                let changed = roots::prepare(self, key, (pool, root.identity.uuid), layer, &fingerprint)?;
                return Ok((changed, Some(fingerprint)));
            }
            Action::SwapRoot { pool, uuid, image } => {
                let fingerprint = self.fingerprint(image, key)?;
                return Ok((roots::swap(self, key, (pool, *uuid), &fingerprint)?, Some(fingerprint)));
            }
            Action::RestoreRoot { pool, uuid } => roots::restore(self, key, (pool, *uuid))?,
            Action::DropRoot { pool, uuid, which } => roots::drop_beside(self, key, (pool, *uuid), *which)?,
            Action::Persist { pool, uuid, path } => roots::persist(self, key, (pool, *uuid), path)?,
            Action::EnsurePool { pool } => pools::ensure(&self.layout, key, pool)?,
            Action::DeletePool => pools::remove(key, &self.pool(&key.name)?)?,
            Action::DeleteRoot { pool, uuid } => {
                let forgotten = containers::forget(self, key, *uuid)?;
                pools::delete_root(key, &self.pool(pool)?, *uuid)? || forgotten
            }
            Action::EnsureNetwork(network) => networks::ensure(&self.layout, key, network)?,
            Action::DeleteNetwork { name } => {
                networks::remove(&self.layout, key, name, &|uuid| containers::runs(self, key, uuid))?
            }
            Action::Rename { from } => renames::carry_out(self, (from, key), context.actor)?,
            other => self.act_on_container(key, other, context)?,
        };
        Ok((changed, None))
    }

    fn act_on_container(&self, key: &Key, action: &Action, context: &StepContext<'_>) -> Result<bool, Error> {
        match action {
            Action::Start(run) => containers::start(self, run),
            Action::Stop { uuid, how } => containers::stop(self, key, *uuid, *how),
            Action::Freeze { uuid } => containers::freeze(self, key, *uuid),
            Action::Unfreeze { uuid } => containers::unfreeze(self, key, *uuid),
            Action::SetLimits { uuid, limits } => containers::set_limits(self, key, *uuid, limits),
            Action::RepairCgroup { uuid, limits } => containers::repair_cgroup(self, key, *uuid, limits),
            Action::AttachNic { uuid, nic } => containers::attach_nic(self, key, *uuid, nic),
            Action::DetachNic { uuid, device } => containers::detach_nic(self, key, *uuid, device),
            Action::AttachDisk { uuid, disk } => disks::attach(self, key, *uuid, disk),
            Action::DetachDisk { uuid, disk } => disks::detach(self, key, *uuid, disk),
            Action::AttachPersisted { pool, uuid, path } => {
                containers::attach_persisted(self, key, (pool, *uuid), path)
            }
            Action::Supervise { uuid } => containers::supervise(self, key, *uuid),
            Action::WaitReady { uuid, ready } => {
                ready::wait(self, key, *uuid, ready, context).map(|()| false)
            }
            Action::WriteFile { pool, uuid, file } => files::write(self, key, (pool, *uuid), file, context),
            Action::RemoveFile { pool, uuid, path } => files::remove(self, key, (pool, *uuid), path, context),
            Action::RunInside { uuid, command, files } => {
                inside::run(self, key, *uuid, (command, files), context)
            }
            Action::SetEnvironment { uuid, environment, secrets } => {
                containers::set_environment(self, key, *uuid, environment, secrets)
            }
            _ => Ok(false),
        }
    }

    /// The copy beside the root follows the record's key, owner and identity; so does what the run folder says of it.
    fn refresh_identity(&self, step: &Step) -> Result<bool, Error> {
        if !matches!(step.action, Action::PutRecord(_) | Action::Rename { .. }) {
            return Ok(false);
        }
        let Some(record) = self.records.get(&step.key).map_err(store_error)? else { return Ok(false) };
        let (Some(identity), Some(applied)) = (&record.identity, &record.applied) else { return Ok(false) };
        let Spec::Container(container) = &applied.object.spec else { return Ok(false) };
        let Some(pool) = typed::root_pool(&container.devices) else { return Ok(false) };
        let renamed = match step.action {
            Action::Rename { .. } => containers::rename(self, &step.key, identity.uuid)?,
            _ => false,
        };
        let beside = pools::refresh_identity(&step.key, &self.pool(pool)?, identity.uuid, |beside| {
            beside.key = step.key.clone();
            beside.owner = record.owner.clone();
            beside.identity = identity.clone();
        })?;
        Ok(renamed || beside)
    }

    /// The pool of that name, by its record.
    fn pool(&self, name: &str) -> Result<Pool, Error> {
        let record = self.records.get(&Key::pool(name)).map_err(store_error)?;
        Ok(pools::recorded(&self.layout, record.as_ref(), name))
    }

    fn all_records(&self) -> Result<BTreeMap<Key, crate::model::record::Record>, Error> {
        self.records.all().map_err(store_error)
    }
}

impl Driver for Native {
    fn observe(&self, scope: &Scope) -> Result<Observed, Error> {
        observation::observe(self, scope)
    }

    fn digests(&self, contents: &BTreeSet<Content>) -> Result<Contents, Error> {
        let mut digests = Contents::new();
        if contents.is_empty() {
            return Ok(digests);
        }
        let key = self.digest_key()?;
        for content in contents {
            let digest = self.digest_now(key, content).map_err(|error| error.text());
            digests.insert(content.clone(), digest);
        }
        Ok(digests)
    }

    fn image_contents(&self, sources: &BTreeSet<ImageSource>) -> Result<ImageContents, Error> {
        Ok(images::contents(sources))
    }

    fn dropped(&self, queries: &BTreeMap<Key, RootQuery>) -> Result<BTreeMap<Key, Dropped>, Error> {
        let mut all = BTreeMap::new();
        for (key, query) in queries {
            if let Some(dropped) = roots::dropped(self, key, query)? {
                all.insert(key.clone(), dropped);
            }
        }
        Ok(all)
    }

    fn execute(&self, step: &Step, context: &StepContext<'_>) -> Result<Outcome, Error> {
        let (changed, fingerprint) = match record_steps::execute(&self.records, step, context)? {
            Some(outcome) => {
                let refreshed = self.refresh_identity(step)?;
                (outcome.changed || refreshed, None)
            }
            None => {
                let (changed, fingerprint) = self.act(step, context)?;
                let followed = record_steps::follow_files(&self.records, step, Changed::of(changed))?;
                (changed || followed, fingerprint)
            }
        };
        let committed = record_steps::commit(&self.records, step, fingerprint.as_deref(), context)?;
        let outputs = fingerprint.map(|fingerprint| (FINGERPRINT.to_owned(), fingerprint));
        Ok(Outcome { changed: changed || committed, outputs: outputs.into_iter().collect() })
    }

    fn settle(&self) -> Result<(), Error> {
        self.records.settle().map_err(store_error)
    }
}
