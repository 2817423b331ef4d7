//! A look at some objects: their records, and those of what they refer to. What else is recorded is not read.

use super::Error;
use super::records::store_error;
use crate::model::key::{Key, Kind};
use crate::model::record::Record;
use crate::model::references::{references, restarts_with};
use crate::store::Records;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// What such a look is about.
#[derive(Debug, Default)]
pub struct Part {
    pub records: BTreeMap<Key, Record>,
    /// What was asked for and what that refers to, with or without a record.
    pub keys: BTreeSet<Key>,
    /// Where its containers are.
    pub uuids: BTreeSet<Uuid>,
}

impl Part {
    /// These keys, and what they refer to as declared and as established. None: a container's record does not say where
    /// it is, so everything has to be looked through.
    pub fn of(records: &dyn Records, keys: &BTreeSet<Key>) -> Result<Option<Part>, Error> {
        let mut part = Part::default();
        let mut open: Vec<Key> = keys.iter().cloned().collect();
        while let Some(key) = open.pop() {
            if !part.keys.insert(key.clone()) {
                continue;
            }
            let record = records.get(&key).map_err(store_error)?;
            if key.kind == Kind::Container {
                let identity = record.as_ref().and_then(|record| record.identity.as_ref());
                let Some(identity) = identity else { return Ok(None) };
                part.uuids.insert(identity.uuid);
            }
            let Some(record) = record else { continue };
            let established = record.applied.as_ref().map(|applied| &applied.object);
            for object in record.desired.iter().chain(established) {
                open.extend(references(object));
                open.extend(restarts_with(object));
            }
            part.records.insert(key, record);
        }
        Ok(Some(part))
    }
}
