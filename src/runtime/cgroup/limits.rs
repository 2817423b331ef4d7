//! The limits of a container: one type for what is wanted and for what the kernel says.

use super::{Cgroup, Hierarchies, cpu, cpuset, files, memory, pids};
use crate::runtime::error::Result;
use serde::{Deserialize, Serialize};

/// Limits; `None` is no limit. [`Hierarchies::normalise`] makes wanted values comparable with read ones.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Limits {
    /// The CPUs to run on, as the kernel writes them: `0-1,3`.
    pub cpu_set: Option<String>,
    /// Hard share: at most `quota_us` of CPU time in each `period_us`.
    pub cpu_quota: Option<CpuQuota>,
    /// Soft share under contention, in percent of a container without a limit.
    pub cpu_weight_percent: Option<u32>,
    /// Hard limit; reaching it, the kernel kills.
    pub memory_bytes: Option<u64>,
    /// Limit under memory pressure only (v1), or with throttled reclaim (v2 memory.high).
    pub memory_soft_bytes: Option<u64>,
    /// How many processes and threads.
    pub pids: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CpuQuota {
    pub quota_us: u64,
    pub period_us: u64,
}

impl Hierarchies {
    /// The same limits as [`Cgroup::read`] answers once they are applied: memory in whole pages, CPU lists in their
    /// shortest form, and a "limit" to all that the host has is none.
    pub fn normalise(&self, limits: &Limits) -> Limits {
        let page = page_bytes();
        let whole_pages = |bytes: u64| bytes / page * page;
        Limits {
            cpu_set: limits
                .cpu_set
                .as_deref()
                .map(cpuset::shortest)
                .filter(|cpus| Some(cpus) != self.all_cpus().as_ref()),
            memory_bytes: limits.memory_bytes.map(whole_pages),
            memory_soft_bytes: limits.memory_soft_bytes.map(whole_pages),
            cpu_weight_percent: limits.cpu_weight_percent.filter(|percent| *percent != 100),
            ..limits.clone()
        }
    }

    /// The host's CPUs as a list; none where no cpuset controller tells.
    pub fn all_cpus(&self) -> Option<String> {
        let v1 = self.v1.get("cpuset").map(|root| root.join("cpuset.cpus"));
        files::read(&v1.unwrap_or_else(|| self.unified.join("cpuset.cpus.effective"))).ok()
    }
}

fn page_bytes() -> u64 {
    let known = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE);
    known.ok().flatten().map_or(4096, |bytes| bytes as u64)
}

impl Cgroup<'_> {
    /// Brings all limits to these values, those that are `None` to no limit. Works on a running container.
    /// Answers whether anything was written.
    pub fn apply(&self, limits: &Limits) -> Result<bool> {
        let wanted = self.hierarchies.normalise(limits);
        let present = self.read()?;
        if wanted == present {
            return Ok(false);
        }
        if wanted.cpu_set != present.cpu_set {
            cpuset::apply(self, wanted.cpu_set.as_deref())?;
        }
        if (wanted.cpu_quota, wanted.cpu_weight_percent) != (present.cpu_quota, present.cpu_weight_percent) {
            cpu::apply(self, wanted.cpu_quota, wanted.cpu_weight_percent)?;
        }
        let memory = (wanted.memory_bytes, wanted.memory_soft_bytes);
        if memory != (present.memory_bytes, present.memory_soft_bytes) {
            memory::apply(self, memory.0, memory.1)?;
        }
        if wanted.pids != present.pids {
            pids::apply(self, wanted.pids)?;
        }
        Ok(true)
    }

    /// The kernel's own values.
    pub fn read(&self) -> Result<Limits> {
        let (cpu_quota, cpu_weight_percent) = cpu::read(self)?;
        let (memory_bytes, memory_soft_bytes) = memory::read(self)?;
        Ok(Limits {
            cpu_set: cpuset::read(self)?,
            cpu_quota,
            cpu_weight_percent,
            memory_bytes,
            memory_soft_bytes,
            pids: pids::read(self)?,
        })
    }
}
