//! exec and console over a websocket: bytes both ways until the program has ended or the client has gone, which ends
//! the program. What travels: [`InsideOrder`] and [`InsideEvent`].
//!
//! Input and output are two futures side by side, so that neither a full pipe inside nor a client that does not read
//! keeps signals from the program.

use super::{Shareable, blocking};
use crate::api::error::{Failure, FailureKind};
use crate::api::types::{ExecRequest, InsideEvent, InsideOrder};
use crate::daemon::operations::inside::{Console, Inside};
use crate::model::key::Key;
use crate::runtime::exec::Ends;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::routing::get;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use rustix::fs::OFlags;
use serde::Deserialize;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

const CHUNK: usize = 32 * 1024;
/// The kernel passes a terminal's last output on by a worker of its own.
const TERMINAL_TAIL: Duration = Duration::from_millis(50);
/// How long that may go on.
const TERMINAL_END: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
struct Window {
    columns: u16,
    rows: u16,
}

pub fn routes() -> axum::Router<Shareable> {
    axum::Router::new()
        .route("/1.0/bayplan/containers/{name}/exec", get(exec))
        .route("/1.0/bayplan/containers/{name}/console", get(console))
}

async fn exec(State(daemon): State<Shareable>, Path(name): Path<String>, on: WebSocketUpgrade) -> Response {
    on.on_upgrade(async move |socket| {
        let (mut sink, mut stream) = socket.split();
        let Some(Ok(Message::Text(text))) = stream.next().await else { return };
        let started = match serde_json::from_str::<ExecRequest>(&text) {
            Err(error) => Err(Failure::from_error(FailureKind::Refused, &error)),
            Ok(request) => blocking(move || start(&daemon, &Key::container(name), &request)).await,
        };
        accompany(started, &mut sink, stream).await;
    })
}

async fn console(
    State(daemon): State<Shareable>,
    Path(name): Path<String>,
    Query(window): Query<Window>,
    on: WebSocketUpgrade,
) -> Response {
    on.on_upgrade(async move |socket| {
        let (mut sink, stream) = socket.split();
        let attached = blocking(move || {
            let Window { columns, rows } = window;
            let console = daemon.bay.attach_console(&Key::container(name), columns, rows)?;
            let input = copy(&console.stream)?;
            let output = vec![copy(&console.stream)?];
            Ok(Joined { far: Far::Console(console), input: Some(input), outputs: output })
        });
        accompany(attached.await, &mut sink, stream).await;
    })
}

/// What is at the other end. Dropping it ends it.
enum Far {
    Program(Inside),
    Console(Console),
}

/// A far end with our ends of its streams.
struct Joined {
    far: Far,
    input: Option<OwnedFd>,
    outputs: Vec<OwnedFd>,
}

fn start(daemon: &super::Daemon, key: &Key, request: &ExecRequest) -> Result<Joined, Failure> {
    let mut inside = daemon.bay.exec(key, request)?;
    let Some(ends) = inside.take_ends() else {
        let master = inside.terminal().map(|master| copy(&master)).transpose()?;
        let outputs = master.iter().map(copy).collect::<Result<_, _>>()?;
        return Ok(Joined { far: Far::Program(inside), input: master, outputs });
    };
    let Ends { stdin, stdout, stderr } = ends;
    Ok(Joined { far: Far::Program(inside), input: Some(stdin), outputs: vec![stdout, stderr] })
}

fn copy(fd: &impl AsFd) -> Result<OwnedFd, Failure> {
    fd.as_fd().try_clone_to_owned().map_err(|error| host(&error))
}

fn host(error: &io::Error) -> Failure {
    Failure::from_error(FailureKind::Host, error)
}

type Sink = SplitSink<WebSocket, Message>;

async fn accompany(joined: Result<Joined, Failure>, sink: &mut Sink, stream: SplitStream<WebSocket>) {
    let ended = match joined {
        Err(failure) => Err(failure),
        Ok(joined) => match pass(joined, sink, stream).await {
            Some(ended) => ended,
            None => return,
        },
    };
    let last = match ended {
        Ok(status) => InsideEvent::Ended(status),
        Err(failure) => InsideEvent::Failed(failure),
    };
    // A client that is gone needs no last word.
    let _ = say(sink, &last).await;
    let _ = sink.close().await;
}

