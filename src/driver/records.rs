//! How steps change records: the same in every driver.

use super::{Error, StepContext};
use crate::model::content::Digest;
use crate::model::key::Key;
use crate::model::object::Spec;
use crate::model::record::{Parked, RECORD_VERSION, Record, WrittenFile};
use crate::model::renaming::is_on_host;
use crate::model::step::{Action, Outcome, RecordUpdate, Step};
use crate::store::Records;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

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
        // What is of it on the host moves with it.
        Action::Rename { from } if is_on_host(from.kind) => return Ok(None),
        Action::Rename { from } => rename(records, from, &step.key, context.actor)?,
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

/// The new record lasts before the old one goes: whatever happens between, one of them is there.
fn rename(records: &dyn Records, from: &Key, to: &Key, actor: &str) -> Result<bool, Error> {
    let there = records.get(to).map_err(store_error)?.is_some();
    let Some(record) = records.get(from).map_err(store_error)? else {
        return if there { Ok(false) } else { Err(Error::NoRecord { key: from.clone() }) };
    };
    if !there {
        records.put(to, &Record { actor: actor.to_owned(), ..record }).map_err(store_error)?;
        records.settle().map_err(store_error)?;
    }
    records.forget(from).map_err(store_error)
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
        files: Default::default(),
        overrides: vec![],
        retiring: false,
        parked: None,
        renaming: None,
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

/// The paths inside that a container's record is about: declared, established and written files.
pub fn file_paths(record: &Record) -> BTreeSet<String> {
    let objects = [record.desired.as_ref(), record.applied.as_ref().map(|applied| &applied.object)];
    let declared = objects.into_iter().flatten().flat_map(|object| match &object.spec {
        Spec::Container(container) => container.files.keys(),
        _ => Default::default(),
    });
    declared.chain(record.files.keys()).cloned().collect()
}

/// What the record has of a file that is about to be written, so that a crash in between leaves none that nobody knows
/// of; `edit` makes it from what it has now. Answers whether the record changed.
pub fn note_file(
    records: &dyn Records,
    key: &Key,
    path: &str,
    actor: &str,
    edit: impl FnOnce(Option<&WrittenFile>) -> Option<WrittenFile>,
) -> Result<bool, Error> {
    let mut record = existing(records, key)?;
    match edit(record.files.get(path)) {
        Some(written) if record.files.get(path) == Some(&written) => return Ok(false),
        None if !record.files.contains_key(path) => return Ok(false),
        Some(written) => drop(record.files.insert(path.to_owned(), written)),
        None => drop(record.files.remove(path)),
    }
    record.actor = actor.to_owned();
    records.put(key, &record).map_err(store_error)
}

/// What a write will have noted: `absent` when nothing is at the path now, `settles` when a command is to follow.
pub fn about_to_write(
    before: Option<&WrittenFile>,
    digest: &Digest,
    absent: Absent,
    settles: Settles,
) -> WrittenFile {
    WrittenFile {
        digest: digest.clone(),
        made: absent == Absent::Yes || before.is_some_and(|before| before.made),
        unsettled: settles == Settles::Yes || before.is_some_and(|before| before.unsettled),
    }
}

/// Whether nothing is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absent {
    Yes,
    No,
}

/// Whether a command is to follow a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settles {
    Yes,
    No,
}

/// Edits what the record has of all files of a container, if there is a record. Answers whether it changed.
pub fn edit_files(
    records: &dyn Records,
    key: &Key,
    edit: impl FnOnce(&mut BTreeMap<String, WrittenFile>),
) -> Result<bool, Error> {
    let Some(mut record) = records.get(key).map_err(store_error)? else { return Ok(false) };
    let before = record.files.clone();
    edit(&mut record.files);
    if record.files == before {
        return Ok(false);
    }
    records.put(key, &record).map_err(store_error)
}

/// What steps besides those on files do to the files of a container: a start takes them all in, and a root that goes
/// or comes has none.
pub fn follow_files(records: &dyn Records, step: &Step, changed: Changed) -> Result<bool, Error> {
    match (&step.action, changed) {
        (Action::Start(_), _) => edit_files(records, &step.key, |files| {
            files.values_mut().for_each(|file| file.unsettled = false);
        }),
        (
            Action::CreateRoot { .. }
            | Action::DeleteRoot { .. }
            | Action::SwapRoot { .. }
            | Action::RestoreRoot { .. },
            Changed::Yes,
        ) => edit_files(records, &step.key, BTreeMap::clear),
        _ => Ok(false),
    }
}

/// The commands that these files waited for have run.
pub fn settle(records: &dyn Records, key: &Key, paths: &[String]) -> Result<bool, Error> {
    edit_files(records, key, |files| {
        let named = files.iter_mut().filter(|(path, _)| paths.contains(path));
        named.for_each(|(_, file)| file.unsettled = false);
    })
}

/// Whether a step changed the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    Yes,
    No,
}

impl Changed {
    pub fn of(changed: bool) -> Changed {
        if changed { Changed::Yes } else { Changed::No }
    }
}
