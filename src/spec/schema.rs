//! JSON Schema of each kind, from the document types and the registry: editors complete and check with it. What needs
//! more than one value to see (references, addresses, layers) only [`super::load`] finds.

mod later;
mod placeholders;
mod policies;
mod ready;

pub use self::later::NOT_YET;
pub use self::policies::{deletion, prune, rollout, update};
pub use self::ready::ready;

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
use super::registry::value::ValueType;
use super::registry::{DEVICES, Entry, INSTANCE, NETWORK, POOL, Table, is_pattern};
use crate::model::key::Kind;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

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
        Kind::Secret => secret(),
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

/// One of the places, and `placement`: a choice of closed mappings would leave no room for it.
fn secret() -> Value {
    let mut schema = inline::<SecretSpec>();
    let places: Vec<Value> = schema["oneOf"].as_array().cloned().unwrap_or_default();
    let fields = places.iter().filter_map(|place| place["properties"].as_object());
    let fields: Map<String, Value> = fields.flat_map(Map::clone).collect();
    schema["oneOf"] = fields.keys().map(|field| json!({"required": [field]})).collect();
    schema["type"] = json!("object");
    schema["properties"] = Value::Object(fields);
    schema["additionalProperties"] = json!(false);
    placed(schema)
}

/// One of `replicas` and `for`; the template is a container's spec.
fn set() -> Value {
    let mut schema = placed(inline::<ContainerSetSpec>());
    add(&mut schema, "template", container());
    if let Some(fields) = schema.as_object_mut() {
        fields.insert("oneOf".to_owned(), json!([{"required": ["replicas"]}, {"required": ["for"]}]));
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
        "propertyNames": {"pattern": "^[A-Za-z][A-Za-z0-9_-]*$"},
        "additionalProperties": {"type": ["string", "number", "boolean"]},
    })
}

/// `for`: stable keys to values.
pub fn each(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "description": "One member for each key, with values of its own: `{key}` in `name`, `${each.key}` and `${each.NAME}` in the template; `renamedFrom` is the key that it had before.",
        "type": "object",
        "additionalProperties": {
            "type": ["object", "null"],
            "additionalProperties": {"type": ["string", "number", "boolean"]},
        },
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
    if let Some(name) = metadata.pointer_mut("/properties/name").and_then(Value::as_object_mut) {
        name.insert("pattern".to_owned(), json!(name_pattern(kind)));
    }
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
    json!({
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
    })
}

/// `external: true` stands alone but for `placement`; without it the kind's own fields count.
fn with_external(kind: Kind, spec: Value) -> Value {
    if !has_external(kind) {
        return spec;
    }
    json!({
        "description": spec.get("description").cloned().unwrap_or_default(),
        "if": {"required": ["external"]},
        "then": placed(json!({
            "type": "object",
            "properties": {"external": {"description": EXTERNAL, "const": true}},
            "additionalProperties": false,
        })),
        "else": spec,
    })
}

/// As `names` has it.
fn name_pattern(kind: Kind) -> &'static str {
    match kind {
        Kind::Container => "^[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$",
        Kind::Network => "^[A-Za-z0-9][A-Za-z0-9._-]{0,14}$",
        _ => "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$",
    }
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

/// `environment.*` → `^environment\..+$`.
fn pattern(name: &str) -> String {
    format!("^{}.+$", name.trim_end_matches('*').replace('.', "\\."))
}

fn property(entry: &Entry) -> Value {
    let mut schema = value(entry.value);
    if let Some(object) = schema.as_object_mut() {
        object.insert("description".to_owned(), json!(entry.about));
        if let Some(default) = entry.default {
            object.insert("default".to_owned(), json!(default));
        }
    }
    schema
}

