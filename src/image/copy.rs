//! Copies a tree of the host as it is into a new folder: hard links, holes, xattrs, links and FIFOs kept; devices and
//! sockets left out.

use super::error::ImageError;
use super::place::Tree;
use super::walk::{self, Content, Found};
use rustix::fs::{self, SeekFrom};
use rustix::io::Errno;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// Copies `from` into the existing folder `into`; gives what was left out.
pub fn copy(from: &Path, into: &Path) -> Result<Vec<PathBuf>, ImageError> {
    let mut tree = Tree::open(into)?;
    let mut skipped = Vec::new();
    walk::walk(from, &mut |found| place(&mut tree, found, &mut skipped))?;
    tree.finish()?;
    Ok(skipped)
}

fn place(tree: &mut Tree, found: Found, skipped: &mut Vec<PathBuf>) -> Result<(), ImageError> {
    let Found { path, attributes, content } = found;
    match content {
        Content::Folder => tree.folder(&path, attributes),
        Content::Symlink { target } => tree.symlink(&path, &target, &attributes),
        Content::HardLink { first } => tree.hard_link(&path, &first),
        Content::Fifo => tree.fifo(&path, &attributes),
        Content::File { file, size } => {
            let target = tree.file(&path)?;
            copy_content(&file, &target, size).map_err(|error| ImageError::io("copy", &path, error))?;
            tree.finish_file(&path, &target, &attributes)
        }
        Content::Skipped => {
            skipped.push(path);
            Ok(())
        }
    }
}

/// By reflink where the file system has it, else only what is no hole (`SEEK_DATA`, lseek(2)).
fn copy_content(from: &OwnedFd, to: &File, size: u64) -> Result<(), Errno> {
    if size > 0 && fs::ioctl_ficlone(to, from).is_ok() {
        return Ok(());
    }
    fs::ftruncate(to, size)?;
    let mut position = 0;
    while position < size {
        let start = match fs::seek(from, SeekFrom::Data(position)) {
            Ok(start) => start,
            // No data after this.
            Err(Errno::NXIO) => return Ok(()),
            Err(error) => return Err(error),
        };
        let end = fs::seek(from, SeekFrom::Hole(start))?.min(size);
        copy_piece(from, to, start, end)?;
        position = end.max(start + 1);
    }
    Ok(())
}

fn copy_piece(from: &OwnedFd, to: &File, start: u64, end: u64) -> Result<(), Errno> {
    let mut offset = start;
    let mut buffer = vec![0; 256 * 1024];
    while offset < end {
        let wanted = usize::try_from(end - offset).unwrap_or(usize::MAX).min(buffer.len());
        let count = rustix::io::pread(from, &mut buffer[..wanted], offset)?;
        if count == 0 {
            return Ok(());
        }
        let mut written = 0;
        while written < count {
            written += rustix::io::pwrite(to, &buffer[written..count], offset + written as u64)?;
        }
        offset += count as u64;
    }
    Ok(())
}
