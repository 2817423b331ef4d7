//! Kernel settings under /proc/sys of the caller's network namespace.

use super::Effect;
use std::io;
use std::path::{Path, PathBuf};

/// A setting could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SysctlError {
    #[error("cannot read {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot write {value:?} to {}", path.display())]
    Write {
        path: PathBuf,
        value: String,
        #[source]
        source: io::Error,
    },
}

/// Whether the kernel has the setting; `key` has slashes: `net/ipv4/ip_forward`.
pub fn exists(key: &str) -> bool {
    path(key).exists()
}

/// The setting's value, without the final newline.
pub fn read(key: &str) -> Result<String, SysctlError> {
    let path = path(key);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(text.trim_end().to_owned()),
        Err(source) => Err(SysctlError::Read { path, source }),
    }
}

/// Writes the setting unless it has that value.
pub fn ensure(key: &str, value: &str) -> Result<Effect, SysctlError> {
    if read(key)? == value {
        return Ok(Effect::Unchanged);
    }
    let path = path(key);
    match std::fs::write(&path, value) {
        Ok(()) => Ok(Effect::Changed),
        Err(source) => Err(SysctlError::Write { path, value: value.to_owned(), source }),
    }
}

/// Whether the host routes IPv4 between its networks: `net.ipv4.ip_forward`.
pub fn ipv4_forwarding() -> bool {
    is_on("net/ipv4/ip_forward")
}

/// As [`ipv4_forwarding`]: `net.ipv6.conf.all.forwarding`.
pub fn ipv6_forwarding() -> bool {
    is_on("net/ipv6/conf/all/forwarding")
}

/// Whether the setting is there and 1.
pub fn is_on(key: &str) -> bool {
    read(key).is_ok_and(|value| value == "1")
}

/// The host routes between its networks, as NAT needs: `net.ipv4.ip_forward`.
pub fn ensure_ipv4_forwarding() -> Result<Effect, SysctlError> {
    ensure("net/ipv4/ip_forward", "1")
}

/// As [`ensure_ipv4_forwarding`] for IPv6. A link that accepted router advertisements would stop to do so once it
/// forwards (Documentation/networking/ip-sysctl.rst): those go to `accept_ra=2` first.
pub fn ensure_ipv6_forwarding() -> Result<Effect, SysctlError> {
    let folder = path("net/ipv6/conf");
    let listing = std::fs::read_dir(&folder).map_err(|source| SysctlError::Read { path: folder, source })?;
    for entry in listing.flatten() {
        let name = entry.file_name();
        let key = format!("net/ipv6/conf/{}/accept_ra", name.to_string_lossy());
        if name != "all" && name != "default" && read(&key).is_ok_and(|value| value == "1") {
            ensure(&key, "2")?;
        }
    }
    ensure("net/ipv6/conf/all/forwarding", "1")
}

fn path(key: &str) -> PathBuf {
    Path::new("/proc/sys").join(key)
}
