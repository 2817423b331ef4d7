//! Pools: where the roots of containers are. A root is made from an image's layers at no cost of copying.
//!
//! Never removes across a mount or file system, and never uses a folder with content that is not ours.

pub mod beside;
pub mod dir;
pub mod error;
pub mod marker;
mod own_name;
pub mod renamed;
pub mod root_record;

use crate::model::root::Root;
use beside::Which;
use dir::DirPool;
use error::StorageError;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// What an effect did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Changed,
    Unchanged,
}

/// A pool, by its driver. An enum, not a trait: the set of drivers is closed, and each caller goes through these few
/// methods; btrfs (roots that are [`Root::Subvolume`]) becomes the second variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pool {
    Dir(DirPool),
}

/// A container's root as the pool itself remembers it, for the case that the state folder was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRoot {
    pub uuid: Uuid,
    pub root: Root,
    /// What [`Pool::write_identity`] was given last.
    pub identity: Option<Vec<u8>>,
    /// The content's name, where it is not the identity's: a root that took another one's place.
    pub content: Option<String>,
    /// The content of the root that was made to take its place.
    pub next: Option<String>,
    /// The content of the root whose place it took.
    pub replaced: Option<String>,
    /// The paths inside that outlive a root.
    pub persisted: Vec<String>,
}

/// A root to be made beside the one in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRoot<'a> {
    /// The topmost first.
    pub layers: Vec<PathBuf>,
    /// What the caller calls their content.
    pub content: &'a str,
    /// The container's.
    pub name: &'a str,
}

/// Whose the pool's folder is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    Absent,
    /// An empty folder, which may become ours.
    Empty,
    Ours,
    /// A folder with content and no marker, or another pool's marker; in words.
    Foreign(String),
}

/// What is on the host of a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolState {
    pub presence: Presence,
    /// Whether its folder is one: then it keeps its path.
    pub is_mount_point: bool,
    /// Bytes that are free for root, and in all, on its file system; 0 when absent.
    pub free_bytes: u64,
    pub total_bytes: u64,
    pub roots: Vec<Uuid>,
}

impl PoolState {
    pub(super) fn absent() -> PoolState {
        let (free_bytes, total_bytes) = (0, 0);
        PoolState {
            presence: Presence::Absent,
            is_mount_point: false,
            free_bytes,
            total_bytes,
            roots: vec![],
        }
    }
}

impl Pool {
    /// Makes the pool's folder and marks it; refuses a folder with foreign content. Cleans what a crash left.
    pub fn ensure(&self) -> Result<Effect, StorageError> {
        match self {
            Pool::Dir(pool) => pool.ensure(),
        }
    }

    /// Removes an empty pool.
    pub fn remove(&self) -> Result<Effect, StorageError> {
        match self {
            Pool::Dir(pool) => pool.remove(),
        }
    }

    /// Looks at the pool.
    pub fn observe(&self) -> Result<PoolState, StorageError> {
        match self {
            Pool::Dir(pool) => pool.observe(),
        }
    }

    /// Makes the pool known by another name, too; refuses what could not be carried through.
    pub fn begin_rename(&self, to: &Pool) -> Result<(), StorageError> {
        match (self, to) {
            (Pool::Dir(from), Pool::Dir(to)) => from.begin_rename(to),
        }
    }

    /// Gives the pool that name alone, and its folder where the name is in its path.
    pub fn end_rename(&self, to: &Pool) -> Result<(), StorageError> {
        match (self, to) {
            (Pool::Dir(from), Pool::Dir(to)) => from.end_rename(to),
        }
    }

    /// Makes a container's root on `layers`, the topmost first; unchanged when it is there on the same layers.
    pub fn create_root(&self, uuid: Uuid, layers: Vec<PathBuf>) -> Result<(Root, Effect), StorageError> {
        match self {
            Pool::Dir(pool) => pool.create_root(uuid, layers),
        }
    }

