//! `environment: {NAME: value}`: the same as `config: {environment.NAME: value}`.

use super::reader::Reader;
use crate::spec::registry::{INSTANCE, check};
use crate::spec::report::Wrong;
use crate::spec::tree::{Entry, Node};
use std::collections::BTreeMap;

/// Adds a spec's `environment` to its `config`, with the places of the variables.
pub fn read(spec: &Node, config: &mut BTreeMap<String, Option<String>>, reader: &mut Reader) {
    let Some(node) = reader.field(spec, "environment", "environment") else { return };
    let Some(entries) = node.entries() else {
        let help = "write `environment: {NAME: value}`".to_owned();
        return reader.mistyped(node, "environment", "a mapping", Some(help));
    };
    for entry in entries {
        let key = format!("environment.{}", entry.key);
        let path = format!("config.{key}");
        if let Some(first) = reader.marks.get(&path) {
            let message = format!("`{}` is set here and as `{key}` in config", entry.key);
            let help = format!("the other one is in line {}; remove one", first.line);
            reader.report.error(entry.mark, Wrong::new("duplicate-field", message).help(help));
            continue;
        }
        reader.remember(&path, entry.mark, &entry.value);
        if let Err(wrong) = check::name(&INSTANCE, &key) {
            reader.report.error(entry.mark, wrong);
        } else if entry.value.is_null() {
            config.insert(key, None);
        } else if let Some(text) = value(entry, &key, reader) {
            config.insert(key, Some(text));
        }
    }
}

fn value(entry: &Entry, key: &str, reader: &mut Reader) -> Option<String> {
    if let Some(fields) = entry.value.entries() {
        let wrong = match fields.first() {
            Some(first) if first.key == "secretRef" => {
                Wrong::new("not-supported", "`secretRef` is not supported yet")
                    .help("give the value itself; this version has no secrets")
            }
            _ => Wrong::new("wrong-type", format!("the variable `{}` must be a single value", entry.key))
                .help(format!("write `{}: value`", entry.key)),
        };
        reader.report.error(entry.value.mark, wrong);
        return None;
    }
    let text = reader.config_text(&entry.value, &entry.key)?;
    match check::normalise(&INSTANCE, key, &text) {
        Ok(text) => Some(text),
        Err(wrong) => {
            reader.report.error(entry.value.mark, wrong);
            None
        }
    }
}
