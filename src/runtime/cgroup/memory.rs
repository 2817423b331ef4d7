//! memory: hard and soft limit, use, kills for want of memory.

use super::files::{read_keyed, read_limit, write};
use super::{Cgroup, Controller, files};
use crate::runtime::error::{Error, Result};

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

/// How often the kernel has killed in this cgroup because its memory was full.
pub fn kills(cgroup: &Cgroup<'_>) -> Result<u64> {
    let file = match cgroup.controller("memory") {
        Controller::V1(folder) => folder.join("memory.oom_control"),
        Controller::V2(folder) => folder.join("memory.events"),
    };
    if file.exists() { Ok(read_keyed(&file, "oom_kill")?.unwrap_or(0)) } else { Ok(0) }
}
