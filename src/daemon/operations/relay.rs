//! A command's own streams and the pipes of a program that it runs inside: bytes are copied between them. One thread
//! a stream, since each may block.

use crate::api::bytes;
use crate::api::error::Failure;
use crate::api::inside::unwritten;
use crate::runtime::exec::Ends;
use rustix::event::{PollFd, PollFlags, poll};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread::JoinHandle;

/// What a pipe holds.
const CHUNK: usize = 64 * 1024;

/// What goes on until a program has ended and all that it wrote has arrived.
pub struct Relay {
    outputs: Vec<JoinHandle<io::Result<()>>>,
    /// Its other end is closed by the last of the outputs.
    over: OwnedFd,
}

impl Relay {
    /// `ended` is readable when the program has ended; standard input, output and error are this command's own.
    pub fn begin(ended: BorrowedFd<'_>, own: [OwnedFd; 3], ends: Ends) -> io::Result<Relay> {
        let [stdin, stdout, stderr] = own;
        std::thread::Builder::new().name("stdin".to_owned()).spawn(move || give(&stdin, &ends.stdin))?;
        let (over, open) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let mut outputs = vec![];
        for (from, to) in [(ends.stdout, stdout), (ends.stderr, stderr)] {
            let (ended, open) = (ended.try_clone_to_owned()?, open.try_clone()?);
            let pass = move || {
                let written = pass(&from, &to, &ended);
                // A program that still writes learns that nobody reads.
                drop(from);
                wait(&ended);
                drop(open);
                written
            };
            outputs.push(std::thread::Builder::new().name("output".to_owned()).spawn(pass)?);
        }
        Ok(Relay { outputs, over })
    }

    /// After the program's end: whether all that it wrote has arrived.
    pub fn finish(self) -> Result<(), Failure> {
        let written = self.outputs.into_iter().filter_map(|output| output.join().ok()?.err());
        match written.filter_map(|error| unwritten(&error)).next() {
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }
}

impl AsFd for Relay {
    /// Readable when the program has ended and its output was written.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.over.as_fd()
    }
}

/// Until the input ends, or the program takes no more.
fn give(stdin: &OwnedFd, to: &OwnedFd) {
    let mut buffer = vec![0; CHUNK];
    while let Ok(count @ 1..) = bytes::read(stdin.as_fd(), &mut buffer) {
        if bytes::write_all(to.as_fd(), &buffer[..count]).is_err() {
            return;
        }
    }
}

/// Until the pipe is closed, or the program has ended and what it wrote is passed on: others inside may hold the pipe
/// open, and write to it, for ever.
fn pass(from: &OwnedFd, to: &OwnedFd, ended: &OwnedFd) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    let mut left = None;
    while left != Some(0) {
        let mut fds = [PollFd::new(from, PollFlags::IN), PollFd::new(ended, PollFlags::IN)];
        if poll(&mut fds, None).is_err() {
            continue;
        }
        if left.is_none() && !fds[1].revents().is_empty() {
            left = Some(usize::try_from(rustix::io::ioctl_fionread(from)?).unwrap_or(0));
            continue;
        }
        let most = left.map_or(CHUNK, |left| left.min(CHUNK));
        let count = bytes::read(from.as_fd(), &mut buffer[..most])?;
        if count == 0 {
            return Ok(());
        }
        bytes::write_all(to.as_fd(), &buffer[..count])?;
        left = left.map(|left| left - count);
    }
    Ok(())
}

fn wait(ended: &OwnedFd) {
    while poll(&mut [PollFd::new(ended, PollFlags::IN)], None).is_err() {}
}
