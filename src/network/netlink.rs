//! One synchronous rtnetlink socket: a request and its acknowledgement, or a dump (rtnetlink(7)).
//!
//! Every answer is checked: an answer lost in the socket's buffer (`ENOBUFS`), an interrupted dump or a cut message
//! is an error; the caller observes again.

use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use nix::sched::{CloneFlags, setns};
use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// Dumps are cut by the kernel into parts of at most 32 KiB (netlink_dump in net/netlink/af_netlink.c).
const RECEIVE_BYTES: usize = 64 * 1024;
/// The dump changed while it was made (linux/netlink.h).
const NLM_F_DUMP_INTERRUPTED: u16 = 0x10;
const DUMP_ATTEMPTS: u32 = 20;
/// More before each further attempt: all of them take four seconds and the dumps.
const DUMP_PAUSE: Duration = Duration::from_millis(20);
const RECEIVE_BUFFER_BYTES: usize = 1024 * 1024;

/// Why a netlink exchange failed; `operation` is what was asked, in words.
#[derive(Debug, thiserror::Error)]
pub enum NetlinkError {
    #[error("cannot open a netlink socket")]
    Open {
        #[source]
        source: io::Error,
    },
    #[error("cannot enter the network namespace")]
    Enter {
        #[source]
        source: io::Error,
    },
    #[error("{operation}: cannot send the request")]
    Send {
        operation: String,
        #[source]
        source: io::Error,
    },
    #[error("{operation}: cannot receive the answer")]
    Receive {
        operation: String,
        #[source]
        source: io::Error,
    },
    #[error("{operation}: the kernel's answer was lost or changed midway; observe again")]
    Lost { operation: String },
    #[error("{operation}")]
    Refused {
        operation: String,
        #[source]
        source: io::Error,
    },
    #[error("{operation}: the answer cannot be read: {reason}")]
    Decode { operation: String, reason: String },
}

impl NetlinkError {
    /// The errno that the kernel answered, if it refused.
    pub fn errno(&self) -> Option<i32> {
        match self {
            NetlinkError::Refused { source, .. } => source.raw_os_error(),
            _ => None,
        }
    }
}

/// A socket bound to the network namespace in which it was opened, wherever its user goes later.
pub struct Netlink {
    socket: Socket,
    sequence: u32,
}

impl Netlink {
    /// Opens a socket in the caller's network namespace.
    pub fn open() -> Result<Netlink, NetlinkError> {
        let socket = open_socket().map_err(|source| NetlinkError::Open { source })?;
        Ok(Netlink { socket, sequence: 0 })
    }

    /// Opens a socket in another network namespace; a thread of its own enters it, so that the caller stays.
    pub fn open_in(netns: BorrowedFd<'_>) -> Result<Netlink, NetlinkError> {
        in_netns(netns, Netlink::open)?
    }

