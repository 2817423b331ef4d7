//! One look at the host: images, pools, links, run folder, cgroups, with the records beside.

use super::failure::failed;
use super::{Native, files, host, ids_taken, images, limits, networks, pools, run_record};
use crate::driver::records::{near, store_error};
use crate::driver::{Error, Scope};
use crate::model::key::{Key, Kind};
use crate::model::object::Spec;
use crate::model::observed::{
    ContainerFacts, ExitCause, ExitFacts, NicFacts, Observed, RootFacts, RunFacts, Usage,
};
use crate::model::record::Record;
use crate::model::typed;
use crate::network::links::Links;
use crate::runtime::cgroup::Cgroup;
use crate::runtime::mounts;
use crate::runtime::observe::{self, Seen};
use crate::runtime::records::{Cause, Exit};
use crate::store::Records;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Reads the host. Images are always whole, and so are records but for [`Scope::Near`]; what costs something for each container, link or process is
/// only read as far as the scope needs it.
pub fn observe(native: &Native, scope: &Scope) -> Result<Observed, Error> {
    let layout = &native.layout;
    let records = match scope {
        Scope::Near(keys) => near(&native.records, keys)?,
        Scope::All | Scope::Keys(_) => native.records.all().map_err(store_error)?,
    };
    let part = Part::of(scope, &records);
    let images = images::observe(layout)?;
    let uuids = part.as_ref().map(|part| &part.uuids);
    let (pools, roots) = pools::observe(layout, &records, &images, uuids)?;
    let links = match &part {
        Some(part) if !part.needs_links => Links::default(),
        _ => Links::observe().map_err(|error| failed("the host's links cannot be read", error))?,
    };
    let seen = runs(native, uuids)?;
    let containers = containers(native, &records, roots, (&seen, networks::nics(layout, &links)?))?;
    let is_wanted = |key: &Key| part.as_ref().is_none_or(|part| part.networks.contains(key));
    let networks = networks::observe(layout, &links, &records, &is_wanted)?;
    let foreign = networks::foreign_subnets(layout, &links);
    let inits: Vec<i32> = seen.values().filter_map(|seen| seen.init.map(|init| init.pid)).collect();
    let ids_taken = if part.is_none() { ids_taken::observe(&inits) } else { vec![] };
    let host = host::observe(native.controllers(), ids_taken, foreign);
    Ok(Observed { host, records, images, pools, networks, containers })
}

/// What a look at some objects has to read.
#[derive(Debug, Default)]
struct Part {
    uuids: BTreeSet<Uuid>,
    networks: BTreeSet<Key>,
    needs_links: bool,
}

impl Part {
    /// The keys of a scope, and what they refer to. None: everything is wanted, or has to be looked through, because
    /// a record says nothing of where its container is.
    fn of(scope: &Scope, records: &BTreeMap<Key, Record>) -> Option<Part> {
        let (Scope::Keys(keys) | Scope::Near(keys)) = scope else { return None };
        let mut part = Part::default();
        let mut open: Vec<&Key> = keys.iter().collect();
        let mut seen = BTreeSet::new();
        while let Some(key) = open.pop() {
            if !seen.insert(key) {
                continue;
            }
            match key.kind {
                Kind::Network => drop(part.networks.insert(key.clone())),
                Kind::Container => {
                    let record = records.get(key)?;
                    part.uuids.insert(record.identity.as_ref()?.uuid);
                    let applied = record.applied.as_ref().map(|applied| &applied.object);
                    for object in record.desired.iter().chain(applied) {
                        let Spec::Container(container) = &object.spec else { continue };
                        open.extend(&container.depends_on);
                        let nics = typed::nics(&container.devices);
                        part.needs_links |= !nics.is_empty();
                        let networks = container.devices.values().filter_map(|it| it.options.get("network"));
                        part.networks.extend(networks.map(Key::network));
                    }
                }
                _ => {}
            }
        }
        part.needs_links |= !part.networks.is_empty();
        Some(part)
    }
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
    let mut containers = BTreeMap::new();
    for uuid in uuids {
        let root = roots.remove(&uuid);
        let run = match seen.get(&uuid) {
            Some(seen) => run_facts(native, uuid, seen, nics.remove(&uuid).unwrap_or_default())?,
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
