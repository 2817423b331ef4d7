//! More than one root of a container, and the folders that outlive a root.
//!
//! ```text
//! containers/UUID/root.json        which root is in use, next, replaced: one write swaps them
//!                 upper/ work/     the first root
//!                 root-N/{upper,work}   later ones
//!                 persist/NAME     what a replace keeps
//! prepare ─► next ─► swap ─► in use, the former one replaced ─► drop      restore: the replaced one in use again
//! ```
//!
//! Whatever root.json does not name is trash, removed by the next call that looks.

use super::dir::{DirPool, exists, make_folder, make_root, names, remove_tree, rename, sync};
use super::error::StorageError;
use super::root_record::{self, Beside, RootRecord};
use super::{Effect, NewRoot};
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// Which root beside the one in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    Next,
    Replaced,
}

impl DirPool {
    /// Makes a root beside the one in use.
    pub(super) fn prepare_root(&self, uuid: Uuid, new: &NewRoot<'_>) -> Result<Effect, StorageError> {
        self.check_pool()?;
        let mut record = self.roots(uuid)?;
        let is_there = |next: &Beside| next.layers == new.layers && next.content == new.content;
        if record.next.as_ref().is_some_and(is_there) {
            return Ok(Effect::Unchanged);
        }
        record.next = None;
        self.put_roots(uuid, &record)?;
        let folder = self.folder(uuid);
        let place = (1u32..).map(|number| format!("root-{number}")).find(|name| !folder.join(name).exists());
        let place = place.unwrap_or_else(|| "root-0".to_owned());
        let making = self.source.join(".making");
        let name = uuid.to_string();
        remove_tree(&making, Path::new(&name))?;
        let half = making.join(&name);
        make_root(&half, &new.layers, Some(new.name))?;
        sync(&half)?;
        rename(&half, &folder.join(&place))?;
        sync(&folder)?;
        record.next = Some(Beside { layers: new.layers.clone(), place, content: new.content.to_owned() });
        root_record::write(&folder, &record)?;
        Ok(Effect::Changed)
    }

    /// Takes the next root into use, if it is of that content; the former one is kept as the replaced one. `former` is
    /// the former content's name. Unchanged where a root of that content is in use already.
    pub(super) fn swap_root(&self, uuid: Uuid, content: &str, former: &str) -> Result<Effect, StorageError> {
        self.check_pool()?;
        let mut record = self.roots(uuid)?;
        let folder = self.folder(uuid);
        match record.next.take() {
            Some(next) if next.content == content => {
                self.refuse_mounts(&folder)?;
                record.replaced = Some(record.as_beside(former));
                record.use_root(next);
                self.put_roots(uuid, &record)?;
                Ok(Effect::Changed)
            }
            _ if record.content.as_deref().unwrap_or(former) == content => Ok(Effect::Unchanged),
            _ => Err(StorageError::NoNextRoot { uuid, content: content.to_owned() }),
        }
    }

    /// Takes the replaced root into use again; the other one is removed. Unchanged where there is none.
    pub(super) fn restore_root(&self, uuid: Uuid) -> Result<Effect, StorageError> {
        self.check_pool()?;
        let mut record = self.roots(uuid)?;
        let Some(replaced) = record.replaced.take() else { return Ok(Effect::Unchanged) };
        self.refuse_mounts(&self.folder(uuid))?;
        record.use_root(replaced);
        self.put_roots(uuid, &record)?;
        Ok(Effect::Changed)
    }

    /// Removes a root that is not in use.
    pub(super) fn drop_root(&self, uuid: Uuid, which: Which) -> Result<Effect, StorageError> {
        let Some(mut record) = root_record::read(&self.folder(uuid))? else { return Ok(Effect::Unchanged) };
        let dropped = match which {
            Which::Next => record.next.take(),
            Which::Replaced => record.replaced.take(),
        };
        if dropped.is_none() {
            return Ok(Effect::Unchanged);
        }
        self.check_pool()?;
        self.put_roots(uuid, &record)?;
        Ok(Effect::Changed)
    }

    /// The folder in which a path of a container outlives its roots.
    pub(super) fn persisted(&self, uuid: Uuid, path: &str) -> PathBuf {
        self.folder(uuid).join("persist").join(encoded(path))
    }

    pub(super) fn persisted_end(&self, uuid: Uuid, path: &str) -> PathBuf {
        let whole = self.persisted(uuid, path);
        whole.strip_prefix(&self.source).map_or_else(|_| whole.clone(), Path::to_owned)
    }

    /// A folder to be filled, and then to be kept by [`DirPool::keep`].
    pub(super) fn begin_keeping(&self, uuid: Uuid) -> Result<PathBuf, StorageError> {
        self.check_pool()?;
        let making = self.source.join(".making");
        let name = format!("{uuid}.persist");
        remove_tree(&making, Path::new(&name))?;
        make_folder(&making.join(&name))?;
        Ok(making.join(name))
    }

    /// Keeps a folder that was filled.
    pub(super) fn keep(&self, uuid: Uuid, path: &str, filled: &Path) -> Result<(), StorageError> {
        let all = self.folder(uuid).join("persist");
        if !exists(&all)? {
            make_folder(&all)?;
            sync(&self.folder(uuid))?;
        }
        sync(filled)?;
        rename(filled, &self.persisted(uuid, path))?;
        sync(&all)
    }

    /// The paths of a container that outlive its roots.
    pub(super) fn persisted_paths(&self, uuid: Uuid) -> Result<Vec<String>, StorageError> {
        let names = names(&self.folder(uuid).join("persist"))?;
        Ok(names.iter().filter_map(|name| decoded(name.to_str()?)).collect())
    }

    fn roots(&self, uuid: Uuid) -> Result<RootRecord, StorageError> {
        root_record::read(&self.folder(uuid))?
            .ok_or_else(|| StorageError::NoRoot { uuid, pool: self.source.clone() })
    }

    /// Writes which roots there are, and removes all others.
    fn put_roots(&self, uuid: Uuid, record: &RootRecord) -> Result<(), StorageError> {
        let folder = self.folder(uuid);
        root_record::write(&folder, record)?;
        let used: Vec<&str> = record.places().collect();
        for name in names(&folder)? {
            let Some(name) = name.to_str() else { continue };
            let is_unused = match name {
                "upper" | "work" => !used.contains(&""),
                name => name.starts_with("root-") && !used.contains(&name),
            };
            if is_unused {
                self.discard(uuid, &folder.join(name))?;
            }
        }
        Ok(())
    }
}

/// `/var/lib/app` as one name.
fn encoded(path: &str) -> String {
    path.trim_start_matches('/').replace('%', "%25").replace('/', "%2F")
}

fn decoded(name: &str) -> Option<String> {
    (!name.is_empty()).then(|| format!("/{}", name.replace("%2F", "/").replace("%25", "%")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_name_and_comes_back() {
        for path in ["/var/lib/postgresql", "/srv", "/a%2Fb/c%"] {
            assert!(!encoded(path).contains('/'));
            assert_eq!(decoded(&encoded(path)).as_deref(), Some(path));
        }
    }
}
