//! What runs on this host, by the records of the run folder and the kernel's word about each.
//!
//! A record is never believed alone: a process counts as alive when its pid has the recorded start time in the
//! recorded boot; limits are what the cgroup files say.

use crate::runtime::cgroup::limits::Limits;
use crate::runtime::cgroup::{Cgroup, Hierarchies};
use crate::runtime::error::{Result, call, file};
use crate::runtime::identity::{ProcessId, boot_id};
use crate::runtime::records::{self, Exit, Started};
use crate::runtime::start_spec::StartSpec;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How long a monitor that lives may take to record the end of its init.
const RECORDING: Duration = Duration::from_millis(500);

/// One container of the run folder.
#[derive(Debug, Clone)]
pub struct Seen {
    /// What it was started with last.
    pub spec: StartSpec,
    /// Its init, if it lives.
    pub init: Option<ProcessId>,
    /// Whether a monitor watches it.
    pub is_supervised: bool,
    /// How the last incarnation ended; none while it runs.
    pub exit: Option<Exit>,
    /// When it was started, in milliseconds since 1970.
    pub started_at_ms: Option<u64>,
}

/// What the kernel says of a running container's cgroups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CgroupFacts {
    /// Whether it is there in every hierarchy.
    pub is_whole: bool,
    pub has_init: bool,
    pub is_frozen: bool,
    /// None when it is not whole.
    pub limits: Option<Limits>,
}

/// All containers of a run folder; a folder whose records cannot be read answers why. No run folder is no container.
pub fn scan(run: &Path) -> Result<BTreeMap<Uuid, Result<Seen>>> {
    let mut all = BTreeMap::new();
    let entries = match fs::read_dir(run) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(all),
        entries => entries.map_err(file("list", run))?,
    };
    if !records::is_of_this_boot(run)? {
        return Ok(all);
    }
    let boot = boot_id().map_err(call("read the boot id"))?;
    for entry in entries {
        let entry = entry.map_err(file("list", run))?;
        let Some(uuid) = entry.file_name().to_str().and_then(|name| name.parse::<Uuid>().ok()) else {
            continue;
        };
        match look(&entry.path(), &boot) {
            Ok(None) => {}
            Ok(Some(seen)) => drop(all.insert(uuid, Ok(seen))),
            Err(error) => drop(all.insert(uuid, Err(error))),
        }
    }
    Ok(all)
}

/// One container's folder; none when nothing was ever started there.
pub fn one(run: &Path, uuid: &Uuid) -> Result<Option<Seen>> {
    if !records::is_of_this_boot(run)? {
        return Ok(None);
    }
    let boot = boot_id().map_err(call("read the boot id"))?;
    look(&records::folder(run, uuid), &boot)
}

/// The cgroup facts of a running container.
pub fn cgroup(hierarchies: &Hierarchies, spec: &StartSpec, init: ProcessId) -> Result<CgroupFacts> {
    let cgroup = Cgroup { hierarchies, path: &spec.cgroup };
    let is_whole = cgroup.is_whole();
    Ok(CgroupFacts {
        is_whole,
        has_init: cgroup.contains(init.pid)?,
        is_frozen: cgroup.is_frozen(),
        limits: if is_whole { Some(cgroup.read()?) } else { None },
    })
}

fn look(folder: &Path, boot: &str) -> Result<Option<Seen>> {
    let Some(spec) = records::read::<StartSpec>(folder, records::START)? else { return Ok(None) };
    let started =
        records::read::<Started>(folder, records::STARTED)?.filter(|started| started.boot_id == boot);
    let init = started.as_ref().map(|started| started.init).filter(ProcessId::survives);
    let monitor = started.as_ref().map(|started| started.monitor);
    let exit = match init {
        Some(_) => None,
        None => exit(folder, spec.incarnation, monitor)?,
    };
    Ok(Some(Seen {
        exit,
        is_supervised: monitor.is_some_and(|monitor| monitor.is_alive()),
        started_at_ms: started.map(|started| started.at_ms),
        spec,
        init,
    }))
}

/// How the last incarnation ended. Its monitor is given a moment: it writes the record just after init's death.
fn exit(folder: &Path, incarnation: u64, monitor: Option<ProcessId>) -> Result<Option<Exit>> {
    let began = Instant::now();
    loop {
        let is_written_soon =
            began.elapsed() < RECORDING && monitor.is_some_and(|monitor| monitor.is_alive());
        let exit = records::read::<Exit>(folder, records::EXIT)?;
        match exit.filter(|exit| exit.incarnation == incarnation) {
            None if is_written_soon => std::thread::sleep(Duration::from_millis(1)),
            exit => return Ok(exit),
        }
    }
}
