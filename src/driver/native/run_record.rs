//! What an incarnation was asked to be, beside its start spec in the run folder: RUN/UUID/run.json.
//!
//! Written before each start; a live change is written through, so that the next look compares with what is in force.

use super::failure::failed;
use crate::driver::Error;
use crate::model::key::Key;
use crate::model::run::ContainerRun;
use crate::runtime::records;
use serde::{Deserialize, Serialize};
use std::path::Path;
use uuid::Uuid;

const NAME: &str = "run.json";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunRecord {
    pub version: u32,
    pub incarnation: u64,
    pub run: ContainerRun,
}

/// None: nothing was ever started there since the machine's start.
pub fn read(run_folder: &Path, key: &Key, uuid: Uuid) -> Result<Option<RunRecord>, Error> {
    records::read(&records::folder(run_folder, &uuid), NAME)
        .map_err(|error| failed(format!("{key}: its run record cannot be read"), error))
}

/// Writes the record; makes its folder.
pub fn write(run_folder: &Path, incarnation: u64, run: &ContainerRun) -> Result<(), Error> {
    let what = || format!("{}: its run record cannot be written", run.key);
    let folder = records::folder(run_folder, &run.uuid);
    std::fs::create_dir_all(&folder).map_err(|error| failed(what(), error))?;
    let record = RunRecord { version: records::VERSION, incarnation, run: run.clone() };
    records::write(&folder, NAME, &record).map_err(|error| failed(what(), error))
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
    write(run_folder, record.incarnation, &record.run)?;
    Ok(true)
}

/// Puts a device in the place of the one of its name; they stay in the order of their names.
pub fn put<T>(devices: &mut Vec<T>, device: T, name: impl Fn(&T) -> &str) {
    devices.retain(|other| name(other) != name(&device));
    devices.push(device);
    devices.sort_by(|left, right| name(left).cmp(name(right)));
}
