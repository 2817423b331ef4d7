//! A program or a console behind the daemon's websocket, as descriptors and calls: what a command does with a program
//! of its own it does with this one. One thread drives the socket; reading standard input and writing the outputs
//! have threads of their own, because both may block.

use super::bytes;
use super::client::{Client, escaped};
use super::error::{Failure, FailureKind};
use super::types::{ExecRequest, InsideEvent, InsideOrder};
use crate::model::key::Key;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use tokio::net::UnixStream;
use tokio::sync::mpsc::{Receiver, Sender, UnboundedReceiver, UnboundedSender, channel, unbounded_channel};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

const CHUNK: usize = 32 * 1024;

/// Dropping it leaves: a program is killed, a console goes on.
pub struct Remote {
    /// What a program was not given as it should be.
    pub warnings: Vec<String>,
    /// Both ways; None for a program with three streams.
    terminal: Option<OwnedFd>,
    orders: UnboundedSender<InsideOrder>,
    /// Its other end is closed when [`Remote::wait`] would not block.
    over: OwnedFd,
    driver: JoinHandle<Result<i32, Failure>>,
}

/// Where input comes from and output goes.
struct Local {
    stdin: OwnedFd,
    stdout: OwnedFd,
    stderr: Option<OwnedFd>,
}

impl Client {
    /// Standard input, output and error are needed unless the request wants a terminal.
    pub fn exec(
        &self,
        key: &Key,
        request: &ExecRequest,
        streams: Option<[OwnedFd; 3]>,
    ) -> Result<Remote, Failure> {
        let path = format!("/1.0/bayplan/containers/{}/exec", escaped(&key.name));
        let first = serde_json::to_string(request).map_err(|error| broken(&error))?;
        match streams {
            Some([stdin, stdout, stderr]) => {
                let local = Local { stdin, stdout, stderr: Some(stderr) };
                Remote::open(self.socket(), path, Some(first), local, None)
            }
            None => Remote::on_terminal(self.socket(), path, Some(first)),
        }
    }

    pub fn attach_console(&self, key: &Key, columns: u16, rows: u16) -> Result<Remote, Failure> {
        let path =
            format!("/1.0/bayplan/containers/{}/console?columns={columns}&rows={rows}", escaped(&key.name));
        Remote::on_terminal(self.socket(), path, None)
    }
}

impl Remote {
    fn on_terminal(socket: &Path, path: String, first: Option<String>) -> Result<Remote, Failure> {
        let (near, far) = std::os::unix::net::UnixStream::pair().map_err(|error| broken(&error))?;
        let output = far.try_clone().map_err(|error| broken(&error))?;
        let local = Local { stdin: far.into(), stdout: output.into(), stderr: None };
        Remote::open(socket, path, first, local, Some(near.into()))
    }

    /// Returns when the program runs, or with why it does not.
    fn open(
        socket: &Path,
        path: String,
        first: Option<String>,
        local: Local,
        terminal: Option<OwnedFd>,
    ) -> Result<Remote, Failure> {
        let (over, ends) =
            rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(|error| broken(&error))?;
        let (orders, taken) = unbounded_channel();
        let (begun, begins) = std::sync::mpsc::channel();
        let socket: PathBuf = socket.to_owned();
        let drive = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let ended = runtime.map_err(|error| broken(&error)).and_then(|runtime| {
                let (ended, output) =
                    runtime.block_on(converse(&socket, &path, first, local, taken, &begun))?;
                // All that was sent is written before anyone learns of the end.
                match output.join() {
                    Ok(Err(error)) => unwritten(&error).map_or(ended, Err),
                    _ => ended,
                }
            });
            drop(ends);
            ended
        };
        let driver = std::thread::Builder::new()
            .name("inside".to_owned())
            .spawn(drive)
            .map_err(|error| broken(&error))?;
        let remote = Remote { warnings: vec![], terminal, orders, over, driver };
        match begins.recv() {
            Ok(warnings) => Ok(Remote { warnings, ..remote }),
            Err(_) => Err(remote.wait().err().unwrap_or_else(lost)),
        }
    }

    /// Output to read, input to write; its end is the program's.
    pub fn terminal(&self) -> Option<BorrowedFd<'_>> {
        self.terminal.as_ref().map(AsFd::as_fd)
    }

    /// A program that is just ending takes no signal.
    pub fn signal(&self, number: i32) {
        let _ = self.orders.send(InsideOrder::Signal(number));
    }

    pub fn resize(&self, columns: u16, rows: u16) {
        let _ = self.orders.send(InsideOrder::Resize(columns, rows));
    }

    /// The exit status; a console's end is 0.
    pub fn wait(self) -> Result<i32, Failure> {
        drop(self.terminal);
        self.driver.join().unwrap_or_else(|_| Err(lost()))
    }
}

impl AsFd for Remote {
    /// Readable when [`Remote::wait`] would not block.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.over.as_fd()
    }
}

type Socket = WebSocketStream<UnixStream>;
type Talk = (Result<i32, Failure>, JoinHandle<io::Result<()>>);

