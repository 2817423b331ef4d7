//! A pool in a plain folder: each root is an overlay on its image.
//!
//! ```text
//! SOURCE/.bayplan-pool                  whose it is
//!        containers/UUID/root.json      the layers          identity.json   what the caller keeps there
//!                        upper/ work/   the overlay's; more of a container's folder: `beside`
//!        .making/UUID   .trash/UUID.N   what is half made, half removed: swept by the next pass
//! ```

use super::error::StorageError;
use super::marker::{self, Marker};
use super::own_name;
use super::renamed::is_mount_point;
use super::root_record::{self, RootRecord};
use super::{Effect, PoolState, Presence, StoredRoot};
use crate::model::root::Root;
use rustix::fs::{self, Mode};
use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// A `dir` pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirPool {
    /// The state folder's tag.
    pub tag: String,
    /// The pool's name.
    pub name: String,
    /// Absolute.
    pub source: PathBuf,
}

const FOLDERS: [&str; 3] = ["containers", ".making", ".trash"];

impl DirPool {
    pub(super) fn ensure(&self) -> Result<Effect, StorageError> {
        let made_folder = match self.presence()? {
            Presence::Foreign(what) => return Err(StorageError::Foreign { path: self.source.clone(), what }),
            Presence::Ours => {
                self.ensure_folders()?;
                return Ok(if self.sweep()? > 0 { Effect::Changed } else { Effect::Unchanged });
            }
            Presence::Empty => false,
            Presence::Absent => true,
        };
        if made_folder {
            self.make_source()?;
        }
        marker::write(&self.source, &Marker::dir(&self.tag, &self.name, made_folder))?;
        self.ensure_folders()?;
        Ok(Effect::Changed)
    }

    pub(super) fn remove(&self) -> Result<Effect, StorageError> {
        match self.presence()? {
            Presence::Absent | Presence::Empty => return Ok(Effect::Unchanged),
            Presence::Foreign(what) => return Err(StorageError::Foreign { path: self.source.clone(), what }),
            Presence::Ours => {}
        }
        let count = self.uuids()?.len();
        if count > 0 {
            return Err(StorageError::NotEmpty { path: self.source.clone(), count });
        }
        self.sweep()?;
        let made_folder = marker::read(&self.source)?.is_some_and(|marker| marker.made_folder);
        for folder in FOLDERS {
            remove_folder(&self.source.join(folder))?;
        }
        let marker = marker::path(&self.source);
        std::fs::remove_file(&marker).map_err(|source| StorageError::io("remove", &marker, source))?;
        if made_folder {
            // What a user put there meanwhile stays, and so does the folder.
            let _ = std::fs::remove_dir(&self.source);
        }
        Ok(Effect::Changed)
    }

    pub(super) fn observe(&self) -> Result<PoolState, StorageError> {
        let presence = self.presence()?;
        if presence == Presence::Absent {
            return Ok(PoolState::absent());
        }
        let space = fs::statvfs(&self.source)
            .map_err(|source| StorageError::io("look at the space of", &self.source, source))?;
        Ok(PoolState {
            roots: if presence == Presence::Ours { self.uuids()? } else { Vec::new() },
            presence,
            is_mount_point: is_mount_point(&self.source)?,
            free_bytes: space.f_bavail.saturating_mul(space.f_frsize),
            total_bytes: space.f_blocks.saturating_mul(space.f_frsize),
        })
    }

    pub(super) fn create_root(
        &self,
        uuid: Uuid,
        layers: Vec<PathBuf>,
    ) -> Result<(Root, Effect), StorageError> {
        self.create_named_root(uuid, layers, None)
    }

    pub(super) fn create_named_root(
        &self,
        uuid: Uuid,
        layers: Vec<PathBuf>,
        name: Option<&str>,
    ) -> Result<(Root, Effect), StorageError> {
        self.check_pool()?;
        let folder = self.folder(uuid);
        if let Some(found) = root_record::read(&folder)? {
            if found.layers != layers {
                return Err(StorageError::OtherLayers { uuid, layers: found.layers });
            }
            return Ok((self.overlay(uuid, &found), Effect::Unchanged));
        }
        let making = self.source.join(".making");
        let place = uuid.to_string();
        remove_tree(&making, Path::new(&place))?;
        let half = making.join(&place);
        make_root(&half, &layers, name)?;
        let record = RootRecord::new(layers);
        // Syncs the folder too, with what was made in it before.
        root_record::write(&half, &record)?;
        rename(&half, &folder)?;
        sync(&self.source.join("containers"))?;
        Ok((self.overlay(uuid, &record), Effect::Changed))
    }

