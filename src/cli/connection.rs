//! Whom a command asks: the daemon that holds the state folder, or this process. Verbs do not tell them apart.

use super::program::{Program, Terminal};
use super::session::Session;
use crate::api::client::Client;
use crate::api::error::{Failure, FailureKind};
use crate::api::saved::SavedPlan;
use crate::api::types::{
    ApplyRequest, Description, ExecRequest, Export, ExportRequest, FileRequest, FileText, HoldListing,
    HostStatus, Listing, PlanRequest, ProgressLine, WhyRequest,
};
use crate::daemon::operations::apply::Surroundings;
use crate::daemon::operations::inside::refuse_other_kinds;
use crate::daemon::operations::listing::Selection;
use crate::daemon::operations::plan::digest;
use crate::daemon::wiring::Bay;
use crate::model::key::Key;
use crate::reconcile::plan::Plan;
use crate::reconcile::report::Report;
use crate::reconcile::why::Explanation;
use crate::store::lock::Lock;
use std::os::fd::OwnedFd;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// Between two tries to become the writer.
const RETRY: Duration = Duration::from_millis(100);

pub enum Connection {
    /// This process; with the lock, if it is to change something.
    Here {
        bay: Box<Bay>,
        _lock: Option<Lock>,
    },
    Daemon(Client),
}

/// Whether the plan that is carried out must be the one that was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    MustMatch,
    /// A verb: its plan has the time in it, and is the same in effect.
    MayMove,
}

impl Connection {
    /// To look: never waits for a writer.
    pub fn reader(session: &Session) -> Result<Connection, Failure> {
        if let Some(client) = Client::connect(&session.places.socket()) {
            return Ok(Connection::Daemon(client));
        }
        Ok(Connection::Here { bay: Box::new(Bay::open(session.places.clone())?), _lock: None })
    }

    /// To change: the daemon if there is one, else this process with the writers' lock.
    pub fn writer(session: &Session, verb: &str) -> Result<Connection, Failure> {
        let holder = format!("pid {}, bayplan {verb}", std::process::id());
        let deadline = Instant::now() + session.wait;
        loop {
            if let Some(client) = Client::connect(&session.places.socket()) {
                return Ok(Connection::Daemon(client));
            }
            session.places.check()?;
            match session.places.lock(&holder, Duration::ZERO) {
                Ok(lock) => {
                    let bay = Box::new(Bay::open(session.places.clone())?);
                    return Ok(Connection::Here { bay, _lock: Some(lock) });
                }
                Err(failure) if failure.kind == FailureKind::Locked && Instant::now() < deadline => {}
                Err(failure) => {
                    return match Client::connect(&session.places.socket()) {
                        Some(client) => Ok(Connection::Daemon(client)),
                        None => Err(failure),
                    };
                }
            }
            std::thread::sleep(RETRY);
        }
    }

    /// Lets what starts containers come up beside the plan's making.
    pub fn wake(&self) -> Result<(), Failure> {
        match self {
            Connection::Here { bay, .. } => bay.wake(),
            Connection::Daemon(_) => Ok(()),
        }
    }

    pub fn plan(&self, request: &PlanRequest) -> Result<Plan, Failure> {
        match self {
            Connection::Here { bay, .. } => bay.plan(request),
            Connection::Daemon(client) => client.plan(request),
        }
    }

    /// What [`Connection::plan`] gives, with all that a file needs to carry it out later.
    pub fn save(&self, request: &PlanRequest) -> Result<SavedPlan, Failure> {
        match self {
            Connection::Here { bay, .. } => bay.save(request),
            Connection::Daemon(client) => client.save(request),
        }
    }

    /// Carries out what [`Connection::plan`] gave for the same request.
    pub fn apply(
        &self,
        request: &PlanRequest,
        plan: &Plan,
        shown: Shown,
        cancel: &AtomicBool,
        progress: &(dyn Fn(ProgressLine) + Sync),
    ) -> Result<Report, Failure> {
        match self {
            Connection::Here { bay, .. } => {
                Ok(bay.apply(plan, &Surroundings { cancel, progress, actor: &request.actor }))
            }
            Connection::Daemon(client) => {
                let shown = (shown == Shown::MustMatch).then(|| digest(plan));
                client.apply(&ApplyRequest { plan: request.clone(), shown }, cancel, progress)
            }
        }
    }

    pub fn list(&self, selection: &Selection) -> Result<Listing, Failure> {
        match self {
            Connection::Here { bay, .. } => bay.list(selection),
            Connection::Daemon(client) => client.list(selection),
        }
    }

    pub fn describe(&self, key: &Key) -> Result<Description, Failure> {
        match self {
            Connection::Here { bay, .. } => bay.describe(key),
            Connection::Daemon(client) => client.describe(key),
        }
    }

    pub fn why(&self, request: &WhyRequest) -> Result<Explanation, Failure> {
        match self {
            Connection::Here { bay, .. } => bay.why(request),
            Connection::Daemon(client) => client.why(request),
        }
    }

    pub fn export(&self, request: &ExportRequest) -> Result<Export, Failure> {
        match self {
            Connection::Here { bay, .. } => bay.export(request),
            Connection::Daemon(client) => client.export(request),
        }
    }

    pub fn file_text(&self, request: &FileRequest) -> Result<FileText, Failure> {
        match self {
            Connection::Here { bay, .. } => bay.file_text(request),
            Connection::Daemon(client) => client.file_text(request),
        }
    }

    /// Standard input, output and error are needed unless the request wants a terminal.
    pub fn exec(
        &self,
        key: &Key,
        request: &ExecRequest,
        streams: Option<[OwnedFd; 3]>,
    ) -> Result<Program, Failure> {
        refuse_other_kinds(key)?;
        match self {
            Connection::Here { bay, .. } => {
                let mut inside = bay.exec(key, request)?;
                streams.map_or(Ok(()), |streams| inside.relay(streams))?;
                Ok(Program::Here(inside))
            }
            Connection::Daemon(client) => client.exec(key, request, streams).map(Program::There),
        }
    }

    pub fn attach_console(&self, key: &Key, columns: u16, rows: u16) -> Result<Terminal, Failure> {
        refuse_other_kinds(key)?;
        match self {
            Connection::Here { bay, .. } => bay.attach_console(key, columns, rows).map(Terminal::Here),
            Connection::Daemon(client) => client.attach_console(key, columns, rows).and_then(Terminal::there),
        }
    }

    pub fn holds(&self) -> Result<HoldListing, Failure> {
        match self {
            Connection::Here { bay, .. } => bay.holds(),
            Connection::Daemon(client) => client.holds(),
        }
    }

    pub fn host_status(&self) -> Result<HostStatus, Failure> {
        match self {
            Connection::Here { bay, .. } => bay.host_status(),
            Connection::Daemon(client) => client.host_status(),
        }
    }
}
