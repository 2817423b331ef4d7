//! What can go wrong between a start spec and a running container.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot {action} {}", path.display())]
    File { action: &'static str, path: PathBuf, source: io::Error },
    #[error("cannot {step}")]
    Call { step: String, source: io::Error },
    #[error("{} is not a valid record", path.display())]
    Record { path: PathBuf, source: serde_json::Error },
    #[error("record {} has version {version}, newer than this program's {supported}", path.display())]
    RecordVersion { path: PathBuf, version: u32, supported: u32 },
    #[error("cannot read a message of the runtime's processes")]
    Message { source: serde_json::Error },
    #[error("{process} ended without an answer")]
    Lost { process: &'static str },
    #[error("the container's {process} failed at step `{step}`")]
    Step { process: &'static str, step: String, source: io::Error },
    #[error("no cgroup2 file system is mounted (mount one at /sys/fs/cgroup or /sys/fs/cgroup/unified)")]
    NoUnifiedCgroup,
    #[error("cgroup controller `{controller}` is not available on this host")]
    ControllerMissing { controller: &'static str },
    #[error("already running: pid {pid}")]
    AlreadyRunning { pid: i32 },
    #[error("not running: pid {pid} is gone")]
    NotRunning { pid: i32 },
    #[error("still there after {waited:?}: {what}")]
    TimedOut { what: String, waited: Duration },
    #[error("unknown resource limit `{name}`")]
    UnknownResource { name: String },
    #[error("`{value}` in {} is not what this program expects", path.display())]
    Unexpected { path: PathBuf, value: String },
    #[error("cannot compile the seccomp filter")]
    Seccomp { source: libseccomp::error::SeccompError },
    #[error("not supported yet: {what}")]
    Unsupported { what: &'static str },
}

pub type Result<T> = std::result::Result<T, Error>;

/// For `map_err` after a file operation.
pub fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_path_buf();
    move |source| Error::File { action, path, source }
}

/// For `map_err` after any other call.
pub fn call<E: Into<io::Error>>(step: &str) -> impl FnOnce(E) -> Error {
    let step = step.to_owned();
    move |source| Error::Call { step, source: source.into() }
}
