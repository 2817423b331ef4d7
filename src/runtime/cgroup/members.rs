//! Who is in a container's cgroups, what they use, and putting back those who left.

use super::files::{read, write};
use super::{Blueprint, Cgroup, PAYLOAD, cpu, memory, pids};
use crate::runtime::error::{Error, Result, file};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// What a container uses now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    pub memory_bytes: u64,
    pub cpu_us: u64,
    pub processes: u64,
}

impl Cgroup<'_> {
    /// Whether a process is inside in every hierarchy that matters.
    pub fn contains(&self, pid: i32) -> Result<bool> {
        let own = read(Path::new(&format!("/proc/{pid}/cgroup")))?;
        let inside = |path: &str| {
            path.trim_start_matches('/')
                .strip_prefix(self.path)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        Ok(own.lines().all(|line| {
            let mut parts = line.splitn(3, ':');
            let (number, controllers, path) = (parts.next(), parts.next(), parts.next());
            let matters = number == Some("0")
                || controllers
                    .is_some_and(|list| list.split(',').any(|name| super::CONTROLLERS.contains(&name)));
            !matters || path.is_some_and(inside)
        }))
    }

    pub fn usage(&self) -> Result<Usage> {
        Ok(Usage {
            memory_bytes: memory::used_bytes(self)?,
            cpu_us: cpu::used_us(&self.outer())?,
            processes: pids::used(self)?,
        })
    }

    /// Makes what is missing of the cgroups and moves every process of the container back into them. Answers
    /// whether anything was to do.
    pub fn repair(&self, blueprint: &Blueprint<'_>, init: i32) -> Result<bool> {
        let whole = self.is_whole();
        if !whole {
            self.create(blueprint)?;
        }
        let mut moved = false;
        for pid in processes_of(init)? {
            // A process that ended meanwhile is as good as moved. One that ends is in no v1 cgroup any more: the kernel
            // takes its number, and moves nothing.
            if !self.contains(pid).unwrap_or(true) && self.admit(pid)? {
                moved |= self.contains(pid).unwrap_or(false);
            }
        }
        Ok(!whole || moved)
    }

    /// Moves a process into every hierarchy; answers false for one that is ending (ESRCH).
    fn admit(&self, pid: i32) -> Result<bool> {
        let v1 = self.hierarchies.v1_roots().map(|root| root.join(self.path));
        for folder in v1.chain([self.outer().join(PAYLOAD)]) {
            match write(&folder.join("cgroup.procs"), &pid.to_string()) {
                Err(Error::File { source, .. }) if source.raw_os_error() == Some(libc::ESRCH) => {
                    return Ok(false);
                }
                written => written?,
            }
        }
        Ok(true)
    }
}

/// Init and every process below it or in its pid namespace (those that exec put there).
fn processes_of(init: i32) -> Result<Vec<i32>> {
    let proc = Path::new("/proc");
    let namespace = |pid: i32| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let home = namespace(init);
    let mut parents = BTreeMap::new();
    for entry in fs::read_dir(proc).map_err(file("list", proc))? {
        let name = entry.map_err(file("list", proc))?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        if let Some((parent, _)) = crate::runtime::identity::parent_and_start(pid) {
            parents.insert(pid, parent);
        }
    }
    let mut inside: BTreeSet<i32> = BTreeSet::from([init]);
    inside.extend(parents.keys().filter(|pid| home.is_some() && namespace(**pid) == home));
    loop {
        let more: Vec<i32> = parents
            .iter()
            .filter(|(pid, parent)| inside.contains(parent) && !inside.contains(pid))
            .map(|(pid, _)| *pid)
            .collect();
        if more.is_empty() {
            return Ok(inside.into_iter().collect());
        }
        inside.extend(more);
    }
}
