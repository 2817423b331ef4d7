//! Asks a person; Ctrl-C is a no.

use super::output;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};

/// Between two looks at the flag that Ctrl-C sets, in milliseconds.
const CANCEL_POLL_MS: u8 = 200;

/// Whether there is a question, and what stands for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// `--yes`, or no terminal: no question.
    Given,
    Ask,
}

impl Consent {
    pub fn new(yes: Yes) -> Consent {
        match yes {
            Yes::Given => Consent::Given,
            Yes::Open if output::on_terminal() => Consent::Ask,
            Yes::Open => Consent::Given,
        }
    }
}

/// Whether `--yes` was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Yes {
    Given,
    Open,
}

impl From<bool> for Yes {
    fn from(yes: bool) -> Yes {
        if yes { Yes::Given } else { Yes::Open }
    }
}

/// True for `y` or `yes`; an empty line, the end of input and Ctrl-C are a no.
pub fn ask(question: &str, cancel: &AtomicBool) -> bool {
    output::ask(&format!("{question} [y/N]"));
    let mut line = vec![];
    let mut buffer = [0u8; 64];
    let stdin = std::io::stdin();
    loop {
        if cancel.load(Ordering::Relaxed) {
            output::complain("");
            return false;
        }
        // A signal between the look at the flag and a read would leave the read waiting: it is only made when there
        // is something to read.
        let mut waited = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
        match poll(&mut waited, CANCEL_POLL_MS) {
            Ok(0) | Err(Errno::EINTR) => continue,
            Err(_) => return false,
            Ok(_) => {}
        }
        match nix::unistd::read(&stdin, &mut buffer) {
            Ok(0) => return false,
            Ok(count) => line.extend_from_slice(&buffer[..count]),
            Err(Errno::EINTR) => continue,
            Err(_) => return false,
        }
        if line.contains(&b'\n') {
            let answer = String::from_utf8_lossy(&line).trim().to_ascii_lowercase();
            return answer == "y" || answer == "yes";
        }
    }
}
