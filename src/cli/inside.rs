//! exec and shell: a program in a container; its status is the exit code, 125 is Bayplan's own failure.

use super::connection::Connection;
use super::exit::{EXEC_FAILED, Exit};
use super::failure;
use super::interrupt;
use super::key::parse_key;
use super::output::complain;
use super::program::Program;
use super::session::Session;
use super::terminal::{self, Detach, Far, Raw};
use crate::api::error::{Failure, FailureKind};
use crate::api::types::ExecRequest;
use crate::model::key::Key;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub struct ExecArgs {
    /// The container
    #[arg(value_name = "KEY", value_parser = parse_key)]
    key: Key,
    /// Always with a terminal [default: when standard input and output are one]
    #[arg(short = 't', long, conflicts_with = "no_tty")]
    tty: bool,
    /// Never with a terminal
    #[arg(short = 'T', long)]
    no_tty: bool,
    /// Who runs it: NAME, UID, NAME:GROUP or UID:GID, by the container's own tables [default: root]
    #[arg(short, long, value_name = "USER")]
    user: Option<String>,
    /// Where it runs [default: the user's home]
    #[arg(long, value_name = "DIR")]
    cwd: Option<String>,
    /// A variable of its environment
    #[arg(short, long, value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,
    /// The program and its arguments
    #[arg(value_name = "COMMAND", required = true, last = true)]
    command: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub struct ShellArgs {
    /// The container
    #[arg(value_name = "KEY", value_parser = parse_key)]
    key: Key,
    /// Whose shell [default: root]
    #[arg(short, long, value_name = "USER")]
    user: Option<String>,
}

/// After so many signals exec ends itself.
const SIGNALS: u32 = 3;
/// A start that is not done so long after a signal hangs.
const START_POLL: Duration = Duration::from_millis(300);
/// A signal may come just before a wait, which then does not end by it.
const SIGNAL_POLL: Timespec = Timespec { tv_sec: 0, tv_nsec: 250_000_000 };

/// bash where the container has it.
const SHELL: [&str; 3] =
    ["/bin/sh", "-c", "if [ -x /bin/bash ]; then exec /bin/bash -l; else exec /bin/sh -l; fi"];

pub fn exec(session: &Session, args: &ExecArgs) -> anyhow::Result<Exit> {
    let terminal = args.tty || (!args.no_tty && on_terminal());
    let request = ExecRequest {
        arguments: args.command.clone(),
        environment: args.env.iter().cloned().collect(),
        user: args.user.clone(),
        folder: args.cwd.clone(),
        terminal: terminal.then(terminal::size),
    };
    Ok(run(session, &args.key, request))
}

pub fn shell(session: &Session, args: &ShellArgs) -> anyhow::Result<Exit> {
    let request = ExecRequest {
        arguments: SHELL.map(str::to_owned).to_vec(),
        environment: BTreeMap::new(),
        user: args.user.clone(),
        folder: None,
        terminal: on_terminal().then(terminal::size),
    };
    Ok(run(session, &args.key, request))
}

fn on_terminal() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

fn run(session: &Session, key: &Key, request: ExecRequest) -> Exit {
    let status = Connection::reader(session)
        .map_err(anyhow::Error::from)
        .and_then(|connection| through(&connection, key, request));
    match status {
        Ok(status) => Exit::Command(u8::try_from(status).unwrap_or(EXEC_FAILED)),
        Err(error) => {
            if failure::show(session, &error) == Exit::Unread {
                return Exit::Unread;
            }
            Exit::Command(match error.downcast_ref::<Failure>().map(|failure| failure.kind) {
                Some(FailureKind::ProgramNotFound) => 127,
                Some(FailureKind::NotExecutable) => 126,
                _ => EXEC_FAILED,
            })
        }
    }
}

fn through(connection: &Connection, key: &Key, mut request: ExecRequest) -> anyhow::Result<i32> {
    if request.terminal.is_some() {
        if let Ok(term) = std::env::var("TERM") {
            request.environment.entry("TERM".to_owned()).or_insert(term);
        }
        let program = connection.exec(key, &request, None)?;
        warn(&program);
        return on_its_terminal(program);
    }
    let streams = [own(io::stdin())?, own(io::stdout())?, own(io::stderr())?];
    // In the background of a terminal: reading it fails, instead of stopping us.
    linux::process::ignore_signal(libc::SIGTTIN);
    let program = until_interrupted(|| connection.exec(key, &request, Some(streams)))?;
    warn(&program);
    match pass_signals(&program)? {
        None => Ok(program.wait()?),
        Some(last) => Ok(128 + last),
    }
}

fn warn(program: &Program) {
    program.warnings().iter().for_each(|warning| complain(&format!("warning: {warning}")));
}

fn own(stream: impl AsFd) -> io::Result<OwnedFd> {
    stream.as_fd().try_clone_to_owned()
}

fn on_its_terminal(program: Program) -> anyhow::Result<i32> {
    let raw = Raw::enter()?;
    if let Some(stream) = program.terminal() {
        let resize = |columns, rows| program.resize(columns, rows);
        terminal::pump(&Far { stream, over: Some(program.as_fd()), resize: &resize }, Detach::Never)?;
    }
    drop(raw);
    Ok(program.wait()?)
}

/// A start that hangs ends with this process, when a signal comes; a signal that comes just before the start is done is
/// left for the program.
fn until_interrupted<T>(start: impl FnOnce() -> T) -> T {
    let (interrupted, is_done) = (interrupt::flag(), Arc::new(AtomicBool::new(false)));
    let done = Arc::clone(&is_done);
    let watch = move || {
        while !done.load(Ordering::Relaxed) {
            let was_interrupted = interrupted.load(Ordering::Relaxed);
            std::thread::sleep(START_POLL);
            if was_interrupted && !done.load(Ordering::Relaxed) {
                std::process::exit(128 + interrupt::take().unwrap_or(libc::SIGINT));
            }
        }
    };
    // Without it signals wait for the end of the start.
    let _ = std::thread::Builder::new().name("start".to_owned()).spawn(watch);
    let started = start();
    is_done.store(true, Ordering::Relaxed);
    started
}

/// Ctrl-C and SIGTERM go to the program, until it has ended and its output was written. The last of a number of them
/// is given back instead: it ends a program that is deaf or frozen, and a wait for who does not read its output.
fn pass_signals(program: &Program) -> io::Result<Option<i32>> {
    let mut passed = 0;
    loop {
        if let Some(signal) = interrupt::take() {
            passed += 1;
            if passed == SIGNALS {
                return Ok(Some(signal));
            }
            program.signal(signal);
        }
        match poll(&mut [PollFd::new(program, PollFlags::IN)], Some(&SIGNAL_POLL)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("`{text}` is no variable; write NAME=VALUE")),
    }
}
