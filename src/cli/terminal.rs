//! This process's terminal: raw while it stands for one inside, and the pump between the two.

use crate::api::bytes::write_all;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use std::io::{self, IsTerminal, Stdin};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// Between two looks at the window's size.
const RESIZE_POLL: Timespec = Timespec { tv_sec: 0, tv_nsec: 250_000_000 };

/// What still comes is shown that long after the end.
const LAST_ANSWER: Duration = Duration::from_millis(700);

/// ctrl-a: begins a command to the pump.
const PREFIX: u8 = 1;

/// Raw until dropped; nothing where standard input is no terminal.
pub struct Raw {
    stdin: Stdin,
    before: Option<Termios>,
}

impl Raw {
    pub fn enter() -> io::Result<Raw> {
        let stdin = io::stdin();
        if !stdin.is_terminal() {
            return Ok(Raw { stdin, before: None });
        }
        let before = tcgetattr(&stdin)?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(&stdin, OptionalActions::Drain, &raw)?;
        Ok(Raw { stdin, before: Some(before) })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // A terminal that is gone needs no restoring.
            let _ = tcsetattr(&self.stdin, OptionalActions::Drain, before);
        }
    }
}

/// Columns and rows; 80 × 24 where there is no terminal.
pub fn size() -> (u16, u16) {
    let size = tcgetwinsize(io::stdin()).or_else(|_| tcgetwinsize(io::stdout()));
    size.map_or((80, 24), |size| (size.ws_col.max(1), size.ws_row.max(1)))
}

/// What ends the pump besides the far end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detach {
    /// ctrl-a q, and the end of standard input.
    OnPrefixQ,
    /// Nothing: the far end is told of the end of standard input.
    Never,
}

/// What ended the pump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Far,
    Detached,
    Input,
}

/// The far end of a pump.
pub struct Far<'a> {
    /// Reads and writes go here.
    pub stream: BorrowedFd<'a>,
    /// Readable when the far end is over; what is left in the stream is drained then.
    pub over: Option<BorrowedFd<'a>>,
    pub resize: &'a dyn Fn(u16, u16),
}

/// Bytes both ways until the far end is over, or the user detaches.
pub fn pump(far: &Far<'_>, detach: Detach) -> io::Result<Ended> {
    let (stdin, stdout) = (io::stdin(), io::stdout());
    let mut keys = Keys { detach, prefixed: false };
    let (mut window, mut listening) = (size(), true);
    let mut last: Option<(Instant, Ended)> = None;
    loop {
        let mut fds = vec![PollFd::new(&far.stream, PollFlags::IN)];
        if listening {
            fds.push(PollFd::new(&stdin, PollFlags::IN));
        }
        if let Some(over) = &far.over {
            fds.push(PollFd::new(over, PollFlags::IN));
        }
        match poll(&mut fds, Some(&RESIZE_POLL)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let said = !fds[0].revents().is_empty();
        let typed = listening && !fds[1].revents().is_empty();
        let over = far.over.is_some() && fds.last().is_some_and(|fd| !fd.revents().is_empty());
        if said && !forward(far.stream, stdout.as_fd())? {
            return Ok(Ended::Far);
        }
        if typed {
            match keys.pass(&stdin, far.stream)? {
                Typed::More => {}
                Typed::End => {
                    listening = false;
                    if detach == Detach::OnPrefixQ {
                        last = Some((Instant::now() + LAST_ANSWER, Ended::Input));
                    }
                }
                Typed::Detached => return Ok(Ended::Detached),
            }
        }
        if over && !said {
            return Ok(Ended::Far);
        }
        if over && last.is_none() {
            // Not longer: one that writes on in the background is not waited for.
            last = Some((Instant::now() + LAST_ANSWER, Ended::Far));
        }
        if let Some((_, ended)) = last.filter(|(end, _)| Instant::now() >= *end) {
            return Ok(ended);
        }
        if size() != window {
            window = size();
            (far.resize)(window.0, window.1);
        }
    }
}

/// False: the stream has ended. A pty's master says so by EIO.
fn forward(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> io::Result<bool> {
    let mut buffer = [0u8; 16 * 1024];
    match rustix::io::read(from, &mut buffer) {
        Ok(0) | Err(rustix::io::Errno::IO) => Ok(false),
        Ok(count) => write_all(to, &buffer[..count]).map(|()| true),
        Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

enum Typed {
    More,
    End,
    Detached,
}

struct Keys {
    detach: Detach,
    prefixed: bool,
}

impl Keys {
    fn pass(&mut self, stdin: &Stdin, to: BorrowedFd<'_>) -> io::Result<Typed> {
        let mut buffer = [0u8; 4096];
        let count = match rustix::io::read(stdin, &mut buffer) {
            Ok(0) => {
                if self.detach == Detach::Never {
                    // A line-minded program inside is told by ctrl-d. A console would log its user out.
                    let _ = write_all(to, &[4]);
                }
                return Ok(Typed::End);
            }
            Ok(count) => count,
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => return Ok(Typed::More),
            Err(error) => return Err(error.into()),
        };
        let (bytes, detached) = self.filter(&buffer[..count]);
        write_all(to, &bytes)?;
        Ok(if detached { Typed::Detached } else { Typed::More })
    }

    /// What goes through: ctrl-a q detaches, ctrl-a ctrl-a is one ctrl-a.
    fn filter(&mut self, typed: &[u8]) -> (Vec<u8>, bool) {
        if self.detach == Detach::Never {
            return (typed.to_vec(), false);
        }
        let mut through = vec![];
        for byte in typed {
            match (self.prefixed, *byte) {
                (true, b'q') => return (through, true),
                (true, PREFIX) => {
                    through.push(PREFIX);
                    self.prefixed = false;
                }
                (true, other) => {
                    through.extend([PREFIX, other]);
                    self.prefixed = false;
                }
                (false, PREFIX) => self.prefixed = true,
                (false, other) => through.push(other),
            }
        }
        (through, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ctrl_a_q_detaches_and_ctrl_a_twice_is_one() {
        let mut keys = Keys { detach: Detach::OnPrefixQ, prefixed: false };
        assert_eq!(keys.filter(b"ab\x01\x01c"), (b"ab\x01c".to_vec(), false));
        assert_eq!(keys.filter(b"x\x01"), (b"x".to_vec(), false));
        assert_eq!(keys.filter(b"qz"), (vec![], true));
    }
}
