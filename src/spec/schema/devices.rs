//! `devices`. What a device lacks may stand in a layer below: only in a container's own spec can its schema tell, and there
//! only of a device whose `type` is given, for that begins the device anew.

use super::{later, names, property};
use crate::spec::registry::DEVICES;
use crate::spec::resolve::devices::UNMOUNTABLE;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Of a profile.
pub fn devices(_: &mut SchemaGenerator) -> Schema {
    schema("Devices by name.", rules())
}

/// Of a container.
pub fn own_devices(_: &mut SchemaGenerator) -> Schema {
    let about = "Devices by name. Without `type`: merged onto the device of that name in the profiles; `{type: none}` removes it.";
    schema(about, [rules(), own_rules()].concat())
}

fn schema(about: &str, rules: Vec<Value>) -> Schema {
    let mut properties = Map::new();
    let kind = "The kind of device; `none` removes it. Absent: merged onto the layer below.";
    properties.insert("type".to_owned(), json!({"description": kind, "enum": ["disk", "nic", "none"]}));
    properties.insert("use".to_owned(), later::device_use());
    let options = options(&["disk", "nic/bridged", "nic/p2p"]);
    properties.extend(options.into_iter().map(|(name, schema)| (name.to_owned(), schema)));
    json_schema!({
        "description": about,
        "type": "object",
        "propertyNames": {"pattern": format!("^{}$", names::DEVICE)},
        "additionalProperties": {
            "type": "object",
            "properties": properties,
            "additionalProperties": false,
            "allOf": rules,
        },
    })
}

fn options(devices: &[&str]) -> BTreeMap<&'static str, Value> {
    let tables = devices.iter().filter_map(|device| DEVICES.get(device));
    tables.flat_map(|table| table.supported().map(|entry| (entry.name, property(entry)))).collect()
}

/// Which options a type has.
fn rules() -> Vec<Value> {
    let is =
        |device_type: &str| json!({"properties": {"type": {"const": device_type}}, "required": ["type"]});
    let nic = |rule: Value| json!({"allOf": [is("nic"), rule]});
    vec![
        rule(is("disk"), only(&["disk"])),
        rule(is("nic"), only(&["nic/bridged", "nic/p2p"])),
        rule(is("none"), only(&[])),
        rule(nic(given("network")), json!({"allOf": [only(&["nic/bridged"]), absent(&["nictype"])]})),
        rule(nic(nictype("bridged")), only(&["nic/bridged"])),
        rule(nic(nictype("p2p")), only(&["nic/p2p"])),
    ]
}

/// What a device that begins in a container's own spec must have.
fn own_rules() -> Vec<Value> {
    let device = |device_type: &str, path: Value| json!({"properties": {"type": {"const": device_type}, "path": path}, "required": ["type", "path"]});
    let of_type = |kind: &str| json!({"properties": {"type": {"const": kind}}, "required": ["type"]});
    let no_address = json!({"type": ["string", "null"], "pattern": r"^none$|\$\{"});
    let foreign = json!({"properties": {"ipv4.address": no_address, "ipv6.address": no_address}});
    let bridged = json!({"allOf": [of_type("nic"), nictype("bridged")]});
    let of_network = json!({"allOf": [of_type("nic"), given("network")]});
    let others = ["source", "readonly", "recursive", "required", "shift"];
    vec![
        rule(of_type("disk"), given("path")),
        rule(
            device("disk", json!({"type": "string", "pattern": r"^(/\.?)+$"})),
            json!({"allOf": [given("pool"), absent(&others)]}),
        ),
        rule(
            // A placeholder may stand for the root.
            device("disk", json!({"type": "string", "pattern": r"^/.*[^/.]", "not": {"pattern": r"\$\{"}})),
            json!({"allOf": [given("source"), absent(&["pool"]), {"properties": {"path": mountable()}}]}),
        ),
        rule(of_type("nic"), json!({"anyOf": [given("network"), given("nictype")]})),
        rule(of_network, absent(&["parent"])),
        rule(bridged, json!({"allOf": [given("parent"), foreign]})),
    ]
}

fn rule(when: Value, then: Value) -> Value {
    json!({"if": when, "then": then})
}

fn only(devices: &[&str]) -> Value {
    let names: Vec<&str> = options(devices).into_keys().chain(["type"]).collect();
    json!({"propertyNames": {"enum": names}})
}

fn nictype(word: &str) -> Value {
    json!({"properties": {"nictype": {"const": word}}, "required": ["nictype"]})
}

/// It is there, and not null: that unsets.
fn given(option: &str) -> Value {
    json!({"required": [option], "properties": {option: {"not": {"type": "null"}}}})
}

fn absent(options: &[&str]) -> Value {
    let fields: Map<String, Value> =
        options.iter().map(|option| ((*option).to_owned(), json!({"type": "null"}))).collect();
    json!({"properties": fields})
}

/// Of /proc and /sys only the kernel tells.
fn mountable() -> Value {
    let places = UNMOUNTABLE.map(|(place, _)| match place {
        "/dev/pts" | "/dev/mqueue" => format!("{place}/."),
        place => format!("{place}(/|$)"),
    });
    json!({"not": {"pattern": format!("^({})", places.join("|"))}})
}
