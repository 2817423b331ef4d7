//! `environment`: variables of a container. A plain value is the config key `environment.NAME`; a secret one stands in
//! no config.

use super::reader::{Fields, Reader};
use super::secret::{self, SecretRefSpec};
use crate::spec::registry::{INSTANCE, check};
use crate::spec::report::Wrong;
use crate::spec::tree::{Entry, Node};
use std::collections::BTreeMap;

const FIELDS: Fields = Fields { known: &["secretRef"], later: &[] };

/// Name → where its value is; none unsets.
pub type Secrets = BTreeMap<String, Option<SecretRefSpec>>;

/// Config keys to values; none unsets.
type Config = BTreeMap<String, Option<String>>;

/// Reads `environment` of a spec: plain variables go to `config`, secret ones are answered. A null unsets both.
pub fn environment(spec: &Node, config: &mut Config, reader: &mut Reader) -> Secrets {
    let mut secrets = Secrets::new();
    let Some(node) = reader.field(spec, "environment", "environment") else { return secrets };
    let Some(entries) = node.entries() else {
        reader.mistyped(
            node,
            "environment",
            "a mapping",
            Some("write `environment: {NAME: value}`".to_owned()),
        );
        return secrets;
    };
    for entry in entries {
        let (name, path) = (entry.key.as_ref(), format!("environment.{}", entry.key));
        reader.remember(&path, entry.mark, &entry.value);
        let key = format!("environment.{name}");
        if let Err(wrong) = check::name(&INSTANCE, &key) {
            reader.report.error(entry.mark, wrong);
            continue;
        }
        if let Some(first) = reader.marks.get(&format!("config.{key}")) {
            let message = format!("`{name}` is set here and as `{key}` in config");
            let help = format!("the other one is in line {}; remove one", first.line);
            reader.report.error(entry.mark, Wrong::new("duplicate-field", message).help(help));
            continue;
        }
        if entry.value.entries().is_some() {
            if let Some(secret) = reference(&entry.value, &path, reader) {
                secrets.insert(name.to_owned(), Some(secret));
            }
            continue;
        }
        reader.remember(&format!("config.{key}"), entry.mark, &entry.value);
        if entry.value.is_null() {
            secrets.insert(name.to_owned(), None);
            config.insert(key, None);
        } else if let Some(text) = reader.config_text(&entry.value, &key) {
            match check::normalise(&INSTANCE, &key, &text) {
                Ok(text) => drop(config.insert(key, Some(text))),
                Err(wrong) => reader.report.error(entry.value.mark, wrong),
            }
        }
    }
    secrets
}

fn reference(node: &Node, path: &str, reader: &mut Reader) -> Option<SecretRefSpec> {
    if !reader.mapping(node, path, &FIELDS) {
        return None;
    }
    let path = format!("{path}.secretRef");
    match reader.field(node, "secretRef", &path) {
        Some(node) => secret::reference(node, &path, reader),
        None => {
            let is_known = |entry: &Entry| FIELDS.known.contains(&entry.key.as_ref());
            if node.entries().is_some_and(|entries| entries.iter().all(is_known)) {
                let wrong = Wrong::new("missing-field", "an empty mapping is no value");
                reader
                    .report
                    .error(node.mark, wrong.help("write `NAME: value` or `NAME: {secretRef: SECRET}`"));
            }
            None
        }
    }
}
