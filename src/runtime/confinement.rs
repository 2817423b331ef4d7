//! What a container must not do: capabilities, masked and read-only paths, resource limits by name.

use crate::model::run::Rlimit;
use crate::runtime::channel::{Failure, step};
use crate::runtime::error::{Error, Result};
use rustix::process::Resource;
use rustix::thread::{CapabilitySet, remove_capability_from_bounding_set};
use std::collections::BTreeMap;

/// Never held inside, not even by a later setuid program: what LXC and LXD drop.
const DROPPED: [CapabilitySet; 5] = [
    CapabilitySet::SYS_TIME,
    CapabilitySet::SYS_MODULE,
    CapabilitySet::SYS_RAWIO,
    CapabilitySet::MAC_ADMIN,
    CapabilitySet::MAC_OVERRIDE,
];

/// Files and folders that are hidden (LXC's and the OCI's usual lists).
const MASKED: [&str; 9] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/sys/firmware",
];
/// systemd mounts these two when they are bare, which a user namespace may not.
const UNMOUNTABLE: [&str; 2] = ["/sys/kernel/debug", "/sys/kernel/tracing"];
const READONLY: [&str; 4] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sysrq-trigger"];

/// How a container's kernel interfaces are covered by default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoveredPaths {
    pub masked: Vec<String>,
    pub readonly: Vec<String>,
}

/// The usual lists. With nesting nothing in /proc and /sys is covered: the kernel lets a user namespace mount a
/// fresh proc only when it sees one whole (LXD relaxes the same way).
pub fn usual_paths(nesting: bool) -> CoveredPaths {
    let owned = |list: &[&str]| list.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>();
    if nesting {
        return CoveredPaths { masked: Vec::new(), readonly: Vec::new() };
    }
    let masked = [owned(&MASKED), owned(&UNMOUNTABLE)].concat();
    CoveredPaths { masked, readonly: owned(&READONLY) }
}

/// Drops capabilities from this thread's bounding set and from what it holds.
pub fn drop_capabilities() -> std::result::Result<(), Failure> {
    let mut sets = rustix::thread::capabilities(None).map_err(step("read capabilities"))?;
    for capability in DROPPED {
        remove_capability_from_bounding_set(capability).map_err(step("drop a capability"))?;
        sets.effective.remove(capability);
        sets.permitted.remove(capability);
    }
    sets.inheritable = CapabilitySet::empty();
    rustix::thread::set_capabilities(None, sets).map_err(step("set capabilities"))
}

/// Sets the resource limits of a process from outside it: raising needs the host's capability.
pub fn set_rlimits(pid: i32, limits: &BTreeMap<String, Rlimit>) -> std::result::Result<(), Failure> {
    for (name, limit) in limits {
        let resource = resource(name)?;
        let wanted = rustix::process::Rlimit { current: limit.soft, maximum: limit.hard };
        rustix::process::prlimit(rustix::process::Pid::from_raw(pid), resource, wanted)
            .map_err(step(format!("set limits.kernel.{name}")))?;
    }
    Ok(())
}

/// The resource that `limits.kernel.NAME` speaks of (prlimit(2)).
pub fn resource(name: &str) -> Result<Resource> {
    Ok(match name {
        "as" => Resource::As,
        "core" => Resource::Core,
        "cpu" => Resource::Cpu,
        "data" => Resource::Data,
        "fsize" => Resource::Fsize,
        "locks" => Resource::Locks,
        "memlock" => Resource::Memlock,
        "msgqueue" => Resource::Msgqueue,
        "nice" => Resource::Nice,
        "nofile" => Resource::Nofile,
        "nproc" => Resource::Nproc,
        "rss" => Resource::Rss,
        "rtprio" => Resource::Rtprio,
        "rttime" => Resource::Rttime,
        "sigpending" => Resource::Sigpending,
        "stack" => Resource::Stack,
        _ => return Err(Error::UnknownResource { name: name.to_owned() }),
    })
}
