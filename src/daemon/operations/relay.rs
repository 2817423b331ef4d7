//! A command's own streams and the pipes of a program that it runs inside: bytes are copied between them. One thread
//! a stream, since each may block.

use crate::api::bytes;
use crate::api::error::Failure;
use crate::api::inside::unwritten;
use crate::runtime::exec::Ends;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
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
/// open, write to it, and read what lies in it, for ever.
fn pass(from: &OwnedFd, to: &OwnedFd, ended: &OwnedFd) -> io::Result<()> {
    rustix::io::ioctl_fionbio(from, true)?;
    let mut buffer = vec![0; CHUNK];
    loop {
        let mut fds = [PollFd::new(from, PollFlags::IN), PollFd::new(ended, PollFlags::IN)];
        if poll(&mut fds, None).is_err() {
            continue;
        }
        if !fds[1].revents().is_empty() {
            let left = usize::try_from(rustix::io::ioctl_fionread(from)?).unwrap_or(0);
            return pass_rest(from, to, left, &mut buffer);
        }
        if forward(from, to, &mut buffer)? == Some(0) {
            return Ok(());
        }
    }
}

/// So many bytes, as far as they are still there.
fn pass_rest(from: &OwnedFd, to: &OwnedFd, mut left: usize, buffer: &mut [u8]) -> io::Result<()> {
    while left > 0 {
        let most = left.min(buffer.len());
        match forward(from, to, &mut buffer[..most])? {
            None | Some(0) => return Ok(()),
            Some(count) => left -= count,
        }
    }
    Ok(())
}

/// One piece; 0 at the end. None: nothing is there now.
fn forward(from: &OwnedFd, to: &OwnedFd, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    match rustix::io::retry_on_intr(|| rustix::io::read(from, &mut *buffer)) {
        Ok(count) => bytes::write_all(to.as_fd(), &buffer[..count]).map(|()| Some(count)),
        Err(Errno::AGAIN) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn wait(ended: &OwnedFd) {
    while poll(&mut [PollFd::new(ended, PollFlags::IN)], None).is_err() {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::pipe::pipe;

    fn read(pipe: &OwnedFd) -> Vec<u8> {
        let mut buffer = vec![0; CHUNK];
        let count = rustix::io::read(pipe, &mut buffer).unwrap();
        buffer.truncate(count);
        buffer
    }

    #[test]
    fn what_a_program_wrote_is_passed_on_though_others_hold_its_output() {
        let ((from, held), (ended, program), (shown, to)) =
            (pipe().unwrap(), pipe().unwrap(), pipe().unwrap());
        rustix::io::write(&held, b"all of it").unwrap();
        drop(program);
        pass(&from, &to, &ended).unwrap();
        assert_eq!(read(&shown), b"all of it");
    }

    #[test]
    fn what_others_inside_took_is_not_waited_for() {
        let ((from, held), (shown, to)) = (pipe().unwrap(), pipe().unwrap());
        rustix::io::ioctl_fionbio(&from, true).unwrap();
        rustix::io::write(&held, b"left").unwrap();
        pass_rest(&from, &to, 9, &mut [0; 64]).unwrap();
        assert_eq!(read(&shown), b"left");
    }
}
