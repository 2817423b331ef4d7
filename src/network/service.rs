//! A connection to a service inside a network namespace, as a program in there would make it; no program in there has a
//! part in it.
//!
//! ```text
//! 127.0.0.1 ─► ::1 ─► the addresses of its links ─► the first that takes the connection
//! ```
//!
//! What is inside may be hostile: each wait has an end, and Ctrl-C ends it.

use super::links::Links;
use super::netlink::{Netlink, NetlinkError, in_netns};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with, sockopt};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::num::NonZeroU16;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// Between two looks at the flag that Ctrl-C sets.
const CANCEL_POLL: Duration = Duration::from_millis(100);
/// For one address: it is on this machine.
const CONNECT: Duration = Duration::from_secs(1);
/// Somebody inside may have given its links any number of addresses.
const MOST_ADDRESSES: usize = 16;

const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("port {port} refuses connections")]
    Refused { port: NonZeroU16 },
    /// Neither taken nor refused in time.
    #[error("port {port} does not answer")]
    Silent { port: NonZeroU16 },
    #[error("port {port} cannot be reached: {error}")]
    Unreachable { port: NonZeroU16, error: io::Error },
    #[error("cancelled")]
    Cancelled,
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
}

/// How long a question may take, and whether it is still wanted.
#[derive(Clone, Copy)]
pub struct Patience<'a> {
    pub until: Instant,
    pub cancelled: &'a dyn Fn() -> bool,
}

/// What ended a wait besides what was waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Impatience {
    Late,
    Cancelled,
}

impl Patience<'_> {
    /// Waits until a socket can be read or written, or is broken.
    pub fn wait(&self, socket: BorrowedFd<'_>, events: PollFlags) -> Result<(), Impatience> {
        loop {
            let left = self.until.saturating_duration_since(Instant::now());
            let slice = left.min(CANCEL_POLL);
            let slice = Timespec { tv_sec: slice.as_secs() as i64, tv_nsec: i64::from(slice.subsec_nanos()) };
            let count = poll(&mut [PollFd::from_borrowed_fd(socket, events)], Some(&slice));
            if (self.cancelled)() {
                return Err(Impatience::Cancelled);
            }
            if count.is_ok_and(|count| count > 0) {
                return Ok(());
            }
            if left.is_zero() {
                return Err(Impatience::Late);
            }
        }
    }

    fn at_most(self, time: Duration) -> Self {
        Patience { until: self.until.min(Instant::now() + time), ..self }
    }
}

/// The first connection that a service at `port` takes in the namespace. `netns` is a descriptor of /proc/PID/ns/net.
///
/// # Errors
/// Of several addresses the answer that says most: silence, else a refusal, else why none could be reached.
pub fn connect_in(
    netns: BorrowedFd<'_>,
    port: NonZeroU16,
    patience: Patience<'_>,
) -> Result<TcpStream, ConnectError> {
    let mut told = None;
    for address in LOOPBACK {
        match attempt(netns, address, port, patience) {
            Err(error) => tell(&mut told, error)?,
            done => return done,
        }
    }
    for address in own_addresses(netns)? {
        match attempt(netns, address, port, patience) {
            Err(error) => tell(&mut told, error)?,
            done => return done,
        }
    }
    Err(told.unwrap_or(ConnectError::Refused { port }))
}

/// Keeps the error that says more; what ends all attempts ends them.
fn tell(told: &mut Option<ConnectError>, error: ConnectError) -> Result<(), ConnectError> {
    let weight = |error: &ConnectError| match error {
        ConnectError::Silent { .. } => 2,
        ConnectError::Refused { .. } => 1,
        _ => 0,
    };
    if matches!(error, ConnectError::Cancelled | ConnectError::Netlink(_)) {
        return Err(error);
    }
    if told.as_ref().is_none_or(|before| weight(&error) > weight(before)) {
        *told = Some(error);
    }
    Ok(())
}

/// Those of links that are up: only they are certainly this namespace's own.
fn own_addresses(netns: BorrowedFd<'_>) -> Result<Vec<IpAddr>, NetlinkError> {
    let links = Links::read(&mut Netlink::open_in(netns)?)?;
    let up = links.by_name.values().filter(|link| link.up);
    let addresses = up.flat_map(|link| &link.addresses).map(|net| net.addr());
    Ok(addresses.filter(|address| !LOOPBACK.contains(address)).take(MOST_ADDRESSES).collect())
}

fn attempt(
    netns: BorrowedFd<'_>,
    address: IpAddr,
    port: NonZeroU16,
    patience: Patience<'_>,
) -> Result<TcpStream, ConnectError> {
    let address = SocketAddr::new(address, port.get());
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset => ConnectError::Refused { port },
        io::ErrorKind::TimedOut => ConnectError::Silent { port },
        _ => ConnectError::Unreachable { port, error },
    };
    let socket = socket_in(netns, address)?.map_err(failed)?;
    match connect(&socket, &address) {
        Ok(()) => {}
        Err(Errno::INPROGRESS) => {
            match patience.at_most(CONNECT).wait(socket.as_fd(), PollFlags::OUT) {
                Ok(()) => {}
                Err(Impatience::Late) => return Err(ConnectError::Silent { port }),
                Err(Impatience::Cancelled) => return Err(ConnectError::Cancelled),
            }
            let outcome = sockopt::socket_error(&socket).map_err(|error| failed(error.into()))?;
            outcome.map_err(|error| failed(error.into()))?;
        }
        Err(error) => return Err(failed(error.into())),
    }
    let stream = TcpStream::from(socket);
    // Where nobody listens a socket may meet itself: the kernel chose that very port for its own end.
    if stream.local_addr().map_err(failed)? == address {
        return Err(ConnectError::Refused { port });
    }
    Ok(stream)
}

/// A socket of the namespace, wherever its user is.
fn socket_in(netns: BorrowedFd<'_>, address: SocketAddr) -> Result<io::Result<OwnedFd>, NetlinkError> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    in_netns(netns, || socket_with(family, SocketType::STREAM, flags, None).map_err(io::Error::from))
}
