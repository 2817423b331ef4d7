//! Storage pools and roots: from the model's words to the storage room's, and back.

use super::Layout;
use super::failure::{failed, precondition};
use crate::driver::Error;
use crate::model::key::{Key, Kind};
use crate::model::object::{Spec, StoragePool};
use crate::model::observed::{ImageFacts, PoolFacts, RootFacts};
use crate::model::record::{Record, RootIdentity};
use crate::model::root::Root;
use crate::storage::dir::DirPool;
use crate::storage::error::StorageError;
use crate::storage::{Effect, Pool, Presence, StoredRoot};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use uuid::Uuid;

/// Roots by their containers' uuids.
type Roots = BTreeMap<Uuid, RootFacts>;

/// The pool of that name: at the source that its object names, else inside the data folder.
pub fn open(layout: &Layout, name: &str, source: Option<&PathBuf>) -> Pool {
    let source = source.cloned().unwrap_or_else(|| layout.pool(name));
    Pool::Dir(DirPool { tag: layout.tag.clone(), name: name.to_owned(), source })
}

/// The pool of that name as its record declares it; without a record, the default place.
pub fn recorded(layout: &Layout, record: Option<&Record>, name: &str) -> Pool {
    open(layout, name, record.and_then(source_of))
}

fn source_of(record: &Record) -> Option<&PathBuf> {
    let object = record.applied.as_ref().map(|applied| &applied.object).or(record.desired.as_ref());
    match object.map(|object| &object.spec) {
        Some(Spec::StoragePool(pool)) => pool.source.as_ref(),
        _ => None,
    }
}

pub fn ensure(layout: &Layout, key: &Key, pool: &StoragePool) -> Result<bool, Error> {
    let effect = open(layout, &key.name, pool.source.as_ref())
        .ensure()
        .map_err(|error| failed(format!("{key} could not be made"), error))?;
    Ok(effect == Effect::Changed)
}

/// Makes a pool known by its new name, too; refuses what could not be carried through.
pub fn begin_rename(layout: &Layout, record: &Record, (from, to): (&Key, &Key)) -> Result<(), Error> {
    let pool = |key: &Key| open(layout, &key.name, source_of(record));
    match pool(from).begin_rename(&pool(to)) {
        Err(error @ StorageError::MountPoint { .. }) => {
            Err(precondition(to, "a folder that can be renamed", error.to_string()))
        }
        Err(error @ StorageError::Taken { .. }) => Err(precondition(to, "a free path", error.to_string())),
        other => other.map_err(|error| failed(format!("{from} could not be renamed"), error)),
    }
}

/// Gives a pool its new name alone, and its folder where the name is in its path.
pub fn end_rename(layout: &Layout, record: &Record, (from, to): (&Key, &Key)) -> Result<(), Error> {
    let pool = |key: &Key| open(layout, &key.name, source_of(record));
    pool(from).end_rename(&pool(to)).map_err(|error| failed(format!("{from} could not be renamed"), error))
}

pub fn remove(key: &Key, pool: &Pool) -> Result<bool, Error> {
    match pool.remove() {
        Err(StorageError::NotEmpty { count, .. }) => {
            Err(precondition(key, "an empty pool", format!("it has {count} roots")))
        }
        other => {
            let effect = other.map_err(|error| failed(format!("{key} could not be removed"), error))?;
            Ok(effect == Effect::Changed)
        }
    }
}

/// Makes a container's root on an image's content, and lays the identity beside it.
pub fn create_root(key: &Key, pool: &Pool, layer: PathBuf, identity: &RootIdentity) -> Result<bool, Error> {
    let what = || format!("{key}: its root could not be made");
    let uuid = identity.identity.uuid;
    let made = match pool.create_named_root(uuid, vec![layer], &key.name) {
        Err(StorageError::NoPool { path }) => {
            return Err(precondition(key, "its pool", format!("{} is not there", path.display())));
        }
        Err(StorageError::OtherLayers { .. }) => {
            return Err(precondition(key, "no other root", "it has one on another content"));
        }
        other => other.map_err(|error| failed(what(), error))?.1,
    };
    let text = serde_json::to_vec_pretty(identity).map_err(|error| failed(what(), error))?;
    let written = pool.write_identity(uuid, &text).map_err(|error| failed(what(), error))?;
    Ok(made == Effect::Changed || written == Effect::Changed)
}

