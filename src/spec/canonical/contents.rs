//! What is put into containers: files, and variables whose values are secret.

use super::text;
use crate::model::content::{Content, SecretRef, SecretSource};
use crate::model::object::ContainerFile;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Adds `files` and `environment`, where there are any; none is a null.
pub fn contents(
    spec: &mut Value,
    files: BTreeMap<&String, Option<&ContainerFile>>,
    environment: BTreeMap<&String, Option<&SecretRef>>,
) {
    let files = files.into_iter().map(|(path, entry)| (path.clone(), entry.map_or(Value::Null, file)));
    let files: Map<String, Value> = files.collect();
    let variable = |secret: &SecretRef| json!({"secretRef": secret_ref(secret)});
    let environment =
        environment.into_iter().map(|(name, entry)| (name.clone(), entry.map_or(Value::Null, variable)));
    let environment: Map<String, Value> = environment.collect();
    for (field, value) in [("files", files), ("environment", environment)] {
        if !value.is_empty() {
            spec[field] = Value::Object(value);
        }
    }
}

/// A file of the source is written as the source has it: the output loads from the source's folder.
fn file(file: &ContainerFile) -> Value {
    let (field, from) = match &file.from {
        Content::Text(content) => ("content", text(content)),
        Content::File(source) => ("source", text(&source.path.to_string_lossy())),
        Content::Secret(secret) | Content::Variable(secret) => ("secretRef", secret_ref(secret)),
    };
    let mut fields = json!({"mode": file.mode, "owner": text(&file.owner), "group": text(&file.group)});
    fields[field] = from;
    if !file.on_change.is_empty() {
        fields["onChange"] = file.on_change.iter().map(|word| text(word)).collect();
    }
    fields
}

fn secret_ref(secret: &SecretRef) -> Value {
    secret.name.as_deref().map_or_else(|| secret_source(&secret.from), text)
}

pub fn secret_source(source: &SecretSource) -> Value {
    match source {
        SecretSource::File(path) => json!({"file": text(&path.to_string_lossy())}),
        SecretSource::Env(name) => json!({"env": text(name)}),
        SecretSource::Credential(name) => json!({"credential": text(name)}),
    }
}
