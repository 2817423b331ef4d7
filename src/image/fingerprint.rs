//! A tree's fingerprint: sha256 over a canonical list of its names with type, mode, owner, xattrs, link target and
//! content hash. No times, inode numbers or holes: the same tree has the same fingerprint wherever it lies.
//! Devices and sockets are no part of an image, so not of its fingerprint.

use super::attributes::Attributes;
use super::error::ImageError;
use super::walk::{self, Content, Found};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A tree, summed up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// 64 hexadecimal digits.
    pub fingerprint: String,
    /// Content of all files, each hard-linked one once.
    pub bytes: u64,
    pub names: u64,
    /// Devices and sockets, left out.
    pub skipped: Vec<PathBuf>,
}

/// Reads the whole tree at `top` and sums it up.
pub fn summarise(top: &Path) -> Result<Summary, ImageError> {
    let mut hasher = list();
    let mut summary = Summary { fingerprint: String::new(), bytes: 0, names: 0, skipped: Vec::new() };
    walk::walk(top, &mut |found| {
        if matches!(found.content, Content::Skipped) {
            summary.skipped.push(found.path);
            return Ok(());
        }
        summary.names += 1;
        if let Content::File { size, .. } = &found.content {
            summary.bytes += size;
        }
        add(&mut hasher, found, top)
    })?;
    summary.fingerprint = hex::encode(hasher.finalize());
    Ok(summary)
}

/// A name of a tree that is on no disk: root's, without xattrs.
#[derive(Debug)]
pub enum Plain<'a> {
    Folder,
    File(Cow<'a, [u8]>),
    Symlink(&'a Path),
}

/// The fingerprint of a tree of plain names with their modes; the top is "".
pub fn of_plain(names: &BTreeMap<PathBuf, (u32, Plain<'_>)>) -> String {
    let mut hasher = list();
    for (path, (mode, name)) in names {
        let (kind, content) = match name {
            Plain::Folder => (b'd', Vec::new()),
            Plain::File(content) => (b'f', Sha256::digest(content).to_vec()),
            Plain::Symlink(target) => (b'l', target.as_os_str().as_bytes().to_vec()),
        };
        add_name(&mut hasher, (kind, path), &Attributes::plain(*mode), &content);
    }
    hex::encode(hasher.finalize())
}

/// The form of the list; another form is another first line.
fn list() -> Sha256 {
    Sha256::new_with_prefix(b"bayplan-tree-1\n")
}

fn add(hasher: &mut Sha256, found: Found, top: &Path) -> Result<(), ImageError> {
    let path = found.path;
    let (kind, content) = match found.content {
        Content::Folder => (b'd', Vec::new()),
        Content::File { file, .. } => {
            let hash = hash_file(File::from(file));
            (b'f', hash.map_err(|error| ImageError::io("read", &top.join(&path), error))?)
        }
        Content::Symlink { target } => (b'l', target.as_os_str().as_bytes().to_vec()),
        Content::HardLink { first } => (b'h', first.as_os_str().as_bytes().to_vec()),
        Content::Fifo => (b'p', Vec::new()),
        Content::Skipped => return Ok(()),
    };
    add_name(hasher, (kind, &path), &found.attributes, &content);
    Ok(())
}

/// Every field has a fixed length or its length before it, so that no two trees give the same bytes.
fn add_name(hasher: &mut Sha256, (kind, path): (u8, &Path), attributes: &Attributes, content: &[u8]) {
    hasher.update([kind]);
    add_bytes(hasher, path.as_os_str().as_bytes());
    // A hard link's attributes are the file's; a symbolic link's mode means nothing.
    if kind != b'h' {
        add_attributes(hasher, attributes, kind == b'l');
    }
    add_bytes(hasher, content);
}

fn add_attributes(hasher: &mut Sha256, attributes: &Attributes, is_link: bool) {
    let mode = if is_link { 0 } else { attributes.mode };
    for number in [mode, attributes.uid, attributes.gid, attributes.xattrs.len() as u32] {
        hasher.update(number.to_be_bytes());
    }
    for (name, value) in &attributes.xattrs {
        add_bytes(hasher, name.to_bytes());
        add_bytes(hasher, value);
    }
}

fn add_bytes(hasher: &mut Sha256, bytes: &[u8]) {
    hasher.update((bytes.len() as u64).to_be_bytes());
    hasher.update(bytes);
}

fn hash_file(mut file: File) -> io::Result<Vec<u8>> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finalize().to_vec()),
            Ok(count) => hasher.update(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
