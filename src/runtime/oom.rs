//! Whether a SIGKILL of init was the kernel's, for want of memory.
//!
//! The cgroup counts the kernel's kills of any process in it, and a kill of init is counted before the signal is
//! sent. So a count that is higher at init's death than it was a moment ago means `oom`; a kill that init has
//! outlived by [`SETTLING`] was another process's, and no later death is blamed on it.

use crate::runtime::cgroup::Cgroup;
use crate::runtime::cgroup::memory::{self, Notice};
use rustix::event::{PollFd, PollFlags};
use std::time::{Duration, Instant};

/// A killed init dies within this time.
const SETTLING: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub struct OomWatch {
    /// None where nothing counts kills: then no death is blamed on memory.
    notice: Option<Notice>,
    /// Kills that init has outlived.
    outlived: u64,
    settles: Option<Instant>,
}

impl OomWatch {
    /// Watches a container from its start: its cgroup is its own, so no kill in it was before init.
    pub fn from_birth(cgroup: &Cgroup<'_>) -> OomWatch {
        let settles = Some(Instant::now() + SETTLING);
        OomWatch { outlived: 0, settles, ..OomWatch::open(cgroup) }
    }

    /// Begins to watch a container that runs; kills so far count as outlived.
    pub fn open(cgroup: &Cgroup<'_>) -> OomWatch {
        let notice = memory::notice(cgroup).ok().flatten();
        let outlived = memory::kills(cgroup).unwrap_or(0);
        OomWatch { notice, outlived, settles: None }
    }

    /// What to poll; nothing while an event settles, so that a container at its limit does not keep us awake.
    pub fn poll(&self) -> Option<PollFd<'_>> {
        let notice = self.notice.as_ref().filter(|_| self.settles.is_none())?;
        Some(match notice {
            Notice::Event(fd) => PollFd::new(fd, PollFlags::IN),
            Notice::File(file) => PollFd::new(file, PollFlags::PRI),
        })
    }

    /// The polled descriptor is ready: look again when what happened has settled.
    pub fn noticed(&mut self) {
        self.settles = Some(Instant::now() + SETTLING);
    }

    /// How long until [`OomWatch::settle`] has something to do.
    pub fn remaining(&self) -> Option<Duration> {
        Some(self.settles?.saturating_duration_since(Instant::now()))
    }

    /// Init is alive; if the last event has settled, it was not init's.
    pub fn settle(&mut self, cgroup: &Cgroup<'_>) {
        if self.remaining().is_some_and(|rest| rest.is_zero()) {
            // Opened anew: the cgroup may have been lost and made again since.
            *self = OomWatch::open(cgroup);
        }
    }

    /// Init is dead: whether the kernel has killed since the last kill that init outlived.
    pub fn has_new_kill(&self, cgroup: &Cgroup<'_>) -> bool {
        memory::kills(cgroup).is_ok_and(|kills| kills > self.outlived)
    }
}
