//! What only a ContainerSet has: `for`, and the pattern of its members' names.

use super::names;
use crate::spec::document::set::MAX_MEMBERS;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

/// `for`: stable keys to values.
pub fn each(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "description": "One member for each key, with values of its own: `{key}` in `name`, `${each.key}` and `${each.NAME}` in the template; `renamedFrom` is the key that it had before.",
        "type": "object",
        "maxProperties": MAX_MEMBERS,
        "additionalProperties": {
            "type": ["object", "null"],
            // `key` is the entry's key itself.
            "propertyNames": {"pattern": names::VALUE, "not": {"const": "key"}},
            "additionalProperties": {"type": ["string", "number", "boolean"]},
        },
    })
}

/// `name`: texts, placeholders, and what tells the members apart.
pub fn member_names(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "description": "The members' names: `runner-{index:02}`, `web-{key}`. Absent: the set's name, `-`, and the index or key.",
        "type": "string",
        "pattern": r"^([^{}$]|\$\{[^{}]*\}|\{index(:0+[1-9])?\}|\{key\})*(\{index(:0+[1-9])?\}|\{key\}|\$\{each\.[^{}]*\})([^{}$]|\$\{[^{}]*\}|\{index(:0+[1-9])?\}|\{key\})*$",
    })
}

/// One of `replicas` and `for`, with names that its members can have.
pub fn rules() -> Map<String, Value> {
    let one = |field: &str, other: &str, name: Value| {
        json!({
            "required": [field],
            "properties": {field: {"not": {"type": "null"}}, other: {"type": "null"}, "name": name},
        })
    };
    let without = |part: &str| json!({"not": {"type": "string", "pattern": part}});
    let choices = [one("replicas", "for", without(r"\{key\}")), one("for", "replicas", without(r"\{index"))];
    let named = |name: Value| json!({"required": ["name"], "properties": {"name": name}});
    let keys = |pattern: &str| json!({"properties": {"for": {"propertyNames": {"pattern": pattern}}}});
    let by_key = json!({"type": "string", "pattern": r"\{key\}"});
    let unnamed = json!({"not": named(json!({"type": "string"}))});
    let rules = json!({
        "anyOf": choices,
        "allOf": [
            {"if": unnamed, "then": keys("^[A-Za-z0-9-]{0,60}[A-Za-z0-9]$")},
            {"if": named(by_key), "then": keys("^[A-Za-z0-9-]{0,63}$")},
        ],
    });
    rules.as_object().cloned().unwrap_or_default()
}
