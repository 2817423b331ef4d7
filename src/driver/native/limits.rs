//! Limits: what a container is given, as the cgroup takes it, and back.

use crate::model::run::{CpuAllowance, CpuLimit, Limits, MemoryEnforce, MemoryLimit};
use crate::runtime::cgroup::limits as cgroup;
use uuid::Uuid;

/// As the cgroup takes them. A count of processors becomes a set of the host's online ones, `online` in the kernel's
/// list form; where it begins depends on the uuid, so that containers spread.
pub fn to_cgroup(limits: &Limits, uuid: Uuid, online: &[u32]) -> cgroup::Limits {
    let (soft, hard) = match limits.memory {
        Some(MemoryLimit { bytes, enforce: MemoryEnforce::Soft }) => (Some(bytes), None),
        Some(MemoryLimit { bytes, enforce: MemoryEnforce::Hard }) => (None, Some(bytes)),
        None => (None, None),
    };
    cgroup::Limits {
        cpu_set: limits.cpus.as_ref().and_then(|cpus| cpu_set(cpus, uuid, online)),
        cpu_quota: match limits.cpu_allowance {
            Some(CpuAllowance::Quota { quota_us, period_us }) => {
                Some(cgroup::CpuQuota { quota_us, period_us })
            }
            _ => None,
        },
        cpu_weight_percent: match limits.cpu_allowance {
            Some(CpuAllowance::Share { percent }) => Some(percent),
            _ => None,
        },
        memory_bytes: hard,
        memory_soft_bytes: soft,
        pids: limits.processes,
    }
}

/// What the cgroup says, in the words of `wanted`: each value that the kernel keeps just as `wanted` asks is `wanted`'s
/// own (a count, a size that is no whole number of pages); any other is what the kernel says. `asked` is `wanted` as
/// the kernel keeps it (`Hierarchies::normalise`).
pub fn from_cgroup(found: &cgroup::Limits, asked: &cgroup::Limits, wanted: &Limits) -> Limits {
    Limits {
        cpus: same_or(found.cpu_set == asked.cpu_set, &wanted.cpus, || {
            found.cpu_set.clone().map(CpuLimit::Set)
        }),
        cpu_allowance: same_or(
            (found.cpu_quota, found.cpu_weight_percent) == (asked.cpu_quota, asked.cpu_weight_percent),
            &wanted.cpu_allowance,
            || allowance(found),
        ),
        memory: same_or(
            (found.memory_bytes, found.memory_soft_bytes) == (asked.memory_bytes, asked.memory_soft_bytes),
            &wanted.memory,
            || memory(found),
        ),
        processes: found.pids,
    }
}

fn same_or<T: Clone>(same: bool, wanted: &Option<T>, found: impl FnOnce() -> Option<T>) -> Option<T> {
    if same { wanted.clone() } else { found() }
}

fn allowance(found: &cgroup::Limits) -> Option<CpuAllowance> {
    match (found.cpu_quota, found.cpu_weight_percent) {
        (Some(quota), _) => {
            Some(CpuAllowance::Quota { quota_us: quota.quota_us, period_us: quota.period_us })
        }
        (None, Some(percent)) => Some(CpuAllowance::Share { percent }),
        (None, None) => None,
    }
}

fn memory(found: &cgroup::Limits) -> Option<MemoryLimit> {
    match (found.memory_bytes, found.memory_soft_bytes) {
        (Some(bytes), _) => Some(MemoryLimit { bytes, enforce: MemoryEnforce::Hard }),
        (None, Some(bytes)) => Some(MemoryLimit { bytes, enforce: MemoryEnforce::Soft }),
        (None, None) => None,
    }
}

/// None: no restriction, for a count of at least all processors.
fn cpu_set(cpus: &CpuLimit, uuid: Uuid, online: &[u32]) -> Option<String> {
    let count = match cpus {
        CpuLimit::Set(set) => return Some(set.clone()),
        CpuLimit::Count(count) => *count as usize,
    };
    if count >= online.len() {
        return None;
    }
    let first = (uuid.as_u128() % online.len() as u128) as usize;
    let chosen = (0..count).map(|step| online[(first + step) % online.len()].to_string());
    Some(chosen.collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_that_is_in_force_reads_back_as_the_count() {
        let wanted = Limits { cpus: Some(CpuLimit::Count(1)), processes: Some(7), ..Limits::default() };
        let uuid = Uuid::from_u128(3);
        let kernel = to_cgroup(&wanted, uuid, &[0, 1]);
        assert_eq!(kernel.cpu_set.as_deref(), Some("1"));
        assert_eq!(from_cgroup(&kernel, &kernel, &wanted), wanted);
    }

    #[test]
    fn an_edited_limit_reads_back_as_the_kernel_has_it() {
        let memory = Some(MemoryLimit { bytes: 1 << 20, enforce: MemoryEnforce::Hard });
        let wanted = Limits { memory, ..Limits::default() };
        let uuid = Uuid::from_u128(3);
        let asked = to_cgroup(&wanted, uuid, &[0, 1]);
        let kernel = cgroup::Limits { memory_bytes: Some(2 << 20), ..asked.clone() };
        let found = from_cgroup(&kernel, &asked, &wanted);
        assert_eq!(found.memory, Some(MemoryLimit { bytes: 2 << 20, enforce: MemoryEnforce::Hard }));
    }

    #[test]
    fn a_count_of_all_processors_is_no_restriction() {
        let wanted = Limits { cpus: Some(CpuLimit::Count(2)), ..Limits::default() };
        assert_eq!(to_cgroup(&wanted, Uuid::nil(), &[0, 1]).cpu_set, None);
    }
}
