//! Reading from and writing to this command's own streams, whatever they are.

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::io;
use std::os::fd::BorrowedFd;

/// Waits for something to read; 0 at the end. A stream that others have made non-blocking is waited for, too.
pub fn read(from: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match rustix::io::read(from, &mut *buffer) {
            Ok(count) => return Ok(count),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => wait(from, PollFlags::IN),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Writes all of it, as [`read`] reads.
pub fn write_all(to: BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(to, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => wait(to, PollFlags::OUT),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn wait(stream: BorrowedFd<'_>, flags: PollFlags) {
    // Whatever comes of it, the next call tells.
    let _ = poll(&mut [PollFd::new(&stream, flags)], None);
}
