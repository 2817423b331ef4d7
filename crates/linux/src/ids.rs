//! The ids that this thread makes files with.

use std::io;

/// Makes this thread act on files as `uid`:`gid`, and keeps its capabilities: setfsuid(2) drops those over files
/// when it leaves 0, so they are raised again. Meant for a process that does one thing and ends.
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
