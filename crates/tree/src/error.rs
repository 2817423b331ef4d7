//! A failed call on a file.

use std::io;
use std::path::{Path, PathBuf};

/// A full disk or quota is told apart from all else.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("no space left on the file system of {}", path.display())]
    Full {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot {action} {}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl FileError {
    pub fn new(action: &'static str, path: &Path, source: impl Into<io::Error>) -> FileError {
        let (path, source) = (path.to_owned(), source.into());
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => FileError::Full { path, source },
            _ => FileError::Io { action, path, source },
        }
    }

    pub fn kind(&self) -> io::ErrorKind {
        match self {
            FileError::Full { source, .. } | FileError::Io { source, .. } => source.kind(),
        }
    }
}

/// Paths in a row, for people.
pub fn listed(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}
