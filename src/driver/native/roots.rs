//! More than one root of a container: prepared, swapped, taken back; folders that outlive them; what would be lost.

use super::failure::{failed, precondition};
use super::{Native, containers, pools};
use crate::driver::Error;
use crate::image::copy;
use crate::model::key::Key;
use crate::model::observed::{Dropped, RootQuery};
use crate::model::record::RootIdentity;
use crate::model::root::Root;
use crate::model::step::BesideRoot;
use crate::runtime::error::Error as RuntimeError;
use crate::runtime::rootfs;
use crate::storage::beside::Which;
use crate::storage::error::StorageError;
use crate::storage::{Effect, NewRoot, Pool};
use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;
use std::fs;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// Files that Bayplan itself wrote when it made the root.
const OWN: [&str; 3] = ["/etc/hostname", "/etc/hosts", "/etc/resolv.conf"];

pub fn prepare(
    native: &Native,
    key: &Key,
    (pool, uuid): (&str, Uuid),
    layer: PathBuf,
    fingerprint: &str,
) -> Result<bool, Error> {
    let new = NewRoot { layers: vec![layer], content: fingerprint, name: &key.name };
    answer(key, "its new root could not be made", native.pool(pool)?.prepare_root(uuid, &new))
}

pub fn swap(
    native: &Native,
    key: &Key,
    (pool, uuid): (&str, Uuid),
    fingerprint: &str,
) -> Result<bool, Error> {
    let pool = native.pool(pool)?;
    let former = identity(key, &pool, uuid)?.fingerprint;
    if former != fingerprint || is_prepared(&pool, uuid) {
        refuse_running(native, key, uuid)?;
    }
    let swapped = match pool.swap_root(uuid, fingerprint, &former) {
        Err(StorageError::NoNextRoot { .. }) => {
            return Err(precondition(key, format!("a prepared root of {fingerprint}"), "there is none"));
        }
        other => answer(key, "its roots could not be swapped", other)?,
    };
    Ok(name_content(key, &pool, uuid, fingerprint)? || swapped)
}

pub fn restore(native: &Native, key: &Key, (pool, uuid): (&str, Uuid)) -> Result<bool, Error> {
    let pool = native.pool(pool)?;
    let Some(replaced) = stored(&pool, uuid).and_then(|stored| stored.replaced) else { return Ok(false) };
    refuse_running(native, key, uuid)?;
    let restored = answer(key, "its former root could not be taken back", pool.restore_root(uuid))?;
    Ok(name_content(key, &pool, uuid, &replaced)? || restored)
}

pub fn drop_beside(
    native: &Native,
    key: &Key,
    (pool, uuid): (&str, Uuid),
    which: BesideRoot,
) -> Result<bool, Error> {
    let which = match which {
        BesideRoot::Next => Which::Next,
        BesideRoot::Replaced => Which::Replaced,
    };
    answer(key, "a root of it could not be removed", native.pool(pool)?.drop_root(uuid, which))
}

/// What the root in use has at the path becomes the folder's first content.
pub fn persist(native: &Native, key: &Key, (pool, uuid): (&str, Uuid), path: &str) -> Result<bool, Error> {
    let what = || format!("{key}: {path} could not be given a place of its own");
    let store = native.pool(pool)?;
    if store.persisted(uuid, path).exists() {
        return Ok(false);
    }
    refuse_running(native, key, uuid)?;
    containers::refuse_lost_layers(native, key, pool, uuid)?;
    let root = pools::root(key, &store, uuid)?;
    let root = rootfs::to_read(&root).map_err(|failure| failed(what(), RuntimeError::from(failure)))?;
    let filled = store.begin_keeping(uuid).map_err(|error| failed(what(), error))?;
    match folder_inside(&root, path).map_err(|error| failed(what(), std::io::Error::from(error)))? {
        Some(folder) => {
            let from = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd()));
            copy::copy(&from, &filled).map_err(|error| failed(what(), error))?;
        }
        None => {
            fs::set_permissions(&filled, fs::Permissions::from_mode(0o755))
                .map_err(|error| failed(what(), error))?;
        }
    }
    store.keep(uuid, path, &filled).map_err(|error| failed(what(), error))?;
    Ok(true)
}

/// None: nothing is there, or no folder.
fn folder_inside(root: &OwnedFd, path: &str) -> Result<Option<OwnedFd>, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    match openat2(root.as_fd(), path, flags, Mode::empty(), resolve) {
        Ok(folder) => Ok(Some(folder)),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(error) => Err(error),
    }
}

/// None: there is no such root.
pub fn dropped(native: &Native, key: &Key, query: &RootQuery) -> Result<Option<Dropped>, Error> {
    let what = || format!("{key}: what was written inside cannot be counted");
    let root = native.pool(&query.pool)?.root(query.uuid).map_err(|error| failed(what(), error))?;
    let Some(Root::Overlay { upper, .. }) = root else { return Ok(None) };
    let mut dropped = Dropped::default();
    count(&upper, "", query, &mut dropped).map_err(|error| failed(what(), error))?;
    Ok(Some(dropped))
}

/// Everything but folders, in the order of names; what is removed there has an entry too (a whiteout).
fn count(folder: &Path, inside: &str, query: &RootQuery, dropped: &mut Dropped) -> std::io::Result<()> {
    let mut names: Vec<_> = fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    names.sort_by_key(fs::DirEntry::file_name);
    for entry in names {
        let path = format!("{inside}/{}", entry.file_name().to_string_lossy());
        if query.excepts(&path) || OWN.contains(&path.as_str()) {
            continue;
        }
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => count(&entry.path(), &path, query, dropped)?,
            Ok(_) => dropped.add(&path),
            // It went while we looked: the container runs.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn answer(key: &Key, what: &str, done: Result<Effect, StorageError>) -> Result<bool, Error> {
    match done {
        Err(StorageError::NoRoot { .. }) => Err(precondition(key, "a root", "there is none")),
        other => Ok(other.map_err(|error| failed(format!("{key}: {what}"), error))? == Effect::Changed),
    }
}

fn refuse_running(native: &Native, key: &Key, uuid: Uuid) -> Result<(), Error> {
    match containers::runs(native, key, uuid)? {
        true => Err(precondition(key, "a container that does not run", "it runs")),
        false => Ok(()),
    }
}

fn stored(pool: &Pool, uuid: Uuid) -> Option<crate::storage::StoredRoot> {
    pool.list_roots(Some(&[uuid].into())).ok()?.into_iter().next()
}

fn is_prepared(pool: &Pool, uuid: Uuid) -> bool {
    stored(pool, uuid).is_some_and(|stored| stored.next.is_some())
}

/// What stands beside the root in use.
fn identity(key: &Key, pool: &Pool, uuid: Uuid) -> Result<RootIdentity, Error> {
    let what = || format!("{key}: the identity beside its root cannot be read");
    let text = pool.read_identity(uuid).map_err(|error| failed(what(), error))?;
    let text = text.ok_or_else(|| precondition(key, "a root", "there is none"))?;
    serde_json::from_slice(&text).map_err(|error| failed(what(), error))
}

fn name_content(key: &Key, pool: &Pool, uuid: Uuid, fingerprint: &str) -> Result<bool, Error> {
    pools::refresh_identity(key, pool, uuid, |beside| beside.fingerprint = fingerprint.to_owned())
}
