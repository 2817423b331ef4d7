//! More than one root of a container, and folders that outlive them.

use super::host::{FormerRoot, HostModel, RootModel};
use super::steps::refused;
use crate::driver::Error;
use crate::model::key::Key;
use crate::model::observed::{Dropped, RootQuery};
use crate::model::step::{BesideRoot, Outcome};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

fn root<'h>(host: &'h mut HostModel, key: &Key, uuid: Uuid) -> Result<&'h mut RootModel, Error> {
    host.roots.get_mut(&uuid).ok_or_else(|| refused(key, "it must have a root", "it has none"))
}

fn refuse_running(host: &HostModel, key: &Key, uuid: Uuid) -> Result<(), Error> {
    match host.runs.contains_key(&uuid) {
        true => Err(refused(key, "it must be stopped", "it runs")),
        false => Ok(()),
    }
}

fn outcome(changed: bool, fingerprint: String) -> Outcome {
    Outcome { changed, outputs: BTreeMap::from([("fingerprint".to_owned(), fingerprint)]) }
}

pub fn prepare(
    host: &mut HostModel,
    key: &Key,
    (pool, uuid): (&str, Uuid),
    fingerprint: String,
) -> Result<Outcome, Error> {
    if !host.images.contains_key(&fingerprint) {
        return Err(refused(key, format!("image content {fingerprint} must be in the store"), "it is not"));
    }
    let root = root(host, key, uuid)?;
    if root.pool != pool {
        return Err(refused(key, format!("its root must be in pool {pool}"), "it is not"));
    }
    let changed = root.next.replace(fingerprint.clone()).as_ref() != Some(&fingerprint);
    Ok(outcome(changed, fingerprint))
}

pub fn swap(host: &mut HostModel, key: &Key, uuid: Uuid, fingerprint: String) -> Result<Outcome, Error> {
    let running = refuse_running(host, key, uuid);
    let root = root(host, key, uuid)?;
    if root.next.as_ref() != Some(&fingerprint) {
        if root.identity.fingerprint == fingerprint {
            return Ok(outcome(false, fingerprint));
        }
        return Err(refused(key, format!("a root of {fingerprint} must be prepared"), "there is none"));
    }
    running?;
    root.next = None;
    root.replaced = Some(Box::new(FormerRoot {
        fingerprint: std::mem::replace(&mut root.identity.fingerprint, fingerprint.clone()),
        files: std::mem::take(&mut root.files),
        written: std::mem::take(&mut root.written),
    }));
    Ok(outcome(true, fingerprint))
}

pub fn restore(host: &mut HostModel, key: &Key, uuid: Uuid) -> Result<bool, Error> {
    let running = refuse_running(host, key, uuid);
    let root = root(host, key, uuid)?;
    let Some(former) = root.replaced.take() else { return Ok(false) };
    if running.is_err() {
        root.replaced = Some(former);
        return running.map(|()| false);
    }
    root.identity.fingerprint = former.fingerprint;
    root.files = former.files;
    root.written = former.written;
    Ok(true)
}

pub fn drop_beside(host: &mut HostModel, uuid: Uuid, which: BesideRoot) -> bool {
    let Some(root) = host.roots.get_mut(&uuid) else { return false };
    match which {
        BesideRoot::Next => root.next.take().is_some(),
        BesideRoot::Replaced => root.replaced.take().is_some(),
    }
}

pub fn persist(host: &mut HostModel, key: &Key, uuid: Uuid, path: &str) -> Result<bool, Error> {
    let running = refuse_running(host, key, uuid);
    let root = root(host, key, uuid)?;
    if root.persisted.contains_key(path) {
        return Ok(false);
    }
    running?;
    let below = |written: &&String| written.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
    let inside: BTreeSet<String> = root.written.iter().filter(below).cloned().collect();
    root.persisted.insert(path.to_owned(), inside);
    Ok(true)
}

pub fn dropped(host: &HostModel, query: &RootQuery) -> Option<Dropped> {
    let root = host.roots.get(&query.uuid)?;
    let mut dropped = Dropped::default();
    let all: BTreeSet<&String> = root.written.iter().chain(root.files.keys()).collect();
    all.into_iter().filter(|path| !query.excepts(path)).for_each(|path| dropped.add(path));
    Some(dropped)
}
