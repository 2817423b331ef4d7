//! Digests of files, kept in this process for as long as the files cannot have changed: what looks again and again need
//! not read again and again.
//!
//! A file is known by device and inode, its state by size, mtime and ctime. ctime is set by the kernel alone, at every
//! change of content or of the inode (inode(7)), so a file that was changed and given its old mtime back is seen.
//!
//! - A stamp is kept only once the file has rested: times come in ticks of the clock, and a write in the same tick as the
//!   last one would leave no trace.
//! - Who writes through a shared mapping moves ctime once, and again only after the page was written back (mmap(2)): such
//!   a change is seen when that happens, and after [`LONGEST`] in any case, since then the file is read again.

use crate::model::content::Digest;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// How long a file must have been left alone; far more than a tick of any file system's clock.
const REST: Duration = Duration::from_secs(2);
/// After which a file is read again though nothing tells of a change.
pub const LONGEST: Duration = Duration::from_secs(300);
/// Beyond so many all are forgotten: most of them would be of files that are gone.
const MOST: usize = 100_000;

/// Digests by file.
#[derive(Debug, Default)]
pub struct Kept(Mutex<HashMap<(u64, u64), Entry>>);

#[derive(Debug)]
struct Entry {
    stamp: Stamp,
    read_at: SystemTime,
    digest: Digest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Kept {
    /// The digest of an open file: the kept one, else what `read` makes of it. `now` is the time on the file system's
    /// clock.
    pub fn digest<E>(
        &self,
        file: &File,
        now: SystemTime,
        read: impl FnOnce() -> Result<Digest, E>,
    ) -> Result<Digest, E> {
        let Ok((place, stamp)) = look(file) else { return read() };
        let age = |entry: &Entry| now.duration_since(entry.read_at).unwrap_or(Duration::MAX);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = kept.get(&place).filter(|entry| entry.stamp == stamp && age(entry) < LONGEST) {
            return Ok(entry.digest.clone());
        }
        kept.remove(&place);
        drop(kept);
        let digest = read()?;
        if has_rested(stamp, now) && look(file).is_ok_and(|(_, after)| after == stamp) {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() >= MOST {
                kept.clear();
            }
            kept.insert(place, Entry { stamp, read_at: now, digest: digest.clone() });
        }
        Ok(digest)
    }
}

fn look(file: &File) -> io::Result<((u64, u64), Stamp)> {
    let facts = file.metadata()?;
    let stamp = Stamp {
        size: facts.size(),
        modified: (facts.mtime(), facts.mtime_nsec()),
        changed: (facts.ctime(), facts.ctime_nsec()),
    };
    Ok(((facts.dev(), facts.ino()), stamp))
}

/// A time that is yet to come has not rested.
fn has_rested(stamp: Stamp, now: SystemTime) -> bool {
    let (seconds, nanoseconds) = stamp.changed;
    let (Ok(seconds), Ok(nanoseconds)) = (u64::try_from(seconds), u32::try_from(nanoseconds)) else {
        return false;
    };
    let changed = SystemTime::UNIX_EPOCH + Duration::new(seconds, nanoseconds);
    now.duration_since(changed).is_ok_and(|rest| rest >= REST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::fs;
    use std::path::Path;

    /// What is kept of the file at `path`, looked at so many seconds from now; and whether it was read.
    fn look_at(kept: &Kept, path: &Path, seconds: u64) -> (String, bool) {
        let was_read = Cell::new(false);
        let now = SystemTime::now() + Duration::from_secs(seconds);
        let read = || {
            was_read.set(true);
            fs::read_to_string(path).map(Digest)
        };
        let digest: io::Result<Digest> = kept.digest(&File::open(path).unwrap(), now, read);
        (digest.unwrap().0, was_read.get())
    }

    #[test]
    fn a_file_that_rests_is_read_once_and_again_after_a_while() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "one").unwrap();
        let kept = Kept::default();
        assert_eq!(look_at(&kept, &path, 0), ("one".to_owned(), true));
        assert_eq!(look_at(&kept, &path, 0), ("one".to_owned(), true), "it was written just now");
        assert_eq!(look_at(&kept, &path, 10), ("one".to_owned(), true));
        assert_eq!(look_at(&kept, &path, 20), ("one".to_owned(), false));
        assert_eq!(look_at(&kept, &path, 20 + LONGEST.as_secs()), ("one".to_owned(), true));
    }

    #[test]
    fn a_change_that_hides_behind_size_and_time_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "one").unwrap();
        let kept = Kept::default();
        look_at(&kept, &path, 10);
        let before = fs::metadata(&path).unwrap().modified().unwrap();
        // The clock of a file system goes in ticks.
        std::thread::sleep(Duration::from_millis(20));
        fs::write(&path, "two").unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(before).unwrap();
        assert_eq!(look_at(&kept, &path, 20), ("two".to_owned(), true));
    }

    #[test]
    fn another_file_in_its_place_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "one").unwrap();
        let kept = Kept::default();
        look_at(&kept, &path, 10);
        let new = folder.path().join("b");
        fs::write(&new, "two").unwrap();
        fs::rename(&new, &path).unwrap();
        assert_eq!(look_at(&kept, &path, 20), ("two".to_owned(), true));
    }
}