/// Numbers and bools may be written with or without quotes; null unsets.
fn value(value: ValueType) -> Value {
    match value {
        ValueType::Bool => {
            json!({"enum": [true, false, "true", "false", "yes", "no", "on", "off", "1", "0", 1, 0, null]})
        }
        ValueType::Integer { min, max: i64::MAX } => {
            json!({"type": ["integer", "string", "null"], "minimum": min})
        }
        ValueType::Integer { min, max } => {
            json!({"type": ["integer", "string", "null"], "minimum": min, "maximum": max})
        }
        ValueType::Choice(words) => {
            let words: Vec<Value> = words.iter().map(|word| json!(word)).chain([Value::Null]).collect();
            json!({ "enum": words })
        }
        ValueType::Text => json!({"type": ["string", "integer", "boolean", "null"]}),
        ValueType::Cpus => {
            json!({"type": ["integer", "string", "null"], "minimum": 1, "pattern": "^[0-9, -]+$"})
        }
        ValueType::CpuAllowance => {
            json!({"type": ["string", "null"], "pattern": "^([0-9]+ ?%|[0-9]+ ?ms ?/ ?[0-9]+ ?ms)$"})
        }
        ValueType::Memory => json!({
            "type": ["integer", "string", "null"],
            "minimum": 1,
            "pattern": "^[0-9]+ ?(%|B|kB|MB|GB|TB|PB|EB|KiB|MiB|GiB|TiB|PiB|EiB)?$",
        }),
        ValueType::Rlimit => json!({
            "type": ["integer", "string", "null"],
            "minimum": 0,
            "pattern": "^([0-9]+|unlimited)(:([0-9]+|unlimited))?$",
        }),
        ValueType::Mac => {
            json!({"type": ["string", "null"], "pattern": "^[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}$"})
        }
        ValueType::Interface => json!({"type": ["string", "null"], "pattern": "^[A-Za-z0-9._-]{1,15}$"}),
        ValueType::InsidePath => json!({"type": ["string", "null"], "pattern": "^/"}),
        _ => json!({"type": ["string", "null"]}),
    }
}

pub fn devices(_: &mut SchemaGenerator) -> Schema {
    let disk = options(&["disk"]);
    let nic = options(&["nic/bridged", "nic/p2p"]);
    let only = |device_type: &str, options: &BTreeMap<&str, Value>| {
        let names: Vec<&str> = options.keys().copied().chain(["type"]).collect();
        json!({
            "if": {"properties": {"type": {"const": device_type}}, "required": ["type"]},
            "then": {"propertyNames": {"enum": names}},
        })
    };
    let rules = [only("disk", &disk), only("nic", &nic), only("none", &BTreeMap::new())];
    let mut properties = Map::new();
    let about = "The kind of device; `none` removes it. Absent: merged onto the layer below.";
    properties.insert("type".to_owned(), json!({"description": about, "enum": ["disk", "nic", "none"]}));
    properties.insert("use".to_owned(), later::device_use());
    properties.extend(disk.into_iter().chain(nic).map(|(name, schema)| (name.to_owned(), schema)));
    json_schema!({
        "description": "Devices by name.",
        "type": "object",
        "propertyNames": {"pattern": "^[A-Za-z0-9._-]{1,63}$"},
        "additionalProperties": {
            "type": "object",
            "properties": properties,
            "additionalProperties": false,
            "allOf": rules,
        },
    })
}

/// A Secret's name, or its place.
fn secret_ref() -> Value {
    json!({
        "description": "The name of a Secret, or where it is.",
        "oneOf": [{"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"}, spec(Kind::Secret)],
    })
}

pub fn files(_: &mut SchemaGenerator) -> Schema {
    let name = |about: &str| json!({"description": about, "type": ["string", "integer"], "default": "root"});
    let properties = json!({
        "content": {"description": "The content itself.", "type": "string"},
        "source": {"description": "A file beside the manifest.", "type": "string", "pattern": "^[^/]"},
        "template": {
            "description": "A text file beside the manifest whose placeholders are filled.",
            "type": "string",
            "pattern": "^[^/]",
        },
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
            "items": {"type": "string"},
            "minItems": 1,
        },
    });
    let one_of = ["content", "source", "template", "secretRef"].map(|field| json!({"required": [field]}));
    json_schema!({
        "description": "Files inside, by path; null takes away what a layer below puts there.",
        "type": "object",
        "propertyNames": {"pattern": "^/[^/]"},
        "additionalProperties": {
            "type": ["object", "null"],
            "properties": properties,
            "additionalProperties": false,
            "if": {"type": "object"},
            "then": {"oneOf": one_of},
        },
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

fn options(devices: &[&str]) -> BTreeMap<&'static str, Value> {
    let tables = devices.iter().filter_map(|device| DEVICES.get(device));
    tables.flat_map(|table| table.supported().map(|entry| (entry.name, property(entry)))).collect()
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