/// None: the client has gone.
async fn pass(
    joined: Joined,
    sink: &mut Sink,
    stream: SplitStream<WebSocket>,
) -> Option<Result<i32, Failure>> {
    let Joined { far, input, outputs } = joined;
    if let Far::Program(inside) = &far {
        for warning in &inside.warnings {
            say(sink, &InsideEvent::Warning(warning.clone())).await.ok()?;
        }
    }
    let (taken, takes) = unbounded_channel();
    let outputs = match outputs.into_iter().map(unblocked).collect::<io::Result<Vec<_>>>() {
        Ok(outputs) => outputs,
        Err(error) => return Some(Err(host(&error))),
    };
    let input = match input.map(unblocked).transpose() {
        Ok(input) => input,
        Err(error) => return Some(Err(host(&error))),
    };
    say(sink, &InsideEvent::Started).await.ok()?;
    tokio::select! {
        ended = send_output(&far, outputs, takes, sink) => ended,
        () = take_input(&far, input, stream, taken) => None,
    }
}

fn unblocked(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    let flags = rustix::fs::fcntl_getfl(&fd)?;
    rustix::fs::fcntl_setfl(&fd, flags | OFlags::NONBLOCK)?;
    watched(fd, Interest::READABLE | Interest::WRITABLE)
}

#[expect(deprecated, reason = "an OwnedFd always gives the same open descriptor; the successor is unsafe")]
fn watched(fd: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(fd, interest)
}

async fn say(sink: &mut Sink, event: &InsideEvent) -> Result<(), axum::Error> {
    let text = serde_json::to_string(event).map_err(axum::Error::new)?;
    sink.send(Message::text(text)).await
}

/// Until the far end is over and all its output was sent; None: the client has gone.
async fn send_output(
    far: &Far,
    outputs: Vec<AsyncFd<OwnedFd>>,
    mut takes: UnboundedReceiver<()>,
    sink: &mut Sink,
) -> Option<Result<i32, Failure>> {
    let over = match far {
        Far::Program(inside) => {
            let over =
                copy(inside).and_then(|fd| watched(fd, Interest::READABLE).map_err(|error| host(&error)));
            match over {
                Ok(over) => Some(over),
                Err(failure) => return Some(Err(failure)),
            }
        }
        Far::Console(_) => None,
    };
    let mut outputs = outputs.into_iter();
    let (mut first, mut second) = (outputs.next(), outputs.next());
    loop {
        tokio::select! {
            bytes = read(first.as_ref()), if first.is_some() => send(sink, 1, bytes, &mut first).await?,
            bytes = read(second.as_ref()), if second.is_some() => send(sink, 2, bytes, &mut second).await?,
            Some(()) = takes.recv() => say(sink, &InsideEvent::Taken).await.ok()?,
            true = ended(over.as_ref()), if over.is_some() => break,
        }
        if first.is_none() && over.is_none() {
            return Some(Ok(0));
        }
    }
    let Far::Program(inside) = far else { return Some(Ok(0)) };
    if inside.terminal().is_some() {
        let tail = drain_terminal(sink, &mut first);
        // One that writes on in the background is not waited for.
        if let Ok(None) = tokio::time::timeout(TERMINAL_END, tail).await {
            return None;
        }
    } else {
        drain(sink, 1, first).await?;
        drain(sink, 2, second).await?;
    }
    Some(inside.wait())
}

async fn ended(over: Option<&AsyncFd<OwnedFd>>) -> bool {
    match over {
        Some(over) => over.readable().await.is_ok(),
        None => false,
    }
}

async fn read(output: Option<&AsyncFd<OwnedFd>>) -> Vec<u8> {
    let Some(output) = output else { return vec![] };
    let mut buffer = vec![0; CHUNK];
    let read = |fd: &OwnedFd| Ok(rustix::io::read(fd, &mut buffer)?);
    // A terminal's end is EIO.
    let count = output.async_io(Interest::READABLE, read).await.unwrap_or(0);
    buffer.truncate(count);
    buffer
}

