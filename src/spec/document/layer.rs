//! `devices` as one layer writes them.

use super::reader::Reader;
use crate::model::object::DeviceLayer;
use crate::model::origin::below;
use crate::model::words::did_you_mean;
use crate::spec::names;
use crate::spec::registry::DEVICES;
use crate::spec::report::Wrong;
use crate::spec::tree::{Entry, Node};
use std::collections::BTreeMap;

/// Reads `devices` of a spec. Options are texts as written: their meaning depends on the device's type, which another
/// layer may give.
pub fn devices(spec: &Node, reader: &mut Reader) -> BTreeMap<String, DeviceLayer> {
    let mut devices = BTreeMap::new();
    let Some(node) = reader.field(spec, "devices", "devices") else { return devices };
    let Some(entries) = node.entries() else {
        reader.mistyped(node, "devices", "a mapping", Some("write `devices: {eth0: {…}}`".to_owned()));
        return devices;
    };
    for entry in entries {
        let name = entry.key.as_ref();
        let path = below("devices", name);
        if let Err(bad) = names::device(name) {
            reader.bad(entry.mark, "the name of a device", name, bad);
            continue;
        }
        reader.marks.insert(path.clone(), entry.mark);
        if entry.value.is_null() {
            let message = format!("device `{name}` has no options");
            let help = format!("to remove it write `{name}: {{type: none}}`");
            reader.report.error(entry.mark, Wrong::new("wrong-type", message).help(help));
        } else if let Some(device) = device(&entry.value, &path, reader) {
            devices.insert(name.to_owned(), device);
        }
    }
    devices
}

fn device(node: &Node, path: &str, reader: &mut Reader) -> Option<DeviceLayer> {
    let Some(entries) = node.entries() else {
        reader.mistyped(node, path, "a mapping", None);
        return None;
    };
    let mut device = DeviceLayer::default();
    let mut is_named = false;
    for entry in entries {
        let name = entry.key.as_ref();
        let path = below(path, name);
        reader.remember(&path, entry.mark, &entry.value);
        reader.names.insert(path.clone(), entry.mark);
        match name {
            "use" => {
                let wrong = Wrong::new("not-supported", "`use` is not supported yet");
                reader.report.error(entry.mark, wrong.help("give the device's type and options here"));
                // What it lacks would come from there.
                is_named = true;
            }
            "type" if entry.value.is_null() => {}
            "type" => device.device_type = reader.text(&entry.value, &path),
            _ if entry.value.is_null() => drop(device.options.insert(name.to_owned(), None)),
            _ => {
                if let Some(text) = reader.config_text(&entry.value, name) {
                    device.options.insert(name.to_owned(), Some(text));
                }
            }
        }
    }
    match device.device_type.as_deref() {
        Some("none") => removed(entries, reader),
        device_type => unset(entries, device_type, reader),
    }
    (!is_named).then_some(device)
}

/// A device that is taken away has nothing.
fn removed(entries: &[Entry], reader: &mut Reader) {
    for entry in entries.iter().filter(|entry| !matches!(entry.key.as_ref(), "type" | "use")) {
        let message = format!("`{}` beside `type: none`", entry.key);
        let help = "`none` takes the device away: remove the option, or name the device's type";
        reader.report.error(entry.mark, Wrong::new("bad-value", message).help(help));
    }
}

/// Options that are unset stand in no layer's result: whether there are such is seen here or nowhere.
fn unset(entries: &[Entry], device_type: Option<&str>, reader: &mut Reader) {
    let is_own = |entry: &&Entry| matches!(entry.key.as_ref(), "type" | "use");
    for entry in entries.iter().filter(|entry| entry.value.is_null() && !is_own(entry)) {
        let name = entry.key.as_ref();
        let known = || supported_options(device_type);
        if known().next().is_some() && known().all(|known| known != name) {
            let what = device_type.map_or("device".to_owned(), |kind| format!("{kind} device"));
            let wrong = Wrong::new("unknown-key", format!("`{name}` is no option of a {what}"));
            reader.report.error(entry.mark, wrong.maybe_help(did_you_mean(name, known())));
        }
    }
}

/// The options of devices of a type; of all types.
fn supported_options(device_type: Option<&str>) -> impl Iterator<Item = &'static str> {
    let is_of = move |device: &str| {
        device_type.is_none_or(|kind| device.split('/').next().is_some_and(|class| class == kind))
    };
    let tables = DEVICES.iter().filter(move |(device, _)| is_of(device)).map(|(_, table)| table);
    tables.flat_map(|table| table.supported().map(|entry| entry.name))
}
