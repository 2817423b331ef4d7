//! What this kernel has, for `doctor` and for fallbacks. Each probe is cheap and leaves nothing behind.

use std::fs;
use std::path::Path;

/// Kernel release as numbers, so that it compares: 6.18.44-x is (6, 18).
pub fn kernel_version() -> (u32, u32) {
    let name = rustix::system::uname();
    let release = name.release().to_string_lossy().into_owned();
    let mut numbers =
        release.split(|mark: char| !mark.is_ascii_digit()).map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// How many user namespaces may be made; 0 where they are switched off or not built in.
pub fn user_namespaces() -> u64 {
    read_number("/proc/sys/user/max_user_namespaces")
}

/// Whether the overlay file system is there.
pub fn has_overlay() -> bool {
    fs::read_to_string("/proc/filesystems")
        .is_ok_and(|list| list.lines().any(|line| line.trim_start_matches("nodev").trim() == "overlay"))
}

/// Whether AppArmor is switched on.
pub fn has_apparmor() -> bool {
    fs::read_to_string("/sys/module/apparmor/parameters/enabled").is_ok_and(|text| text.starts_with('Y'))
}

/// fs.inotify.max_user_instances: user namespaces made by root count against root's.
pub fn inotify_instances() -> u64 {
    read_number("/proc/sys/fs/inotify/max_user_instances")
}

/// Whether this process has CAP_SYS_RESOURCE, so may raise hard limits.
pub fn may_raise_limits() -> bool {
    rustix::thread::capabilities(None)
        .is_ok_and(|sets| sets.effective.contains(rustix::thread::CapabilitySet::SYS_RESOURCE))
}

/// Whether seccomp filters are built in.
pub fn has_seccomp() -> bool {
    Path::new("/proc/sys/kernel/seccomp/actions_avail").exists()
}

fn read_number(path: &str) -> u64 {
    fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}