    /// Sends one request and waits for its acknowledgement. `flags` are added to `NLM_F_REQUEST | NLM_F_ACK`.
    ///
    /// # Errors
    /// [`NetlinkError::Refused`] with the kernel's errno when it says no.
    pub fn request(
        &mut self,
        operation: &str,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<(), NetlinkError> {
        self.send(operation, message, NLM_F_REQUEST | NLM_F_ACK | flags)?;
        self.collect(operation).map(|_| ())
    }

    /// Sends one request and gives the message that answers it.
    ///
    /// # Errors
    /// [`NetlinkError::Refused`] with the kernel's errno when it says no.
    pub fn get(
        &mut self,
        operation: &str,
        message: RouteNetlinkMessage,
    ) -> Result<Option<RouteNetlinkMessage>, NetlinkError> {
        self.send(operation, message, NLM_F_REQUEST | NLM_F_ACK)?;
        Ok(self.collect(operation)?.into_iter().next())
    }

    /// Sends one dump request and gives all that it answers. A dump that the kernel says was changed midway is made
    /// again, a few times: others work on links at the same time.
    pub fn dump(
        &mut self,
        operation: &str,
        message: RouteNetlinkMessage,
    ) -> Result<Vec<RouteNetlinkMessage>, NetlinkError> {
        retried(operation, || {
            self.send(operation, message.clone(), NLM_F_REQUEST | NLM_F_DUMP)?;
            self.collect(operation)
        })
    }

    fn send(
        &mut self,
        operation: &str,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<(), NetlinkError> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut message = NetlinkMessage::from(message);
        message.header.flags = flags;
        message.header.sequence_number = self.sequence;
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        match self.socket.send_to(&bytes, &SocketAddr::new(0, 0), 0) {
            Ok(sent) if sent == bytes.len() => Ok(()),
            Ok(_) => Err(NetlinkError::Lost { operation: operation.to_owned() }),
            Err(source) => Err(NetlinkError::Send { operation: operation.to_owned(), source }),
        }
    }

    fn collect(&self, operation: &str) -> Result<Vec<RouteNetlinkMessage>, NetlinkError> {
        collect(operation, self.sequence, || self.receive(operation))
    }

    fn receive(&self, operation: &str) -> Result<Vec<u8>, NetlinkError> {
        loop {
            let mut buffer = Vec::with_capacity(RECEIVE_BYTES);
            match self.socket.recv_from(&mut buffer, libc::MSG_TRUNC) {
                Ok((length, _)) if length > buffer.len() => {
                    return Err(NetlinkError::Lost { operation: operation.to_owned() });
                }
                Ok((_, sender)) if sender.port_number() != 0 => {}
                Ok(_) => return Ok(buffer),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                    return Err(NetlinkError::Lost { operation: operation.to_owned() });
                }
                Err(source) => return Err(NetlinkError::Receive { operation: operation.to_owned(), source }),
            }
        }
    }
}

/// Makes an exchange again while its answer is lost or void.
fn retried<T>(
    operation: &str,
    mut exchange: impl FnMut() -> Result<T, NetlinkError>,
) -> Result<T, NetlinkError> {
    for attempt in 0..DUMP_ATTEMPTS {
        match exchange() {
            Err(NetlinkError::Lost { .. }) => std::thread::sleep(DUMP_PAUSE * attempt),
            other => return other,
        }
    }
    Err(NetlinkError::Lost { operation: operation.to_owned() })
}

/// Reads until the acknowledgement or the end of the dump; to that end also when the dump is void, so that the
/// socket is free for the next.
fn collect(
    operation: &str,
    sequence: u32,
    mut receive: impl FnMut() -> Result<Vec<u8>, NetlinkError>,
) -> Result<Vec<RouteNetlinkMessage>, NetlinkError> {
    let mut answer = Answer::default();
    while !answer.is_over {
        read_datagram(operation, sequence, &receive()?, &mut answer)?;
    }
    if answer.is_interrupted {
        return Err(NetlinkError::Lost { operation: operation.to_owned() });
    }
    Ok(answer.messages)
}

fn read_datagram(
    operation: &str,
    sequence: u32,
    datagram: &[u8],
    answer: &mut Answer,
) -> Result<(), NetlinkError> {
    let mut rest = datagram;
    while !rest.is_empty() {
        let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest).map_err(|error| {
            NetlinkError::Decode { operation: operation.to_owned(), reason: error.to_string() }
        })?;
        let length = (message.header.length as usize).next_multiple_of(4).max(16);
        rest = rest.get(length..).unwrap_or(&[]);
        if message.header.sequence_number != sequence {
            continue;
        }
        answer.is_interrupted |= message.header.flags & NLM_F_DUMP_INTERRUPTED != 0;
        match message.payload {
            NetlinkPayload::InnerMessage(inner) => answer.messages.push(inner),
            NetlinkPayload::Done(done) if done.code == 0 => answer.is_over = true,
            NetlinkPayload::Done(done) => return Err(refused(operation, done.code)),
            NetlinkPayload::Error(error) if error.code.is_none() => answer.is_over = true,
            NetlinkPayload::Error(error) => return Err(refused(operation, error.raw_code())),
            NetlinkPayload::Overrun(_) => answer.is_interrupted = true,
            _ => {}
        }
    }
    Ok(())
}

