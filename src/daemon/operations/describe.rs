//! `describe`: one object, field by field, with the line that each value comes from.

use super::listing::status;
use crate::api::error::{Failure, FailureKind};
use crate::api::types::{Description, FieldStatus, OUTPUT_VERSION};
use crate::daemon::wiring::Bay;
use crate::driver::Scope;
use crate::model::key::Key;
use crate::model::object::Object;
use crate::reconcile::why::origin_of;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

impl Bay {
    pub fn describe(&self, key: &Key) -> Result<Description, Failure> {
        let observed = self.observe(&Scope::Keys(BTreeSet::from([key.clone()])))?;
        let Some(record) = observed.records.get(key) else {
            return Err(self.unknown(key, None));
        };
        let desired = record.desired.as_ref().map(fields).transpose()?.unwrap_or_default();
        let applied =
            record.applied.as_ref().map(|applied| fields(&applied.object)).transpose()?.unwrap_or_default();
        let names: BTreeSet<&String> = desired.keys().chain(applied.keys()).collect();
        let fields = names
            .into_iter()
            .map(|field| FieldStatus {
                field: field.clone(),
                desired: desired.get(field).cloned(),
                applied: applied.get(field).cloned(),
                origin: origin_of(&record.origins, field),
            })
            .collect();
        let meta = record.desired.as_ref().map(|object| object.meta.clone()).unwrap_or_default();
        Ok(Description {
            version: OUTPUT_VERSION,
            status: status(key, record, &observed, Timestamp::now()),
            actor: Some(record.actor.clone()),
            labels: meta.labels,
            description: meta.description,
            fields,
        })
    }
}

/// A spec as field paths and texts.
fn fields(object: &Object) -> Result<BTreeMap<String, String>, Failure> {
    let spec =
        serde_json::to_value(&object.spec).map_err(|error| Failure::from_error(FailureKind::Host, &error))?;
    let mut fields = BTreeMap::new();
    if let Value::Object(kinds) = &spec {
        kinds.values().for_each(|value| flatten("", value, &mut fields));
    }
    Ok(fields)
}

/// A device's options, and the place of a file's or secret's content, stand directly below the name in manifests: their
/// level has no name here.
fn flatten(path: &str, value: &Value, fields: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let is_hidden = match name.as_str() {
                    "options" => path.starts_with("devices.") && member.is_object(),
                    "from" => member.is_object(),
                    _ => false,
                };
                let below = match (path, is_hidden) {
                    ("", true) => String::new(),
                    ("", _) => name.clone(),
                    (_, true) => path.to_owned(),
                    (_, false) => format!("{path}.{name}"),
                };
                flatten(&below, member, fields);
            }
        }
        Value::Array(items) => {
            let words: Vec<String> = items.iter().map(scalar).collect();
            if !words.is_empty() {
                fields.insert(path.to_owned(), words.join(", "));
            }
        }
        Value::Null => {}
        other => {
            fields.insert(path.to_owned(), scalar(other));
        }
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
