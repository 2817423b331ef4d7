//! cpu: quota and weight (cgroup-v1 scheduler docs; cgroup-v2.rst, "CPU").

use super::files::{self, read_limit, write};
use super::limits::CpuQuota;
use super::{Cgroup, Controller};
use crate::runtime::error::{Error, Result};
use std::path::Path;

const DEFAULT_PERIOD_US: u64 = 100_000;
/// cpu.shares of a v1 cgroup without a limit; v2's cpu.weight has 100.
const DEFAULT_SHARES: u64 = 1024;

pub fn apply(cgroup: &Cgroup<'_>, quota: Option<CpuQuota>, weight_percent: Option<u32>) -> Result<()> {
    let percent = u64::from(weight_percent.unwrap_or(100));
    match cgroup.controller("cpu") {
        Controller::V1(folder) => {
            write(&folder.join("cpu.shares"), &(DEFAULT_SHARES * percent / 100).max(2).to_string())?;
            apply_v1_quota(&folder, quota)
        }
        Controller::V2(folder) => {
            if !folder.join("cpu.max").exists() {
                return missing(quota.is_some() || weight_percent.is_some());
            }
            write(&folder.join("cpu.weight"), &percent.max(1).to_string())?;
            let text = quota.map_or_else(
                || format!("max {DEFAULT_PERIOD_US}"),
                |quota| format!("{} {}", quota.quota_us, quota.period_us),
            );
            write(&folder.join("cpu.max"), &text)
        }
    }
}

/// Period and quota are two files, and the kernel refuses a pair that oversteps the parent's: lift the quota first.
fn apply_v1_quota(folder: &Path, quota: Option<CpuQuota>) -> Result<()> {
    let file = folder.join("cpu.cfs_quota_us");
    write(&file, "-1")?;
    let period_us = quota.map_or(DEFAULT_PERIOD_US, |quota| quota.period_us);
    write(&folder.join("cpu.cfs_period_us"), &period_us.to_string())?;
    match quota {
        Some(quota) => write(&file, &quota.quota_us.to_string()),
        None => Ok(()),
    }
}

pub fn read(cgroup: &Cgroup<'_>) -> Result<(Option<CpuQuota>, Option<u32>)> {
    match cgroup.controller("cpu") {
        Controller::V1(folder) => {
            let quota_us = read_limit(&folder.join("cpu.cfs_quota_us"))?;
            let period_us = read_limit(&folder.join("cpu.cfs_period_us"))?;
            let shares = read_limit(&folder.join("cpu.shares"))?.unwrap_or(DEFAULT_SHARES);
            Ok((pair(quota_us, period_us), percent((shares * 100).div_ceil(DEFAULT_SHARES))))
        }
        Controller::V2(folder) if folder.join("cpu.max").exists() => {
            let text = files::read(&folder.join("cpu.max"))?;
            let mut numbers = text.split(' ').map(|number| number.parse().ok());
            let quota = pair(numbers.next().flatten(), numbers.next().flatten());
            Ok((quota, percent(read_limit(&folder.join("cpu.weight"))?.unwrap_or(100))))
        }
        Controller::V2(_) => Ok((None, None)),
    }
}

/// CPU time used so far; the unified hierarchy counts it on every host.
pub fn used_us(unified: &Path) -> Result<u64> {
    Ok(files::read_keyed(&unified.join("cpu.stat"), "usage_usec")?.unwrap_or(0))
}

fn pair(quota_us: Option<u64>, period_us: Option<u64>) -> Option<CpuQuota> {
    Some(CpuQuota { quota_us: quota_us?, period_us: period_us? })
}

fn percent(value: u64) -> Option<u32> {
    u32::try_from(value).ok().filter(|value| *value != 100)
}

fn missing(wanted: bool) -> Result<()> {
    if wanted { Err(Error::ControllerMissing { controller: "cpu" }) } else { Ok(()) }
}
