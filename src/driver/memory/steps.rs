//! Each step's preconditions and its effect on the model; answers whether anything changed.

use super::contents;
use super::host::{HostModel, RootModel};
use super::renames;
use super::roots;
use crate::driver::{Error, StepContext, records};
use crate::model::key::Key;
use crate::model::object::{Image, ImageSource, StoragePool};
use crate::model::observed::{
    ExitCause, ExitFacts, ImageFacts, NetworkFacts, NicFacts, PoolFacts, RunFacts, Usage,
};
use crate::model::record::Record;
use crate::model::run::{ContainerRun, Disk, Limits, Nic, NicAttachment};
use crate::model::step::{Action, BridgeNetwork, ImageContent, Outcome, RootSeed, Step, StopHow};
use crate::store::Records;
use ipnet::IpNet;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

pub fn execute(
    host: &mut HostModel,
    records: &dyn Records,
    step: &Step,
    context: &StepContext<'_>,
) -> Result<Outcome, Error> {
    let key = &step.key;
    let changed = match &step.action {
        Action::PutRecord(_) | Action::Retire | Action::Park { .. } | Action::ForgetRecord | Action::Note => {
            false
        }
        Action::Rename { from } => renames::carry_out(host, records, (from, key), context.actor)?,
        Action::ImportImage { image } => return import(host, key, image),
        Action::CreateRoot { pool, image, root } => {
            let fingerprint = content(records, image)?;
            return create_root(host, key, pool, &fingerprint, root);
        }
        Action::PrepareRoot { pool, image, root } => {
            let fingerprint = content(records, image)?;
            return roots::prepare(host, key, (pool, root.identity.uuid), fingerprint);
        }
        Action::SwapRoot { uuid, image, .. } => {
            let fingerprint = content(records, image)?;
            return roots::swap(host, key, *uuid, fingerprint);
        }
        Action::RestoreRoot { uuid, .. } => roots::restore(host, key, *uuid)?,
        Action::DropRoot { uuid, which, .. } => roots::drop_beside(host, *uuid, *which),
        Action::Persist { uuid, path, .. } => roots::persist(host, key, *uuid, path)?,
        Action::DeleteImage { fingerprint } => delete_image(host, key, fingerprint)?,
        Action::EnsurePool { pool } => ensure_pool(host, key, pool),
        Action::DeletePool => delete_pool(host, key)?,
        Action::DeleteRoot { uuid, .. } => delete_root(host, key, *uuid)?,
        Action::EnsureNetwork(network) => ensure_network(host, key, network)?,
        Action::DeleteNetwork { name } => delete_network(host, key, name)?,
        Action::Start(run) => start(host, key, run)?,
        Action::Stop { uuid, how } => stop(host, *uuid, *how, context),
        Action::Freeze { uuid } => set(&mut running(host, key, *uuid)?.frozen, true),
        Action::Unfreeze { uuid } => set(&mut running(host, key, *uuid)?.frozen, false),
        Action::SetLimits { uuid, limits } => set_limits(running(host, key, *uuid)?, key, limits)?,
        Action::RepairCgroup { uuid, limits } => {
            let run = running(host, key, *uuid)?;
            let moved = set(&mut run.in_cgroup, true);
            set_limits(run, key, limits)? || moved
        }
        Action::AttachNic { uuid, nic } => attach_nic(host, key, *uuid, nic)?,
        Action::DetachNic { uuid, device } => {
            let run = running(host, key, *uuid)?;
            let before = run.run.nics.len();
            run.run.nics.retain(|nic| nic.device != *device);
            run.nics.remove(device).is_some() || run.run.nics.len() != before
        }
        Action::AttachDisk { uuid, disk } => attach_disk(host, key, *uuid, disk)?,
        Action::AttachPersisted { uuid, path, .. } => attach_persisted(host, key, *uuid, path)?,
        Action::DetachDisk { uuid, disk } => {
            let run = running(host, key, *uuid)?;
            let before = run.run.disks.len();
            run.run.disks.retain(|other| other.device != disk.device);
            run.unlocked_disks.remove(&disk.device);
            run.disks.remove(&disk.device) || run.run.disks.len() != before
        }
        Action::WriteFile { pool, uuid, file } => {
            contents::write(host, records, key, (pool, *uuid), file, context)?
        }
        Action::RemoveFile { pool, uuid, path } => {
            contents::remove(host, records, key, (pool, *uuid), path, context)?
        }
        Action::RunInside { uuid, command, files } => {
            contents::run(host, records, key, *uuid, (command, files))?
        }
        Action::SetEnvironment { uuid, environment, secrets } => {
            let run = running(host, key, *uuid)?;
            let plain = set(&mut run.run.environment, environment.clone());
            set(&mut run.run.secrets, secrets.clone()) || plain
        }
        Action::Supervise { uuid } => set(&mut running(host, key, *uuid)?.supervised, true),
        Action::WaitReady { uuid, ready } => {
            if !host.runs.contains_key(uuid) {
                let last = "its init does not run".to_owned();
                return Err(Error::NotReady {
                    key: key.clone(),
                    waited_ms: ready.timeout.milliseconds(),
                    last,
                });
            }
            contents::require_ready(host, key, ready)?;
            false
        }
    };
    Ok(Outcome { changed, ..Outcome::default() })
}

