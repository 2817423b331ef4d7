//! One look at the host: images, pools, links, run folder, cgroups, with the records beside.

use super::disks::{HostTable, Mounted};
use super::failure::failed;
use super::run_record::LowerFolder;
use super::{Native, files, host, ids_taken, images, limits, networks, pools, run_record};
use crate::driver::part::Part;
use crate::driver::records::store_error;
use crate::driver::{Error, Scope};
use crate::model::key::{Key, Kind};
use crate::model::object::{DeviceType, Object, Spec};
use crate::model::observed::{
    ContainerFacts, ExitCause, ExitFacts, NicFacts, Observed, RootFacts, RunFacts, Usage,
};
use crate::model::record::Record;
use crate::model::run::Disk;
use crate::network::links::Links;
use crate::runtime::cgroup::Cgroup;
use crate::runtime::mount_table;
use crate::runtime::observe::{self, Seen};
use crate::runtime::records::{Cause, Exit};
use crate::storage::Pool;
use crate::store::Records;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Reads the host. Images and pools are always whole; what costs something for each object, link or process is only
/// read as far as the scope needs it.
pub fn observe(native: &Native, scope: &Scope) -> Result<Observed, Error> {
    let layout = &native.layout;
    let part = match scope {
        Scope::All => None,
        Scope::Keys(keys) => Part::of(&native.records, keys)?,
    };
    let (records, part) = match part {
        Some(mut part) => (std::mem::take(&mut part.records), Some(part)),
        None => (native.records.all().map_err(store_error)?, None),
    };
    let images = images::observe(layout)?;
    let uuids = part.as_ref().map(|part| &part.uuids);
    let (pools, roots) = pools::observe(layout, &records, &images, uuids)?;
    let links = match &part {
        Some(part) if !needs_links(part, &records) => Links::default(),
        _ => Links::observe().map_err(|error| failed("the host's links cannot be read", error))?,
    };
    let seen = runs(native, uuids)?;
    let containers = containers(native, &records, roots, (&seen, networks::nics(layout, &links)?))?;
    let is_wanted = |key: &Key| part.as_ref().is_none_or(|part| part.keys.contains(key));
    let networks = networks::observe(layout, &links, &records, &is_wanted)?;
    let foreign = networks::foreign_subnets(layout, &links);
    let inits: Vec<i32> = seen.values().filter_map(|seen| seen.init.map(|init| init.pid)).collect();
    let ids_taken = if part.is_none() { ids_taken::observe(&inits) } else { vec![] };
    let host = host::observe(native.controllers(), ids_taken, foreign);
    Ok(Observed { host, records, images, pools, networks, containers })
}

/// Whether it is about a network, or a container with a nic.
fn needs_links(part: &Part, records: &BTreeMap<Key, Record>) -> bool {
    let has_nic = |object: &Object| match &object.spec {
        Spec::Container(container) => container.devices.values().any(|it| it.device_type == DeviceType::Nic),
        _ => false,
    };
    let objects = |record: &Record| {
        let established = record.applied.as_ref().map(|applied| &applied.object);
        record.desired.iter().chain(established).any(has_nic)
    };
    part.keys.iter().any(|key| key.kind == Kind::Network) || records.values().any(objects)
}

fn runs(native: &Native, uuids: Option<&BTreeSet<Uuid>>) -> Result<BTreeMap<Uuid, Seen>, Error> {
    let run = &native.layout.run;
    let found = match uuids {
        None => observe::scan(run).map_err(|error| failed("the run folder cannot be read", error))?,
        Some(uuids) => {
            let look = |uuid: &Uuid| Some((*uuid, observe::one(run, uuid).transpose()?));
            uuids.iter().filter_map(look).collect()
        }
    };
    let read = |(uuid, seen): (Uuid, Result<Seen, _>)| {
        let what = || format!("the run folder of {uuid} cannot be read");
        Ok((uuid, seen.map_err(|error| failed(what(), error))?))
    };
    found.into_iter().map(read).collect()
}

type Runs<'a> = (&'a BTreeMap<Uuid, Seen>, BTreeMap<Uuid, BTreeMap<String, NicFacts>>);

