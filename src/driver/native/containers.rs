//! Steps on a container's run: start, stop, freeze, limits, cgroup, nics, monitor.

use super::binds::{Source, binds, mounts, persisted_tree};
use super::failure::{failed, precondition};
use super::run_record::LowerFolder;
use super::{Native, host, inside, limits, networks, pools, run_record};
use crate::driver::Error;
use crate::model::key::Key;
use crate::model::root::Root;
use crate::model::run::{ContainerRun, Limits, Nic, SecretUse};
use crate::model::step::StopHow;
use crate::runtime::cgroup::{Cgroup, container_path, monitor_path};
use crate::runtime::container::{self, IdShift, Mounts, StopMode};
use crate::runtime::error::Error as RuntimeError;
use crate::runtime::identity::{ProcessId, boot_id};
use crate::runtime::observe::{self, Seen};
use crate::runtime::start_spec::{Bind, Confinement, StartSpec};
use crate::runtime::{confinement, mount_table, mounts, records, seccomp};
use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::Duration;
use uuid::Uuid;

/// console.log and its predecessor together.
const CONSOLE_LOG_BYTES: u64 = 1 << 20;
/// A monitor that has recorded its container's end needs a moment to end itself.
const LAST_MONITOR: Duration = Duration::from_millis(500);

/// Starts a container; one that runs as asked is left alone, one that runs otherwise is refused.
pub fn start(native: &Native, run: &ContainerRun) -> Result<bool, Error> {
    let key = &run.key;
    let what = || format!("{key} could not be started");
    records::enter(&native.layout.run).map_err(|error| failed(what(), error))?;
    let seen = look(native, key, run.uuid)?;
    if seen.as_ref().is_some_and(|seen| seen.init.is_some()) {
        return match run_record::read(&native.layout.run, key, run.uuid)? {
            Some(record) if record.run == *run => Ok(false),
            _ => Err(precondition(key, "a container that does not run", "it runs with other settings")),
        };
    }
    let layers = layers(native, key, &run.pool, run.uuid)?;
    let pool = native.pool(&run.pool)?;
    if let Some(path) = run.persist.iter().find(|path| !pool.persisted(run.uuid, path).is_dir()) {
        return Err(precondition(key, format!("a place of its own for {path}"), "it has none"));
    }
    let secrets = inside::start_variables(native, key, &run.secrets)?;
    if secrets.is_some() {
        native.keep_digest_key()?;
    }
    networks::refuse_missing_bridges(key, &run.nics)?;
    // The former incarnation's cgroup and processes may still be on their way out.
    container::stop(native.place(), &run.uuid, StopMode::Forced).map_err(|error| failed(what(), error))?;
    let incarnation = seen.map_or(1, |seen| seen.spec.incarnation + 1);
    run_record::begin(&native.layout.run, incarnation, run, layers)?;
    let binds = binds(run);
    let mut spec = start_spec(native, run, incarnation, &binds)?;
    spec.has_secrets = secrets.is_some();
    let prepared = container::prepare(native.place(), &spec).map_err(|error| failed(what(), error))?;
    if !run.nics.is_empty() {
        let namespace = networks::net_namespace(key, prepared.init.pid as u32)?;
        for nic in &run.nics {
            networks::attach(&native.layout, key, (run.uuid, incarnation), nic, namespace.as_fd())?;
        }
    }
    let mounts = Mounts { secrets, ..mounts(native, run, &binds, prepared.shift())? };
    prepared.release(mounts).map_err(|error| failed(what(), error))?;
    Ok(true)
}

/// Whether its init lives.
pub fn runs(native: &Native, key: &Key, uuid: Uuid) -> Result<bool, Error> {
    Ok(look(native, key, uuid)?.is_some_and(|seen| seen.init.is_some()))
}

/// Refuses a root that is not there, or stands on lost content.
pub fn refuse_lost_layers(native: &Native, key: &Key, pool: &str, uuid: Uuid) -> Result<(), Error> {
    layers(native, key, pool, uuid).map(drop)
}

/// What a root stands on; refuses as above.
fn layers(native: &Native, key: &Key, pool: &str, uuid: Uuid) -> Result<Vec<LowerFolder>, Error> {
    let root = pools::root(key, &native.pool(pool)?, uuid)?;
    let layers = match root {
        Root::Overlay { layers, .. } => layers,
        Root::Subvolume { .. } => vec![],
    };
    let layer = |path: &PathBuf| {
        let lost = || {
            let found = format!("{} is not there", path.display());
            precondition(key, "the image content below its root", found)
        };
        LowerFolder::of(path).ok_or_else(lost)
    };
    layers.iter().map(layer).collect()
}

