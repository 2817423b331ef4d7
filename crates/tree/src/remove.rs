//! Removes a tree by directory descriptors. Never follows a symbolic link, never enters another mount or file
//! system: it stops with an error there, before anything of it is removed.
//!
//! A tree deeper than [`MAX_DEPTH`] is taken apart: the folder that lies too deep is moved up to the top and removed
//! in its turn, so that no tree needs more descriptors than that.

use rustix::fs::{self, AtFlags, Dir, FileType, Mode, OFlags, StatxFlags};
use rustix::io::Errno;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// How many folders are open at once, at most.
const MAX_DEPTH: usize = 64;

/// Removes `name` (a file, or a folder with all in it) from `parent`; says whether it was there.
///
/// # Errors
/// `EXDEV` when a mount or another file system lies below (all on this side of it may be gone then), and what
/// unlinkat(2) says.
pub fn remove(parent: &Path, name: &Path) -> io::Result<bool> {
    let parent = crate::durable::open_dir(parent)?;
    remove_at(parent.as_fd(), name)
}

/// As [`remove`], with an open parent folder. `name` is one component.
pub fn remove_at(parent: BorrowedFd<'_>, name: &Path) -> io::Result<bool> {
    match fs::unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) => return Ok(true),
        Err(Errno::NOENT) => return Ok(false),
        // unlink(2): EISDIR on Linux, EPERM by POSIX.
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(error) => return Err(error.into()),
    }
    let place = Place::of(parent)?;
    let top = open_folder(parent, name, place)?;
    let mut removal = Removal { top: top.as_fd(), place, moved: 0 };
    removal.empty(top.as_fd(), 0)?;
    fs::unlinkat(parent, name, AtFlags::REMOVEDIR)?;
    Ok(true)
}

/// Where a folder is: file system and mount.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    device: (u32, u32),
    mount_id: u64,
}

impl Place {
    fn of(folder: BorrowedFd<'_>) -> io::Result<Place> {
        let stat = fs::statx(folder, "", AtFlags::EMPTY_PATH, StatxFlags::TYPE | StatxFlags::MNT_ID)?;
        Ok(Place { device: (stat.stx_dev_major, stat.stx_dev_minor), mount_id: stat.stx_mnt_id })
    }
}

struct Removal<'a> {
    top: BorrowedFd<'a>,
    place: Place,
    moved: u64,
}

impl Removal<'_> {
    fn empty(&mut self, folder: BorrowedFd<'_>, depth: usize) -> io::Result<()> {
        loop {
            let names = entries(folder)?;
            if names.is_empty() {
                return Ok(());
            }
            for (name, kind) in names {
                self.entry(folder, &name, kind, depth)?;
            }
        }
    }

    fn entry(
        &mut self,
        folder: BorrowedFd<'_>,
        name: &CString,
        kind: FileType,
        depth: usize,
    ) -> io::Result<()> {
        if kind != FileType::Directory {
            match fs::unlinkat(folder, name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => return Ok(()),
                Err(Errno::ISDIR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let child = open_folder(folder, name, self.place)?;
        if depth >= MAX_DEPTH {
            return self.move_up(folder, name);
        }
        self.empty(child.as_fd(), depth + 1)?;
        drop(child);
        Ok(fs::unlinkat(folder, name, AtFlags::REMOVEDIR)?)
    }

    /// The loop in [`Removal::empty`] at the top reads again, and so finds what was moved there.
    fn move_up(&mut self, folder: BorrowedFd<'_>, name: &CString) -> io::Result<()> {
        loop {
            self.moved += 1;
            let target = format!(".bayplan-deep-{}", self.moved);
            match fs::renameat_with(folder, name, self.top, &target, fs::RenameFlags::NOREPLACE) {
                Err(Errno::EXIST) => {}
                other => return Ok(other?),
            }
        }
    }
}

fn open_folder<P: rustix::path::Arg>(parent: BorrowedFd<'_>, name: P, place: Place) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = fs::openat(parent, name, flags, Mode::empty())?;
    if Place::of(folder.as_fd())? != place {
        return Err(Errno::XDEV.into());
    }
    Ok(folder)
}

fn entries(folder: BorrowedFd<'_>) -> io::Result<Vec<(CString, FileType)>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push((entry.file_name().to_owned(), entry.file_type()));
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbolic_link_goes_and_its_target_stays() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("tree/a/b")).unwrap();
        std::fs::create_dir(folder.path().join("kept")).unwrap();
        std::fs::write(folder.path().join("kept/file"), "x").unwrap();
        std::os::unix::fs::symlink("../../kept", folder.path().join("tree/a/link")).unwrap();
        assert!(remove(folder.path(), Path::new("tree")).unwrap());
        assert!(!folder.path().join("tree").exists());
        assert!(folder.path().join("kept/file").exists());
        assert!(!remove(folder.path(), Path::new("tree")).unwrap());
    }

    #[test]
    fn a_tree_deeper_than_the_descriptors_goes() {
        let folder = tempfile::tempdir().unwrap();
        let mut current = crate::durable::open_dir(folder.path()).unwrap();
        for name in std::iter::once("tree").chain(std::iter::repeat_n("d", 2000)) {
            fs::mkdirat(&current, name, Mode::RWXU).unwrap();
            current = fs::openat(&current, name, OFlags::DIRECTORY, Mode::empty()).unwrap();
        }
        assert!(remove(folder.path(), Path::new("tree")).unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_is_removed_too() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "x").unwrap();
        assert!(remove(folder.path(), Path::new("file")).unwrap());
    }
}