/// The copy beside the root follows the record.
pub fn refresh_identity(host: &mut HostModel, key: &Key, record: &Record) -> bool {
    let Some(identity) = &record.identity else { return false };
    let Some(root) = host.roots.get_mut(&identity.uuid) else { return false };
    let owned = set(&mut root.identity.owner, record.owner.clone());
    let named = set(&mut root.identity.key, key.clone());
    if let Some(run) = host.runs.get_mut(&identity.uuid) {
        run.run.key = key.clone();
    }
    set(&mut root.identity.identity, identity.clone()) || owned || named
}

pub fn refused(key: &Key, wanted: impl Into<String>, found: impl Into<String>) -> Error {
    Error::Precondition { key: key.clone(), wanted: wanted.into(), found: found.into() }
}

fn set<T: PartialEq>(place: &mut T, value: T) -> bool {
    let changed = *place != value;
    *place = value;
    changed
}

pub fn running<'a>(host: &'a mut HostModel, key: &Key, uuid: Uuid) -> Result<&'a mut RunFacts, Error> {
    host.runs.get_mut(&uuid).ok_or_else(|| refused(key, "it must run", "it does not"))
}

fn import(host: &mut HostModel, key: &Key, image: &Image) -> Result<Outcome, Error> {
    let answer = |changed: bool, fingerprint: String| {
        Ok(Outcome { changed, outputs: BTreeMap::from([("fingerprint".to_owned(), fingerprint)]) })
    };
    if let Some(pin) = image.fingerprint.as_ref().filter(|pin| host.images.contains_key(*pin)) {
        return answer(false, pin.clone());
    }
    let source = written(&image.source);
    let given = match (host.contents.get(&source), &image.fingerprint) {
        (None, Some(pin)) => pin.clone(),
        _ => given(host, &image.source),
    };
    if let Some(pin) = &image.fingerprint
        && *pin != given
    {
        return Err(Error::Fingerprint { key: key.clone(), wanted: pin.clone(), found: given });
    }
    host.contents.insert(source, given.clone());
    host.note_lost_roots();
    let changed = host.images.insert(given.clone(), ImageFacts { size: 1 << 20 }).is_none();
    answer(changed, given)
}

