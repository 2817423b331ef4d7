//! Programs in containers, consoles and their logs: what only the real host has. Never takes the lock.

use crate::api::error::{Failure, FailureKind};
use crate::api::types::ExecRequest;
use crate::daemon::operations::relay::Relay;
use crate::daemon::wiring::Bay;
use crate::driver::Error as DriverError;
use crate::driver::native::inside::Variables;
use crate::model::key::{Key, Kind};
use crate::model::record::Identity;
use crate::runtime::console;
use crate::runtime::error::Error;
use crate::runtime::exec::{self, Ends, ExecSpec, Running, Window};
use crate::runtime::records::{self, Started};
use crate::store::Records;
use crate::store::files::FileRecords;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

/// A program that runs in a container; dropping it kills the program.
pub struct Inside {
    running: Running,
    /// What it was not given as it should be.
    pub warnings: Vec<String>,
    /// Until they are taken; none where it has a terminal.
    ends: Option<Ends>,
    relay: Option<Relay>,
}

/// An open console.
pub struct Console {
    connection: console::Connection,
    pub stream: OwnedFd,
}

impl Bay {
    /// On pipes, unless the request wants a terminal.
    pub fn exec(&self, key: &Key, request: &ExecRequest) -> Result<Inside, Failure> {
        let folder = self.run_folder(key)?;
        let native = self.native().ok_or_else(modelled)?;
        let uuid = self.identity(key)?.uuid;
        let host = |error: DriverError| Failure::from_error(FailureKind::Host, &error);
        let frozen = || {
            let message = format!("{key} is frozen; `bayplan unfreeze {}` lets it go on", key.name);
            Failure::new(FailureKind::Refused, message)
        };
        if native.is_frozen(key, uuid).map_err(host)? {
            return Err(frozen());
        }
        let Variables { sealed: secrets, warnings } = native.secret_variables(key, uuid).map_err(host)?;
        let spec = ExecSpec {
            arguments: request.arguments.clone(),
            environment: request.environment.clone(),
            has_secrets: secrets.is_some(),
            user: request.user.clone(),
            folder: request.folder.clone(),
            terminal: request.terminal.map(|(columns, rows)| Window { columns, rows }),
        };
        let pipes = spec.terminal.is_none().then(exec::pipes).transpose();
        let (streams, ends) = pipes.map_err(|error| Failure::from_error(FailureKind::Host, &error))?.unzip();
        match exec::exec(native.spawner(), &folder, &spec, streams, secrets) {
            Ok(running) => Ok(Inside { running, warnings, ends, relay: None }),
            // Since the look above.
            Err(_) if native.is_frozen(key, uuid).is_ok_and(|is_frozen| is_frozen) => Err(frozen()),
            Err(error) => Err(exec_failure(key, &spec, &error)),
        }
    }

    pub fn attach_console(&self, key: &Key, columns: u16, rows: u16) -> Result<Console, Failure> {
        let folder = self.run_folder(key)?;
        let open = || {
            let connection = console::Connection::open(&folder)?;
            let stream = connection.attach(columns, rows)?;
            Ok(Console { connection, stream })
        };
        open().map_err(|error: Error| {
            // Without an init there is no monitor to ask.
            let started: Option<Started> = records::read(&folder, records::STARTED).ok().flatten();
            if !started.is_some_and(|started| started.init.is_alive()) {
                return does_not_run(key);
            }
            let failure = Failure::from_error(FailureKind::Host, &error);
            Failure { message: format!("{key} has no console to attach to: {}", failure.message), ..failure }
        })
    }

    /// What the console has shown, from `offset` on; the offset to go on from.
    pub fn console_log(&self, key: &Key, offset: u64) -> Result<(Vec<u8>, u64), Failure> {
        let path = self.run_folder(key)?.join(records::CONSOLE);
        let read = |path: PathBuf, from: u64| -> io::Result<Vec<u8>> {
            let mut file = match std::fs::File::open(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
                other => other?,
            };
            let mut bytes = vec![];
            // A shorter file was turned over since: all of it is new.
            let from = if file.metadata()?.len() < from { 0 } else { from };
            io::Seek::seek(&mut file, io::SeekFrom::Start(from))?;
            file.read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let length = || std::fs::metadata(&path).map_or(0, |facts| facts.len());
        let end = length();
        let mut text = if offset == 0 { read(path.with_extension("log.1"), 0) } else { Ok(vec![]) }
            .map_err(|error| Failure::from_error(FailureKind::Host, &error))?;
        let start = if end < offset { 0 } else { offset };
        let newer =
            read(path.clone(), start).map_err(|error| Failure::from_error(FailureKind::Host, &error))?;
        let next = start + newer.len() as u64;
        text.extend(newer);
        Ok((text, next))
    }

    fn run_folder(&self, key: &Key) -> Result<PathBuf, Failure> {
        refuse_other_kinds(key)?;
        let identity = self.identity(key)?;
        let native = self.native().ok_or_else(modelled)?;
        Ok(records::folder(&native.layout().run, &identity.uuid))
    }

    fn identity(&self, key: &Key) -> Result<Identity, Failure> {
        let records = FileRecords::new(&self.places.state);
        let record = records.get(key).map_err(|error| Failure::from_error(FailureKind::Host, &error))?;
        record.and_then(|record| record.identity).ok_or_else(|| self.unknown(key, None))
    }
}

impl Inside {
    /// Our ends of its streams: given once.
    pub fn take_ends(&mut self) -> Option<Ends> {
        self.ends.take()
    }

