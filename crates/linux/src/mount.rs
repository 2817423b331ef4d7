//! mount_setattr(2): flags, propagation and id maps of a mount.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

pub const READ_ONLY: u64 = 0x1;
pub const NO_SUID: u64 = 0x2;
pub const NO_DEV: u64 = 0x4;
pub const NO_EXEC: u64 = 0x8;

/// Whether a call covers the mount alone or all mounts below it too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    One,
    Tree,
}

#[repr(C)]
struct MountAttr {
    attr_set: u64,
    attr_clr: u64,
    propagation: u64,
    userns_fd: u64,
}

/// Sets MOUNT_ATTR_* flags on the mount whose root `mount` is.
pub fn set_flags(mount: BorrowedFd<'_>, flags: u64, reach: Reach) -> io::Result<()> {
    set(mount, reach, &MountAttr { attr_set: flags, attr_clr: 0, propagation: 0, userns_fd: 0 })
}

/// Cuts a mount off from its peers: what is mounted below it is seen nowhere else, and nothing of theirs in it.
pub fn set_private(mount: BorrowedFd<'_>, reach: Reach) -> io::Result<()> {
    set(mount, reach, &MountAttr { attr_set: 0, attr_clr: 0, propagation: libc::MS_PRIVATE, userns_fd: 0 })
}

/// Maps the ids of a detached mount through a user namespace (Linux 5.12; the file system must allow it).
pub fn set_id_map(mount: BorrowedFd<'_>, user_namespace: BorrowedFd<'_>, reach: Reach) -> io::Result<()> {
    const MOUNT_ATTR_IDMAP: u64 = 0x0010_0000;
    let userns_fd = user_namespace.as_raw_fd() as u64;
    set(mount, reach, &MountAttr { attr_set: MOUNT_ATTR_IDMAP, attr_clr: 0, propagation: 0, userns_fd })
}

fn set(mount: BorrowedFd<'_>, reach: Reach, attributes: &MountAttr) -> io::Result<()> {
    const AT_RECURSIVE: i32 = 0x8000;
    let flags = libc::AT_EMPTY_PATH | if reach == Reach::Tree { AT_RECURSIVE } else { 0 };
    // SAFETY: the path is a static C string, the structure is that of linux/mount.h and outlives the call, its
    // size is passed; the descriptors are borrowed for the call.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            attributes as *const MountAttr,
            size_of::<MountAttr>(),
        )
    };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
