//! How the rename of a network or a pool changes records: the same in every driver.
//!
//! ```text
//! begin   the record under its new name, marked with the former one ─► what names it follows ─► the old record goes
//! (host)  the driver makes the host follow
//! end     the mark goes
//! ```
//!
//! The mark stands until all is done: whatever happens in between, the next pass has the step again and goes on.

use super::Error;
use super::records::store_error;
use crate::model::key::Key;
use crate::model::record::Record;
use crate::model::renaming;
use crate::store::Records;

/// The record of what is to be renamed, wherever it stands now. None: it was renamed before.
pub fn pending(records: &dyn Records, from: &Key, to: &Key) -> Result<Option<Record>, Error> {
    let there = records.get(to).map_err(store_error)?;
    let before = records.get(from).map_err(store_error)?;
    match (there, before) {
        (Some(begun), _) if begun.renaming.as_ref() == Some(from) => Ok(Some(begun)),
        (Some(_), None) => Ok(None),
        (Some(_), Some(_)) => Err(Error::Precondition {
            key: to.clone(),
            wanted: format!("no other {to}"),
            found: format!("it is there beside {from}"),
        }),
        (None, Some(before)) => Ok(Some(before)),
        (None, None) => Err(Error::NoRecord { key: from.clone() }),
    }
}

/// Moves the record, and makes all that name the object name it anew. The host may still have the former name.
pub fn begin(
    records: &dyn Records,
    record: &Record,
    (from, to): (&Key, &Key),
    actor: &str,
) -> Result<(), Error> {
    let marked = Record { renaming: Some(from.clone()), actor: actor.to_owned(), ..record.clone() };
    records.put(to, &marked).map_err(store_error)?;
    // It lasts before any other follows: from then on every pass knows of it.
    records.settle().map_err(store_error)?;
    for (key, mut record) in records.all().map_err(store_error)? {
        if renaming::in_record(&mut record, from, to) {
            records.put(&key, &Record { actor: actor.to_owned(), ..record }).map_err(store_error)?;
        }
    }
    // Last: as long as a record names the former one, that one is there.
    records.forget(from).map_err(store_error)?;
    Ok(())
}

/// All is done.
pub fn end(records: &dyn Records, to: &Key) -> Result<(), Error> {
    records.settle().map_err(store_error)?;
    let Some(record) = records.get(to).map_err(store_error)? else { return Ok(()) };
    records.put(to, &Record { renaming: None, ..record }).map_err(store_error)?;
    Ok(())
}
