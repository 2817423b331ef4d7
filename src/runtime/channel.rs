//! Messages between the runtime's processes: one JSON text a packet, descriptors beside it (SCM_RIGHTS).

use crate::runtime::error::{Error, Result, call};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recv, recvmsg, sendmsg, socketpair,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The kernel's own bound of descriptors in one message (SCM_MAX_FD).
const DESCRIPTORS: usize = 253;

/// What the runtime's processes answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Answer {
    /// Done; descriptors may come with it.
    Done,
    /// Init exists and waits. With its pidfd.
    Prepared { init: crate::runtime::identity::ProcessId },
    /// The program runs. With the terminal's master for an exec that asked for one.
    Started { pid: i32 },
    /// The program has ended.
    Exited { code: Option<i32>, signal: Option<i32> },
    /// A step failed, and nothing is left of it.
    Failed { process: Process, step: String, errno: i32 },
}

/// Who failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Process {
    Spawner,
    Monitor,
    Init,
    Exec,
    Mount,
    Files,
}

impl Process {
    pub fn name(self) -> &'static str {
        match self {
            Process::Spawner => "spawner",
            Process::Monitor => "monitor",
            Process::Init => "init",
            Process::Exec => "exec helper",
            Process::Mount => "mount helper",
            Process::Files => "file helper",
        }
    }
}

/// A step that failed in a process that can only say so.
#[derive(Debug)]
pub struct Failure {
    pub step: String,
    pub errno: i32,
}

impl Failure {
    pub fn answer(self, process: Process) -> Answer {
        Answer::Failed { process, step: self.step, errno: self.errno }
    }
}

/// For `map_err`: names the step.
pub fn step<E: Into<std::io::Error>>(name: impl Into<String>) -> impl FnOnce(E) -> Failure {
    let step = name.into();
    move |error| Failure { step, errno: error.into().raw_os_error().unwrap_or(libc::EIO) }
}

impl From<Error> for Failure {
    /// Keeps the innermost errno and the whole chain as the step's name.
    fn from(error: Error) -> Failure {
        let mut errno = libc::EIO;
        let mut source = std::error::Error::source(&error);
        while let Some(inner) = source {
            if let Some(number) =
                inner.downcast_ref::<std::io::Error>().and_then(std::io::Error::raw_os_error)
            {
                errno = number;
            }
            source = inner.source();
        }
        Failure { step: error.to_string(), errno }
    }
}

impl From<Failure> for Error {
    /// Of a step that this very process took.
    fn from(failure: Failure) -> Error {
        Error::Call { step: failure.step, source: std::io::Error::from_raw_os_error(failure.errno) }
    }
}

/// Two connected ends, each close-on-exec.
pub fn pair() -> Result<(OwnedFd, OwnedFd)> {
    socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
        .map_err(call("make a socket pair"))
}

/// Sends one message. An end that is gone is [`Error::Lost`].
pub fn send<T: Serialize>(channel: impl AsFd, message: &T, descriptors: &[BorrowedFd<'_>]) -> Result<()> {
    let text = serde_json::to_vec(message).map_err(|source| Error::Message { source })?;
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(call("pass so many descriptors")(Errno::TOOBIG));
    }
    let sent = rustix::io::retry_on_intr(|| {
        sendmsg(&channel, &[IoSlice::new(&text)], &mut ancillary, SendFlags::NOSIGNAL)
    });
    match sent {
        Ok(_) => Ok(()),
        Err(Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN) => Err(Error::Lost { process: "the other end" }),
        Err(error) => Err(call("send a message")(error)),
    }
}

/// Receives one message with its descriptors; `None` when the other end is gone.
pub fn receive<T: DeserializeOwned>(channel: impl AsFd) -> Result<Option<(T, Vec<OwnedFd>)>> {
    // The length first: a buffer for the largest message would stay with every monitor as touched memory.
    let flags = RecvFlags::PEEK | RecvFlags::TRUNC;
    let expected = match rustix::io::retry_on_intr(|| recv(&channel, &mut [0u8; 0], flags)) {
        Ok((_, length)) => length,
        Err(Errno::CONNRESET) => 0,
        Err(error) => return Err(call("receive a message")(error)),
    };
    if expected == 0 {
        return Ok(None);
    }
    let mut text = vec![0u8; expected];
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = rustix::io::retry_on_intr(|| {
        recvmsg(&channel, &mut [IoSliceMut::new(&mut text)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)
    });
    let length = match received {
        Ok(message) => message.bytes,
        Err(Errno::CONNRESET) => 0,
        Err(error) => return Err(call("receive a message")(error)),
    };
    if length == 0 {
        return Ok(None);
    }
    let mut descriptors = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(passed) = message {
            descriptors.extend(passed);
        }
    }
    let message = serde_json::from_slice(&text[..length]).map_err(|source| Error::Message { source })?;
    Ok(Some((message, descriptors)))
}

/// Receives an [`Answer`], making errors of what is lost or failed.
pub fn answer(channel: impl AsFd, process: Process) -> Result<(Answer, Vec<OwnedFd>)> {
    match receive(channel)? {
        None => Err(Error::Lost { process: process.name() }),
        Some((Answer::Failed { process, step, errno }, _)) => {
            let source = std::io::Error::from_raw_os_error(errno);
            Err(Error::Step { process: process.name(), step, source })
        }
        Some(answer) => Ok(answer),
    }
}
