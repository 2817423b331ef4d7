//! A program inside or a container's console, run by this process or by the daemon; verbs do not tell them apart.

use crate::api::error::{Failure, FailureKind};
use crate::api::inside::Remote;
use crate::daemon::operations::inside::{Console, Inside};
use std::os::fd::{AsFd, BorrowedFd};

pub enum Program {
    Here(Inside),
    There(Remote),
}

impl Program {
    /// What it was not given as it should be.
    pub fn warnings(&self) -> &[String] {
        match self {
            Program::Here(inside) => &inside.warnings,
            Program::There(remote) => &remote.warnings,
        }
    }

    pub fn terminal(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Program::Here(inside) => inside.terminal(),
            Program::There(remote) => remote.terminal(),
        }
    }

    pub fn signal(&self, number: i32) {
        match self {
            Program::Here(inside) => inside.signal(number),
            Program::There(remote) => remote.signal(number),
        }
    }

    pub fn resize(&self, columns: u16, rows: u16) {
        match self {
            Program::Here(inside) => inside.resize(columns, rows),
            Program::There(remote) => remote.resize(columns, rows),
        }
    }

    /// Its exit status, 128 + N after signal N.
    pub fn wait(self) -> Result<i32, Failure> {
        match self {
            Program::Here(inside) => inside.finish(),
            Program::There(remote) => remote.wait(),
        }
    }
}

impl AsFd for Program {
    /// Readable when [`Program::wait`] would not block.
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Program::Here(inside) => inside.as_fd(),
            Program::There(remote) => remote.as_fd(),
        }
    }
}

pub enum Terminal {
    Here(Console),
    There(Remote),
}

impl Terminal {
    pub fn there(remote: Remote) -> Result<Terminal, Failure> {
        match remote.terminal() {
            Some(_) => Ok(Terminal::There(remote)),
            None => Err(Failure::new(FailureKind::Host, "the daemon gives no console")),
        }
    }

    pub fn stream(&self) -> BorrowedFd<'_> {
        match self {
            Terminal::Here(console) => console.stream.as_fd(),
            // Its end of file, should it ever have no terminal, ends the pump.
            Terminal::There(remote) => remote.terminal().unwrap_or(remote.as_fd()),
        }
    }

    pub fn resize(&self, columns: u16, rows: u16) {
        match self {
            Terminal::Here(console) => console.resize(columns, rows),
            Terminal::There(remote) => remote.resize(columns, rows),
        }
    }
}
