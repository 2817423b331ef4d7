//! pids: how many processes and threads.

use super::files::{read_limit, text_of, write};
use super::{Cgroup, Controller};
use crate::runtime::error::{Error, Result};
use std::path::PathBuf;

pub fn apply(cgroup: &Cgroup<'_>, limit: Option<u64>) -> Result<()> {
    let file = folder(cgroup).join("pids.max");
    if !file.exists() {
        let missing = Err(Error::ControllerMissing { controller: "pids" });
        return if limit.is_some() { missing } else { Ok(()) };
    }
    write(&file, &text_of(limit, "max"))
}

pub fn read(cgroup: &Cgroup<'_>) -> Result<Option<u64>> {
    let file = folder(cgroup).join("pids.max");
    if file.exists() { read_limit(&file) } else { Ok(None) }
}

/// Processes and threads that there are.
pub fn used(cgroup: &Cgroup<'_>) -> Result<u64> {
    let file = folder(cgroup).join("pids.current");
    if file.exists() { Ok(read_limit(&file)?.unwrap_or(0)) } else { Ok(0) }
}

fn folder(cgroup: &Cgroup<'_>) -> PathBuf {
    match cgroup.controller("pids") {
        Controller::V1(folder) | Controller::V2(folder) => folder,
    }
}
