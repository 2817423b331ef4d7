//! The monitor's loop: init's pidfd, the console, the control socket and its clients.
//!
//! | event             | does                                                     |
//! | ----------------- | -------------------------------------------------------- |
//! | pidfd readable    | drains the console, ends                                 |
//! | console readable  | log, and every attached stream that can take it          |
//! | listener readable | one more client                                          |
//! | client readable   | one command, one answer; an end or an error drops it     |
//! | stream readable   | to the console; an end detaches                          |
//! | memory is short   | looks a moment later whether init has outlived it        |
//! | nothing, a second | gives memory back, then waits without a limit            |

use crate::runtime::cgroup::Cgroup;
use crate::runtime::channel::{self, Failure, step};
use crate::runtime::console::{self, Action, Command, Log, Response};
use crate::runtime::monitor::Watched;
use crate::runtime::oom::OomWatch;
use crate::runtime::records;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, fcntl_getfl, fcntl_setfl};
use rustix::net::{
    AddressFamily, SocketFlags, SocketType, accept_with, bind, listen as listen_on, socket_with, socketpair,
};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

/// A console whose every slave was hung up polls as ready for ever: leave it alone this long.
const HUNG_UP_PAUSE: Duration = Duration::from_millis(200);
/// After this long without an event the monitor is idle.
const IDLE_AFTER: Duration = Duration::from_secs(1);
const CLIENTS: usize = 64;

struct Client {
    socket: OwnedFd,
    stream: Option<OwnedFd>,
    attends: bool,
    is_gone: bool,
}

/// Binds the control socket, replacing one that a lost monitor left.
pub fn listen(folder: &Path) -> Result<OwnedFd, Failure> {
    records::remove(folder, records::SOCKET)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
        .map_err(step("make the control socket"))?;
    let (_open, address) = console::address(folder)?;
    let before = rustix::process::umask(Mode::from_raw_mode(0o177));
    let bound = bind(&socket, &address);
    rustix::process::umask(before);
    bound.map_err(step("bind the control socket"))?;
    listen_on(&socket, 16).map_err(step("listen on the control socket"))?;
    Ok(socket)
}

/// Runs until init is dead; answers whether a controller attends.
pub fn run(watched: &mut Watched, mut log: Log, cgroup: &Cgroup<'_>, memory: &mut OomWatch) -> bool {
    let mut clients: Vec<Client> = Vec::new();
    // Typed text that the console has not taken yet.
    let mut pending: Vec<u8> = Vec::new();
    let mut is_hung_up = false;
    if let Some((master, _)) = &watched.console {
        let _ = set_nonblocking(master);
    }
    let mut is_idle = false;
    loop {
        if is_idle {
            linux::memory::give_back();
        }
        let limit = match (is_hung_up, memory.remaining()) {
            (true, _) => Some(HUNG_UP_PAUSE),
            (false, Some(remaining)) => Some(remaining),
            (false, None) => (!is_idle).then_some(IDLE_AFTER),
        };
        let polled = Polled { watched, clients: &clients, has_pending: !pending.is_empty(), is_hung_up };
        let ready = wait(&polled, memory, limit);
        if ready.memory {
            memory.noticed();
        }
        is_idle = !ready.any && !is_hung_up && memory.remaining().is_none();
        let master = watched.console.as_ref().map(|(master, _)| master.as_fd());
        is_hung_up = false;
        if let Some(master) = master {
            if ready.console || ready.init {
                is_hung_up = drain(master, &mut log, &mut clients);
            }
            flush(master, &mut pending);
        }
        if ready.init {
            return clients.iter().any(|client| client.attends);
        }
        memory.settle(cgroup);
        if ready.listener && clients.len() < CLIENTS {
            clients.extend(accept(&watched.listener));
        }
        for (place, command, typed) in ready.clients {
            let Some(client) = clients.get_mut(place) else { continue };
            if command {
                serve(client, watched);
            }
            if typed && pending.is_empty() {
                read_typed(client, &mut pending);
            }
        }
        clients.retain(|client| !client.is_gone);
    }
}

/// What decides which descriptors are waited for.
struct Polled<'a> {
    watched: &'a Watched,
    clients: &'a [Client],
    has_pending: bool,
    is_hung_up: bool,
}

#[derive(Default)]
struct Ready {
    /// Whether anything at all has happened.
    any: bool,
    init: bool,
    listener: bool,
    console: bool,
    memory: bool,
    /// Place, has a command, has typed text.
    clients: Vec<(usize, bool, bool)>,
}

