//! The writers' lock of a state folder: one writer at a time, and its name for those who come second.
//!
//! flock(2) on `STATE/lock`: the kernel frees it when the holder dies, however it dies. The file's text names the
//! holder and is only ever shown.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::fcntl::{Flock, FlockArg};

/// Held until dropped.
#[derive(Debug)]
pub struct Lock {
    _file: Flock<File>,
}

/// Why the lock was not had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("{path} is locked by {holder}; wait for it, or use --wait SECONDS")]
    Held { path: PathBuf, holder: String },
    #[error("cannot lock {path}")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Takes the lock of `state_folder` (made, if absent), waiting at most `wait`. `holder` is what others are told:
/// `pid 17, bayplan apply -f site.yaml`.
pub fn acquire(state_folder: &Path, holder: &str, wait: Duration) -> Result<Lock, LockError> {
    let path = state_folder.join("lock");
    let io_error = |source| LockError::Io { path: path.clone(), source };
    fs::create_dir_all(state_folder).map_err(io_error)?;
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(io_error)?;
    let deadline = Instant::now() + wait;
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(mut held) => {
                held.set_len(0).and_then(|()| held.write_all(holder.as_bytes())).map_err(io_error)?;
                return Ok(Lock { _file: held });
            }
            Err((back, nix::errno::Errno::EWOULDBLOCK)) => file = back,
            Err((_, errno)) => return Err(io_error(errno.into())),
        }
        if Instant::now() >= deadline {
            let mut holder = String::new();
            file.rewind().and_then(|()| file.read_to_string(&mut holder)).map_err(io_error)?;
            return Err(LockError::Held { path, holder });
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_writer_is_told_who_the_first_is() {
        let folder = tempfile::tempdir().unwrap();
        let first = acquire(folder.path(), "pid 1, bayplan apply", Duration::ZERO).unwrap();
        let error = acquire(folder.path(), "pid 2, bayplan apply", Duration::ZERO).unwrap_err();
        assert!(error.to_string().contains("pid 1, bayplan apply"), "{error}");
        drop(first);
        acquire(folder.path(), "pid 2, bayplan apply", Duration::ZERO).unwrap();
    }
}
