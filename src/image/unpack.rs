//! Unpacks a tar stream into a folder. Devices are left out and named; nothing is written outside the folder,
//! whatever the archive says.

use super::archive::sparse::Extents;
use super::archive::{Archive, Member};
use super::attributes::{self, Attributes};
use super::error::ImageError;
use super::place::Tree;
use rustix::fs::{self, SeekFrom};
use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use tar::EntryType;

/// What an archive may hold; against bombs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub members: u64,
    /// Stored bytes of all files together.
    pub bytes: u64,
    /// The size of one file, holes counted.
    pub file_bytes: u64,
}

impl Default for Limits {
    /// Far above any system image: 4 Mi members, 256 GiB stored, 1 TiB in one (sparse) file.
    fn default() -> Limits {
        Limits { members: 4 << 20, bytes: 256 << 30, file_bytes: 1 << 40 }
    }
}

/// Unpacks all members into the existing folder `into`. Gives the paths of what was left out: device nodes.
pub fn unpack(stream: impl Read, into: &Path, limits: Limits) -> Result<Vec<PathBuf>, ImageError> {
    let mut archive = Archive::new(stream);
    let mut unpacking = Unpacking { tree: Tree::open(into)?, limits, skipped: Vec::new(), seen: 0, bytes: 0 };
    while let Some(member) = archive.next_member().map_err(|source| ImageError::Archive { source })? {
        unpacking.account(&member)?;
        unpacking.member(&member, &mut archive)?;
    }
    archive.drain().map_err(|source| ImageError::Archive { source })?;
    unpacking.tree.finish()?;
    Ok(unpacking.skipped)
}

struct Unpacking {
    tree: Tree,
    limits: Limits,
    skipped: Vec<PathBuf>,
    seen: u64,
    bytes: u64,
}

impl Unpacking {
    fn account(&mut self, member: &Member) -> Result<(), ImageError> {
        let stored = match &member.extents {
            Some(extents) => extents.pieces.iter().map(|(_, length)| length).sum(),
            None => member.size,
        };
        self.seen += 1;
        self.bytes = self.bytes.saturating_add(stored);
        let excess = [
            (self.seen, self.limits.members, "members"),
            (self.bytes, self.limits.bytes, "bytes in all"),
            (member.size, self.limits.file_bytes, "bytes in one file"),
        ];
        match excess.iter().find(|(found, limit, _)| found > limit) {
            None => Ok(()),
            Some((found, limit, what)) => {
                Err(ImageError::Limit { what: format!("{found} {what}, {limit} are allowed") })
            }
        }
    }

    fn member(&mut self, member: &Member, data: &mut impl Read) -> Result<(), ImageError> {
        let path = contained(&member.path)?;
        let attributes = attributes_of(member);
        if path.as_os_str().is_empty() && member.kind != EntryType::Directory {
            return Err(ImageError::Escape { path, what: "only a folder can be the top".into() });
        }
        match member.kind {
            EntryType::Directory => self.tree.folder(&path, attributes),
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                let mut file = self.tree.file(&path)?;
                write_content(&mut file, &path, member, data)?;
                self.tree.finish_file(&path, &file, &attributes)
            }
            EntryType::Symlink => {
                self.tree.symlink(&path, Path::new(OsStr::from_bytes(&member.link)), &attributes)
            }
            EntryType::Link => self.tree.hard_link(&path, &contained(&member.link)?),
            EntryType::Fifo => self.tree.fifo(&path, &attributes),
            EntryType::Char | EntryType::Block => {
                self.skipped.push(path);
                Ok(())
            }
            other => Err(ImageError::Unsupported {
                what: format!("a member of type {other:?} ({})", path.display()),
            }),
        }
    }
}

/// The path within the tree: `./` dropped. Absolute paths and `..` are refused, not bent.
fn contained(name: &[u8]) -> Result<PathBuf, ImageError> {
    let path = Path::new(OsStr::from_bytes(name));
    let escape = |what: &str| ImageError::Escape { path: path.to_owned(), what: what.to_owned() };
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => plain.push(part),
            Component::CurDir => {}
            Component::ParentDir => return Err(escape("it has a ..")),
            Component::RootDir | Component::Prefix(_) => return Err(escape("it is absolute")),
        }
    }
    if name.is_empty() || name.contains(&0) {
        return Err(escape("it is no path"));
    }
    Ok(plain)
}

fn attributes_of(member: &Member) -> Attributes {
    let mut xattrs: Vec<_> = member
        .xattrs
        .iter()
        .filter(|(name, _)| attributes::is_kept(name))
        .filter_map(|(name, value)| Some((CString::new(name.clone()).ok()?, value.clone())))
        .collect();
    xattrs.sort();
    Attributes { mode: member.mode, uid: member.uid, gid: member.gid, mtime: member.mtime, xattrs }
}

fn write_content(
    file: &mut File,
    path: &Path,
    member: &Member,
    data: &mut impl Read,
) -> Result<(), ImageError> {
    let dense = Extents { pieces: vec![(0, member.size)], size: member.size };
    let extents = member.extents.as_ref().unwrap_or(&dense);
    for (offset, length) in &extents.pieces {
        fs::seek(&*file, SeekFrom::Start(*offset)).map_err(|error| ImageError::io("write", path, error))?;
        copy_exactly(file, path, data, *length)?;
    }
    file.set_len(extents.size).map_err(|error| ImageError::io("set the size of", path, error))
}

/// Reading errors are the archive's, writing errors the file's.
fn copy_exactly(file: &mut File, path: &Path, data: &mut impl Read, length: u64) -> Result<(), ImageError> {
    let mut buffer = vec![0; 128 * 1024];
    let mut left = length;
    while left > 0 {
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let count = match data.read(&mut buffer[..wanted]) {
            Ok(0) => return Err(ImageError::Archive { source: io::ErrorKind::UnexpectedEof.into() }),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(source) => return Err(ImageError::Archive { source }),
        };
        file.write_all(&buffer[..count]).map_err(|error| ImageError::io("write", path, error))?;
        left -= count as u64;
    }
    Ok(())
}
