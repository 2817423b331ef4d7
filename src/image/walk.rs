//! Walks a tree by descriptors, in the order of its names' bytes. Follows no symbolic link and refuses other mounts
//! and file systems. Hard links are reported as links to the first name met.

use super::attributes::{self, Attributes};
use super::error::ImageError;
use rustix::fs::{self, AtFlags, Dir, FileType, Mode, OFlags, Statx, StatxFlags};
use rustix::io::Errno;
use std::collections::HashMap;
use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Folders within folders; each holds a descriptor while it is walked.
const MAX_DEPTH: usize = 256;

/// What a name is.
#[derive(Debug)]
pub enum Content {
    Folder,
    /// Open for reading; size in bytes.
    File {
        file: OwnedFd,
        size: u64,
    },
    Symlink {
        target: PathBuf,
    },
    /// Another name of a file met before.
    HardLink {
        first: PathBuf,
    },
    Fifo,
    /// Devices and sockets: no part of an image.
    Skipped,
}

/// One name of the tree; the top is "".
#[derive(Debug)]
pub struct Found {
    pub path: PathBuf,
    pub attributes: Attributes,
    pub content: Content,
}

/// Shows every name of the tree at `top` to `visit`, a folder before what is in it.
pub fn walk(top: &Path, visit: &mut dyn FnMut(Found) -> Result<(), ImageError>) -> Result<(), ImageError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = fs::open(top, flags, Mode::empty()).map_err(|error| ImageError::io("open", top, error))?;
    let stat =
        status(folder.as_fd(), Path::new("")).map_err(|error| ImageError::io("look at", top, error))?;
    let mut walk = Walk { place: place(&stat), top, links: HashMap::new(), visit };
    walk.folder(folder, Path::new(""), &stat, 0)
}

struct Walk<'a> {
    place: (u32, u32, u64),
    top: &'a Path,
    links: HashMap<u64, PathBuf>,
    visit: &'a mut dyn FnMut(Found) -> Result<(), ImageError>,
}

impl Walk<'_> {
    fn folder(&mut self, folder: OwnedFd, path: &Path, stat: &Statx, depth: usize) -> Result<(), ImageError> {
        if depth > MAX_DEPTH {
            return Err(ImageError::TooDeep { path: self.top.join(path), limit: MAX_DEPTH });
        }
        let attributes = self.attributes(stat, Some(folder.as_fd()), path)?;
        (self.visit)(Found { path: path.to_owned(), attributes, content: Content::Folder })?;
        for name in names(folder.as_fd()).map_err(|error| self.failed("list", path, error))? {
            self.name(folder.as_fd(), &name, &path.join(&name), depth)?;
        }
        Ok(())
    }

    fn name(
        &mut self,
        parent: BorrowedFd<'_>,
        name: &OsString,
        path: &Path,
        depth: usize,
    ) -> Result<(), ImageError> {
        let name = Path::new(name);
        let stat = status(parent, name).map_err(|error| self.failed("look at", path, error))?;
        if place(&stat) != self.place {
            return Err(ImageError::CrossesMount { path: self.top.join(path) });
        }
        let kind = FileType::from_raw_mode(u32::from(stat.stx_mode));
        if kind == FileType::Directory {
            let child = self.open(parent, name, path, OFlags::DIRECTORY, &stat)?;
            return self.folder(child, path, &stat, depth + 1);
        }
        let (content, file) = match self.first_name(&stat, path) {
            Some(first) => (Content::HardLink { first }, None),
            None => self.content(parent, name, path, &stat)?,
        };
        let attributes = self.attributes(&stat, file.as_ref().map(AsFd::as_fd), path)?;
        let content = match file {
            Some(file) => Content::File { file, size: stat.stx_size },
            None => content,
        };
        (self.visit)(Found { path: path.to_owned(), attributes, content })
    }

    fn content(
        &self,
        parent: BorrowedFd<'_>,
        name: &Path,
        path: &Path,
        stat: &Statx,
    ) -> Result<(Content, Option<OwnedFd>), ImageError> {
        match FileType::from_raw_mode(u32::from(stat.stx_mode)) {
            FileType::RegularFile => {
                Ok((Content::Skipped, Some(self.open(parent, name, path, OFlags::NONBLOCK, stat)?)))
            }
            FileType::Symlink => {
                let target = fs::readlinkat(parent, name, Vec::new());
                let target = target.map_err(|error| self.failed("read", path, error))?;
                let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
                Ok((Content::Symlink { target }, None))
            }
            FileType::Fifo => Ok((Content::Fifo, None)),
            _ => Ok((Content::Skipped, None)),
        }
    }

    /// Opens what was looked at, and nothing that took its name meanwhile.
    fn open(
        &self,
        parent: BorrowedFd<'_>,
        name: &Path,
        path: &Path,
        flags: OFlags,
        seen: &Statx,
    ) -> Result<OwnedFd, ImageError> {
        let flags = flags | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = fs::openat(parent, name, flags, Mode::empty());
        let opened = opened.map_err(|error| self.failed("open", path, error))?;
        let stat =
            status(opened.as_fd(), Path::new("")).map_err(|error| self.failed("look at", path, error))?;
        if (place(&stat), stat.stx_ino) != (self.place, seen.stx_ino) {
            let what = "it was replaced while it was read".to_owned();
            return Err(ImageError::Escape { path: self.top.join(path), what });
        }
        Ok(opened)
    }

    fn first_name(&mut self, stat: &Statx, path: &Path) -> Option<PathBuf> {
        if stat.stx_nlink < 2 {
            return None;
        }
        match self.links.entry(stat.stx_ino) {
            std::collections::hash_map::Entry::Occupied(first) => Some(first.get().clone()),
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(path.to_owned());
                None
            }
        }
    }

    fn attributes(
        &self,
        stat: &Statx,
        file: Option<BorrowedFd<'_>>,
        path: &Path,
    ) -> Result<Attributes, ImageError> {
        let xattrs = match file {
            Some(file) => {
                attributes::xattrs(file).map_err(|error| self.failed("read xattrs of", path, error))?
            }
            None => Vec::new(),
        };
        Ok(Attributes {
            mode: u32::from(stat.stx_mode) & 0o7777,
            uid: stat.stx_uid,
            gid: stat.stx_gid,
            mtime: stat.stx_mtime.tv_sec,
            xattrs,
        })
    }

    fn failed(&self, action: &'static str, path: &Path, error: Errno) -> ImageError {
        ImageError::io(action, &self.top.join(path), error)
    }
}

fn status(parent: BorrowedFd<'_>, name: &Path) -> Result<Statx, Errno> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH;
    fs::statx(parent, name, flags, StatxFlags::BASIC_STATS | StatxFlags::MNT_ID)
}

fn place(stat: &Statx) -> (u32, u32, u64) {
    (stat.stx_dev_major, stat.stx_dev_minor, stat.stx_mnt_id)
}

fn names(folder: BorrowedFd<'_>) -> Result<Vec<OsString>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(OsString::from_vec(name.to_vec()));
        }
    }
    names.sort_by(|left, right| left.as_bytes().cmp(right.as_bytes()));
    Ok(names)
}
