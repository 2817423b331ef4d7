//! Networks and pools that get another name, while containers run on them.
//!
//! ```text
//! records (driver/rename) ─► what running containers were asked to be ─► bridge and rules, or folder ─► the mark goes
//! ```
//!
//! Whatever is refused is refused before the first of them.

use super::{Native, networks, pools, run_record};
use crate::driver::{Error, rename};
use crate::model::key::{Key, Kind};
use crate::model::renaming;

pub fn carry_out(native: &Native, (from, to): (&Key, &Key), actor: &str) -> Result<bool, Error> {
    let Some(record) = rename::pending(&native.records, from, to)? else { return Ok(false) };
    match to.kind {
        Kind::Network => networks::refuse_taken(&native.layout, from, to)?,
        _ => pools::begin_rename(&native.layout, &record, (from, to))?,
    }
    rename::begin(&native.records, &record, (from, to), actor)?;
    run_record::change_all(&native.layout.run, |run| renaming::in_run(run, from, to))?;
    match to.kind {
        Kind::Network => networks::rename(&native.layout, (from, to), &record)?,
        _ => pools::end_rename(&native.layout, &record, (from, to))?,
    }
    rename::end(&native.records, to)?;
    Ok(true)
}