/// Brings the identity beside a root to what its record says; where no root is, there is nothing to do.
pub fn refresh_identity(
    key: &Key,
    pool: &Pool,
    uuid: Uuid,
    edit: impl FnOnce(&mut RootIdentity),
) -> Result<bool, Error> {
    let what = || format!("{key}: the identity beside its root could not be written");
    let Some(text) = pool.read_identity(uuid).map_err(|error| failed(what(), error))? else {
        return Ok(false);
    };
    let mut identity: RootIdentity = serde_json::from_slice(&text).map_err(|error| failed(what(), error))?;
    edit(&mut identity);
    let text = serde_json::to_vec_pretty(&identity).map_err(|error| failed(what(), error))?;
    let effect = pool.write_identity(uuid, &text).map_err(|error| failed(what(), error))?;
    Ok(effect == Effect::Changed)
}

pub fn delete_root(key: &Key, pool: &Pool, uuid: Uuid) -> Result<bool, Error> {
    let effect = pool
        .delete_root(uuid)
        .map_err(|error| failed(format!("{key}: its root could not be removed"), error))?;
    Ok(effect == Effect::Changed)
}

/// A container's root, which an earlier step must have made.
pub fn root(key: &Key, pool: &Pool, uuid: Uuid) -> Result<Root, Error> {
    pool.root(uuid)
        .map_err(|error| failed(format!("{key}: its root cannot be read"), error))?
        .ok_or_else(|| precondition(key, "a root", "there is none"))
}

/// What pools there are, and the roots in them, or only those of `uuids`. Pools are those of records, and those in the
/// data folder whose record was lost.
pub fn observe(
    layout: &Layout,
    records: &BTreeMap<Key, Record>,
    images: &BTreeMap<String, ImageFacts>,
    uuids: Option<&BTreeSet<Uuid>>,
) -> Result<(BTreeMap<String, PoolFacts>, Roots), Error> {
    let mut pools = BTreeMap::new();
    let mut roots = BTreeMap::new();
    for name in names(layout, records) {
        let pool = recorded(layout, records.get(&Key::pool(&name)), &name);
        let what = || format!("pool {name} cannot be read");
        let Pool::Dir(dir) = &pool;
        let looked = pool.observe().and_then(|state| Ok((pool.list_roots(uuids)?, state)));
        let (stored_roots, state) = match looked {
            Ok((_, state)) if state.presence != Presence::Ours => continue,
            Ok(looked) => looked,
            // Another step removed the pool while we looked.
            Err(_) if !dir.source.exists() => continue,
            Err(error) => return Err(failed(what(), error)),
        };
        pools.insert(
            name.clone(),
            PoolFacts {
                source: dir.source.display().to_string(),
                is_mount_point: state.is_mount_point,
                free: state.free_bytes,
            },
        );
        for stored in stored_roots {
            let uuid = stored.uuid;
            if let Some(facts) = root_facts(&name, stored, images) {
                roots.insert(uuid, facts);
            }
        }
    }
    Ok((pools, roots))
}

/// Refuses where a root stands on the content.
pub fn refuse_users(
    layout: &Layout,
    records: &BTreeMap<Key, Record>,
    key: &Key,
    fingerprint: &str,
) -> Result<(), Error> {
    let (_, roots) = observe(layout, records, &BTreeMap::new(), None)?;
    match roots.values().find(|root| root.contents().any(|content| content == fingerprint)) {
        Some(root) => Err(precondition(key, "no root on it", format!("{} stands on it", root.identity.key))),
        None => Ok(()),
    }
}

/// A root whose identity cannot be read is half made: nothing is known that could be adopted.
fn root_facts(pool: &str, stored: StoredRoot, images: &BTreeMap<String, ImageFacts>) -> Option<RootFacts> {
    let mut identity: RootIdentity = serde_json::from_slice(&stored.identity?).ok()?;
    if let Some(content) = stored.content {
        identity.fingerprint = content;
    }
    let image_present = images.contains_key(&identity.fingerprint);
    let persisted = stored.persisted.into_iter().collect();
    let (next, replaced) = (stored.next, stored.replaced);
    Some(RootFacts { pool: pool.to_owned(), identity, image_present, next, replaced, persisted })
}

fn names(layout: &Layout, records: &BTreeMap<Key, Record>) -> Vec<String> {
    let recorded = records.keys().filter(|key| key.kind == Kind::StoragePool).map(|key| key.name.clone());
    let folders = std::fs::read_dir(layout.data.join("pools")).into_iter().flatten().flatten();
    let found = folders.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = recorded.chain(found.filter(|name| !name.starts_with('.'))).collect();
    names.sort();
    names.dedup();
    names
}