/// Stops a container, asking first where that is wanted.
pub fn stop(native: &Native, key: &Key, uuid: Uuid, how: StopHow) -> Result<bool, Error> {
    let what = || format!("{key} could not be stopped");
    let ran = look(native, key, uuid)?.is_some_and(|seen| seen.init.is_some());
    let place = native.place();
    let asked = match how {
        StopHow::Forced => container::stop(place, &uuid, StopMode::Forced),
        StopHow::Clean { timeout_ms } => {
            container::stop(place, &uuid, StopMode::Clean { timeout: Duration::from_millis(timeout_ms) })
        }
    };
    match asked {
        Err(RuntimeError::TimedOut { .. }) if how != StopHow::Forced => {
            container::stop(place, &uuid, StopMode::Forced).map_err(|error| failed(what(), error))?;
        }
        other => {
            other.map_err(|error| failed(what(), error))?;
        }
    }
    Ok(ran)
}

pub fn freeze(native: &Native, key: &Key, uuid: Uuid) -> Result<bool, Error> {
    let running = Running::find(native, key, uuid)?;
    if running.cgroup(native).is_frozen() {
        return Ok(false);
    }
    let frozen = container::freeze(native.place(), &running.spec);
    frozen.map_err(|error| failed(format!("{key} could not be frozen"), error))?;
    Ok(true)
}

pub fn unfreeze(native: &Native, key: &Key, uuid: Uuid) -> Result<bool, Error> {
    let running = Running::find(native, key, uuid)?;
    if !running.cgroup(native).is_frozen() {
        return Ok(false);
    }
    let thawed = container::unfreeze(native.place(), &running.spec);
    thawed.map_err(|error| failed(format!("{key} could not be unfrozen"), error))?;
    Ok(true)
}

/// Sets the limits of a running container.
pub fn set_limits(native: &Native, key: &Key, uuid: Uuid, limits: &Limits) -> Result<bool, Error> {
    let running = Running::find(native, key, uuid)?;
    let inside = running.cgroup(native).contains(running.init.pid);
    if !inside.map_err(|error| failed(format!("{key}: its cgroup cannot be read"), error))? {
        return Err(precondition(key, "an init in its cgroup", "it is outside"));
    }
    let wanted = limits::to_cgroup(limits, uuid, &host::online_processors());
    let written = running
        .cgroup(native)
        .apply(&wanted)
        .map_err(|error| failed(format!("{key}: its limits could not be set"), error))?;
    let recorded = run_record::change(&native.layout.run, key, uuid, |run| run.limits = limits.clone())?;
    Ok(written || recorded)
}

/// Makes the cgroup anew where it is gone, moves the processes back, sets the limits.
pub fn repair_cgroup(native: &Native, key: &Key, uuid: Uuid, limits: &Limits) -> Result<bool, Error> {
    let what = || format!("{key}: its cgroup could not be repaired");
    let mut running = Running::find(native, key, uuid)?;
    running.spec.limits = limits::to_cgroup(limits, uuid, &host::online_processors());
    let devices = running.spec.device_rules();
    let blueprint = container::blueprint(&running.spec, &devices);
    let cgroup = running.cgroup(native);
    let repaired = cgroup.repair(&blueprint, running.init.pid).map_err(|error| failed(what(), error))?;
    let limited = cgroup.apply(&running.spec.limits).map_err(|error| failed(what(), error))?;
    let recorded = run_record::change(&native.layout.run, key, uuid, |run| run.limits = limits.clone())?;
    Ok(repaired || limited || recorded)
}

/// Adds a nic to a running container, or mends it.
pub fn attach_nic(native: &Native, key: &Key, uuid: Uuid, nic: &Nic) -> Result<bool, Error> {
    let running = Running::find(native, key, uuid)?;
    let namespace = networks::net_namespace(key, running.init.pid as u32)?;
    let incarnation = running.spec.incarnation;
    let recorded = run_record::read(&native.layout.run, key, uuid)?;
    let before = recorded.and_then(|record| record.run.nics.into_iter().find(|old| old.device == nic.device));
    if let Some(other) = before.filter(|other| other != nic && !other.is_moved(nic)) {
        let found = format!("it is another one, {} inside", other.name);
        return Err(precondition(key, format!("nic {} detached first", nic.device), found));
    }
    let changed = networks::attach(&native.layout, key, (uuid, incarnation), nic, namespace.as_fd())?;
    let recorded = run_record::change(&native.layout.run, key, uuid, |run| {
        run_record::put(&mut run.nics, nic.clone(), |nic| &nic.device);
    })?;
    Ok(changed || recorded)
}

