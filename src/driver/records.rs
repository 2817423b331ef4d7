//! How steps change records: the same in every driver.

use super::{Error, StepContext};
use crate::model::key::Key;
use crate::model::record::{Parked, RECORD_VERSION, Record};
use crate::model::step::{Action, Outcome, RecordUpdate, Step};
use crate::store::Records;
use jiff::Timestamp;

/// Carries out a step that is about records alone; None for any other.
pub fn execute(
    records: &dyn Records,
    step: &Step,
    context: &StepContext<'_>,
) -> Result<Option<Outcome>, Error> {
    let changed = match &step.action {
        Action::PutRecord(update) => put(records, &step.key, update, context.actor)?,
        Action::Retire => retire(records, &step.key, context.actor)?,
        Action::Park { until } => park(records, &step.key, *until, context)?,
        Action::ForgetRecord => records.forget(&step.key).map_err(store_error)?,
        Action::Note => false,
        _ => return Ok(None),
    };
    Ok(Some(Outcome { changed, ..Outcome::default() }))
}

/// The last act of every step: `applied` becomes what the step established. Answers whether the record changed.
/// `fingerprint` is the step's output, where the plan could not know it yet.
pub fn commit(
    records: &dyn Records,
    step: &Step,
    fingerprint: Option<&str>,
    context: &StepContext<'_>,
) -> Result<bool, Error> {
    let Some(applied) = &step.applied else { return Ok(false) };
    let mut record = existing(records, &step.key)?;
    let mut applied = (**applied).clone();
    if applied.fingerprint.is_none() {
        let known = record.applied.as_ref().and_then(|before| before.fingerprint.clone());
        applied.fingerprint = fingerprint.map(str::to_owned).or(known);
    }
    if record.applied.as_ref() == Some(&applied) {
        return Ok(false);
    }
    record.applied = Some(applied);
    record.actor = context.actor.to_owned();
    records.put(&step.key, &record).map_err(store_error)
}

/// The record of `key`, which an earlier step must have written.
pub fn existing(records: &dyn Records, key: &Key) -> Result<Record, Error> {
    records.get(key).map_err(store_error)?.ok_or_else(|| Error::NoRecord { key: key.clone() })
}

/// A failed store as a driver's error.
pub fn store_error(source: crate::store::Error) -> Error {
    Error::Host { what: "the records cannot be read or written".to_owned(), source: Box::new(source) }
}

/// Nothing to do where there is no record (any more).
fn retire(records: &dyn Records, key: &Key, actor: &str) -> Result<bool, Error> {
    let record = records.get(key).map_err(store_error)?.filter(|record| !record.retiring);
    let Some(record) = record else { return Ok(false) };
    let retiring = Record { retiring: true, actor: actor.to_owned(), ..record };
    records.put(key, &retiring).map_err(store_error)
}

/// The first mark's time and name stay; only the end may move.
fn park(
    records: &dyn Records,
    key: &Key,
    until: Timestamp,
    context: &StepContext<'_>,
) -> Result<bool, Error> {
    let record = existing(records, key)?;
    let parked = match &record.parked {
        Some(parked) if parked.until == until && !record.undeleted => return Ok(false),
        Some(parked) => Parked { until, ..parked.clone() },
        None => Parked { at: context.now, until, by: context.actor.to_owned() },
    };
    let actor = context.actor.to_owned();
    let record = Record { parked: Some(parked), undeleted: false, overrides: vec![], actor, ..record };
    records.put(key, &record).map_err(store_error)
}

fn put(records: &dyn Records, key: &Key, update: &RecordUpdate, actor: &str) -> Result<bool, Error> {
    let before = records.get(key).map_err(store_error)?;
    let mut record = before.clone().unwrap_or_else(|| Record {
        version: RECORD_VERSION,
        owner: update.owner.clone(),
        generation: update.generation,
        desired: None,
        origins: Default::default(),
        applied: None,
        identity: None,
        overrides: vec![],
        retiring: false,
        parked: None,
        undeleted: false,
        actor: actor.to_owned(),
    });
    record.retiring = false;
    record.parked = None;
    record.undeleted = update.undeleted;
    record.owner = update.owner.clone();
    record.generation = update.generation;
    if let Some(desired) = &update.desired {
        record.desired = Some(desired.clone());
        record.origins = update.origins.clone();
    }
    if let Some(identity) = &update.identity {
        record.identity = Some(identity.clone());
    }
    if let Some(overrides) = &update.overrides {
        record.overrides = overrides.clone();
    }
    if let Some(adopted) = &update.adopted {
        record.applied = Some(adopted.clone());
    }
    if before.as_ref() == Some(&record) {
        return Ok(false);
    }
    record.actor = actor.to_owned();
    records.put(key, &record).map_err(store_error)
}
