//! The ids that this thread makes files with, and the user namespaces behind them.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

/// The user namespace of a process, which must be a child of this process's own: what the process made inside it,
/// with a map of its own choice, is refused (EXDEV).
pub fn user_namespace(pid: i32) -> io::Result<OwnedFd> {
    let namespace = File::open(format!("/proc/{pid}/ns/user"))?;
    let parent = parent(namespace.as_raw_fd())?;
    let (parent, own) = (File::from(parent).metadata()?, std::fs::metadata("/proc/self/ns/user")?);
    if (parent.dev(), parent.ino()) != (own.dev(), own.ino()) {
        return Err(io::Error::from_raw_os_error(libc::EXDEV));
    }
    Ok(namespace.into())
}

/// ioctl_ns(2).
fn parent(namespace: i32) -> io::Result<OwnedFd> {
    const NS_GET_PARENT: libc::Ioctl = 0xb702;
    // SAFETY: takes no argument, and answers a new descriptor or -1.
    let answer = unsafe { libc::ioctl(namespace, NS_GET_PARENT) };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us; nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(answer) })
}

/// Makes this thread act on files as `uid`:`gid`, and keeps its capabilities: setfsuid(2) drops those over files
/// when it leaves 0, so they are raised again. Meant for a process or thread that does one thing and ends.
pub fn act_on_files_as(uid: u32, gid: u32) -> io::Result<()> {
    // SAFETY: takes any gid, changes this thread only, answers the former one.
    unsafe { libc::setfsgid(gid) };
    // SAFETY: as above, for the uid.
    unsafe { libc::setfsuid(uid) };
    // SAFETY: setfsuid with an id that is never valid changes nothing and answers the present one.
    let present = unsafe { libc::setfsuid(u32::MAX) };
    if present as u32 != uid {
        return Err(io::Error::from_raw_os_error(libc::EPERM));
    }
    let mut sets = rustix::thread::capabilities(None)?;
    sets.effective = sets.permitted;
    Ok(rustix::thread::set_capabilities(None, sets)?)
}
