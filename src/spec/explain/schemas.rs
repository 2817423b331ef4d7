//! Documentation out of JSON Schemas.

use super::{Below, Documentation, Supported};
use crate::spec::schema::NOT_YET;
use serde_json::Value;
use std::collections::BTreeSet;

/// The schema below a path; a name that users choose (a file's path, a variable) takes one step.
pub fn walk<'s>(schema: &'s Value, path: &str) -> Option<&'s Value> {
    let (first, rest) = match path.rsplit_once('.') {
        // A file's path has dots of its own.
        Some((file, field))
            if path.starts_with('/') && child(schema.get("additionalProperties")?, field).is_some() =>
        {
            (file, field)
        }
        _ if path.starts_with('/') => (path, ""),
        _ => path.split_once('.').unwrap_or((path, "")),
    };
    let mut inner = child(schema, first);
    if inner.is_none() {
        let each = schema.get("additionalProperties").filter(|each| each.is_object())?;
        inner = Some(child(each, first).unwrap_or(each));
    }
    if rest.is_empty() { inner } else { walk(inner?, rest) }
}

fn child<'s>(schema: &'s Value, name: &str) -> Option<&'s Value> {
    let own = schema.get("properties").and_then(|fields| fields.get(name));
    own.or_else(|| choices(schema).find_map(|choice| child(choice, name)))
}

fn choices(schema: &Value) -> impl Iterator<Item = &Value> {
    ["oneOf", "anyOf"].into_iter().filter_map(|word| schema.get(word)?.as_array()).flatten()
}

pub fn below(schema: &Value) -> Vec<Below> {
    let mut fields = vec![];
    let own = schema.get("properties").and_then(Value::as_object);
    for (name, field) in own.into_iter().flatten() {
        fields.push(Below { name: name.clone(), about: about(field) });
    }
    for choice in choices(schema) {
        for field in below(choice) {
            if fields.iter().all(|known| known.name != field.name) {
                fields.push(field);
            }
        }
    }
    if let Some(each) = schema.get("additionalProperties").filter(|each| each.is_object()) {
        fields.extend(
            below(each).into_iter().map(|field| Below { name: format!("NAME.{}", field.name), ..field }),
        );
    }
    fields
}

fn about(schema: &Value) -> String {
    schema.get("description").and_then(Value::as_str).unwrap_or_default().replace('\n', " ")
}

pub fn of_schema(field: String, schema: &Value) -> Documentation {
    // What is more than a word is told by the fields below.
    let is_word = |default: &&Value| !default.is_null() && !default.is_object() && !default.is_array();
    let default = schema.get("default").filter(is_word);
    Documentation {
        about: about(schema).trim_start_matches(NOT_YET).to_owned(),
        value_type: words(schema),
        default: default.map(|default| default.as_str().map_or_else(|| default.to_string(), str::to_owned)),
        class: None,
        support: match schema.get("not") {
            // Its shape is kept for a later version: nothing matches it.
            Some(Value::Object(refused)) if refused.is_empty() => Supported::NotYet,
            _ => Supported::Supported,
        },
        reason: None,
        fields: if field.ends_with(".config") { vec![] } else { below(schema) },
        field,
    }
}

/// A type in words.
fn words(schema: &Value) -> String {
    let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        return words.iter().filter(|word| !word.is_null()).map(shown).collect::<Vec<_>>().join(" | ");
    }
    if let Some(word) = schema.get("const") {
        return shown(word);
    }
    let kinds: BTreeSet<String> = choices(schema).map(words).filter(|words| !words.is_empty()).collect();
    if !kinds.is_empty() {
        return kinds.into_iter().collect::<Vec<_>>().join(" | ");
    }
    let named = |kind: &str| match kind {
        "object" => Some("a mapping".to_owned()),
        "array" => Some(match schema.get("items").map(words).filter(|items| !items.is_empty()) {
            Some(items) => format!("a list, each {items}"),
            None => "a list".to_owned(),
        }),
        "string" => Some("text".to_owned()),
        "integer" => Some("a whole number".to_owned()),
        "number" => Some("a number".to_owned()),
        "boolean" => Some("true | false".to_owned()),
        _ => None,
    };
    match schema.get("type") {
        Some(Value::String(kind)) => named(kind).unwrap_or_default(),
        Some(Value::Array(kinds)) => {
            kinds.iter().filter_map(|kind| named(kind.as_str()?)).collect::<Vec<_>>().join(" | ")
        }
        _ => String::new(),
    }
}
