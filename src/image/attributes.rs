//! A file's owner, mode, time and extended attributes: read, and set by descriptor.

use rustix::fs::{self, AtFlags, Gid, Mode, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;
use std::ffi::{CStr, CString};
use std::os::fd::AsFd;
use std::path::Path;

/// What an image keeps of a file besides its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attributes {
    /// Permission bits with setuid, setgid and sticky.
    pub mode: u32,
    /// As inside the container: 33 is 33.
    pub uid: u32,
    pub gid: u32,
    /// Seconds since 1970.
    pub mtime: i64,
    /// Sorted by name; only those that [`is_kept`].
    pub xattrs: Vec<(CString, Vec<u8>)>,
}

impl Attributes {
    /// Root's, of the time 0.
    pub fn plain(mode: u32) -> Attributes {
        Attributes { mode, uid: 0, gid: 0, mtime: 0, xattrs: Vec::new() }
    }
}

/// `user.*`, file capabilities and ACLs. Not `trusted.*`: an overlay would take `trusted.overlay.*` of a layer for its
/// own; not `security.selinux` and the like: they are the host's.
pub fn is_kept(name: &[u8]) -> bool {
    name.starts_with(b"user.")
        || matches!(name, b"security.capability" | b"system.posix_acl_access" | b"system.posix_acl_default")
}

/// Sets all on an open file or folder. Owner first: it clears setuid and capabilities.
pub(super) fn set(file: impl AsFd, attributes: &Attributes) -> Result<(), Errno> {
    let uid = Uid::from_raw(attributes.uid);
    fs::fchown(&file, Some(uid), Some(Gid::from_raw(attributes.gid)))?;
    fs::fchmod(&file, Mode::from_raw_mode(attributes.mode))?;
    for (name, value) in &attributes.xattrs {
        fs::fsetxattr(&file, name.as_c_str(), value, XattrFlags::empty())?;
    }
    fs::futimens(&file, &times(attributes))
}

/// Sets owner and time of a name that cannot be opened (a link, a FIFO); never follows it.
pub(super) fn set_at(parent: impl AsFd, name: &Path, attributes: &Attributes) -> Result<(), Errno> {
    let (uid, gid) = (Uid::from_raw(attributes.uid), Gid::from_raw(attributes.gid));
    fs::chownat(&parent, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
    fs::utimensat(&parent, name, &times(attributes), AtFlags::SYMLINK_NOFOLLOW)
}

/// The kept xattrs of an open file or folder, sorted by name.
pub(super) fn xattrs(file: impl AsFd) -> Result<Vec<(CString, Vec<u8>)>, Errno> {
    let mut list = vec![0u8; 64 * 1024];
    let length = match fs::flistxattr(&file, &mut list) {
        Ok(length) => length,
        Err(Errno::NOTSUP) => 0,
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for name in list[..length].split_inclusive(|byte| *byte == 0) {
        let Ok(name) = CStr::from_bytes_with_nul(name) else { continue };
        if is_kept(name.to_bytes()) {
            let mut value = vec![0u8; 64 * 1024];
            let length = fs::fgetxattr(&file, name, &mut value)?;
            value.truncate(length);
            found.push((name.to_owned(), value));
        }
    }
    found.sort();
    Ok(found)
}

fn times(attributes: &Attributes) -> Timestamps {
    let time = Timespec { tv_sec: attributes.mtime, tv_nsec: 0 };
    Timestamps { last_access: time, last_modification: time }
}