/// What one exchange has brought so far.
#[derive(Default)]
struct Answer {
    messages: Vec<RouteNetlinkMessage>,
    is_over: bool,
    is_interrupted: bool,
}

/// Runs `work` on a thread of its own inside `netns`.
pub fn in_netns<T: Send>(netns: BorrowedFd<'_>, work: impl FnOnce() -> T + Send) -> Result<T, NetlinkError> {
    let entered = std::thread::scope(|scope| {
        scope
            .spawn(|| {
                setns(netns, CloneFlags::CLONE_NEWNET).map_err(io::Error::from)?;
                Ok::<T, io::Error>(work())
            })
            .join()
    });
    match entered {
        Ok(result) => result.map_err(|source| NetlinkError::Enter { source }),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

fn open_socket() -> io::Result<Socket> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    // More room for long dumps; a refusal only means the system's default.
    let _ = socket.set_rx_buf_sz(RECEIVE_BUFFER_BYTES);
    // The acknowledgement repeats the request's header, not the whole request.
    socket.set_cap_ack(true)?;
    Ok(socket)
}

fn refused(operation: &str, code: i32) -> NetlinkError {
    let source = io::Error::from_raw_os_error(code.abs());
    NetlinkError::Refused { operation: operation.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use netlink_packet_core::DoneMessage;
    use netlink_packet_route::link::LinkMessage;
    use std::collections::VecDeque;

    /// A message of a dump as the kernel sends it; index 0: its end.
    fn part(sequence: u32, index: u32, flags: u16) -> Vec<u8> {
        let mut message = if index == 0 {
            NetlinkMessage::new(Default::default(), NetlinkPayload::Done(DoneMessage::default()))
        } else {
            let mut link = LinkMessage::default();
            link.header.index = index;
            NetlinkMessage::from(RouteNetlinkMessage::NewLink(link))
        };
        message.header.flags = flags;
        message.header.sequence_number = sequence;
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        bytes
    }

    /// The links that a dump brings from these datagrams, how often it was asked for, and what was left unread.
    fn dump(datagrams: Vec<Vec<u8>>) -> (Result<Vec<u32>, NetlinkError>, u32, usize) {
        let (mut stream, mut sequence) = (VecDeque::from(datagrams), 0);
        let messages = retried("list links", || {
            sequence += 1;
            collect("list links", sequence, || {
                let cut = || NetlinkError::Decode { operation: String::new(), reason: "no more".to_owned() };
                stream.pop_front().ok_or_else(cut)
            })
        });
        let index = |message| match message {
            RouteNetlinkMessage::NewLink(link) => link.header.index,
            other => panic!("{other:?}"),
        };
        let links = messages.map(|messages| messages.into_iter().map(index).collect());
        (links, sequence, stream.len())
    }

    #[test]
    fn a_dump_that_changed_midway_is_made_again_until_one_is_whole() {
        let torn = NLM_F_DUMP_INTERRUPTED;
        let (links, asked, left) = dump(vec![
            // The flag on any part voids the whole, and all of it is read before the next is asked for.
            part(1, 7, torn),
            [part(1, 8, 0), part(1, 0, 0)].concat(),
            [part(2, 7, 0), part(2, 0, torn)].concat(),
            // Late parts of a former dump are none of this one's.
            [part(2, 9, torn), part(3, 7, 0)].concat(),
            [part(3, 8, 0), part(3, 0, 0)].concat(),
        ]);
        assert_eq!((links.unwrap(), asked, left), (vec![7, 8], 3, 0));
    }

    #[test]
    fn a_dump_that_never_is_whole_is_lost_and_an_error_is_not_asked_again() {
        let torn = (1..=DUMP_ATTEMPTS).map(|sequence| part(sequence, 0, NLM_F_DUMP_INTERRUPTED)).collect();
        let (links, asked, _) = dump(torn);
        assert!(matches!(links, Err(NetlinkError::Lost { .. })) && asked == DUMP_ATTEMPTS);
        let (links, asked, _) = dump(vec![part(1, 7, 0)]);
        assert!(matches!(links, Err(NetlinkError::Decode { .. })) && asked == 1);
    }
}
