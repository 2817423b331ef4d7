//! The cgroups of a container, on pure cgroup v2 and on v1 with a unified hierarchy beside it.
//!
//! ```text
//! unified   bayplan/TAG/UUID.N           limits (v2), device filter, freeze, kill
//!           bayplan/TAG/UUID.N/payload   delegated to the container; root of its cgroup namespace
//! v1        CONTROLLER/bayplan/TAG/UUID.N  limits of memory, cpu, cpuset, pids where those are v1
//! all       bayplan/TAG/monitor          the monitors, outside every service of the host
//! ```
//!
//! Freeze, kill and the device filter use the unified hierarchy on every host: it needs no controller for them.

pub mod cpu;
pub mod cpuset;
pub mod files;
pub mod limits;
pub mod members;
pub mod memory;
pub mod pids;

use crate::runtime::error::{Error, Result, call, file};
use files::{read, write};
use limits::Limits;
use linux::device_filter;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The controllers that hold a container's limits.
const CONTROLLERS: [&str; 4] = ["cpu", "cpuset", "memory", "pids"];
const PAYLOAD: &str = "payload";

/// Where this host's cgroup hierarchies are mounted.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Hierarchies {
    unified: PathBuf,
    /// v1 hierarchies by controller (`memory`, …) or by name (`name=systemd`).
    v1: BTreeMap<String, PathBuf>,
}

/// The host's flavour, as `doctor` reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// All controllers are on the unified hierarchy.
    Unified,
    /// Controllers are on v1 hierarchies; a cgroup2 is mounted beside them.
    Hybrid,
}

/// The cgroup path of one incarnation of a container, below every hierarchy.
pub fn container_path(tag: &str, uuid: &uuid::Uuid, incarnation: u64) -> String {
    format!("bayplan/{tag}/{uuid}.{incarnation}")
}

/// The cgroup path of all monitors of one state folder.
pub fn monitor_path(tag: &str) -> String {
    format!("bayplan/{tag}/monitor")
}

/// What a container's cgroups are made with.
#[derive(Debug, Clone)]
pub struct Blueprint<'a> {
    pub limits: &'a Limits,
    /// Host ids of the container's root, who gets the payload folder.
    pub owner: (u32, u32),
    pub devices: &'a [device_filter::Rule],
}

/// One container's cgroups.
#[derive(Debug, Clone)]
pub struct Cgroup<'a> {
    pub hierarchies: &'a Hierarchies,
    pub path: &'a str,
}

/// Descriptors through which a new process enters a container's cgroups.
#[derive(Debug)]
pub struct Entrances {
    /// For CLONE_INTO_CGROUP.
    pub unified: OwnedFd,
    /// `tasks` files, into which the process itself writes 0: unlike a write to cgroup.procs it does not wait.
    pub tasks: Vec<OwnedFd>,
}

impl Hierarchies {
    /// Reads the mount table of this process.
    pub fn detect() -> Result<Hierarchies> {
        let path = Path::new("/proc/self/mountinfo");
        let table = fs::read_to_string(path).map_err(file("read", path))?;
        let mut unified = None;
        let mut v1 = BTreeMap::new();
        for (target, kind, options) in table.lines().filter_map(cgroup_mount) {
            if kind == "cgroup2" {
                unified.get_or_insert(PathBuf::from(target));
                continue;
            }
            for name in options.split(',').filter(|name| is_hierarchy(name)) {
                v1.entry(name.to_owned()).or_insert_with(|| PathBuf::from(target));
            }
        }
        Ok(Hierarchies { unified: unified.ok_or(Error::NoUnifiedCgroup)?, v1 })
    }

    pub fn flavour(&self) -> Flavour {
        if CONTROLLERS.iter().any(|name| self.v1.contains_key(*name)) {
            Flavour::Hybrid
        } else {
            Flavour::Unified
        }
    }