fn containers(
    native: &Native,
    records: &BTreeMap<Key, Record>,
    mut roots: BTreeMap<Uuid, RootFacts>,
    (seen, mut nics): Runs<'_>,
) -> Result<BTreeMap<Uuid, ContainerFacts>, Error> {
    let of = |(key, record): (&Key, &Record)| Some((record.identity.as_ref()?.uuid, key.clone()));
    let keys: BTreeMap<Uuid, Key> = records.iter().filter_map(of).collect();
    let uuids: BTreeSet<Uuid> = roots.keys().chain(seen.keys()).copied().collect();
    let online = host::online_processors();
    let host_table = HostTable::default();
    let mut containers = BTreeMap::new();
    for uuid in uuids {
        let root = roots.remove(&uuid);
        let run = match seen.get(&uuid) {
            Some(seen) => {
                run_facts(native, uuid, seen, nics.remove(&uuid).unwrap_or_default(), (&online, &host_table))?
            }
            None => None,
        };
        let exit =
            seen.get(&uuid).filter(|_| run.is_none()).and_then(|seen| seen.exit.as_ref()).map(exit_facts);
        let key = keys.get(&uuid).or(root.as_ref().map(|root| &root.identity.key));
        let record = key.and_then(|key| Some((key, records.get(key)?)));
        let files = match record {
            Some(record) => files::observe(native, record, root.as_ref(), seen.get(&uuid))?,
            None => BTreeMap::new(),
        };
        if root.is_some() || run.is_some() || exit.is_some() {
            containers.insert(uuid, ContainerFacts { root, run, exit, files });
        }
    }
    Ok(containers)
}

/// None: its init does not live, or died while we looked.
fn run_facts(
    native: &Native,
    uuid: Uuid,
    seen: &Seen,
    nics: BTreeMap<String, NicFacts>,
    (online, host_table): (&[u32], &HostTable),
) -> Result<Option<RunFacts>, Error> {
    let Some(init) = seen.init else { return Ok(None) };
    let name = Key::container(seen.spec.name.clone());
    let Some(record) = run_record::read(&native.layout.run, &name, uuid)? else { return Ok(None) };
    let cgroup = Cgroup { hierarchies: &native.hierarchies, path: &seen.spec.cgroup };
    let facts = observe::cgroup(&native.hierarchies, &seen.spec, init);
    // The list of a container's mounts is the dearest file to read here.
    let has_mounts = !record.run.disks.is_empty() || !record.run.persist.is_empty();
    let table = has_mounts.then(|| mount_table::of(init.pid)).transpose();
    let (facts, table) = match (facts, table) {
        (Ok(facts), Ok(table)) => (facts, table),
        _ if !init.is_alive() => return Ok(None),
        (Err(error), _) | (_, Err(error)) => {
            return Err(failed(format!("{name} cannot be looked at"), error));
        }
    };
    let asked = native.hierarchies.normalise(&limits::to_cgroup(&record.run.limits, uuid, online));
    let limits = facts.limits.as_ref().map(|found| limits::from_cgroup(found, &asked, &record.run.limits));
    let mounted = table.as_ref().map(|table| Mounted { init, table, host: host_table });
    let all = &record.run.disks;
    let stands = |disk: &&Disk| mounted.as_ref().is_some_and(|mounted| !mounted.places(disk, all).is_empty());
    let is_unlocked = |disk: &&Disk| {
        disk.readonly && mounted.as_ref().is_some_and(|mounted| mounted.is_unlocked(disk, all))
    };
    let named = |disk: &Disk| disk.device.clone();
    let shows = |pool: &Pool, path: &str| {
        table.as_ref().is_some_and(|table| table.shows(&pool.persisted_end(uuid, path)))
    };
    let pool = native.pool(&record.run.pool)?;
    let persisted = record.run.persist.iter().filter(|path| shows(&pool, path)).cloned().collect();
    let usage = cgroup.usage().unwrap_or_default();
    Ok(Some(RunFacts {
        pid: init.pid as u32,
        incarnation: seen.spec.incarnation,
        supervised: seen.is_supervised,
        frozen: facts.is_frozen,
        in_cgroup: facts.is_whole && facts.has_init,
        root_lost: !record.lower.iter().all(LowerFolder::stands),
        limits: limits.unwrap_or_default(),
        nics,
        disks: all.iter().filter(stands).map(named).collect(),
        unlocked_disks: all.iter().filter(is_unlocked).map(named).collect(),
        persisted,
        usage: Usage { memory: usage.memory_bytes, processes: usage.processes, cpu_ns: usage.cpu_us * 1000 },
        run: record.run,
    }))
}

fn exit_facts(exit: &Exit) -> ExitFacts {
    let at = i64::try_from(exit.at_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    ExitFacts {
        incarnation: exit.incarnation,
        cause: match exit.cause {
            Cause::PowerOff => ExitCause::PowerOff,
            Cause::Reboot => ExitCause::Reboot,
            Cause::Killed => ExitCause::Killed,
            Cause::Failed => ExitCause::Failed,
            Cause::Oom => ExitCause::Oom,
            Cause::Unknown => ExitCause::Unknown,
        },
        status: exit.code.or(exit.signal.map(|signal| 128 + signal)),
        at: at.unwrap_or_default(),
    }
}
