//! Puts a state folder and a driver together. The only place that builds a driver.

use crate::api::error::{Failure, FailureKind};
use crate::driver::memory::Memory;
use crate::driver::memory::host::HostModel;
use crate::driver::native::{Layout, Native};
use crate::driver::{self, Driver, Scope, StepContext};
use crate::model::content::{Content, Contents};
use crate::model::key::Key;
use crate::model::object::{ImageContents, ImageSource};
use crate::model::observed::{Dropped, Observed, RootQuery};
use crate::model::step::{Outcome, Step};
use crate::runtime::spawner::Spawner;
use crate::source;
use crate::store::files::FileRecords;
use crate::store::lock::{self, Lock, LockError};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
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

    /// Whether this process may work here at all; before anything is written.
    pub fn check(&self) -> Result<(), Failure> {
        if self.driver == DriverName::Native {
            refuse_modelled(&self.state)?;
            refuse_without_root()?;
        }
        Ok(())
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
    driver: Built,
}

/// The driver that was asked for.
pub enum Built {
    Memory(Box<Kept>),
    Native(Box<Native>),
}

impl Driver for Built {
    fn observe(&self, scope: &Scope) -> Result<Observed, driver::Error> {
        match self {
            Built::Memory(memory) => memory.observe(scope),
            Built::Native(native) => native.observe(scope),
        }
    }

    fn digests(&self, contents: &BTreeSet<Content>) -> Result<Contents, driver::Error> {
        match self {
            Built::Memory(memory) => memory.digests(contents),
            Built::Native(native) => native.digests(contents),
        }
    }

    fn image_contents(&self, sources: &BTreeSet<ImageSource>) -> Result<ImageContents, driver::Error> {
        match self {
            Built::Memory(memory) => memory.image_contents(sources),
            Built::Native(native) => native.image_contents(sources),
        }
    }

    fn dropped(&self, roots: &BTreeMap<Key, RootQuery>) -> Result<BTreeMap<Key, Dropped>, driver::Error> {
        match self {
            Built::Memory(memory) => memory.dropped(roots),
            Built::Native(native) => native.dropped(roots),
        }
    }

    fn execute(&self, step: &Step, context: &StepContext<'_>) -> Result<Outcome, driver::Error> {
        match self {
            Built::Memory(memory) => memory.execute(step, context),
            Built::Native(native) => native.execute(step, context),
        }
    }

    fn settle(&self) -> Result<(), driver::Error> {
        match self {
            Built::Memory(memory) => memory.settle(),
            Built::Native(native) => native.settle(),
        }
    }
}

impl Bay {
    /// Changes nothing on the host.
    pub fn open(places: Places) -> Result<Bay, Failure> {
        places.check()?;
        let driver = match places.driver {
            DriverName::Memory => Built::Memory(Box::new(memory(&places)?)),
            DriverName::Native => Built::Native(Box::new(native(&places)?)),
        };
        Ok(Bay { places, driver })
    }

    /// Lets what changes the host come up beside the work that comes first.
    pub fn wake(&self) -> Result<(), Failure> {
        let Some(native) = self.native() else { return Ok(()) };
        native.spawner().wake().map_err(|error| Failure::from_error(FailureKind::Host, &error))
    }

    pub fn driver(&self) -> &dyn Driver {
        &self.driver
    }

    /// The real host's driver; None on a modelled one.
    pub fn native(&self) -> Option<&Native> {
        match &self.driver {
            Built::Native(native) => Some(native),
            Built::Memory(_) => None,
        }
    }

    /// A modelled host; None on the real one.
    pub fn modelled(&self) -> Option<&Memory> {
        match &self.driver {
            Built::Memory(kept) => Some(&kept.0),
            Built::Native(_) => None,
        }
    }

    /// Those of `paths` that the host does not have; a modelled host has every path.
    pub fn missing(&self, paths: BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
        match self.places.driver {
            DriverName::Memory => BTreeSet::new(),
            DriverName::Native => paths.into_iter().filter(|path| !path.exists()).collect(),
        }
    }
}

fn memory(places: &Places) -> Result<Kept, Failure> {
    let records = Box::new(FileRecords::new(&places.state));
    let file = places.state.join(MODELLED_HOST);
    let mut model = HostModel::server();
    // It stands for this machine: what is written for it can be tried.
    if let Some(name) = hostname() {
        model.machine.hostname = name;
    }
    let memory = Memory::open(&file, model, records)
        .map_err(|error| Failure::from_error(FailureKind::Host, &error))?;
    Ok(Kept(memory, Mutex::new(())))
}

/// This machine's name.
pub fn hostname() -> Option<String> {
    nix::unistd::gethostname().ok()?.into_string().ok()
}

/// A modelled host that is in its file after every step.
pub struct Kept(Memory, Mutex<()>);

impl Driver for Kept {
    fn observe(&self, scope: &Scope) -> Result<Observed, driver::Error> {
        self.0.observe(scope)
    }

    /// Files beside manifests are this machine's own, where it has them.
    fn digests(&self, contents: &BTreeSet<Content>) -> Result<Contents, driver::Error> {
        for content in contents {
            let Content::File(file) = content else { continue };
            if let Ok(text) = source::read_text(file) {
                self.0.change_content(&content.to_string(), &text);
            }
        }
        self.0.digests(contents)
    }

    fn image_contents(&self, sources: &BTreeSet<ImageSource>) -> Result<ImageContents, driver::Error> {
        self.0.image_contents(sources)
    }

    fn dropped(&self, roots: &BTreeMap<Key, RootQuery>) -> Result<BTreeMap<Key, Dropped>, driver::Error> {
        self.0.dropped(roots)
    }

    fn execute(&self, step: &Step, context: &StepContext<'_>) -> Result<Outcome, driver::Error> {
        let outcome = self.0.execute(step, context);
        // One at a time: the file is written beside its place and renamed.
        let _saving = self.1.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.save().map_err(|source| driver::Error::Host {
            what: "the modelled host cannot be written".to_owned(),
            source: Box::new(source),
        })?;
        outcome
    }

    fn settle(&self) -> Result<(), driver::Error> {
        self.0.settle()
    }
}

fn native(places: &Places) -> Result<Native, Failure> {
    let layout = Layout::new(&places.state, places.data.as_deref())
        .map_err(|error| Failure::from_error(FailureKind::Refused, &error))?;
    let spawner = Spawner::of_this_program();
    let program = std::env::current_exe().map_err(|error| Failure::from_error(FailureKind::Host, &error))?;
    Native::new(layout, spawner, program).map_err(|error| Failure::from_error(FailureKind::Host, &error))
}

fn refuse_without_root() -> Result<(), Failure> {
    if nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    let message = "not root: the native driver makes namespaces, mounts and links on this host; \
                   run it as root, or try `--driver memory --state-dir DIR`";
    Err(Failure::new(FailureKind::Host, message))
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