fn wait(polled: &Polled<'_>, memory: &OomWatch, limit: Option<Duration>) -> Ready {
    let Polled { watched, clients, has_pending, is_hung_up } = polled;
    let mut fds =
        vec![PollFd::new(&watched.pidfd, PollFlags::IN), PollFd::new(&watched.listener, PollFlags::IN)];
    let console = watched.console.as_ref().filter(|_| !is_hung_up);
    if let Some((master, _)) = console {
        let writable = if *has_pending { PollFlags::OUT } else { PollFlags::empty() };
        fds.push(PollFd::new(master, PollFlags::IN | writable));
    }
    let notice = memory.poll();
    let at_notice = fds.len();
    let is_noticing = notice.is_some();
    fds.extend(notice);
    let first = fds.len();
    for client in *clients {
        fds.push(PollFd::new(&client.socket, PollFlags::IN));
        fds.extend(client.stream.iter().map(|stream| PollFd::new(stream, PollFlags::IN)));
    }
    let limit = limit
        .map(|limit| Timespec { tv_sec: limit.as_secs() as i64, tv_nsec: i64::from(limit.subsec_nanos()) });
    let Ok(count) = poll(&mut fds, limit.as_ref()) else { return Ready { any: true, ..Ready::default() } };
    let is_ready = |place: usize| fds.get(place).is_some_and(|fd| !fd.revents().is_empty());
    let mut ready = Ready {
        any: count > 0,
        init: is_ready(0),
        listener: is_ready(1),
        console: console.is_some() && is_ready(2),
        memory: is_noticing && is_ready(at_notice),
        clients: Vec::new(),
    };
    let mut at = first;
    for (place, client) in clients.iter().enumerate() {
        let typed = client.stream.is_some() && is_ready(at + 1);
        ready.clients.push((place, is_ready(at), typed));
        at += 1 + usize::from(client.stream.is_some());
    }
    ready
}

/// Empties the console; answers whether every slave of it is closed or hung up.
fn drain(master: BorrowedFd<'_>, log: &mut Log, clients: &mut [Client]) -> bool {
    let mut bytes = [0u8; 4096];
    loop {
        let length = match rustix::io::read(master, &mut bytes) {
            Ok(0) | Err(rustix::io::Errno::IO) => return true,
            Ok(length) => length,
            Err(_) => return false,
        };
        log.append(&bytes[..length]);
        for stream in clients.iter().filter_map(|client| client.stream.as_ref()) {
            // A reader that is too slow misses output; the log has it.
            let _ = rustix::net::send(stream, &bytes[..length], rustix::net::SendFlags::NOSIGNAL);
        }
    }
}

fn flush(master: BorrowedFd<'_>, pending: &mut Vec<u8>) {
    if !pending.is_empty() {
        match rustix::io::write(master, pending) {
            Ok(length) => drop(pending.drain(..length)),
            Err(rustix::io::Errno::AGAIN) => {}
            Err(_) => pending.clear(),
        }
    }
}

fn accept(listener: &OwnedFd) -> Option<Client> {
    let socket = accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK).ok()?;
    Some(Client { socket, stream: None, attends: false, is_gone: false })
}

fn read_typed(client: &mut Client, pending: &mut Vec<u8>) {
    let Some(stream) = &client.stream else { return };
    let mut bytes = [0u8; 1024];
    match rustix::io::read(stream, &mut bytes) {
        Ok(0) => client.stream = None,
        Ok(length) => pending.extend_from_slice(&bytes[..length]),
        Err(rustix::io::Errno::AGAIN) => {}
        Err(_) => client.stream = None,
    }
}

fn serve(client: &mut Client, watched: &Watched) {
    let Ok(Some((command, _))) = channel::receive::<Command>(&client.socket) else {
        client.is_gone = true;
        return;
    };
    let given = answer(client, watched, command);
    let sent = match given {
        Ok((response, fds)) => {
            let fds: Vec<BorrowedFd<'_>> = fds.iter().map(AsFd::as_fd).collect();
            channel::send(&client.socket, &response, &fds)
        }
        Err(failure) => channel::send(&client.socket, &Response::Refused { why: failure.step }, &[]),
    };
    client.is_gone = sent.is_err();
}

fn answer(
    client: &mut Client,
    watched: &Watched,
    command: Command,
) -> Result<(Response, Vec<OwnedFd>), Failure> {
    let none = || Failure {
        step: "this container's console was lost with its monitor".to_owned(),
        errno: libc::ENXIO,
    };
    let master = watched.console.as_ref().map(|(master, _)| master);
    match command.action {
        Action::Status => {
            let (incarnation, init) = (watched.spec.incarnation, watched.started.init);
            Ok((Response::Status { incarnation, init, has_console: master.is_some() }, Vec::new()))
        }
        Action::Attach { columns, rows } => {
            linux::process::set_window(master.ok_or_else(none)?, columns, rows)
                .map_err(step("set the window"))?;
            let (ours, theirs) =
                socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
                    .map_err(step("make a stream"))?;
            set_nonblocking(&ours)?;
            client.stream = Some(ours);
            Ok((Response::Done, vec![theirs]))
        }
        Action::Resize { columns, rows } => {
            linux::process::set_window(master.ok_or_else(none)?, columns, rows)
                .map_err(step("set the window"))?;
            Ok((Response::Done, Vec::new()))
        }
        Action::GiveFds => {
            let all = [Some(&watched.pidfd), master].into_iter().flatten();
            let copies = all.map(OwnedFd::try_clone).collect::<Result<_, _>>();
            Ok((Response::Done, copies.map_err(step("copy a descriptor"))?))
        }
        Action::Attend => {
            client.attends = true;
            Ok((Response::Done, Vec::new()))
        }
    }
}

fn set_nonblocking(fd: &OwnedFd) -> Result<(), Failure> {
    let flags = fcntl_getfl(fd).map_err(step("look at a descriptor"))?;
    fcntl_setfl(fd, flags | OFlags::NONBLOCK).map_err(step("unblock a descriptor"))
}