    /// Joins a command's own standard input, output and error with the program's.
    pub fn relay(&mut self, own: [OwnedFd; 3]) -> Result<(), Failure> {
        let Some(ends) = self.ends.take() else { return Ok(()) };
        let relay = Relay::begin(self.running.as_fd(), own, ends)
            .map_err(|error| Failure::from_error(FailureKind::Host, &error))?;
        self.relay = Some(relay);
        Ok(())
    }

    /// The terminal's master, if one was wanted.
    pub fn terminal(&self) -> Option<BorrowedFd<'_>> {
        self.running.terminal.as_ref().map(AsFd::as_fd)
    }

    /// A program that is just ending takes no signal.
    pub fn signal(&self, number: i32) {
        let _ = self.running.signal(number);
    }

    pub fn resize(&self, columns: u16, rows: u16) {
        let _ = self.running.resize(Window { columns, rows });
    }

    /// Its exit status, 128 + N after signal N.
    pub fn wait(&self) -> Result<i32, Failure> {
        let ended = self.running.wait().map_err(|error| {
            let failure = Failure::from_error(FailureKind::Host, &error);
            Failure { message: format!("the exec helper was lost: {}", failure.message), ..failure }
        })?;
        Ok(ended.status())
    }

    /// [`Inside::wait`], when all that it wrote has arrived.
    pub fn finish(mut self) -> Result<i32, Failure> {
        let status = self.wait()?;
        self.relay.take().map_or(Ok(()), Relay::finish)?;
        Ok(status)
    }
}

impl AsFd for Inside {
    /// Readable when [`Inside::wait`] and [`Inside::finish`] would not block.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.relay.as_ref().map_or_else(|| self.running.as_fd(), AsFd::as_fd)
    }
}

impl Console {
    pub fn resize(&self, columns: u16, rows: u16) {
        let _ = self.connection.resize(columns, rows);
    }
}

/// Programs and consoles are a container's only.
pub fn refuse_other_kinds(key: &Key) -> Result<(), Failure> {
    if key.kind == Kind::Container {
        return Ok(());
    }
    let message = format!("{key} is no container; name a container, for example container/web-1");
    Err(Failure::new(FailureKind::Refused, message))
}

fn modelled() -> Failure {
    let message = "a modelled host runs no programs; use --driver native for exec, shell, console and logs";
    Failure::new(FailureKind::Refused, message)
}

fn does_not_run(key: &Key) -> Failure {
    Failure::new(FailureKind::Refused, format!("{key} does not run; `bayplan start {}` starts it", key.name))
}

fn exec_failure(key: &Key, spec: &ExecSpec, error: &Error) -> Failure {
    let (step, source) = match error {
        Error::NotRunning { .. } => return does_not_run(key),
        Error::Step { step, source, .. } => (step.as_str(), source),
        other => return Failure::from_error(FailureKind::Host, other),
    };
    let program = spec.arguments.first().map(String::as_str).unwrap_or_default();
    let user = spec.user.as_deref().unwrap_or("root");
    let folder = spec.folder.as_deref().filter(|folder| step == format!("enter {folder}"));
    let (kind, message) = match (step, folder) {
        (_, Some(folder)) if is_missing(source) => {
            (FailureKind::Refused, format!("there is no folder `{folder}` in {key}"))
        }
        (_, Some(folder)) => {
            (FailureKind::Refused, format!("`{folder}` in {key} cannot be entered: {source}"))
        }
        ("find the user", _) if is_missing(source) => {
            let help = "write NAME, UID, NAME:GROUP or UID:GID";
            (FailureKind::Refused, format!("there is no user `{user}` in {key}; {help}"))
        }
        (step, _) if step.starts_with("become ") && source.raw_os_error() == Some(libc::EINVAL) => {
            (FailureKind::Refused, format!("`{user}` is beyond the ids that {key} has"))
        }
        (step, _) if step.starts_with("execute ") && is_missing(source) => {
            (FailureKind::ProgramNotFound, format!("there is no program `{program}` in {key}"))
        }
        (step, _) if step.starts_with("execute ") => {
            (FailureKind::NotExecutable, format!("`{program}` in {key} cannot be executed: {source}"))
        }
        _ => return Failure::from_error(FailureKind::Host, error),
    };
    Failure::new(kind, message)
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
