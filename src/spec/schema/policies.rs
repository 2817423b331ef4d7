//! How changes reach an object, and how it goes: `deletion`, `prune`, `rollout`, `update`.

use super::later;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::json;

/// A time span that is not zero.
pub const TIME_SPAN: &str = "^0*[1-9][0-9]*(ms|s|m|h|d)$";

/// A placement that says neither hosts nor labels is none.
pub fn somewhere(schema: &mut Schema) {
    let choices = json!([
        {"required": ["hosts"], "properties": {"hosts": {"type": "array"}}},
        {"required": ["labels"], "properties": {"labels": {"type": "object", "minProperties": 1}}},
    ]);
    schema.insert("anyOf".to_owned(), choices);
}

pub fn deletion(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "description": "How it goes once it is no longer declared. Absent: containers are parked (ephemeral ones \
                        deleted), storage pools are retained, all else is deleted.",
        "enum": ["park", "delete", "retain"],
    })
}

pub fn prune(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "description": "What becomes of objects that are no longer declared.",
        "type": "object",
        "properties": {
            "mode": {
                "description": "off: they stay. confirm: they go once somebody has confirmed it. auto: they go.",
                "enum": ["off", "confirm", "auto"],
                "default": "confirm",
            },
            "max": {
                "description": "The most that one apply may prune: a number, or a share of the site's objects.",
                "type": ["integer", "string"],
                "minimum": 0,
                "pattern": "^([0-9]+|0*([1-9][0-9]?|100)%)$",
                "default": "20%",
            },
            "empty": {
                "description": "Whether a load without any object is a mistake.",
                "enum": ["refuse", "allow"],
                "default": "refuse",
            },
            "grace": {
                "description": "How long a pruned container stays parked.",
                "type": "string",
                "pattern": TIME_SPAN,
                "default": "7d",
            },
        },
        "additionalProperties": false,
    })
}

pub fn rollout(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "description": "How changes that stop and start containers go through the site.",
        "type": "object",
        "properties": {
            "maxUnavailable": {
                "description": "The most containers that are stopped at once: a number, or a share of the site's.",
                "type": ["integer", "string"],
                "minimum": 1,
                "pattern": "^(0*[1-9][0-9]*|0*([1-9][0-9]?|100)%)$",
                "default": 1,
            },
            "waitReady": {
                "description": "Whether they are ready before the next ones are stopped.",
                "type": "boolean",
                "default": true,
            },
            "stopOnFailure": {
                "description": "Whether one that fails, or is not ready, keeps the rest as it is.",
                "type": "boolean",
                "default": true,
            },
        },
        "additionalProperties": false,
    })
}

pub fn update(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "description": "How it takes changes that stop it.",
        "type": "object",
        "properties": {
            "restart": {
                "description": "ask: once somebody approves. allow: at once. deny: never.",
                "enum": ["ask", "allow", "deny"],
                "default": "ask",
            },
            "image": {
                "description": "What another content of its image means: nothing, or a new root in the old one's place.",
                "enum": ["keep", "replace"],
                "default": "keep",
            },
            "keepReplaced": {
                "description": "How long a replaced root is kept.",
                "type": "string",
                "pattern": TIME_SPAN,
                "default": "7d",
            },
            "window": later::window(),
        },
        "additionalProperties": false,
    })
}
