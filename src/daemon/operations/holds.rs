//! The holds in force.

use crate::api::error::Failure;
use crate::api::types::{HoldListing, HoldStatus, OUTPUT_VERSION};
use crate::daemon::wiring::Bay;
use crate::driver::Scope;
use crate::model::key::Key;
use crate::model::record::{Override, OverrideField, Record};
use jiff::Timestamp;

impl Bay {
    pub fn holds(&self) -> Result<HoldListing, Failure> {
        let observed = self.observe(&Scope::All)?;
        let now = Timestamp::now();
        let holds = observed.records.iter().flat_map(|(key, record)| of_record(key, record, now)).collect();
        Ok(HoldListing { version: OUTPUT_VERSION, holds })
    }
}

fn of_record(key: &Key, record: &Record, now: Timestamp) -> Vec<HoldStatus> {
    let in_force = record.overrides.iter().filter(|hold| is_in_force(hold, now));
    in_force
        .map(|hold| {
            let OverrideField::State(held) = hold.field;
            HoldStatus {
                key: key.clone(),
                declared: hold.declared,
                held,
                by: hold.by.clone(),
                since: hold.at,
                until: hold.until,
                reason: hold.reason.clone(),
            }
        })
        .collect()
}

/// Whether a hold still has its say.
pub fn is_in_force(hold: &Override, now: Timestamp) -> bool {
    hold.until.is_none_or(|until| until > now)
}
