//! One look at the host: images, pools, links, run folder, cgroups, with the records beside.

use super::failure::failed;
use super::{Native, host, ids_taken, images, limits, networks, pools, run_record};
use crate::driver::records::store_error;
use crate::driver::{Error, Scope};
use crate::model::key::{Key, Kind};
use crate::model::observed::{
    ContainerFacts, ExitCause, ExitFacts, NicFacts, Observed, RootFacts, RunFacts, Usage,
};
use crate::model::record::Record;
use crate::network::links::Links;
use crate::runtime::cgroup::Cgroup;
use crate::runtime::mounts;
use crate::runtime::observe::{self, Seen};
use crate::runtime::records::{Cause, Exit};
use crate::store::Records;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Reads the host. Records and cheap lists are always whole (a plan needs to know which ids and addresses are taken);
/// the scope limits what costs something a container.
pub fn observe(native: &Native, scope: &Scope) -> Result<Observed, Error> {
    let layout = &native.layout;
    let records = native.records.all().map_err(store_error)?;
    let images = images::observe(layout)?;
    let (pools, roots) = pools::observe(layout, &records, &images)?;
    let links = Links::observe().map_err(|error| failed("the host's links cannot be read", error))?;
    let runs = observe::scan(&layout.run).map_err(|error| failed("the run folder cannot be read", error))?;
    let mut seen = BTreeMap::new();
    for (uuid, run) in runs {
        let run = run.map_err(|error| failed(format!("the run folder of {uuid} cannot be read"), error))?;
        seen.insert(uuid, run);
    }
    let inits: Vec<i32> = seen.values().filter_map(|seen| seen.init.map(|init| init.pid)).collect();
    let wanted_keys = wanted(scope, &records);
    let is_wanted = |key: &Key| wanted_keys.as_ref().is_none_or(|keys| keys.contains(key));
    let containers =
        containers(native, &records, roots, (&seen, networks::nics(layout, &links)?), &is_wanted)?;
    let networks = networks::observe(layout, &links, &records, &is_wanted)?;
    let foreign = networks::foreign_subnets(layout, &links);
    let host = host::observe(native.controllers(), ids_taken::observe(&inits), foreign);
    Ok(Observed { host, records, images, pools, networks, containers })
}

/// The keys of a scope and the networks that its containers are on; None: all.
fn wanted(scope: &Scope, records: &BTreeMap<Key, Record>) -> Option<BTreeSet<Key>> {
    let Scope::Keys(keys) = scope else { return None };
    let networks = records.keys().filter(|key| key.kind == Kind::Network);
    Some(keys.iter().chain(networks).cloned().collect())
}

type Runs<'a> = (&'a BTreeMap<Uuid, Seen>, BTreeMap<Uuid, BTreeMap<String, NicFacts>>);

fn containers(
    native: &Native,
    records: &BTreeMap<Key, Record>,
    mut roots: BTreeMap<Uuid, RootFacts>,
    (seen, mut nics): Runs<'_>,
    is_wanted: &dyn Fn(&Key) -> bool,
) -> Result<BTreeMap<Uuid, ContainerFacts>, Error> {
    let keys: BTreeMap<Uuid, &Key> =
        records.iter().filter_map(|(key, record)| Some((record.identity.as_ref()?.uuid, key))).collect();
    let uuids: BTreeSet<Uuid> = roots.keys().chain(seen.keys()).copied().collect();
    let mut containers = BTreeMap::new();
    for uuid in uuids {
        let root = roots.remove(&uuid);
        let key = keys.get(&uuid).copied().or(root.as_ref().map(|root| &root.identity.key)).cloned();
        if key.as_ref().is_some_and(|key| !is_wanted(key)) {
            containers.insert(uuid, ContainerFacts { root, ..ContainerFacts::default() });
            continue;
        }
        let run = match seen.get(&uuid) {
            Some(seen) => run_facts(native, uuid, seen, nics.remove(&uuid).unwrap_or_default())?,
            None => None,
        };
        let exit =
            seen.get(&uuid).filter(|_| run.is_none()).and_then(|seen| seen.exit.as_ref()).map(exit_facts);
        if root.is_some() || run.is_some() || exit.is_some() {
            containers.insert(uuid, ContainerFacts { root, run, exit });
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
) -> Result<Option<RunFacts>, Error> {
    let Some(init) = seen.init else { return Ok(None) };
    let name = Key::container(seen.spec.name.clone());
    let Some(record) = run_record::read(&native.layout.run, &name, uuid)? else { return Ok(None) };
    let cgroup = Cgroup { hierarchies: &native.hierarchies, path: &seen.spec.cgroup };
    let facts = observe::cgroup(&native.hierarchies, &seen.spec, init);
    let targets = mounts::targets(init.pid);
    let (facts, targets) = match (facts, targets) {
        (Ok(facts), Ok(targets)) => (facts, targets),
        _ if !init.is_alive() => return Ok(None),
        (Err(error), _) | (_, Err(error)) => {
            return Err(failed(format!("{name} cannot be looked at"), error));
        }
    };
    let asked = limits::to_cgroup(&record.run.limits, uuid, &host::online_processors());
    let asked = native.hierarchies.normalise(&asked);
    let limits = facts.limits.as_ref().map(|found| limits::from_cgroup(found, &asked, &record.run.limits));
    let disks = record.run.disks.iter().filter(|disk| targets.contains(&disk.path));
    let usage = cgroup.usage().unwrap_or_default();
    Ok(Some(RunFacts {
        pid: init.pid as u32,
        incarnation: seen.spec.incarnation,
        supervised: seen.is_supervised,
        frozen: facts.is_frozen,
        in_cgroup: facts.is_whole && facts.has_init,
        limits: limits.unwrap_or_default(),
        nics,
        disks: disks.map(|disk| disk.device.clone()).collect(),
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
