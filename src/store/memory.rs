//! Records of a modelled host.

use super::{Error, Records};
use crate::model::key::Key;
use crate::model::record::Record;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Records in this process only.
#[derive(Debug, Default)]
pub struct MemoryRecords {
    records: Mutex<BTreeMap<Key, Record>>,
}

impl MemoryRecords {
    pub fn new(records: BTreeMap<Key, Record>) -> MemoryRecords {
        MemoryRecords { records: Mutex::new(records) }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Record>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Records for MemoryRecords {
    fn all(&self) -> Result<BTreeMap<Key, Record>, Error> {
        Ok(self.lock().clone())
    }

    fn get(&self, key: &Key) -> Result<Option<Record>, Error> {
        Ok(self.lock().get(key).cloned())
    }

    fn put(&self, key: &Key, record: &Record) -> Result<bool, Error> {
        let mut records = self.lock();
        if records.get(key) == Some(record) {
            return Ok(false);
        }
        records.insert(key.clone(), record.clone());
        Ok(true)
    }

    fn forget(&self, key: &Key) -> Result<bool, Error> {
        Ok(self.lock().remove(key).is_some())
    }

    fn settle(&self) -> Result<(), Error> {
        Ok(())
    }
}
