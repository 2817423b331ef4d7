//! Shapes that later versions take: they stand in the schemas, so that nothing else can come in their place, and are refused
//! there as the loader refuses them.

use crate::spec::document::API_VERSION;
use serde_json::{Value, json};

/// How documentation begins of what is refused for now.
pub const NOT_YET: &str = "Not supported yet. ";

/// The shape with its documentation; nothing matches it.
fn refused(about: &str, mut shape: Value) -> Value {
    if let Some(fields) = shape.as_object_mut() {
        fields.insert("description".to_owned(), json!(format!("{NOT_YET}{about}")));
        fields.insert("not".to_owned(), json!({}));
    }
    shape
}

fn mapping(required: &[&str], fields: Value) -> Value {
    json!({"type": "object", "properties": fields, "required": required, "additionalProperties": false})
}

/// Sources of an Image that are no local ones.
pub fn image_sources() -> Vec<Value> {
    let text = |about: &str| json!({"description": about, "type": "string"});
    let alias = || text("The name of the image there: `debian/12`.");
    vec![
        refused(
            "An image of a remote.",
            mapping(&["remote", "alias"], json!({"remote": text("The remote's name."), "alias": alias()})),
        ),
        refused(
            "An image of a server.",
            mapping(
                &["server", "protocol", "alias"],
                json!({
                    "server": text("Its address."),
                    "protocol": {"description": "How it is asked.", "enum": ["simplestreams", "lxd", "oci"]},
                    "alias": alias(),
                }),
            ),
        ),
        refused(
            "An archive with metadata and root in it.",
            mapping(&["file"], json!({"file": text("The archive.")})),
        ),
        refused(
            "An image in two files.",
            mapping(
                &["metadata", "rootfs"],
                json!({"metadata": text("The archive of its metadata."), "rootfs": text("The root.")}),
            ),
        ),
    ]
}

/// `image` of a container that names a remote one.
pub fn remote_image() -> Value {
    refused("An image of a remote: `images:debian/12`.", json!({"type": "string", "pattern": "^[^:/]+:.+$"}))
}

/// `update: auto` of an Image.
pub fn moving_pin() -> Value {
    refused("The pin follows the source, inside windows.", json!({"const": "auto"}))
}

/// `update.window` of a container.
pub fn window() -> Value {
    refused("When changes that stop it may be made.", json!({"type": "object"}))
}

/// `use` of a device.
pub fn device_use() -> Value {
    refused("The name of a Device, whose options these override.", json!({"type": "string"}))
}

/// A document of kind Device.
pub fn device(metadata: Value) -> Value {
    let spec = json!({
        "type": "object",
        "properties": {
            "type": {"description": "The kind of device: `unix-char`, `gpu`, `usb`, …", "type": "string"},
            "source": {"description": "Where it is on the host.", "type": "string"},
            "share": {
                "description": "exclusive: two users are a finding.",
                "enum": ["exclusive", "shared"],
            },
            "required": {"description": "Whether a container needs it to run.", "type": "boolean"},
        },
        // The options of its type besides.
        "additionalProperties": {"type": ["string", "integer", "boolean"]},
        "required": ["type"],
    });
    let document = json!({
        "title": format!("Device ({API_VERSION})"),
        "type": "object",
        "properties": {
            "apiVersion": {"const": API_VERSION},
            "kind": {"const": "Device"},
            "metadata": metadata,
            "spec": spec,
        },
        "required": ["kind", "metadata", "spec"],
        "additionalProperties": false,
    });
    refused("A device of the host that containers `use`.", document)
}
