//! JSON Schema of each kind, from the document types and the registry: editors complete and check with it. What needs
//! more than one value to see (references, addresses, layers) only [`super::load`] finds.

mod contents;
mod devices;
mod later;
mod names;
mod nullable;
mod placeholders;
mod policies;
mod ready;
mod sets;
mod values;

pub use self::contents::{environment, files, ignore, inside_paths};
pub use self::devices::{devices, own_devices};
pub use self::later::NOT_YET;
pub use self::names::{keys, restarting_keys};
pub use self::policies::{deletion, prune, rollout, somewhere, update};
pub use self::ready::ready;
pub use self::sets::{each, member_names};

use self::nullable::nullable;
use self::placeholders::rendered;
use super::document::container::{ARCHITECTURES, ContainerSpec};
use super::document::host::HostSpec;
use super::document::image::{ImageSpec, SourceSpec};
use super::document::network::NetworkSpec;
use super::document::placement::PlacementSpec;
use super::document::pool::StoragePoolSpec;
use super::document::profile::ProfileSpec;
use super::document::secret::SecretSpec;
use super::document::set::ContainerSetSpec;
use super::document::site::SiteSpec;
use super::document::{API_VERSION, Metadata};
use super::names::MAX_NAME;
use super::registry::check::OF_NAMESPACES;
use super::registry::{Entry, INSTANCE, NETWORK, POOL, Table, is_pattern};
use crate::model::key::Kind;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// File name and text of every schema: one a kind, and `manifest.json` for any of them.
pub fn all() -> Vec<(String, String)> {
    let kinds: Vec<(Kind, Value)> = Kind::ALL.into_iter().map(|kind| (kind, document(kind))).collect();
    let whole = manifest(&kinds);
    let files = kinds.into_iter().map(|(kind, schema)| (format!("{}.json", kind.slug()), schema));
    files.chain([("manifest.json".to_owned(), whole)]).map(|(name, schema)| (name, pretty(&schema))).collect()
}

/// The schema of one kind's `spec`.
pub fn spec(kind: Kind) -> Value {
    match kind {
        Kind::Site => rendered(inline::<SiteSpec>(), &["targets", "values"]),
        Kind::Host => inline::<HostSpec>(),
        Kind::Image => placed(inline::<ImageSpec>()),
        Kind::StoragePool => placed(inline::<StoragePoolSpec>()),
        Kind::Network => placed(inline::<NetworkSpec>()),
        Kind::Secret => placed(secret_places()),
        Kind::Profile => placed(inline::<ProfileSpec>()),
        Kind::ContainerSet => set(),
        Kind::Container => container(),
    }
}

fn container() -> Value {
    placed(inline::<ContainerSpec>())
}

/// The fields of one kind's document without the placeholders that may stand for their values: for documentation.
pub fn fields(kind: Kind) -> Value {
    let mut spec = match kind {
        Kind::Site => inline::<SiteSpec>(),
        Kind::Host => inline::<HostSpec>(),
        Kind::Image => inline::<ImageSpec>(),
        Kind::StoragePool => inline::<StoragePoolSpec>(),
        Kind::Network => inline::<NetworkSpec>(),
        Kind::Secret => inline::<SecretSpec>(),
        Kind::Profile => inline::<ProfileSpec>(),
        Kind::ContainerSet => inline::<ContainerSetSpec>(),
        Kind::Container => inline::<ContainerSpec>(),
    };
    if kind == Kind::ContainerSet {
        add(&mut spec, "template", inline::<ContainerSpec>());
    }
    if !matches!(kind, Kind::Site | Kind::Host) {
        add(&mut spec, "placement", inline::<PlacementSpec>());
    }
    if has_external(kind) {
        add(&mut spec, "external", json!({"description": EXTERNAL, "const": true}));
    }
    json!({"properties": {
        "apiVersion": {"description": VERSION, "const": API_VERSION},
        "kind": {"description": "What the document declares.", "const": kind.name()},
        "metadata": inline::<Metadata>(),
        "spec": spec,
    }})
}

const VERSION: &str = "The version of the language; the documents after a file's first may leave it out.";
const EXTERNAL: &str = "It is there already (another site's, or the host's), and is not changed from here.";

fn has_external(kind: Kind) -> bool {
    matches!(kind, Kind::Image | Kind::StoragePool | Kind::Network | Kind::Container)
}