    /// The same for a root that has the container's name in it; a root that is there keeps what it has.
    pub fn create_named_root(
        &self,
        uuid: Uuid,
        layers: Vec<PathBuf>,
        name: &str,
    ) -> Result<(Root, Effect), StorageError> {
        match self {
            Pool::Dir(pool) => pool.create_named_root(uuid, layers, Some(name)),
        }
    }

    /// The root of a container, if it is there.
    pub fn root(&self, uuid: Uuid) -> Result<Option<Root>, StorageError> {
        match self {
            Pool::Dir(pool) => pool.root(uuid),
        }
    }

    /// Removes a container's root with all its data; refused while something is mounted in it.
    pub fn delete_root(&self, uuid: Uuid) -> Result<Effect, StorageError> {
        match self {
            Pool::Dir(pool) => pool.delete_root(uuid),
        }
    }

    /// All roots with their identities, or those of `of` that there are.
    pub fn list_roots(&self, of: Option<&BTreeSet<Uuid>>) -> Result<Vec<StoredRoot>, StorageError> {
        match self {
            Pool::Dir(pool) => pool.list_roots(of),
        }
    }

    /// Keeps a copy of the container's identity beside its root, durably.
    pub fn write_identity(&self, uuid: Uuid, identity: &[u8]) -> Result<Effect, StorageError> {
        match self {
            Pool::Dir(pool) => pool.write_identity(uuid, identity),
        }
    }

    /// The identity that stands beside the root.
    pub fn read_identity(&self, uuid: Uuid) -> Result<Option<Vec<u8>>, StorageError> {
        match self {
            Pool::Dir(pool) => pool.read_identity(uuid),
        }
    }

    /// Makes a root beside the one in use.
    pub fn prepare_root(&self, uuid: Uuid, new: &NewRoot<'_>) -> Result<Effect, StorageError> {
        match self {
            Pool::Dir(pool) => pool.prepare_root(uuid, new),
        }
    }

    /// Takes the next root into use; the one that was is kept as the replaced one. `former` is its content's name.
    pub fn swap_root(&self, uuid: Uuid, content: &str, former: &str) -> Result<Effect, StorageError> {
        match self {
            Pool::Dir(pool) => pool.swap_root(uuid, content, former),
        }
    }

    /// Takes the replaced root into use again, and removes the other one.
    pub fn restore_root(&self, uuid: Uuid) -> Result<Effect, StorageError> {
        match self {
            Pool::Dir(pool) => pool.restore_root(uuid),
        }
    }

    /// Removes a root beside the one in use.
    pub fn drop_root(&self, uuid: Uuid, which: Which) -> Result<Effect, StorageError> {
        match self {
            Pool::Dir(pool) => pool.drop_root(uuid, which),
        }
    }

    /// The end of that folder's path, by which it is known in whichever mount shows it.
    pub fn persisted_end(&self, uuid: Uuid, path: &str) -> PathBuf {
        match self {
            Pool::Dir(pool) => pool.persisted_end(uuid, path),
        }
    }

    /// The folder in which a path inside outlives the container's roots.
    pub fn persisted(&self, uuid: Uuid, path: &str) -> PathBuf {
        match self {
            Pool::Dir(pool) => pool.persisted(uuid, path),
        }
    }

    /// An empty folder to be filled, and then kept.
    pub fn begin_keeping(&self, uuid: Uuid) -> Result<PathBuf, StorageError> {
        match self {
            Pool::Dir(pool) => pool.begin_keeping(uuid),
        }
    }

    /// Keeps a folder that was filled, as that path.
    pub fn keep(&self, uuid: Uuid, path: &str, filled: &Path) -> Result<(), StorageError> {
        match self {
            Pool::Dir(pool) => pool.keep(uuid, path, filled),
        }
    }

    /// Removes what deletions that were cut short left; gives how many trees went.
    pub fn clean_trash(&self) -> Result<usize, StorageError> {
        match self {
            Pool::Dir(pool) => pool.clean_trash(),
        }
    }
}