/// What an import from this source gives.
pub fn given(host: &HostModel, source: &ImageSource) -> String {
    let source = written(source);
    let made = || Sha256::digest(source.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    host.contents.get(&source).cloned().unwrap_or_else(made)
}

fn written(source: &ImageSource) -> String {
    serde_json::to_string(source).unwrap_or_default()
}

fn content(records: &dyn Records, image: &ImageContent) -> Result<String, Error> {
    match image {
        ImageContent::Fingerprint(fingerprint) => Ok(fingerprint.clone()),
        ImageContent::ImportOf(image) => {
            let record = records::existing(records, image)?;
            let known = record.applied.and_then(|applied| applied.fingerprint);
            known.ok_or_else(|| refused(image, "it must be imported", "it is not"))
        }
    }
}

fn delete_image(host: &mut HostModel, key: &Key, fingerprint: &str) -> Result<bool, Error> {
    let stands = |root: &&RootModel| root.contents().any(|content| content == fingerprint);
    if let Some(root) = host.roots.values().find(stands) {
        return Err(refused(key, "no root may stand on it", format!("{} does", root.identity.key)));
    }
    Ok(host.images.remove(fingerprint).is_some())
}

fn ensure_pool(host: &mut HostModel, key: &Key, pool: &StoragePool) -> bool {
    let facts = pool_facts(&key.name, pool);
    host.pools.insert(key.name.clone(), facts.clone()).as_ref() != Some(&facts)
}

pub fn pool_facts(name: &str, pool: &StoragePool) -> PoolFacts {
    let source = match &pool.source {
        Some(path) => path.display().to_string(),
        None => format!("/var/lib/bayplan.data/pools/{name}"),
    };
    PoolFacts { source, is_mount_point: false, free: 1 << 40 }
}

fn delete_pool(host: &mut HostModel, key: &Key) -> Result<bool, Error> {
    if let Some(root) = host.roots.values().find(|root| root.pool == key.name) {
        return Err(refused(key, "it must be empty", format!("it has the root of {}", root.identity.key)));
    }
    Ok(host.pools.remove(&key.name).is_some())
}

fn create_root(
    host: &mut HostModel,
    key: &Key,
    pool: &str,
    fingerprint: &str,
    seed: &RootSeed,
) -> Result<Outcome, Error> {
    if !host.pools.contains_key(pool) {
        return Err(refused(key, format!("pool {pool} must exist"), "it does not"));
    }
    if !host.images.contains_key(fingerprint) {
        return Err(refused(key, format!("image content {fingerprint} must be in the store"), "it is not"));
    }
    let identity = seed.with_content(key, fingerprint);
    let uuid = seed.identity.uuid;
    let outputs = BTreeMap::from([("fingerprint".to_owned(), fingerprint.to_owned())]);
    match host.roots.get_mut(&uuid) {
        Some(before) if before.pool == pool && before.identity.fingerprint == fingerprint => {
            Ok(Outcome { changed: set(&mut before.identity, identity), outputs })
        }
        Some(before) => {
            let found =
                format!("there is one of image content {} in {}", before.identity.fingerprint, before.pool);
            Err(refused(key, "it must have no other root", found))
        }
        None => {
            host.roots.insert(uuid, RootModel::new(pool, identity));
            host.exits.remove(&uuid);
            Ok(Outcome { changed: true, outputs })
        }
    }
}

fn delete_root(host: &mut HostModel, key: &Key, uuid: Uuid) -> Result<bool, Error> {
    if host.runs.contains_key(&uuid) {
        return Err(refused(key, "it must be stopped", "it runs"));
    }
    host.exits.remove(&uuid);
    host.incarnations.remove(&uuid);
    Ok(host.roots.remove(&uuid).is_some())
}

fn ensure_network(host: &mut HostModel, key: &Key, network: &BridgeNetwork) -> Result<bool, Error> {
    if host.networks.get(&network.name).is_some_and(|facts| !facts.ours) {
        return Err(refused(key, format!("link {} must be ours", network.name), "it is not"));
    }
    let addresses = network.ipv4.map(IpNet::V4).into_iter().chain(network.ipv6.map(IpNet::V6)).collect();
    let facts = NetworkFacts {
        ours: true,
        up: true,
        mtu: network.mtu_beside(None),
        port_mtu: None,
        addresses,
        rules: network.rules_digest(),
        forwarding: true,
    };
    Ok(host.networks.insert(network.name.clone(), facts.clone()).as_ref() != Some(&facts))
}

fn delete_network(host: &mut HostModel, key: &Key, name: &str) -> Result<bool, Error> {
    let is_port = |run: &&RunFacts| run.nics.values().any(|nic| nic.bridge.as_deref() == Some(name));
    if let Some(run) = host.runs.values().find(is_port) {
        return Err(refused(key, "it must have no ports", format!("{} is on it", run.run.key)));
    }
    match host.networks.get(name) {
        Some(facts) if facts.ours => Ok(host.networks.remove(name).is_some()),
        _ => Ok(false),
    }
}

fn start(host: &mut HostModel, key: &Key, run: &ContainerRun) -> Result<bool, Error> {
    if let Some(facts) = host.runs.get(&run.uuid) {
        if facts.run == *run {
            return Ok(false);
        }
        return Err(refused(key, "it must not run otherwise", "another incarnation runs"));
    }
    let root = host.roots.get(&run.uuid).filter(|root| root.pool == run.pool);
    let root =
        root.ok_or_else(|| refused(key, format!("its root must be in pool {}", run.pool), "it is not"))?;
    if !host.images.contains_key(&root.identity.fingerprint) {
        let wanted = format!("image content {} must be in the store", root.identity.fingerprint);
        return Err(refused(key, wanted, "it is not"));
    }
    if let Some(path) = run.persist.iter().find(|path| !root.persisted.contains_key(*path)) {
        return Err(refused(key, format!("{path} must have a place of its own"), "it has none"));
    }
    contents::require_secrets(host, key, &run.secrets)?;
    let mut nics = BTreeMap::new();
    for nic in &run.nics {
        nics.insert(nic.device.clone(), plug(host, key, nic)?);
    }
    let mut disks = BTreeSet::new();
    for disk in &run.disks {
        if bind(host, key, disk)? {
            disks.insert(disk.device.clone());
        }
    }
    host.last_pid += 1;
    let incarnation = host.incarnations.entry(run.uuid).or_insert(0);
    *incarnation += 1;
    let facts = RunFacts {
        pid: host.last_pid,
        incarnation: *incarnation,
        run: run.clone(),
        supervised: true,
        frozen: false,
        in_cgroup: true,
        root_lost: false,
        limits: run.limits.clone(),
        nics,
        disks,
        unlocked_disks: BTreeSet::new(),
        persisted: run.persist.clone(),
        usage: Usage::default(),
    };
    host.runs.insert(run.uuid, facts);
    host.exits.remove(&run.uuid);
    Ok(true)
}

fn stop(host: &mut HostModel, uuid: Uuid, how: StopHow, context: &StepContext<'_>) -> bool {
    let Some(run) = host.runs.remove(&uuid) else { return false };
    let (cause, status) = match how {
        StopHow::Clean { .. } => (ExitCause::PowerOff, Some(0)),
        StopHow::Forced => (ExitCause::Killed, Some(128 + 9)),
    };
    host.exits.insert(uuid, ExitFacts { incarnation: run.incarnation, cause, status, at: context.now });
    true
}

fn set_limits(run: &mut RunFacts, key: &Key, limits: &Limits) -> Result<bool, Error> {
    if !run.in_cgroup {
        return Err(refused(key, "its init must be in its cgroup", "it is outside"));
    }
    let asked = set(&mut run.run.limits, limits.clone());
    Ok(set(&mut run.limits, limits.clone()) || asked)
}

fn attach_nic(host: &mut HostModel, key: &Key, uuid: Uuid, nic: &Nic) -> Result<bool, Error> {
    running(host, key, uuid)?;
    let facts = plug(host, key, nic)?;
    let run = running(host, key, uuid)?;
    let is_another = |other: &&Nic| other.device == nic.device && *other != nic && !other.is_moved(nic);
    if let Some(other) = run.run.nics.iter().find(is_another) {
        let found = format!("it is another one, {} inside", other.name);
        return Err(refused(key, format!("nic {} must be detached first", nic.device), found));
    }
    if run.run.nics.contains(nic) && run.nics.get(&nic.device) == Some(&facts) {
        return Ok(false);
    }
    run.run.nics.retain(|other| other.device != nic.device);
    run.run.nics.push(nic.clone());
    // In device order, as a run is realised.
    run.run.nics.sort_by(|a, b| a.device.cmp(&b.device));
    run.nics.insert(nic.device.clone(), facts);
    Ok(true)
}

fn plug(host: &HostModel, key: &Key, nic: &Nic) -> Result<NicFacts, Error> {
    let bridge = match &nic.attachment {
        NicAttachment::Bridged { bridge } if host.networks.contains_key(bridge) => Some(bridge.clone()),
        NicAttachment::Bridged { bridge } => {
            return Err(refused(key, format!("bridge {bridge} must exist"), "it does not"));
        }
        NicAttachment::PointToPoint => None,
    };
    let tail: String = nic.mac.chars().filter(char::is_ascii_hexdigit).skip(4).collect();
    let host_name = nic.host_name.clone().unwrap_or_else(|| format!("veth{tail}"));
    let routes = if bridge.is_none() { nic.routes() } else { BTreeSet::new() };
    Ok(NicFacts { host_name, bridge, up: true, routes })
}

fn attach_disk(host: &mut HostModel, key: &Key, uuid: Uuid, disk: &Disk) -> Result<bool, Error> {
    let stands = bind(host, key, disk)?;
    let run = running(host, key, uuid)?;
    let is_unlocked = run.unlocked_disks.contains(&disk.device);
    if let Some(other) = run.run.disks.iter().find(|other| other.device == disk.device && *other != disk) {
        if !is_unlocked || !other.is_unlocked_as(disk) {
            let found = format!("it is mounted at {}", other.path.display());
            return Err(refused(key, format!("disk {} must be detached first", disk.device), found));
        }
        run.run.disks.retain(|other| other.device != disk.device);
        run.unlocked_disks.remove(&disk.device);
    }
    let asked = run.run.disks.contains(disk);
    if !asked {
        run.run.disks.push(disk.clone());
        run.run.disks.sort_by(|a, b| a.device.cmp(&b.device));
    }
    Ok((stands && run.disks.insert(disk.device.clone())) || !asked)
}

fn attach_persisted(host: &mut HostModel, key: &Key, uuid: Uuid, path: &str) -> Result<bool, Error> {
    let is_kept = host.roots.get(&uuid).is_some_and(|root| root.persisted.contains_key(path));
    let run = running(host, key, uuid)?;
    if !run.run.persist.contains(path) {
        return Err(refused(key, format!("{path} must be among what it persists"), "it was started without"));
    }
    if !is_kept {
        return Err(refused(key, format!("{path} must have a place of its own"), "it has none"));
    }
    Ok(run.persisted.insert(path.to_owned()))
}

/// Whether the disk's source is there; an absent one is refused where it is required.
fn bind(host: &HostModel, key: &Key, disk: &Disk) -> Result<bool, Error> {
    let there = !host.missing_paths.contains(&disk.source);
    if !there && disk.required {
        let wanted = format!("{} must be there for disk {}", disk.source.display(), disk.device);
        return Err(refused(key, wanted, "it is not"));
    }
    Ok(there)
}
