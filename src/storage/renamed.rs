//! A `dir` pool under another name, while roots in it are mounted: overlays hold their folders, whatever those are called.
//!
//! ```text
//! marker: the new name, formerly the old one ─► folder, where the pool's name is in its path ─► marker: the new name
//! ```
//!
//! From the first of these on the pool is known by both names, so that a crash in between hides no root.

use super::Presence;
use super::dir::{DirPool, exists, sync};
use super::error::StorageError;
use super::marker::{self, Marker};
use rustix::fs::{AtFlags, CWD, RenameFlags, StatxAttributes, StatxFlags, renameat_with, statx};
use std::path::Path;

impl DirPool {
    /// Makes the pool known as `to`, too. Refuses what could not be carried through: a folder that cannot be renamed, or
    /// whose new path is taken.
    pub(super) fn begin_rename(&self, to: &DirPool) -> Result<(), StorageError> {
        if to.presence()? == Presence::Ours {
            return Ok(());
        }
        match self.presence()? {
            Presence::Absent | Presence::Empty => return Ok(()),
            Presence::Foreign(what) => return Err(StorageError::Foreign { path: self.source.clone(), what }),
            Presence::Ours => {}
        }
        if self.source != to.source {
            if is_mount_point(&self.source)? {
                return Err(StorageError::MountPoint { path: self.source.clone() });
            }
            if exists(&to.source)? {
                return Err(StorageError::Taken { path: to.source.clone() });
            }
        }
        self.mark(&to.name, Some(&self.name))
    }

    /// Moves the folder where it has another path now; from here on the pool is known as `to` alone.
    pub(super) fn end_rename(&self, to: &DirPool) -> Result<(), StorageError> {
        let moves = self.source != to.source && self.presence()? == Presence::Ours;
        if moves {
            renameat_with(CWD, &self.source, CWD, &to.source, RenameFlags::NOREPLACE)
                .map_err(|source| StorageError::io("rename to", &to.source, source))?;
            sync(to.source.parent().unwrap_or(&to.source))?;
        }
        match to.presence()? {
            Presence::Ours => to.mark(&to.name, None),
            _ => Ok(()), // there was no folder
        }
    }

    fn mark(&self, name: &str, former: Option<&str>) -> Result<(), StorageError> {
        let made_folder = marker::read(&self.source)?.is_some_and(|marker| marker.made_folder);
        let mut marker = Marker::dir(&self.tag, name, made_folder);
        marker.former = former.map(str::to_owned);
        marker::write(&self.source, &marker)
    }
}

/// Whether something is mounted just there: what stands on it cannot be renamed.
pub(super) fn is_mount_point(path: &Path) -> Result<bool, StorageError> {
    let stat = statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::TYPE)
        .map_err(|source| StorageError::io("look at", path, source))?;
    Ok(stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}