    /// Controllers for limits that neither a v1 hierarchy nor the unified one offers.
    pub fn missing_controllers(&self) -> Vec<&'static str> {
        let unified = self.unified_controllers();
        CONTROLLERS
            .into_iter()
            .filter(|name| !self.v1.contains_key(*name) && !unified.iter().any(|have| have == name))
            .collect()
    }

    /// Makes `path` on the unified hierarchy and opens it, for a process to be cloned into.
    pub fn open_unified(&self, path: &str) -> Result<OwnedFd> {
        let folder = self.unified.join(path);
        make(&folder)?;
        fs::File::open(&folder).map(OwnedFd::from).map_err(file("open", &folder))
    }

    /// Moves the calling process into `path` on every v1 hierarchy, making it: away from its service's cgroups. Where
    /// the process is in no group there is nothing to leave.
    pub fn join_v1(&self, path: &str) -> Result<()> {
        let table = read(Path::new("/proc/self/cgroup"))?;
        for (_, root) in self.v1.iter().filter(|(name, _)| !is_in_root(&table, name)) {
            make_v1(root, path)?;
            write(&root.join(path).join("tasks"), "0")?;
        }
        Ok(())
    }

    /// The folders that a process's /proc/PID/cgroup names: the unified one, and those of the v1 controllers.
    pub fn folders_in(&self, table: &str) -> (PathBuf, Vec<PathBuf>) {
        let mut unified = self.unified.clone();
        let mut v1 = Vec::new();
        for line in table.lines() {
            let Some((names, path)) = line.split_once(':').and_then(|(_, rest)| rest.split_once(':')) else {
                continue;
            };
            let path = path.trim_start_matches('/');
            if names.is_empty() {
                unified = self.unified.join(path);
            } else if let Some(root) = names.split(',').find_map(|name| self.v1.get(name)) {
                v1.push(root.join(path));
            }
        }
        (unified, v1)
    }

    /// Removes `path` and the folders above it from every hierarchy, each as far as nothing is in it. Processes that
    /// are on their way out of `path` have `patience` to go.
    pub fn remove_empty(&self, path: &str, patience: Duration) {
        for root in self.v1.values().chain([&self.unified]) {
            let _ = remove_tree(&root.join(path), patience);
            for folder in Path::new(path).ancestors().filter(|folder| !folder.as_os_str().is_empty()) {
                match fs::remove_dir(root.join(folder)) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => break,
                    _ => {}
                }
            }
        }
    }

    fn v1_roots(&self) -> impl Iterator<Item = &PathBuf> {
        CONTROLLERS.iter().filter_map(|name| self.v1.get(*name))
    }

    fn unified_controllers(&self) -> Vec<String> {
        let text = read(&self.unified.join("cgroup.controllers")).unwrap_or_default();
        text.split_whitespace().filter(|name| CONTROLLERS.contains(name)).map(str::to_owned).collect()
    }
}

