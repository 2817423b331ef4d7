//! Which process a record speaks of: pid, start time and boot id together name one process for ever.

use serde::{Deserialize, Serialize};
use std::fs;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

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

    /// Whether it lives on: as [`ProcessId::is_alive`], but a process that was sent SIGKILL and has not run since is
    /// waited for. On a busy machine that takes a while, and until then the kernel shows it as if nothing were.
    pub fn survives(&self) -> bool {
        let began = Instant::now();
        loop {
            let fields =
                stat(self.pid).filter(|fields| fields.start_time == self.start_time && !fields.is_dead);
            match fields {
                None => return false,
                Some(fields) if !fields.is_killed || began.elapsed() > LAST_BREATH => return true,
                Some(_) => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    }
}

/// How long a killed process is waited for; a frozen one dies only when it is thawed.
const LAST_BREATH: Duration = Duration::from_secs(2);

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
    is_killed: bool,
}

/// PF_EXITING of the kernel's include/linux/sched.h, which proc(5) shows in field 9.
const EXITING: u64 = 0x4;
/// SIGKILL among the pending signals of field 31: the kernel puts it there for each thread of a killed process.
const KILLED: u64 = 1 << (libc::SIGKILL - 1);

fn stat(pid: i32) -> Option<Stat> {
    parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The name in field 2 may hold anything: the other fields start after its last parenthesis.
fn parse(text: &str) -> Option<Stat> {
    let (_, rest) = text.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        start_time: fields.get(19)?.parse().ok()?,
        is_dead: matches!(*fields.first()?, "Z" | "X" | "x")
            || fields.get(6)?.parse::<u64>().ok()? & EXITING != 0,
        is_killed: fields.get(28)?.parse::<u64>().ok()? & KILLED != 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNS: &str = "7 (a ) b) S 1 7 7 0 -1 4194560 9 0 0 0 0 0 0 0 20 0 1 0 4711 8192 1 1 1 1 1 1 1 PENDING 0 0 0 0 0 0 17";

    #[test]
    fn a_process_with_a_pending_kill_is_told_from_one_that_lives_on() {
        let of = |pending: &str| parse(&RUNS.replace("PENDING", pending)).expect("a line of /proc/PID/stat");
        assert_eq!((of("0").parent, of("0").start_time), (1, 4711));
        assert!(!of("0").is_killed && !of("16384").is_killed, "no signal, and SIGTERM alone");
        assert!(of("256").is_killed && of("16640").is_killed, "SIGKILL, alone and with SIGTERM");
    }
}
