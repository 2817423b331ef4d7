//! cpuset: which CPUs a container runs on.

use super::files::{self, write};
use super::{Cgroup, Controller};
use crate::runtime::error::{Error, Result};
use std::collections::BTreeSet;
use std::path::Path;

/// `None` gives all CPUs of the parent.
pub fn apply(cgroup: &Cgroup<'_>, cpus: Option<&str>) -> Result<()> {
    match cgroup.controller("cpuset") {
        Controller::V1(folder) => {
            let all = || files::read(&parent(&folder).join("cpuset.cpus"));
            let text = cpus.map_or_else(all, |cpus| Ok(cpus.to_owned()))?;
            write(&folder.join("cpuset.cpus"), &text)
        }
        Controller::V2(folder) => {
            let file = folder.join("cpuset.cpus");
            if !file.exists() {
                let missing = Err(Error::ControllerMissing { controller: "cpuset" });
                return if cpus.is_some() { missing } else { Ok(()) };
            }
            match cpus {
                Some(cpus) => write(&file, cpus),
                None if files::read(&file)?.is_empty() => Ok(()),
                // Before Linux 6.6 a cpuset with processes takes no empty list.
                None => write(&file, &files::read(&parent(&folder).join("cpuset.cpus.effective"))?),
            }
        }
    }
}

/// The CPUs of the container; none when they are all that its parent has.
pub fn read(cgroup: &Cgroup<'_>) -> Result<Option<String>> {
    match cgroup.controller("cpuset") {
        Controller::V1(folder) => {
            let own = files::read(&folder.join("cpuset.cpus"))?;
            let all = files::read(&parent(&folder).join("cpuset.cpus"))?;
            Ok((own != all).then_some(own))
        }
        Controller::V2(folder) if folder.join("cpuset.cpus").exists() => {
            let own = files::read(&folder.join("cpuset.cpus"))?;
            let all = files::read(&parent(&folder).join("cpuset.cpus.effective"))?;
            Ok(Some(own).filter(|own| !own.is_empty() && *own != all))
        }
        Controller::V2(_) => Ok(None),
    }
}

/// A CPU list as the kernel writes it: sorted, neighbours joined. Text that is no list is left as it is.
pub fn shortest(list: &str) -> String {
    let Some(cpus) = numbers(list) else { return list.to_owned() };
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for cpu in cpus {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == cpu => *last = cpu,
            _ => runs.push((cpu, cpu)),
        }
    }
    let text = runs.into_iter().map(|(first, last)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    });
    text.collect::<Vec<_>>().join(",")
}

fn numbers(list: &str) -> Option<BTreeSet<u32>> {
    let mut cpus = BTreeSet::new();
    for part in list.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        if last > 65_535 {
            return None;
        }
        cpus.extend(first..=last);
    }
    Some(cpus)
}

fn parent(folder: &Path) -> &Path {
    folder.parent().unwrap_or(folder)
}

#[cfg(test)]
mod tests {
    use super::shortest;

    #[test]
    fn a_cpu_list_is_written_as_the_kernel_writes_it() {
        assert_eq!(shortest("0,1,2"), "0-2");
        assert_eq!(shortest("5,1-2"), "1-2,5");
        assert_eq!(shortest("0"), "0");
        assert_eq!(shortest("none"), "none");
    }
}
