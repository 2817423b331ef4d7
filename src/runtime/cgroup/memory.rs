//! memory: hard and soft limit, use, kills for want of memory.

use super::files::{read_keyed, read_limit, write};
use super::{Cgroup, Controller, files};
use crate::runtime::error::{Error, Result, call, file};
use std::fs::{self, OpenOptions};
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};

/// v1 has no word for "no limit": it answers the largest page count. Anything this large is no limit.
const V1_UNLIMITED: u64 = 1 << 62;

pub fn apply(cgroup: &Cgroup<'_>, hard: Option<u64>, soft: Option<u64>) -> Result<()> {
    let (folder, hard_file, soft_file, none) = match cgroup.controller("memory") {
        Controller::V1(folder) => (folder, "memory.limit_in_bytes", "memory.soft_limit_in_bytes", "-1"),
        Controller::V2(folder) => (folder, "memory.max", "memory.high", "max"),
    };
    if !folder.join(hard_file).exists() {
        let missing = Err(Error::ControllerMissing { controller: "memory" });
        return if hard.or(soft).is_some() { missing } else { Ok(()) };
    }
    write(&folder.join(hard_file), &files::text_of(hard, none))?;
    write(&folder.join(soft_file), &files::text_of(soft, none))
}

/// Hard and soft limit.
pub fn read(cgroup: &Cgroup<'_>) -> Result<(Option<u64>, Option<u64>)> {
    let limited = |value: Option<u64>| value.filter(|bytes| *bytes < V1_UNLIMITED);
    match cgroup.controller("memory") {
        Controller::V1(folder) => Ok((
            limited(read_limit(&folder.join("memory.limit_in_bytes"))?),
            limited(read_limit(&folder.join("memory.soft_limit_in_bytes"))?),
        )),
        Controller::V2(folder) if folder.join("memory.max").exists() => {
            Ok((read_limit(&folder.join("memory.max"))?, read_limit(&folder.join("memory.high"))?))
        }
        Controller::V2(_) => Ok((None, None)),
    }
}

/// Bytes in use; 0 where nothing counts them.
pub fn used_bytes(cgroup: &Cgroup<'_>) -> Result<u64> {
    let file = match cgroup.controller("memory") {
        Controller::V1(folder) => folder.join("memory.usage_in_bytes"),
        Controller::V2(folder) => folder.join("memory.current"),
    };
    if file.exists() { Ok(read_limit(&file)?.unwrap_or(0)) } else { Ok(0) }
}

/// What becomes ready when memory is so short that the kernel may kill.
#[derive(Debug)]
pub enum Notice {
    /// v1: an eventfd, readable. It tells of the cgroup's own limit only.
    Event(OwnedFd),
    /// v2: memory.events, read once, with priority data.
    File(fs::File),
}

/// Opens a notice; none where no controller counts.
pub fn notice(cgroup: &Cgroup<'_>) -> Result<Option<Notice>> {
    match cgroup.controller("memory") {
        Controller::V1(folder) => {
            let path = folder.join("memory.oom_control");
            let counter = fs::File::open(&path).map_err(file("open", &path))?;
            let flags = rustix::event::EventfdFlags::CLOEXEC | rustix::event::EventfdFlags::NONBLOCK;
            let event = rustix::event::eventfd(0, flags).map_err(call("make an eventfd"))?;
            let line = format!("{} {}", event.as_raw_fd(), counter.as_raw_fd());
            write(&folder.join("cgroup.event_control"), &line)?;
            Ok(Some(Notice::Event(event)))
        }
        Controller::V2(folder) => {
            let path = folder.join("memory.events");
            if !path.exists() {
                return Ok(None);
            }
            let mut events = OpenOptions::new().read(true).open(&path).map_err(file("open", &path))?;
            events.read_to_end(&mut Vec::new()).map_err(file("read", &path))?;
            Ok(Some(Notice::File(events)))
        }
    }
}

/// How often the kernel has killed in this cgroup because its memory was full.
pub fn kills(cgroup: &Cgroup<'_>) -> Result<u64> {
    let file = match cgroup.controller("memory") {
        Controller::V1(folder) => folder.join("memory.oom_control"),
        Controller::V2(folder) => folder.join("memory.events"),
    };
    if file.exists() { Ok(read_keyed(&file, "oom_kill")?.unwrap_or(0)) } else { Ok(0) }
}