impl Cgroup<'_> {
    /// Makes the cgroups with their limits and device filter. What is there already is brought to the same state.
    pub fn create(&self, blueprint: &Blueprint<'_>) -> Result<()> {
        let outer = self.outer();
        let mut is_new = !outer.exists();
        for root in self.hierarchies.v1_roots() {
            is_new &= make_v1(root, self.path)?;
        }
        let payload = outer.join(PAYLOAD);
        make(&payload)?;
        self.enable_controllers()?;
        for name in ["", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"] {
            let path = payload.join(name);
            chown(&path, Some(blueprint.owner.0), Some(blueprint.owner.1))
                .map_err(file("give away", &path))?;
        }
        let folder = fs::File::open(&outer).map_err(file("open", &outer))?;
        device_filter::attach(folder.as_fd(), blueprint.devices).map_err(call("attach the device filter"))?;
        // A new one has no limit.
        if !is_new || *blueprint.limits != Limits::default() {
            self.apply(blueprint.limits)?;
        }
        Ok(())
    }

    /// Opens what a new process needs to enter.
    pub fn entrances(&self) -> Result<Entrances> {
        let payload = self.outer().join(PAYLOAD);
        let unified = fs::File::open(&payload).map_err(file("open", &payload))?.into();
        let mut tasks = Vec::new();
        for root in self.hierarchies.v1_roots() {
            let path = root.join(self.path).join("tasks");
            tasks.push(OpenOptions::new().write(true).open(&path).map_err(file("open", &path))?.into());
        }
        Ok(Entrances { unified, tasks })
    }

    /// Removes the cgroups; waits until their last process is gone, at most `patience`.
    pub fn remove(&self, patience: Duration) -> Result<()> {
        let outer = self.outer();
        let roots = self.hierarchies.v1_roots().map(|root| root.join(self.path));
        for folder in roots.chain([outer]) {
            remove_tree(&folder, patience)?;
        }
        Ok(())
    }

    /// Whether no hierarchy has the cgroup any more.
    pub fn is_gone(&self) -> bool {
        !self.hierarchies.v1_roots().any(|root| root.join(self.path).exists()) && !self.outer().exists()
    }

    /// Whether every hierarchy has the cgroup.
    pub fn is_whole(&self) -> bool {
        self.hierarchies.v1_roots().all(|root| root.join(self.path).exists())
            && self.outer().join(PAYLOAD).exists()
    }

    /// Kills every process of the container, frozen or not (cgroup.kill, Linux 5.14).
    pub fn kill(&self) -> Result<()> {
        write(&self.outer().join("cgroup.kill"), "1")
    }

    /// Freezes, and waits until all processes have stopped.
    pub fn freeze(&self) -> Result<()> {
        self.set_frozen("1", true)
    }

    pub fn thaw(&self) -> Result<()> {
        self.set_frozen("0", false)
    }

    pub fn is_frozen(&self) -> bool {
        read(&self.outer().join("cgroup.events"))
            .is_ok_and(|text| text.lines().any(|line| line == "frozen 1"))
    }

    fn set_frozen(&self, value: &str, frozen: bool) -> Result<()> {
        const PATIENCE: Duration = Duration::from_secs(5);
        write(&self.outer().join("cgroup.freeze"), value)?;
        let started = Instant::now();
        while self.is_frozen() != frozen {
            if started.elapsed() > PATIENCE {
                let what = format!("{} with frozen = {}", self.path, !frozen);
                return Err(Error::TimedOut { what, waited: PATIENCE });
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn outer(&self) -> PathBuf {
        self.hierarchies.unified.join(self.path)
    }

    /// The folder that holds a controller's files, and whether it is v1.
    fn controller(&self, name: &'static str) -> Controller {
        match self.hierarchies.v1.get(name) {
            Some(root) => Controller::V1(root.join(self.path)),
            None => Controller::V2(self.outer()),
        }
    }

    /// On v2 a controller works in a folder only when all folders above hand it down.
    fn enable_controllers(&self) -> Result<()> {
        let controllers = self.hierarchies.unified_controllers();
        if controllers.is_empty() {
            return Ok(());
        }
        let mut folder = self.hierarchies.unified.clone();
        let below = Path::new(self.path).components();
        for component in std::iter::once(None).chain(below.map(Some)) {
            folder.extend(component);
            let path = folder.join("cgroup.subtree_control");
            let present = read(&path)?;
            for name in
                controllers.iter().filter(|name| !present.split_whitespace().any(|have| have == *name))
            {
                write(&path, &format!("+{name}"))?;
            }
        }
        Ok(())
    }
}

/// Whether /proc/PID/cgroup says that a process is at the root of a v1 hierarchy.
fn is_in_root(table: &str, hierarchy: &str) -> bool {
    table.lines().any(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let names = fields.next().unwrap_or_default();
        names.split(',').any(|name| name == hierarchy) && fields.next() == Some("/")
    })
}

/// A controller's folder of one container.
enum Controller {
    V1(PathBuf),
    V2(PathBuf),
}

fn cgroup_mount(line: &str) -> Option<(&str, &str, &str)> {
    let (left, right) = line.split_once(" - ")?;
    let mut right = right.split(' ');
    let kind = right.next().filter(|kind| kind.starts_with("cgroup"))?;
    Some((left.split(' ').nth(4)?, kind, right.nth(1)?))
}

fn is_hierarchy(option: &str) -> bool {
    !["rw", "ro", "xattr", "noprefix", "clone_children"].contains(&option)
        && !option.starts_with("release_agent")
}

fn make(folder: &Path) -> Result<()> {
    again(|| fs::create_dir_all(folder).map_err(file("make", folder)))
}

/// Whoever finds a level empty may remove it (`remove_empty`), of another state folder too, before the next one stands
/// in it: then all begins anew.
fn again<T>(make: impl Fn() -> Result<T>) -> Result<T> {
    for _ in 0..100 {
        match make() {
            Err(Error::File { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {}
            answer => return answer,
        }
    }
    make()
}

fn make_v1(root: &Path, path: &str) -> Result<bool> {
    again(|| make_levels(root, path))
}

/// Makes each level; a cpuset needs cpus and mems before it takes a process. Answers whether the last one is new.
fn make_levels(root: &Path, path: &str) -> Result<bool> {
    let mut folder = root.to_path_buf();
    let is_cpuset = root.join("cpuset.cpus").exists();
    let mut is_new = false;
    for component in Path::new(path).components() {
        let parent = folder.clone();
        folder.push(component);
        is_new = match fs::create_dir(&folder) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => false,
            made => made.map(|()| true).map_err(file("make", &folder))?,
        };
        if is_cpuset {
            for name in ["cpuset.cpus", "cpuset.mems"] {
                if read(&folder.join(name))?.is_empty() {
                    write(&folder.join(name), &read(&parent.join(name))?)?;
                }
            }
        }
    }
    Ok(is_new)
}

fn remove_tree(folder: &Path, patience: Duration) -> Result<()> {
    let started = Instant::now();
    loop {
        match remove_tree_once(folder) {
            Ok(()) => return Ok(()),
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) && started.elapsed() < patience => {
                std::thread::sleep(Duration::from_micros(500));
            }
            Err(source) => return Err(file("remove", folder)(source)),
        }
    }
}

fn remove_tree_once(folder: &Path) -> std::io::Result<()> {
    match fs::remove_dir(folder) {
        Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        answer => return answer,
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree_once(&entry.path())?;
        }
    }
    fs::remove_dir(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn a_level_that_somebody_removes_meanwhile_is_made_again() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("bayplan/tag");
        let calls = Cell::new(0);
        // The level above is gone each time but the last.
        let made = again(|| {
            calls.set(calls.get() + 1);
            if calls.get() == 3 {
                fs::create_dir(root.path().join("bayplan")).unwrap();
            }
            fs::create_dir(&folder).map_err(file("make", &folder))
        });
        assert!(made.is_ok() && folder.exists(), "{made:?}");
        assert_eq!(calls.get(), 3);
    }

    #[test]
    fn what_cannot_be_made_for_another_reason_is_told_at_once() {
        let root = tempfile::tempdir().unwrap();
        let plain = root.path().join("plain");
        fs::write(&plain, "").unwrap();
        let failed = make(&plain.join("below")).unwrap_err();
        assert!(failed.to_string().starts_with("cannot make"), "{failed}");
    }
}
