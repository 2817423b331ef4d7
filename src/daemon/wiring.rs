//! Puts a state folder and a driver together. The only place that builds a driver.

use crate::api::error::{Failure, FailureKind};
use crate::driver::Driver;
use crate::store::lock::{self, Lock, LockError};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Which host is looked at and changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DriverName {
    /// This machine.
    #[default]
    Native,
    /// A modelled one, kept as JSON in the state folder; needs no root.
    Memory,
}

impl DriverName {
    pub fn word(self) -> &'static str {
        match self {
            DriverName::Native => "native",
            DriverName::Memory => "memory",
        }
    }
}

/// Where one Bayplan keeps its things, and what it works on.
#[derive(Debug, Clone)]
pub struct Places {
    pub state: PathBuf,
    /// None: the state folder's path with `.data` behind it.
    pub data: Option<PathBuf>,
    pub driver: DriverName,
}

impl Places {
    /// The daemon's socket.
    pub fn socket(&self) -> PathBuf {
        self.state.join("unix.socket")
    }

    /// Takes the writers' lock.
    pub fn lock(&self, holder: &str, wait: Duration) -> Result<Lock, Failure> {
        lock::acquire(&self.state, holder, wait).map_err(|error| {
            let kind = match &error {
                LockError::Held { .. } => FailureKind::Locked,
                LockError::Io { .. } => FailureKind::Host,
            };
            Failure::from_error(kind, &error)
        })
    }
}

/// A state folder with its driver.
pub struct Bay {
    pub places: Places,
    pub(super) driver: Box<dyn Driver + Send>,
}

impl Bay {
    /// Changes nothing on the host. Must be called before the process has a second thread: the native driver starts
    /// its spawner here.
    pub fn open(places: Places) -> Result<Bay, Failure> {
        let driver = match places.driver {
            DriverName::Memory => memory(&places)?,
            DriverName::Native => native(&places)?,
        };
        Ok(Bay { places, driver })
    }

    /// Those of `paths` that the host does not have; a modelled host has every path.
    pub fn missing(&self, paths: BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
        match self.places.driver {
            DriverName::Memory => BTreeSet::new(),
            DriverName::Native => paths.into_iter().filter(|path| !path.exists()).collect(),
        }
    }
}

fn memory(places: &Places) -> Result<Box<dyn Driver + Send>, Failure> {
    let _ = places;
    Err(Failure::new(FailureKind::Host, "the memory driver is not there yet"))
}

/// The real host.
fn native(places: &Places) -> Result<Box<dyn Driver + Send>, Failure> {
    refuse_modelled(&places.state)?;
    if !nix::unistd::geteuid().is_root() {
        let message = "not root: the native driver makes namespaces, mounts and links on this host; \
                       run it as root, or try `--driver memory`";
        return Err(Failure::new(FailureKind::Host, message));
    }
    Err(Failure::new(FailureKind::Host, "the native driver is not there yet; try `--driver memory`"))
}

/// A state folder of a modelled host must not be taken for the real one's.
fn refuse_modelled(state: &Path) -> Result<(), Failure> {
    if !state.join(MODELLED_HOST).exists() {
        return Ok(());
    }
    let message = format!(
        "{} belongs to a modelled host; use --driver memory, or another --state-dir",
        state.display()
    );
    Err(Failure::new(FailureKind::Refused, message))
}

/// The modelled host's file in its state folder.
const MODELLED_HOST: &str = "modelled-host.json";
