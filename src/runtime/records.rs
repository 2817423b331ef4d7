//! The run folder: `RUN/boot` and `RUN/UUID/{start.json, started.json, exit.json, monitor.sock, console.log}`.
//!
//! A record is written to a temporary name and renamed: a reader, or whoever comes after a killed writer, sees it whole
//! or not at all. Records are not synced: the folder does not outlive the machine's uptime. Where /run is no tmpfs a
//! crash of the machine may leave them empty or in part, so `boot`, which is synced before the first of them, names
//! the boot that they are of: a folder of another boot holds nothing, and the next start clears it.
//! Records say what was done; whether it still holds is asked of the kernel (`observe`).

use crate::runtime::error::{Error, Result, call, file};
use crate::runtime::identity::{ProcessId, boot_id};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

pub const START: &str = "start.json";
pub const STARTED: &str = "started.json";
pub const EXIT: &str = "exit.json";
pub const SOCKET: &str = "monitor.sock";
pub const CONSOLE: &str = "console.log";
const BOOT: &str = "boot";

/// The version of all records here.
pub const VERSION: u32 = 1;

/// Written by the monitor before init goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Started {
    pub version: u32,
    pub boot_id: String,
    pub incarnation: u64,
    pub init: ProcessId,
    pub monitor: ProcessId,
    /// Milliseconds since 1970.
    pub at_ms: u64,
}

/// Written by the monitor when init is dead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Exit {
    pub version: u32,
    pub boot_id: String,
    pub incarnation: u64,
    pub cause: Cause,
    pub code: Option<i32>,
    pub signal: Option<i32>,
    /// Milliseconds since 1970.
    pub at_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// reboot(2) from inside with power off or halt (the kernel ends init with SIGINT), or init exited with 0.
    PowerOff,
    /// reboot(2) from inside with restart: SIGHUP.
    Reboot,
    /// Ended by a signal from outside.
    Killed,
    /// Init exited with another code than 0, or crashed.
    Failed,
    /// Killed by the kernel for want of memory.
    Oom,
    /// The monitor was lost and the kernel cannot tell.
    Unknown,
}

/// Whether what is in the run folder was written since this boot.
pub fn is_of_this_boot(run: &Path) -> Result<bool> {
    let path = run.join(BOOT);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(text == boot_id().map_err(call("read the boot id"))?),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(true),
        Err(source) => Err(file("read", &path)(source)),
    }
}

/// Makes the run folder ready for records of this boot; what a former one left goes.
pub fn enter(run: &Path) -> Result<()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _entering = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let path = run.join(BOOT);
    if path.exists() {
        if is_of_this_boot(run)? {
            return Ok(());
        }
        if let (Some(above), Some(name)) = (run.parent(), run.file_name()) {
            tree::remove::remove(above, Path::new(name)).map_err(file("clear", run))?;
        }
    }
    fs::create_dir_all(run).map_err(file("make", run))?;
    let boot = boot_id().map_err(call("read the boot id"))?;
    tree::durable::write(&path, boot.as_bytes()).map_err(file("write", &path))
}

/// The folder of one container.
pub fn folder(run: &Path, uuid: &uuid::Uuid) -> PathBuf {
    run.join(uuid.to_string())
}

/// Writes a record so that a reader, or a crash of the writer, sees the old one or the new one.
pub fn write<T: Serialize>(folder: &Path, name: &str, record: &T) -> Result<()> {
    let path = folder.join(name);
    let temporary = folder.join(format!(".{name}.new"));
    let text =
        serde_json::to_vec_pretty(record).map_err(|source| Error::Record { path: path.clone(), source })?;
    fs::write(&temporary, &text).map_err(file("write", &temporary))?;
    fs::rename(&temporary, &path).map_err(file("rename", &path))
}

/// Reads a record; `None` when there is none.
pub fn read<T: DeserializeOwned>(folder: &Path, name: &str) -> Result<Option<T>> {
    let path = folder.join(name);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(file("read", &path)(source)),
    };
    require_version(&path, &text)?;
    serde_json::from_slice(&text).map(Some).map_err(|source| Error::Record { path, source })
}

/// Removes a record if it is there.
pub fn remove(folder: &Path, name: &str) -> Result<()> {
    let path = folder.join(name);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(file("remove", &path)(error)),
        _ => Ok(()),
    }
}

pub fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}

/// A newer record may hold fields that this program would misread: refused by its version, not by a field's name.
fn require_version(path: &Path, text: &[u8]) -> Result<()> {
    #[derive(Deserialize)]
    struct Header {
        version: u32,
    }
    let header: Header =
        serde_json::from_slice(text).map_err(|source| Error::Record { path: path.to_path_buf(), source })?;
    if header.version > VERSION {
        let path = path.to_path_buf();
        return Err(Error::RecordVersion { path, version: header.version, supported: VERSION });
    }
    Ok(())
}