/// One of the places: a choice of closed mappings would leave no room for a field beside it.
fn secret_places() -> Value {
    let mut schema = inline::<SecretSpec>();
    let places: Vec<Value> = schema["oneOf"].as_array().cloned().unwrap_or_default();
    let fields = places.iter().filter_map(|place| place["properties"].as_object());
    let mut fields: Map<String, Value> = fields.flat_map(Map::clone).collect();
    for (field, pattern) in [("file", "."), ("env", "^[^=]+$"), ("credential", "^([^/.]|[^/]*[^/.][^/]*)$")] {
        fields[field]["pattern"] = json!(pattern);
    }
    schema["oneOf"] = fields.keys().map(|field| json!({"required": [field]})).collect();
    schema["type"] = json!("object");
    schema["properties"] = Value::Object(fields);
    schema["additionalProperties"] = json!(false);
    schema
}

/// One of `replicas` and `for`; the template is a container's spec.
fn set() -> Value {
    let mut schema = placed(inline::<ContainerSetSpec>());
    add(&mut schema, "template", container());
    if let Some(fields) = schema.as_object_mut() {
        fields.extend(sets::rules());
    }
    schema
}

/// With `placement`, which every object may have, and with placeholders for values.
fn placed(mut schema: Value) -> Value {
    add(&mut schema, "placement", inline::<PlacementSpec>());
    rendered(schema, &[])
}

fn add(schema: &mut Value, name: &str, field: Value) {
    if let Some(fields) = schema.pointer_mut("/properties").and_then(Value::as_object_mut) {
        fields.insert(name.to_owned(), field);
    }
}

/// `values`: names to single values.
pub fn values(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "description": "What `${values.NAME}` stands for; a Host's are stronger than the Site's.",
        "type": "object",
        "propertyNames": {"pattern": names::VALUE},
        "additionalProperties": {"type": ["string", "number", "boolean"]},
    })
}

fn inline<T: JsonSchema>() -> Value {
    let mut generator =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true).into_generator();
    T::json_schema(&mut generator).to_value()
}

fn document(kind: Kind) -> Value {
    let spec = spec(kind);
    let mut required = vec!["kind", "metadata"];
    if spec.get("required").is_some() {
        required.push("spec");
    }
    let mut metadata = inline::<Metadata>();
    restrict_names(kind, &mut metadata);
    if let Some(fields) = metadata.pointer_mut("/properties").and_then(Value::as_object_mut) {
        let absent: &[&str] = match kind {
            Kind::Container => &[],
            // What it says is its members'.
            Kind::ContainerSet => &["memberOf"],
            Kind::Site => &["memberOf", "deletion", "renamedFrom"],
            Kind::Host => &["memberOf", "deletion", "movedFromSite", "renamedFrom"],
            _ => {
                fields["deletion"]["enum"] = json!(["delete", "retain"]);
                &["memberOf"]
            }
        };
        fields.retain(|name, _| !absent.contains(&name.as_str()));
    }
    if kind != Kind::Host {
        metadata = rendered(metadata, &[]);
    }
    let mut schema = json!({
        "$schema": DIALECT,
        "title": format!("{kind} ({API_VERSION})"),
        "description": spec.get("description").cloned().unwrap_or_default(),
        "type": "object",
        "properties": {
            "apiVersion": {
                "description": VERSION,
                "const": API_VERSION,
            },
            "kind": {"const": kind.name()},
            "metadata": metadata,
            "spec": with_external(kind, spec),
        },
        "required": required,
        "additionalProperties": false,
    });
    nullable(&mut schema);
    schema
}

/// What the texts of `metadata` that are names may be.
fn restrict_names(kind: Kind, metadata: &mut Value) {
    let Some(fields) = metadata.pointer_mut("/properties").and_then(Value::as_object_mut) else { return };
    names::restrict(&mut fields["name"], kind);
    names::restrict(&mut fields["movedFromSite"], Kind::Site);
    names::restrict(&mut fields["memberOf"], Kind::ContainerSet);
    // A set's may be a pattern of its members' names.
    if kind != Kind::ContainerSet {
        names::restrict(&mut fields["renamedFrom"], kind);
    }
    for field in ["labels", "annotations"] {
        fields[field]["propertyNames"] = json!({"pattern": names::LABEL});
    }
    fields["labels"]["additionalProperties"]["maxLength"] = json!(MAX_NAME);
}

/// `external: true` stands alone but for `placement`; without it the kind's own fields count.
fn with_external(kind: Kind, mut spec: Value) -> Value {
    if !has_external(kind) {
        return spec;
    }
    add(&mut spec, "external", json!({"type": "null"}));
    json!({
        "description": spec.get("description").cloned().unwrap_or_default(),
        "if": {"type": "object", "required": ["external"], "properties": {"external": {"not": {"type": "null"}}}},
        "then": placed(json!({
            "type": "object",
            "properties": {"external": {"description": EXTERNAL, "const": true}},
            "additionalProperties": false,
        })),
        "else": spec,
    })
}

