//! Names in schemas, as `spec::names` has them.

use crate::model::key::Kind;
use crate::spec::names::KERNELS_OWN;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

const OBJECT: &str = "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$";
pub const INSTANCE: &str = "^[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$";
pub const DEVICE: &str = "[A-Za-z0-9._-]{1,63}";
/// Of a label or annotation: `name` or `domain/name`.
pub const LABEL: &str = "^([A-Za-z0-9.-]{1,63}/)?[A-Za-z0-9._-]{1,63}$";

/// Of a value: `${values.NAME}`.
pub const VALUE: &str = "^[A-Za-z][A-Za-z0-9_-]*$";

/// The name of an object of this kind: what is added to the schema of the text.
pub fn of_kind(kind: Kind) -> Value {
    match kind {
        Kind::Container => json!({"pattern": INSTANCE}),
        Kind::Network => json!({
            "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,14}$",
            "not": {"anyOf": [{"pattern": r"\.\."}, {"enum": KERNELS_OWN}]},
        }),
        _ => json!({"pattern": OBJECT, "not": {"pattern": r"\.\."}}),
    }
}

/// Adds to the schema of a text that it is a name.
pub fn restrict(schema: &mut Value, kind: Kind) {
    if let (Some(schema), Value::Object(rules)) = (schema.as_object_mut(), of_kind(kind)) {
        schema.extend(rules);
    }
}

/// The name of an object as the value of an option, where numbers need no quotes.
pub fn object_as_config() -> Value {
    json!({
        "type": ["string", "integer", "boolean", "null"],
        "minimum": 0,
        "pattern": OBJECT,
        "not": {"type": "string", "pattern": r"\.\."},
    })
}

/// The name of a network interface as the value of an option.
pub fn interface() -> Value {
    let reserved: Vec<&str> = KERNELS_OWN.into_iter().chain([".", ".."]).collect();
    json!({
        "type": ["string", "integer", "boolean", "null"],
        "minimum": -99_999_999_999_999_i64,
        "maximum": 999_999_999_999_999_i64,
        "pattern": "^[A-Za-z0-9._-]{1,15}$",
        "not": {"enum": reserved},
    })
}

/// `dependsOn`: `KIND/NAME`; a bare name is a container's.
pub fn keys(_: &mut SchemaGenerator) -> Schema {
    let about = "Objects that must be there (containers: ready) before it starts: `container/db-1`.";
    listed(about, &Kind::ALL, "pool|pools|storage|storage-pool|instance|c")
}

/// `restartWith`: containers and sets of them.
pub fn restarting_keys(_: &mut SchemaGenerator) -> Schema {
    let about = "Containers whose restart restarts it too; it depends on them.";
    listed(about, &[Kind::Container, Kind::ContainerSet], "instance|c")
}

fn listed(about: &str, kinds: &[Kind], short: &str) -> Schema {
    let slugs: Vec<String> = kinds.iter().map(|kind| format!("{}s?", kind.slug())).collect();
    let words = any_case(&format!("{}|{short}", slugs.join("|")));
    json_schema!({
        "description": about,
        "type": "array",
        "items": {"type": "string", "pattern": format!("^([^/]+|([^:/]+:)?({words})/([^/]+/)?.+)$")},
    })
}

fn any_case(pattern: &str) -> String {
    let letter = |c: char| match c.is_ascii_lowercase() {
        true => format!("[{}{c}]", c.to_ascii_uppercase()),
        false => c.to_string(),
    };
    pattern.chars().map(letter).collect()
}
