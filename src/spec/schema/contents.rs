//! What is put inside a container: `files`, `environment`; paths inside; `ignore`.

use super::{instance_keys, names, secret_places};
use crate::spec::document::files::VOLATILE;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

/// A path of a file or folder that Bayplan puts inside.
fn inside_path() -> Value {
    let volatile = VOLATILE.join("|");
    json!({
        "maxLength": 4095,
        "pattern": "^(/[^/\\u0000-\\u001f\\u007f-\\u009f]{1,255})+$",
        "not": {"anyOf": [{"pattern": r"/\.\.?(/|$)"}, {"pattern": format!("^({volatile})(/|$)")}]},
    })
}

/// `persist`.
pub fn inside_paths(_: &mut SchemaGenerator) -> Schema {
    let mut item = inside_path();
    item["type"] = json!("string");
    json_schema!({
        "description": "Folders inside that outlive the root when it is replaced.",
        "type": "array",
        "items": item,
        "uniqueItems": true,
    })
}

/// `ignore`.
pub fn ignore(_: &mut SchemaGenerator) -> Schema {
    let (keys, device) = (instance_keys(), names::DEVICE);
    json_schema!({
        "description": "Fields that are neither compared nor written: `config.KEY`, `devices.NAME`, `files.PATH`, `environment.NAME`.",
        "type": "array",
        "items": {
            "type": "string",
            "pattern": format!(r"^(config\.({keys})|devices\.{device}|files\./.*|environment\.[^=]+)$"),
        },
    })
}

/// A Secret's name, or its place.
fn secret_ref() -> Value {
    let mut name = names::of_kind(crate::model::key::Kind::Secret);
    name["type"] = json!("string");
    json!({"description": "The name of a Secret, or where it is.", "oneOf": [name, secret_places()]})
}

pub fn files(_: &mut SchemaGenerator) -> Schema {
    let name = |about: &str| {
        json!({
            "description": about,
            "type": ["string", "integer", "boolean"],
            "minimum": 0,
            // The highest id means "no change" to chown(2).
            "maximum": u32::MAX - 1,
            "pattern": "^[^-:/\\n][^:/\\n]*$",
            "default": "root",
        })
    };
    let beside = |about: &str| json!({"description": about, "type": "string", "pattern": "^[^/]"});
    let mut file = json!({
        "type": ["object", "null"],
        "properties": {
            "content": {"description": "The content itself.", "type": "string"},
            "source": beside("A file beside the manifest."),
            "template": beside("A text file beside the manifest whose placeholders are filled."),
            "secretRef": secret_ref(),
            "mode": {
                "description": "Octal digits, in quotes.",
                "type": "string",
                "pattern": "^[0-7]{3,4}$",
                "default": "0644",
            },
            "owner": name("A user's name or number, by the container's own /etc/passwd."),
            "group": name("A group's name or number, by the container's own /etc/group."),
            "onChange": {
                "description": "A command that runs inside after a change, if the container runs.",
                "type": "array",
                "prefixItems": [{"type": "string", "minLength": 1}],
                "items": {"type": "string"},
                "minItems": 1,
            },
        },
        "additionalProperties": false,
        "if": {"type": "object"},
    });
    let one_of = ["content", "source", "template", "secretRef"].map(|field| json!({"required": [field]}));
    file["then"] = json!({ "oneOf": one_of });
    json_schema!({
        "description": "Files inside, by path; null takes away what a layer below puts there.",
        "type": "object",
        "propertyNames": inside_path(),
        "additionalProperties": file,
    })
}

pub fn environment(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "description": "Variables; a plain value is the same as `environment.NAME` in config, null unsets.",
        "type": "object",
        "propertyNames": {"pattern": "^[^=]+$"},
        "additionalProperties": {
            "type": ["string", "integer", "boolean", "object", "null"],
            "properties": {"secretRef": secret_ref()},
            "required": ["secretRef"],
            "additionalProperties": false,
        },
    })
}