pub fn detach_nic(native: &Native, key: &Key, uuid: Uuid, device: &str) -> Result<bool, Error> {
    Running::find(native, key, uuid)?;
    let changed = networks::detach(&native.layout, key, uuid, device)?;
    let recorded = run_record::change(&native.layout.run, key, uuid, |run| {
        run.nics.retain(|nic| nic.device != device);
    })?;
    Ok(changed || recorded)
}

/// Mounts a folder that outlives the root where a running container is to have it, and has not.
pub fn attach_persisted(
    native: &Native,
    key: &Key,
    (pool, uuid): (&str, Uuid),
    path: &str,
) -> Result<bool, Error> {
    let what = || format!("{key}: {path} could not be mounted");
    let running = Running::find(native, key, uuid)?;
    let run = run_record::read(&native.layout.run, key, uuid)?.map(|record| record.run);
    let Some(run) = run.filter(|run| run.persist.contains(path)) else {
        return Err(precondition(key, format!("{path} among what it persists"), "it was started without"));
    };
    let table = mount_table::of(running.init.pid).map_err(|error| failed(what(), error))?;
    if table.shows(&native.pool(pool)?.persisted_end(uuid, path)) {
        return Ok(false);
    }
    let shift = running.shift().map_err(|error| failed(what(), error))?;
    let tree = persisted_tree(native, &run, path, shift.as_ref().map(IdShift::borrow))?;
    let bind = Bind { target: path.to_owned(), readonly: false };
    mounts::attach(&native.spawner, running.init, &tree, &bind, running.spec.root_ids())
        .map_err(|error| failed(what(), error))?;
    Ok(true)
}

/// What exec gives to programs from now on.
pub fn set_environment(
    native: &Native,
    key: &Key,
    uuid: Uuid,
    environment: &BTreeMap<String, String>,
    secrets: &BTreeMap<String, SecretUse>,
) -> Result<bool, Error> {
    let what = || format!("{key}: its environment could not be set");
    let running = Running::find(native, key, uuid)?;
    let mut changed = false;
    if running.spec.environment != *environment {
        let spec = StartSpec { environment: environment.clone(), ..running.spec };
        let folder = records::folder(&native.layout.run, &uuid);
        records::write(&folder, records::START, &spec).map_err(|error| failed(what(), error))?;
        changed = true;
    }
    let recorded = run_record::change(&native.layout.run, key, uuid, |run| {
        run.environment.clone_from(environment);
        run.secrets.clone_from(secrets);
    })?;
    if !secrets.is_empty() {
        native.keep_digest_key()?;
    }
    Ok(changed || recorded)
}

/// What the run folder says of a container that has another name now; its init keeps the host name that it has.
pub fn rename(native: &Native, key: &Key, uuid: Uuid) -> Result<bool, Error> {
    let what = || format!("{key}: its run folder could not be brought up to its name");
    let Some(seen) = look(native, key, uuid)? else { return Ok(false) };
    let on_reboot = native.on_reboot(key);
    let mut changed = run_record::change(&native.layout.run, key, uuid, |run| run.key = key.clone())?;
    if seen.spec.name != key.name || seen.spec.on_reboot != on_reboot {
        let spec = StartSpec { name: key.name.clone(), on_reboot, ..seen.spec };
        let folder = records::folder(&native.layout.run, &uuid);
        records::write(&folder, records::START, &spec).map_err(|error| failed(what(), error))?;
        changed = true;
    }
    Ok(changed)
}

/// A replacement for a lost monitor.
pub fn supervise(native: &Native, key: &Key, uuid: Uuid) -> Result<bool, Error> {
    let running = Running::find(native, key, uuid)?;
    if running.supervised {
        return Ok(false);
    }
    container::supervise(native.place(), &running.spec)
        .map_err(|error| failed(format!("{key}: no monitor could be started"), error))?;
    Ok(true)
}

