//! How steps change records: the same in every driver.

use super::{Error, StepContext};
use crate::model::key::Key;
use crate::model::record::{RECORD_VERSION, Record};
use crate::model::step::{Action, Outcome, RecordUpdate, Step};
use crate::store::Records;

/// Carries out a step that is about records alone; None for any other.
pub fn execute(
    records: &dyn Records,
    step: &Step,
    context: &StepContext<'_>,
) -> Result<Option<Outcome>, Error> {
    let changed = match &step.action {
        Action::PutRecord(update) => put(records, &step.key, update, context.actor)?,
        Action::Retire => retire(records, &step.key, context.actor)?,
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
    let changed = records.put(key, &retiring).map_err(store_error)?;
    // Content goes next: a crash of the machine must not bring the record back without the mark.
    records.settle().map_err(store_error)?;
    Ok(changed)
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
        actor: actor.to_owned(),
    });
    record.retiring = false;
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