async fn converse(
    socket: &Path,
    path: &str,
    first: Option<String>,
    local: Local,
    orders: UnboundedReceiver<InsideOrder>,
    begun: &std::sync::mpsc::Sender<Vec<String>>,
) -> Result<Talk, Failure> {
    let stream = UnixStream::connect(socket).await.map_err(|error| broken(&error))?;
    let url = format!("ws://bayplan{path}");
    let (talk, _) = tokio_tungstenite::client_async(url, stream).await.map_err(|error| broken(&error))?;
    let (mut sink, mut stream) = talk.split();
    if let Some(first) = first {
        sink.send(Message::text(first)).await.map_err(|error| broken(&error))?;
    }
    let mut warnings = vec![];
    loop {
        match event(&mut stream).await? {
            Heard::Event(InsideEvent::Warning(warning)) => warnings.push(warning),
            Heard::Event(InsideEvent::Started) => break,
            Heard::Event(InsideEvent::Failed(failure)) => return Err(failure),
            _ => return Err(lost()),
        }
    }
    // Whoever opened waits for this word.
    let _ = begun.send(warnings);
    let Local { stdin, stdout, stderr } = local;
    let (typed, types) = channel(1);
    std::thread::spawn(move || read_input(&stdin, &typed));
    let (shown, shows) = channel(4);
    let output = std::thread::spawn(move || write_output(&stdout, stderr.as_ref(), shows));
    let (taken, takes) = unbounded_channel();
    let ended = tokio::select! {
        ended = listen(stream, shown, taken) => ended,
        ended = speak(sink, types, orders, takes) => Err(ended),
    };
    Ok((ended, output))
}

enum Heard {
    Event(InsideEvent),
    Bytes(Vec<u8>),
}

async fn event(stream: &mut SplitStream<Socket>) -> Result<Heard, Failure> {
    loop {
        match stream.next().await {
            Some(Ok(Message::Text(text))) => {
                return serde_json::from_str(&text).map(Heard::Event).map_err(|error| broken(&error));
            }
            Some(Ok(Message::Binary(bytes))) => return Ok(Heard::Bytes(bytes.into())),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(lost()),
        }
    }
}

async fn listen(
    mut stream: SplitStream<Socket>,
    shown: Sender<Vec<u8>>,
    taken: UnboundedSender<()>,
) -> Result<i32, Failure> {
    loop {
        match event(&mut stream).await? {
            Heard::Bytes(bytes) => {
                if shown.send(bytes).await.is_err() {
                    // Nobody reads any more: as the program itself would have, it ends by SIGPIPE.
                    return Ok(128 + libc::SIGPIPE);
                }
            }
            Heard::Event(InsideEvent::Taken) => drop(taken.send(())),
            Heard::Event(InsideEvent::Ended(status)) => return Ok(status),
            Heard::Event(InsideEvent::Failed(failure)) => return Err(failure),
            Heard::Event(InsideEvent::Started | InsideEvent::Warning(_)) => {}
        }
    }
}

/// One piece of input at a time; orders at any time. Ends only when the daemon is lost.
async fn speak(
    mut sink: SplitSink<Socket, Message>,
    mut types: Receiver<Vec<u8>>,
    mut orders: UnboundedReceiver<InsideOrder>,
    mut takes: UnboundedReceiver<()>,
) -> Failure {
    let (mut may_type, mut is_open) = (true, true);
    loop {
        let message = tokio::select! {
            Some(order) = orders.recv() => match serde_json::to_string(&order) {
                Ok(text) => Message::text(text),
                Err(error) => return broken(&error),
            },
            Some(()) = takes.recv() => {
                may_type = true;
                continue;
            }
            typed = types.recv(), if may_type && is_open => {
                may_type = false;
                is_open = typed.is_some();
                Message::binary(typed.unwrap_or_default())
            }
            else => std::future::pending().await,
        };
        if sink.send(message).await.is_err() {
            // The other side learns of it too, and knows whether there was a last word.
            std::future::pending::<()>().await;
        }
    }
}

fn read_input(stdin: &OwnedFd, typed: &Sender<Vec<u8>>) {
    let mut buffer = vec![0; CHUNK];
    while let Ok(count @ 1..) = bytes::read(stdin.as_fd(), &mut buffer) {
        if typed.blocking_send(buffer[..count].to_vec()).is_err() {
            return;
        }
    }
}

/// The first byte says where the rest goes.
fn write_output(stdout: &OwnedFd, stderr: Option<&OwnedFd>, mut shows: Receiver<Vec<u8>>) -> io::Result<()> {
    while let Some(message) = shows.blocking_recv() {
        let Some((stream, bytes)) = message.split_first() else { continue };
        let to = if *stream == 2 { stderr.unwrap_or(stdout) } else { stdout };
        bytes::write_all(to.as_fd(), bytes)?;
    }
    Ok(())
}

/// A program's output that did not arrive. A reader that has gone is no failure.
pub fn unwritten(error: &io::Error) -> Option<Failure> {
    let message = format!("the program's output cannot be written: {error}");
    (error.kind() != io::ErrorKind::BrokenPipe).then(|| Failure::new(FailureKind::Host, message))
}

fn broken(error: &dyn std::error::Error) -> Failure {
    let failure = Failure::from_error(FailureKind::Host, error);
    Failure { message: format!("talking to the daemon failed: {}", failure.message), ..failure }
}

fn lost() -> Failure {
    Failure::new(FailureKind::Host, "the daemon was lost; a program that ran through it has been killed")
}
