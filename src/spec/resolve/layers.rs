//! Profile expansion: layers in order, a later one wins for each config key and each device option.

use crate::model::object::DeviceLayer;
use crate::model::origin::{Layer, below};
use crate::model::words::nearest;
use crate::spec::document::Document;
use crate::spec::document::environment::Secrets;
use crate::spec::document::files::Files;
use crate::spec::report::{Report, Wrong};
use crate::spec::tree::Mark;
use std::collections::BTreeMap;

/// One layer: a profile, or the container's own document.
pub struct Layered<'d> {
    pub layer: Layer,
    pub config: &'d BTreeMap<String, Option<String>>,
    pub devices: &'d BTreeMap<String, DeviceLayer>,
    pub files: &'d Files,
    pub environment: &'d Secrets,
    /// None for a built-in.
    pub document: Option<&'d Document>,
}

impl Layered<'_> {
    pub fn written<T>(&self, value: T, path: &str) -> Written<T> {
        Written {
            value,
            mark: self.document.map(|document| document.mark_of(path)),
            name: self.document.and_then(|document| document.names.get(path)).copied(),
            layer: self.layer.clone(),
        }
    }
}

/// A value and where it was written.
#[derive(Debug, Clone)]
pub struct Written<T> {
    pub value: T,
    pub mark: Option<Mark>,
    /// Where a device option's name stands.
    pub name: Option<Mark>,
    pub layer: Layer,
}

/// A device with its layers merged; nothing of it is checked yet.
#[derive(Debug, Clone)]
pub struct MergedDevice {
    pub device_type: Written<String>,
    /// Where the uppermost layer mentions it.
    pub named: Written<()>,
    pub options: BTreeMap<String, Written<String>>,
}

/// All `config` keys after merging.
pub fn merge_config(layers: &[Layered]) -> BTreeMap<String, Written<String>> {
    let mut merged = BTreeMap::new();
    for layer in layers {
        for (key, value) in layer.config {
            match value {
                None => drop(merged.remove(key)),
                Some(value) => {
                    let written = layer.written(value.clone(), &below("config", key));
                    merged.insert(key.clone(), written);
                }
            }
        }
    }
    merged
}

/// All devices after merging. A device without a type that no layer below has is a finding.
pub fn merge_devices(layers: &[Layered], report: &mut Report) -> BTreeMap<String, MergedDevice> {
    let mut merged: BTreeMap<String, MergedDevice> = BTreeMap::new();
    for layer in layers {
        for (name, device) in layer.devices {
            let path = below("devices", name);
            match device.device_type.as_deref() {
                Some("none") => {
                    merged.remove(name);
                }
                Some(device_type) => {
                    let device_type = layer.written(device_type.to_owned(), &below(&path, "type"));
                    let options = BTreeMap::new();
                    let named = layer.written((), &path);
                    merged.insert(name.clone(), MergedDevice { device_type, named, options });
                }
                None => {}
            }
            if device.device_type.as_deref() == Some("none") {
                continue;
            }
            match merged.get_mut(name) {
                Some(below) => merge_options(below, device, layer, &path),
                None => untyped((name, device), &path, layer, report),
            }
        }
    }
    merged
}

fn merge_options(lower: &mut MergedDevice, device: &DeviceLayer, layer: &Layered, path: &str) {
    lower.named = layer.written((), path);
    for (option, value) in &device.options {
        match value {
            None => drop(lower.options.remove(option)),
            Some(value) => {
                let written = layer.written(value.clone(), &below(path, option));
                lower.options.insert(option.clone(), written);
            }
        }
    }
}

fn untyped((name, device): (&str, &DeviceLayer), path: &str, layer: &Layered, report: &mut Report) {
    let Some(document) = layer.document else { return };
    let message = format!("device `{name}` has no `type`, and no layer below gives it one");
    let meant = device.options.keys().find(|option| nearest(option, ["type"]).is_some());
    let help = match meant {
        Some(option) => format!("write `type` in the place of `{option}`"),
        None => "add `type`, or name a profile before it that has the device".to_owned(),
    };
    let mark = meant.map_or_else(|| document.mark_of(path), |option| document.mark_of(&below(path, option)));
    report.error(mark, Wrong::new("missing-field", message).help(help));
}