/// Any document: `kind` says which schema holds.
fn manifest(kinds: &[(Kind, Value)]) -> Value {
    let named = kinds.iter().map(|(kind, schema)| (kind.name().to_owned(), schema.clone()));
    let device = later::device(rendered(inline::<Metadata>(), &[]));
    let definitions: Map<String, Value> = named.chain([("Device".to_owned(), device)]).collect();
    let choices = definitions.keys().map(|kind| {
        json!({
            "if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]},
            "then": {"$ref": format!("#/$defs/{kind}")},
        })
    });
    let choices: Vec<Value> = choices.collect();
    json!({
        "$schema": DIALECT,
        "title": format!("A document of a Bayplan manifest ({API_VERSION})"),
        "type": "object",
        "properties": {"kind": {"enum": definitions.keys().collect::<Vec<_>>()}},
        "required": ["kind"],
        "allOf": choices,
        "$defs": definitions,
    })
}

fn pretty(schema: &Value) -> String {
    format!("{schema:#}\n")
}

pub fn instance_config(_: &mut SchemaGenerator) -> Schema {
    config("Config keys (docs/config-keys.md); null unsets what a layer below sets.", &INSTANCE)
}

pub fn network_config(_: &mut SchemaGenerator) -> Schema {
    config("Addresses and rules (docs/config-keys.md).", &NETWORK)
}

pub fn pool_config(_: &mut SchemaGenerator) -> Schema {
    config("Driver settings (docs/config-keys.md).", &POOL)
}

fn config(description: &str, table: &Table) -> Schema {
    let (patterns, exact): (Vec<&Entry>, Vec<&Entry>) =
        table.supported().partition(|entry| is_pattern(entry.name));
    let properties: Map<String, Value> =
        exact.iter().map(|entry| (entry.name.to_owned(), property(entry))).collect();
    let patterns: Map<String, Value> =
        patterns.iter().map(|entry| (pattern(entry.name), property(entry))).collect();
    json_schema!({
        "description": description,
        "type": "object",
        "properties": properties,
        "patternProperties": patterns,
        "additionalProperties": false,
    })
}

/// `user.*` → `^user\..+$`; what the loader demands of names below the others stands in it.
fn pattern(name: &str) -> String {
    format!("^{}$", unanchored(name))
}

fn unanchored(name: &str) -> String {
    let below = match name {
        "environment.*" => "[^=]+".to_owned(),
        "linux.sysctl.*" => sysctls(),
        _ if is_pattern(name) => ".+".to_owned(),
        _ => String::new(),
    };
    format!("{}{below}", name.trim_end_matches('*').replace('.', "\\."))
}

/// The kernel's parameters that a namespace has its own of.
fn sysctls() -> String {
    let words = OF_NAMESPACES.join("|").replace('.', "\\.");
    format!(r"(net(\.[^/.]+)+|fs\.mqueue(\.[^/.]+)+|user\.max_[^/.]+(\.[^/.]+)*|{words})")
}

/// Every config key of a container that there is.
fn instance_keys() -> String {
    INSTANCE.supported().map(|entry| unanchored(entry.name)).collect::<Vec<_>>().join("|")
}

fn property(entry: &Entry) -> Value {
    let mut schema = values::value(entry.value);
    if let Some(object) = schema.as_object_mut() {
        object.insert("description".to_owned(), json!(entry.about));
        if let Some(default) = entry.default {
            object.insert("default".to_owned(), json!(default));
        }
    }
    schema
}

/// The name of an Image; one of a remote is a later version's.
pub fn container_image(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "description": "The name of an Image.",
        "anyOf": [{"type": "string", "pattern": "^[^:/]*$"}, later::remote_image()],
    })
}

/// One local source; the others are a later version's.
pub fn image_source(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = SourceSpec::json_schema(generator);
    if let Some(choices) = schema.get_mut("oneOf").and_then(Value::as_array_mut) {
        for choice in choices.iter_mut() {
            // `busybox:` says all there is.
            if let Some(kind) = choice.pointer_mut("/properties/busybox/type") {
                *kind = json!(["object", "null"]);
            }
        }
        choices.extend(later::image_sources());
    }
    schema
}

pub fn image_update(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "description": "manual: its content moves when its declaration does.",
        "anyOf": [{"const": "manual"}, later::moving_pin()],
        "default": "manual",
    })
}

pub fn architecture(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "description": "Debian's word for the processor; absent: the host's.",
        "enum": ARCHITECTURES,
    })
}