/// Forgets what the run folder has of a container that is gone.
pub fn forget(native: &Native, key: &Key, uuid: Uuid) -> Result<bool, Error> {
    let folder = records::folder(&native.layout.run, &uuid);
    if !folder.exists() {
        return Ok(false);
    }
    if look(native, key, uuid)?.is_some_and(|seen| seen.init.is_some()) {
        return Err(precondition(key, "a container that does not run", "it runs"));
    }
    std::fs::remove_dir_all(&folder)
        .map_err(|error| failed(format!("{key}: its run folder could not be removed"), error))?;
    tidy(native);
    Ok(true)
}

/// After the last container the run folder and the monitors' cgroup go too. Nothing depends on it: what is still in
/// use stays, and the next one tries again.
fn tidy(native: &Native) {
    let run = &native.layout.run;
    let is_container = |name: &str| name.parse::<Uuid>().is_ok();
    let names = || std::fs::read_dir(run).into_iter().flatten().flatten().map(|entry| entry.file_name());
    if names().any(|name| name.to_str().is_some_and(is_container)) {
        return;
    }
    native.hierarchies.remove_empty(&monitor_path(&native.layout.tag), LAST_MONITOR);
    let _ = std::fs::remove_dir_all(run);
    if let Some(parent) = run.parent() {
        let _ = std::fs::remove_dir(parent);
    }
}

/// A container whose init lives.
pub struct Running {
    pub spec: StartSpec,
    pub init: ProcessId,
    supervised: bool,
}

impl Running {
    pub fn find(native: &Native, key: &Key, uuid: Uuid) -> Result<Running, Error> {
        let seen = look(native, key, uuid)?;
        match seen {
            Some(Seen { spec, init: Some(init), is_supervised, .. }) => {
                Ok(Running { spec, init, supervised: is_supervised })
            }
            _ => Err(precondition(key, "a running container", "it does not run")),
        }
    }

    pub fn is_frozen(&self, native: &Native) -> bool {
        is_frozen(native, &self.spec)
    }

    pub fn shift(&self) -> Result<Option<IdShift>, RuntimeError> {
        self.spec.id_map().map(|_| IdShift::of(self.init, self.spec.root_ids())).transpose()
    }

    fn cgroup<'a>(&'a self, native: &'a Native) -> Cgroup<'a> {
        Cgroup { hierarchies: &native.hierarchies, path: &self.spec.cgroup }
    }
}

pub fn is_frozen(native: &Native, spec: &StartSpec) -> bool {
    Cgroup { hierarchies: &native.hierarchies, path: &spec.cgroup }.is_frozen()
}

pub fn look(native: &Native, key: &Key, uuid: Uuid) -> Result<Option<Seen>, Error> {
    observe::one(&native.layout.run, &uuid)
        .map_err(|error| failed(format!("{key}: its run folder cannot be read"), error))
}

fn start_spec(
    native: &Native,
    run: &ContainerRun,
    incarnation: u64,
    binds: &[(Bind, Source<'_>)],
) -> Result<StartSpec, Error> {
    let key = &run.key;
    let what = || format!("{key} could not be started");
    let covered = confinement::usual_paths(run.nesting);
    let layout = &native.layout;
    Ok(StartSpec {
        version: records::VERSION,
        boot_id: boot_id().map_err(|error| failed(what(), error))?,
        incarnation,
        uuid: run.uuid,
        name: key.name.clone(),
        hostname: run.hostname.clone(),
        init: vec![],
        environment: run.environment.clone(),
        has_secrets: false,
        confinement: match &run.id_map {
            Some(id_map) => Confinement::Namespaced { id_map: id_map.clone() },
            None => Confinement::Privileged,
        },
        nesting: run.nesting,
        cgroup: container_path(&layout.tag, &run.uuid, incarnation),
        monitor_cgroup: monitor_path(&layout.tag),
        limits: limits::to_cgroup(&run.limits, run.uuid, &host::online_processors()),
        rlimits: run.rlimits.clone(),
        sysctls: run.sysctls.clone(),
        binds: binds.iter().map(|(bind, _)| bind.clone()).collect(),
        devices: vec![],
        masked_paths: covered.masked,
        readonly_paths: covered.readonly,
        seccomp_filter: Some(seccomp::cached(&layout.run).map_err(|error| failed(what(), error))?),
        console_log_bytes: CONSOLE_LOG_BYTES,
        stop_signal: None,
        on_reboot: native.on_reboot(key),
        checkpoint: None,
    })
}
