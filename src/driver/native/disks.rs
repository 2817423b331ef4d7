//! Disks of a container: bound at its start or while it runs, found in its mounts, taken out.

use super::containers::Running;
use super::failure::{failed, precondition};
use super::{Native, run_record};
use crate::driver::Error;
use crate::model::key::Key;
use crate::model::run::Disk;
use crate::runtime::container::IdShift;
use crate::runtime::error::Error as RuntimeError;
use crate::runtime::identity::ProcessId;
use crate::runtime::mount_table::{self, Table};
use crate::runtime::rootfs::{self, Shift};
use crate::runtime::start_spec::Bind;
use crate::runtime::{inside_path, mounts};
use linux::mount::Reach;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use uuid::Uuid;

/// Binds a disk into a running container.
pub fn attach(native: &Native, key: &Key, uuid: Uuid, disk: &Disk) -> Result<bool, Error> {
    let what = || format!("{key}: disk {} could not be attached", disk.device);
    let running = Running::find(native, key, uuid)?;
    let recorded = run_record::read(&native.layout.run, key, uuid)?.map(|record| record.run.disks);
    let recorded = recorded.unwrap_or_default();
    let target = disk.path.display().to_string();
    let table = mount_table::of(running.init.pid).map_err(|error| failed(what(), error))?;
    let mounted = Mounted { init: running.init, table: &table, host: &HostTable::default() };
    let is_unlocked = |old: &Disk| old.is_unlocked_as(disk) && mounted.is_unlocked(old, &recorded);
    let before = recorded.iter().find(|old| old.device == disk.device);
    if let Some(other) = before.filter(|other| *other != disk && !is_unlocked(other)) {
        let found = format!("it is mounted at {}", other.path.display());
        return Err(precondition(key, format!("disk {} detached first", disk.device), found));
    }
    let mut changed = false;
    if mounted.places(disk, &recorded).is_empty() && is_there(disk) {
        let shift = running.shift().map_err(|error| failed(what(), error))?;
        let tree = tree(key, disk, shift.as_ref().map(IdShift::borrow))?;
        let bind = Bind { target, readonly: disk.readonly };
        mounts::attach(&native.spawner, running.init, &tree, &bind, running.spec.root_ids())
            .map_err(|error| failed(what(), error))?;
        changed = true;
    }
    let recorded = run_record::change(&native.layout.run, key, uuid, |run| {
        run_record::put(&mut run.disks, disk.clone(), |disk| &disk.device);
    })?;
    Ok(changed || recorded)
}

pub fn detach(native: &Native, key: &Key, uuid: Uuid, disk: &Disk) -> Result<bool, Error> {
    let what = || format!("{key}: disk {} could not be detached", disk.device);
    let running = Running::find(native, key, uuid)?;
    let recorded = run_record::read(&native.layout.run, key, uuid)?.map(|record| record.run.disks);
    let recorded = recorded.unwrap_or_default();
    let table = mount_table::of(running.init.pid).map_err(|error| failed(what(), error))?;
    let mounted = Mounted { init: running.init, table: &table, host: &HostTable::default() };
    let mut places = mounted.places(disk, &recorded);
    places.retain(|place| !mounted.is_of_another(place, disk, &recorded));
    let changed = !places.is_empty();
    for target in places {
        let target = target.display().to_string();
        mounts::detach(&native.spawner, running.init, &target).map_err(|error| failed(what(), error))?;
    }
    let recorded = run_record::change(&native.layout.run, key, uuid, |run| {
        run.disks.retain(|other| other.device != disk.device);
    })?;
    Ok(changed || recorded)
}

/// The host's own mounts, read when the first disk needs them: once for a look, however many stand elsewhere.
#[derive(Debug, Default)]
pub struct HostTable(OnceLock<Table>);

impl HostTable {
    fn get(&self) -> &Table {
        // Without it a disk that stands elsewhere is not found: nothing worse.
        self.0.get_or_init(|| mount_table::of_host().unwrap_or_default())
    }
}

/// What is mounted in a running container.
pub struct Mounted<'a> {
    pub init: ProcessId,
    pub table: &'a Table,
    pub host: &'a HostTable,
}

/// Where the runtime mounts something itself, so that a mount there is not yet a disk's.
const OWN: [&str; 8] =
    ["/proc", "/sys", "/sys/fs/cgroup", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/run"];

impl Mounted<'_> {
    /// Where a disk stands: at its path, or where a link in that leads, or led when it was mounted. All: what the
    /// container was asked to have. A place as often as the disk is mounted there.
    pub fn places(&self, disk: &Disk, all: &[Disk]) -> Vec<PathBuf> {
        if self.table.stands_at(&disk.path) && !OWN.iter().any(|own| disk.path == Path::new(own)) {
            return vec![disk.path.clone()];
        }
        let source = disk.source.canonicalize().unwrap_or_else(|_| disk.source.clone());
        let Some(shown) = self.host.get().shown_at(&source) else { return vec![] };
        let place = self.real(disk);
        let (there, elsewhere): (Vec<&Path>, Vec<&Path>) =
            self.table.targets_of(&shown).partition(|target| **target == *place);
        let found = if there.is_empty() {
            elsewhere.into_iter().filter(|target| !self.is_of_another(target, disk, all)).collect()
        } else {
            there
        };
        found.into_iter().map(Path::to_path_buf).collect()
    }

    /// Whether a disk stands where it can be written to.
    pub fn is_unlocked(&self, disk: &Disk, all: &[Disk]) -> bool {
        self.places(disk, all).iter().any(|place| self.table.is_writable_at(place))
    }

    /// Whether another disk's path leads to this place.
    fn is_of_another(&self, place: &Path, disk: &Disk, all: &[Disk]) -> bool {
        let others = all.iter().filter(|other| other.device != disk.device);
        others.into_iter().any(|other| other.path == place || *self.real(other) == *place)
    }

    fn real(&self, disk: &Disk) -> PathBuf {
        inside_path::real(self.init, self.table, &disk.path).unwrap_or_else(|| disk.path.clone())
    }
}

/// Whether a disk's source is to be bound: a required one always is.
pub fn is_there(disk: &Disk) -> bool {
    disk.required || disk.source.exists()
}

/// A disk's source as a detached mount.
pub fn tree(key: &Key, disk: &Disk, shift: Option<Shift<'_>>) -> Result<OwnedFd, Error> {
    let what = || format!("{key}: disk {}: {} cannot be bound", disk.device, disk.source.display());
    let namespace = shift.filter(|_| disk.shift).map(|shift| shift.namespace);
    let reach = if disk.recursive { Reach::Tree } else { Reach::One };
    rootfs::clone_tree(&disk.source, namespace, reach)
        .map_err(|failure| failed(what(), RuntimeError::from(failure)))
}