    pub(super) fn root(&self, uuid: Uuid) -> Result<Option<Root>, StorageError> {
        Ok(root_record::read(&self.folder(uuid))?.map(|record| self.overlay(uuid, &record)))
    }

    /// Renamed away first: a crash then leaves trash, never half a root.
    pub(super) fn delete_root(&self, uuid: Uuid) -> Result<Effect, StorageError> {
        let folder = self.folder(uuid);
        if !exists(&folder)? {
            return Ok(Effect::Unchanged);
        }
        self.check_pool()?;
        self.discard(uuid, &folder)?;
        Ok(Effect::Changed)
    }

    /// Removes one of a container's folders.
    pub(super) fn discard(&self, uuid: Uuid, folder: &Path) -> Result<(), StorageError> {
        self.refuse_mounts(folder)?;
        let trash = self.source.join(".trash");
        let target = (0u32..)
            .map(|number| trash.join(format!("{uuid}.{number}")))
            .find(|path| std::fs::symlink_metadata(path).is_err())
            .unwrap_or_else(|| trash.join(uuid.to_string()));
        rename(folder, &target)?;
        sync(folder.parent().unwrap_or(&self.source))?;
        remove_tree(&trash, Path::new(target.file_name().unwrap_or_default()))
    }

    pub(super) fn list_roots(&self, of: Option<&BTreeSet<Uuid>>) -> Result<Vec<StoredRoot>, StorageError> {
        let mut roots = Vec::new();
        let uuids = match of {
            Some(uuids) => uuids.iter().copied().collect(),
            None => self.uuids()?,
        };
        for uuid in uuids {
            if let Some(record) = root_record::read(&self.folder(uuid))? {
                roots.push(StoredRoot {
                    uuid,
                    root: self.overlay(uuid, &record),
                    identity: self.read_identity(uuid)?,
                    content: record.content,
                    next: record.next.map(|next| next.content),
                    replaced: record.replaced.map(|replaced| replaced.content),
                    persisted: self.persisted_paths(uuid)?,
                });
            }
        }
        Ok(roots)
    }

    pub(super) fn write_identity(&self, uuid: Uuid, identity: &[u8]) -> Result<Effect, StorageError> {
        if !exists(&self.folder(uuid))? {
            return Err(StorageError::NoRoot { uuid, pool: self.source.clone() });
        }
        if self.read_identity(uuid)?.as_deref() == Some(identity) {
            return Ok(Effect::Unchanged);
        }
        let path = self.identity_path(uuid);
        tree::durable::write(&path, identity).map_err(|source| StorageError::io("write", &path, source))?;
        Ok(Effect::Changed)
    }

    pub(super) fn read_identity(&self, uuid: Uuid) -> Result<Option<Vec<u8>>, StorageError> {
        let path = self.identity_path(uuid);
        match std::fs::read(&path) {
            Ok(identity) => Ok(Some(identity)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StorageError::io("read", &path, error)),
        }
    }

    pub(super) fn clean_trash(&self) -> Result<usize, StorageError> {
        match self.presence()? {
            Presence::Ours => self.sweep(),
            _ => Ok(0),
        }
    }

    pub(super) fn presence(&self) -> Result<Presence, StorageError> {
        marker::presence(&self.source, &Marker::dir(&self.tag, &self.name, false))
    }

    pub(super) fn check_pool(&self) -> Result<(), StorageError> {
        match self.presence()? {
            Presence::Ours => Ok(()),
            Presence::Foreign(what) => Err(StorageError::Foreign { path: self.source.clone(), what }),
            Presence::Absent | Presence::Empty => Err(StorageError::NoPool { path: self.source.clone() }),
        }
    }

    fn make_source(&self) -> Result<(), StorageError> {
        std::fs::create_dir_all(&self.source)
            .map_err(|source| StorageError::io("make", &self.source, source))?;
        // Root only: setuid files of containers must not be within reach of the host's users.
        std::fs::set_permissions(&self.source, std::fs::Permissions::from_mode(0o700))
            .map_err(|source| StorageError::io("set the mode of", &self.source, source))
    }

    fn ensure_folders(&self) -> Result<(), StorageError> {
        for folder in FOLDERS {
            let path = self.source.join(folder);
            if !exists(&path)? {
                make_folder(&path)?;
            }
        }
        sync(&self.source)
    }