/// Nothing was read: the stream is closed.
async fn send(
    sink: &mut Sink,
    stream: u8,
    bytes: Vec<u8>,
    output: &mut Option<AsyncFd<OwnedFd>>,
) -> Option<()> {
    if bytes.is_empty() {
        *output = None;
        return Some(());
    }
    let mut message = vec![stream];
    message.extend(bytes);
    sink.send(Message::binary(message)).await.ok()
}

/// What a pipe held when the program ended; what others write afterwards is not waited for.
async fn drain(sink: &mut Sink, stream: u8, output: Option<AsyncFd<OwnedFd>>) -> Option<()> {
    let Some(open) = output else { return Some(()) };
    // Not by readiness: that is told later than the program's end.
    let mut left = rustix::io::ioctl_fionread(open.get_ref()).unwrap_or(0) as usize;
    let mut output = Some(open);
    while let Some(open) = output.as_ref().filter(|_| left > 0) {
        let mut buffer = vec![0; CHUNK.min(left)];
        let count = rustix::io::read(open.get_ref(), &mut buffer).unwrap_or(0);
        buffer.truncate(count);
        left -= count;
        send(sink, stream, buffer, &mut output).await?;
    }
    Some(())
}

/// What a terminal shows after the program's end, until it is quiet.
async fn drain_terminal(sink: &mut Sink, output: &mut Option<AsyncFd<OwnedFd>>) -> Option<()> {
    while let Some(open) = output.as_ref() {
        let mut buffer = vec![0; CHUNK];
        let bytes = match rustix::io::read(open.get_ref(), &mut buffer) {
            Ok(count) => {
                buffer.truncate(count);
                buffer
            }
            Err(rustix::io::Errno::AGAIN) => {
                tokio::time::timeout(TERMINAL_TAIL, read(Some(open))).await.unwrap_or_default()
            }
            Err(_) => vec![],
        };
        send(sink, 1, bytes, output).await?;
    }
    Some(())
}

/// Until the client has gone.
async fn take_input(
    far: &Far,
    mut input: Option<AsyncFd<OwnedFd>>,
    mut stream: SplitStream<WebSocket>,
    taken: UnboundedSender<()>,
) {
    let mut pending: Vec<u8> = vec![];
    loop {
        tokio::select! {
            message = stream.next() => match message {
                Some(Ok(Message::Binary(bytes))) if bytes.is_empty() => input = None,
                Some(Ok(Message::Binary(bytes))) => pending.extend_from_slice(&bytes),
                Some(Ok(Message::Text(order))) => obey(far, &order),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
            },
            written = write(input.as_ref(), &pending), if !pending.is_empty() => {
                pending.drain(..written);
                // An output side that has ended asks for no more input.
                if pending.is_empty() && taken.send(()).is_err() {
                    return;
                }
            }
        }
    }
}

/// Nobody reads any more: it is as if all was written.
async fn write(input: Option<&AsyncFd<OwnedFd>>, bytes: &[u8]) -> usize {
    let Some(input) = input else { return bytes.len() };
    let write = |fd: &OwnedFd| Ok(rustix::io::write(fd, bytes)?);
    input.async_io(Interest::WRITABLE, write).await.unwrap_or(bytes.len())
}

fn obey(far: &Far, order: &str) {
    match (serde_json::from_str::<InsideOrder>(order), far) {
        (Ok(InsideOrder::Signal(number)), Far::Program(inside)) => inside.signal(number),
        (Ok(InsideOrder::Resize(columns, rows)), Far::Program(inside)) => inside.resize(columns, rows),
        (Ok(InsideOrder::Resize(columns, rows)), Far::Console(console)) => console.resize(columns, rows),
        (Ok(InsideOrder::Signal(_)), Far::Console(_)) => {}
        (Err(error), _) => tracing::debug!("an order that is none: {error}"),
    }
}
