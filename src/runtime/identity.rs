//! Which process a record speaks of: pid, start time and boot id together name one process for ever.

use serde::{Deserialize, Serialize};
use std::fs;
use std::sync::OnceLock;

/// A process of this boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProcessId {
    pub pid: i32,
    /// Clock ticks since boot (field 22 of /proc/PID/stat).
    pub start_time: u64,
}

impl ProcessId {
    /// The process that has this pid now.
    pub fn of(pid: i32) -> Option<ProcessId> {
        let (_, start_time) = parent_and_start(pid)?;
        Some(ProcessId { pid, start_time })
    }

    pub fn own() -> Option<ProcessId> {
        ProcessId::of(rustix::process::getpid().as_raw_nonzero().get())
    }

    /// Whether it still lives: not gone, not on its way out (its namespaces are gone before it is a zombie), and not
    /// another process with the same pid.
    pub fn is_alive(&self) -> bool {
        stat(self.pid).is_some_and(|fields| fields.start_time == self.start_time && !fields.is_dead)
    }
}

/// The kernel's name for this boot; read once.
pub fn boot_id() -> std::io::Result<String> {
    static BOOT: OnceLock<String> = OnceLock::new();
    if let Some(known) = BOOT.get() {
        return Ok(known.clone());
    }
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    Ok(BOOT.get_or_init(|| text.trim().to_owned()).clone())
}

/// Parent's pid and start time.
pub fn parent_and_start(pid: i32) -> Option<(i32, u64)> {
    stat(pid).map(|fields| (fields.parent, fields.start_time))
}

struct Stat {
    parent: i32,
    start_time: u64,
    is_dead: bool,
}

/// PF_EXITING of the kernel's include/linux/sched.h, which proc(5) shows in field 9.
const EXITING: u64 = 0x4;

/// The name in field 2 may hold anything: the other fields start after its last parenthesis.
fn stat(pid: i32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        start_time: fields.get(19)?.parse().ok()?,
        is_dead: matches!(*fields.first()?, "Z" | "X" | "x")
            || fields.get(6)?.parse::<u64>().ok()? & EXITING != 0,
    })
}