    /// Only the holder of the writers' lock comes here: whatever is in these folders has no owner.
    fn sweep(&self) -> Result<usize, StorageError> {
        let mut count = 0;
        for folder in [".making", ".trash"] {
            let path = self.source.join(folder);
            for name in names(&path)? {
                self.refuse_mounts(&path.join(&name))?;
                remove_tree(&path, Path::new(&name))?;
                count += 1;
            }
        }
        Ok(count)
    }

    pub(super) fn refuse_mounts(&self, folder: &Path) -> Result<(), StorageError> {
        let failed = |source| StorageError::io("look for mounts below", folder, source);
        let mounts = folder.canonicalize().and_then(|path| tree::mounts::below(&path)).map_err(failed)?;
        if mounts.is_empty() {
            return Ok(());
        }
        Err(StorageError::Mounted { path: folder.to_owned(), mounts })
    }

    fn uuids(&self) -> Result<Vec<Uuid>, StorageError> {
        let mut uuids: Vec<_> = names(&self.source.join("containers"))?
            .iter()
            .filter_map(|name| name.to_str()?.parse().ok())
            .collect();
        uuids.sort();
        Ok(uuids)
    }

    pub(super) fn folder(&self, uuid: Uuid) -> PathBuf {
        self.source.join("containers").join(uuid.to_string())
    }

    fn identity_path(&self, uuid: Uuid) -> PathBuf {
        self.folder(uuid).join("identity.json")
    }

    fn overlay(&self, uuid: Uuid, record: &RootRecord) -> Root {
        let folder = self.folder(uuid).join(&record.place);
        let layers = record.layers.clone();
        Root::Overlay { layers, upper: folder.join("upper"), work: folder.join("work") }
    }
}

/// What a root on `layers` has of its own, in a new folder.
pub(super) fn make_root(folder: &Path, layers: &[PathBuf], name: Option<&str>) -> Result<(), StorageError> {
    make_folder(folder)?;
    make_folder(&folder.join("work"))?;
    let upper = folder.join("upper");
    make_upper(&upper, layers)?;
    if let (Some(name), Some(top)) = (name, layers.first()) {
        own_name::write(&upper, top, name).map_err(|source| StorageError::io("name", &upper, source))?;
    }
    Ok(())
}

/// The overlay's top shows the upper folder's owner and mode: they are the image's.
fn make_upper(upper: &Path, layers: &[PathBuf]) -> Result<(), StorageError> {
    make_folder(upper)?;
    for layer in layers {
        if !layer.is_dir() {
            return Err(StorageError::NoLayer { path: layer.clone() });
        }
    }
    let Some(top) = layers.first() else { return Ok(()) };
    let image = std::fs::metadata(top).map_err(|source| StorageError::io("look at", top, source))?;
    std::os::unix::fs::chown(upper, Some(image.uid()), Some(image.gid()))
        .and_then(|()| std::fs::set_permissions(upper, image.permissions()))
        .map_err(|source| StorageError::io("set owner and mode of", upper, source))
}

pub(super) fn make_folder(path: &Path) -> Result<(), StorageError> {
    fs::mkdir(path, Mode::RWXU).map_err(|source| StorageError::io("make", path, source))
}

fn remove_folder(path: &Path) -> Result<(), StorageError> {
    match std::fs::remove_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StorageError::io("remove", path, error)),
        _ => Ok(()),
    }
}

pub(super) fn remove_tree(parent: &Path, name: &Path) -> Result<(), StorageError> {
    tree::remove::remove(parent, name)
        .map(|_| ())
        .map_err(|source| StorageError::io("remove", &parent.join(name), source))
}

pub(super) fn rename(from: &Path, to: &Path) -> Result<(), StorageError> {
    std::fs::rename(from, to).map_err(|source| StorageError::io("rename to", to, source))
}

pub(super) fn sync(folder: &Path) -> Result<(), StorageError> {
    tree::durable::sync_dir(folder).map_err(|source| StorageError::io("fsync", folder, source))
}

pub(super) fn exists(path: &Path) -> Result<bool, StorageError> {
    path.try_exists().map_err(|source| StorageError::io("look at", path, source))
}

pub(super) fn names(folder: &Path) -> Result<Vec<std::ffi::OsString>, StorageError> {
    let failed = |source| StorageError::io("list", folder, source);
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    entries.map(|entry| entry.map(|entry| entry.file_name()).map_err(failed)).collect()
}
