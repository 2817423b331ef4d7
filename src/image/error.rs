//! Why an image could not be had.

use std::io;
use std::path::{Path, PathBuf};
use tree::error::{FileError, listed};

/// An error of the image room.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("the image tries to leave its folder: {}: {what}", path.display())]
    Escape { path: PathBuf, what: String },
    #[error("{}: another file system is mounted there; an image is one tree", path.display())]
    CrossesMount { path: PathBuf },
    #[error("{}: folders are nested deeper than {limit}", path.display())]
    TooDeep { path: PathBuf, limit: usize },
    #[error("the archive is above a limit: {what}")]
    Limit { what: String },
    #[error("the archive cannot be read")]
    Archive {
        #[source]
        source: io::Error,
    },
    #[error("{what} is not supported yet")]
    Unsupported { what: String },
    #[error("no static busybox at {}: apt install busybox-static", listed(paths))]
    NoBusybox { paths: Vec<PathBuf> },
    #[error("{} does not list its applets", path.display())]
    NoApplets { path: PathBuf },
    #[error("mmdebstrap is not installed: apt install mmdebstrap")]
    NoMmdebstrap,
    #[error("mmdebstrap failed ({status}):\n{output}")]
    Bootstrap { status: String, output: String },
    #[error("{text:?} is not a fingerprint (64 hexadecimal digits)")]
    BadFingerprint { text: String },
    #[error("{} is in use, something is mounted at {}", path.display(), listed(mounts))]
    Mounted { path: PathBuf, mounts: Vec<PathBuf> },
    #[error("{} cannot be read as JSON", path.display())]
    Record {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
    #[error("{} has version {found}; this program knows up to {known}", path.display())]
    Version { path: PathBuf, found: u32, known: u32 },
}

impl ImageError {
    /// The error for a failed call.
    pub(super) fn io(action: &'static str, path: &Path, source: impl Into<io::Error>) -> ImageError {
        FileError::new(action, path, source).into()
    }
}
