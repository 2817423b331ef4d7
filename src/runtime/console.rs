//! The console's log, and the client's side of a monitor's socket.

use crate::runtime::channel;
use crate::runtime::error::{Error, Result, call, file};
use crate::runtime::identity::ProcessId;
use crate::runtime::records;
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use serde::{Deserialize, Serialize};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

/// The version of the commands below. They may only grow: a monitor outlives the program that started it.
pub const VERSION: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
pub struct Command {
    pub version: u32,
    pub action: Action,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    Status,
    /// Answers with a stream that is the console.
    Attach {
        columns: u16,
        rows: u16,
    },
    Resize {
        columns: u16,
        rows: u16,
    },
    /// Answers with the pidfd and, if there is one, the console's master.
    GiveFds,
    /// While the connection lasts, a controller cares for this container's reboots.
    Attend,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Response {
    Done,
    Status {
        incarnation: u64,
        init: ProcessId,
        has_console: bool,
    },
    /// The monitor does not know the action or cannot do it.
    Refused {
        why: String,
    },
}

/// A connection to one container's monitor.
#[derive(Debug)]
pub struct Connection {
    socket: OwnedFd,
}

impl Connection {
    /// Fails with [`Error::Call`] when no monitor listens.
    pub fn open(folder: &Path) -> Result<Connection> {
        let kind = SocketType::SEQPACKET;
        let socket = socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)
            .map_err(call("make a socket"))?;
        let (_open, address) = address(folder)?;
        connect(&socket, &address).map_err(call("reach the monitor"))?;
        Ok(Connection { socket })
    }

    pub fn status(&self) -> Result<Response> {
        self.ask(Action::Status).map(|(response, _)| response)
    }

    /// The console as a stream: bytes in, bytes out. Its end detaches.
    pub fn attach(&self, columns: u16, rows: u16) -> Result<OwnedFd> {
        let (_, mut descriptors) = self.ask(Action::Attach { columns, rows })?;
        descriptors.pop().ok_or(Error::Lost { process: "monitor" })
    }

    pub fn resize(&self, columns: u16, rows: u16) -> Result<()> {
        self.ask(Action::Resize { columns, rows }).map(drop)
    }

    /// Init's pidfd, then the console's master if there is one.
    pub fn fds(&self) -> Result<Vec<OwnedFd>> {
        self.ask(Action::GiveFds).map(|(_, descriptors)| descriptors)
    }

    /// As long as this connection is kept, the monitor leaves reboots to its holder.
    pub fn attend(self) -> Result<Connection> {
        self.ask(Action::Attend)?;
        Ok(self)
    }

    fn ask(&self, action: Action) -> Result<(Response, Vec<OwnedFd>)> {
        channel::send(&self.socket, &Command { version: VERSION, action }, &[])?;
        match channel::receive(&self.socket)? {
            None => Err(Error::Lost { process: "monitor" }),
            Some((Response::Refused { why }, _)) => {
                Err(Error::Unexpected { path: PathBuf::from(records::SOCKET), value: why })
            }
            Some(answer) => Ok(answer),
        }
    }
}

/// A socket's path may be long: it is named through its folder's descriptor, which must live as long as the address
/// is used.
pub fn address(folder: &Path) -> Result<(OwnedFd, SocketAddrUnix)> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let open = openat(CWD, folder, flags, Mode::empty()).map_err(call("open the run folder"))?;
    let path = format!("/proc/self/fd/{}/{}", open.as_raw_fd(), records::SOCKET);
    let address = SocketAddrUnix::new(path).map_err(call("name the monitor's socket"))?;
    Ok((open, address))
}

/// What the console has shown, and its one predecessor, `console.log.1`: together never above the cap.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    open: fs::File,
    length: u64,
    /// Of one file.
    cap: u64,
}

impl Log {
    pub fn open(path: &Path, cap_bytes: u64) -> Result<Log> {
        let open = OpenOptions::new().append(true).create(true).open(path).map_err(file("open", path))?;
        let length = open.metadata().map_err(file("look at", path))?.len();
        Ok(Log { path: path.to_path_buf(), open, length, cap: (cap_bytes / 2).max(4096) })
    }

    /// A full disk loses console output, never the container.
    pub fn append(&mut self, bytes: &[u8]) {
        if self.length + bytes.len() as u64 > self.cap {
            self.turn_over();
        }
        if self.open.write_all(bytes).is_ok() {
            self.length += bytes.len() as u64;
        }
    }

    fn turn_over(&mut self) {
        let _ = fs::rename(&self.path, self.path.with_extension("log.1"));
        if let Ok(open) = OpenOptions::new().append(true).create(true).open(&self.path) {
            self.open = open;
            self.length = 0;
        }
    }
}
