//! What an incarnation was asked to be, and what its root was mounted over, beside its start spec in the run folder:
//! RUN/UUID/run.json.
//!
//! Written before each start; a live change is written through, so that the next look compares with what is in force.

use super::failure::failed;
use crate::driver::Error;
use crate::model::key::Key;
use crate::model::run::ContainerRun;
use crate::runtime::records;
use rustix::fs::{AtFlags, CWD, StatxFlags, statx};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use uuid::Uuid;

const NAME: &str = "run.json";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunRecord {
    pub version: u32,
    pub incarnation: u64,
    pub run: ContainerRun,
    /// The folders that its root was mounted over.
    #[serde(default)]
    pub lower: Vec<LowerFolder>,
}

/// A folder as the kernel tells it from any other, one at the same path included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LowerFolder {
    path: PathBuf,
    /// Major and minor of its device, and its inode.
    inode: (u32, u32, u64),
    /// Seconds and nanoseconds, where the file system knows them: inodes are used again.
    born: (i64, u32),
}

impl LowerFolder {
    /// None: there is no such folder.
    pub fn of(path: &Path) -> Option<LowerFolder> {
        let flags = StatxFlags::INO | StatxFlags::BTIME;
        let stat = statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, flags).ok()?;
        let inode = (stat.stx_dev_major, stat.stx_dev_minor, stat.stx_ino);
        let born = (stat.stx_btime.tv_sec, stat.stx_btime.tv_nsec);
        Some(LowerFolder { path: path.to_owned(), inode, born })
    }

    /// Whether the folder is still the one that it was.
    pub fn stands(&self) -> bool {
        LowerFolder::of(&self.path).as_ref() == Some(self)
    }
}

/// None: nothing was ever started there since the machine's start.
pub fn read(run_folder: &Path, key: &Key, uuid: Uuid) -> Result<Option<RunRecord>, Error> {
    records::read(&records::folder(run_folder, &uuid), NAME)
        .map_err(|error| failed(format!("{key}: its run record cannot be read"), error))
}

/// Writes the record of a start; makes its folder.
pub fn begin(
    run_folder: &Path,
    incarnation: u64,
    run: &ContainerRun,
    lower: Vec<LowerFolder>,
) -> Result<(), Error> {
    let run = run.clone();
    write(run_folder, &RunRecord { version: records::VERSION, incarnation, run, lower })
}

fn write(run_folder: &Path, record: &RunRecord) -> Result<(), Error> {
    let run = &record.run;
    let what = || format!("{}: its run record cannot be written", run.key);
    let folder = records::folder(run_folder, &run.uuid);
    std::fs::create_dir_all(&folder).map_err(|error| failed(what(), error))?;
    records::write(&folder, NAME, record).map_err(|error| failed(what(), error))
}

/// Writes a live change through; answers whether the record changed.
pub fn change(
    run_folder: &Path,
    key: &Key,
    uuid: Uuid,
    edit: impl FnOnce(&mut ContainerRun),
) -> Result<bool, Error> {
    let Some(mut record) = read(run_folder, key, uuid)? else { return Ok(false) };
    let before = record.run.clone();
    edit(&mut record.run);
    if record.run == before {
        return Ok(false);
    }
    write(run_folder, &record)?;
    Ok(true)
}

/// Writes a live change through for all that was started.
pub fn change_all(run_folder: &Path, edit: impl Fn(&mut ContainerRun)) -> Result<(), Error> {
    let what = || format!("{} cannot be listed", run_folder.display());
    let entries = match std::fs::read_dir(run_folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(|error| failed(what(), error))?,
    };
    for entry in entries {
        let name = entry.map_err(|error| failed(what(), error))?.file_name();
        if let Some(uuid) = name.to_str().and_then(|name| name.parse().ok()) {
            change(run_folder, &Key::container(name.to_string_lossy()), uuid, &edit)?;
        }
    }
    Ok(())
}

/// Puts a device in the place of the one of its name; they stay in the order of their names.
pub fn put<T>(devices: &mut Vec<T>, device: T, name: impl Fn(&T) -> &str) {
    devices.retain(|other| name(other) != name(&device));
    devices.push(device);
    devices.sort_by(|left, right| name(left).cmp(name(right)));
}
