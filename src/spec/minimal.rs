//! Desired → manifests without what says itself: defaults, and what a container's profiles give. Where the short form
//! of an object would not load as the same object, its whole form stands there instead.

use super::canonical::{self, layered};
use super::emit;
use super::{LoadContext, SourceText, load};
use crate::model::desired::Desired;
use crate::model::key::{Key, Kind};
use crate::model::object::{Container, Object, Ready, Spec};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The documents of a declaration by key, and how they load: `folder` is where relative paths of it begin.
pub fn documents(desired: &Desired, context: &LoadContext, folder: &Path) -> BTreeMap<Key, Value> {
    let whole = canonical::by_key(desired);
    let short: BTreeMap<Key, Value> = whole.iter().map(|(key, document)| (key.clone(), shorten(desired, key, document, context))).collect();
    let loaded = reload(short.values(), context, folder);
    let is_same = |key: &Key| loaded.as_ref().is_some_and(|loaded| loaded.objects.get(key) == desired.objects.get(key));
    let pick = |(key, document): (Key, Value)| {
        let chosen = if is_same(&key) { document } else { whole.get(&key).cloned().unwrap_or(document) };
        (key, chosen)
    };
    short.into_iter().map(pick).collect()
}

fn reload<'d>(documents: impl Iterator<Item = &'d Value>, context: &LoadContext, folder: &Path) -> Option<Desired> {
    let documents: Vec<Value> = documents.cloned().collect();
    let base = PathBuf::from(folder);
    let text = SourceText { path: String::new(), text: emit::documents(&documents), base: base.clone(), root: base };
    load(&[text], context).ok().map(|loaded| loaded.desired)
}

fn shorten(desired: &Desired, key: &Key, document: &Value, context: &LoadContext) -> Value {
    let mut document = document.clone();
    let Some(object) = desired.objects.get(key) else { return document };
    let Some(spec) = document.get_mut("spec").and_then(Value::as_object_mut) else { return document };
    match &object.spec {
        Spec::Container(container) => self::container(spec, container, object, desired, context),
        Spec::Site(_) => spec.retain(|name, value| !(name == "heal" && value == "always")),
        _ => spec.retain(|_, value| !is_empty(value)),
    }
    document
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty)
}

fn container(spec: &mut Map<String, Value>, container: &Container, _: &Object, desired: &Desired, context: &LoadContext) {
    if container.architecture == context.architecture {
        spec.remove("architecture");
    }
    if container.profiles == ["default"] {
        spec.remove("profiles");
    }
    if spec.get("state") == Some(&json!("running")) {
        spec.remove("state");
    }
    if container.ready.timeout_ms == Ready::default().timeout_ms
        && let Some(ready) = spec.get_mut("ready").and_then(Value::as_object_mut)
    {
        ready.remove("timeout");
    }
    if container.ready.interval_ms == Ready::default().interval_ms
        && let Some(ready) = spec.get_mut("ready").and_then(Value::as_object_mut)
    {
        ready.remove("interval");
    }
    let below = layered::Below::new(desired, &container.profiles);
    if let Some(config) = spec.get_mut("config").and_then(Value::as_object_mut) {
        config.retain(|key, value| below.config.get(key).map(String::as_str) != value.as_str() || value.is_null());
    }
    if let Some(devices) = spec.get_mut("devices").and_then(Value::as_object_mut) {
        devices.retain(|name, device| below.devices.get(name).is_none_or(|below| !merge_onto(device, below)));
    }
    if let Some(files) = spec.get_mut("files").and_then(Value::as_object_mut) {
        files.retain(|path, _| {
            let own = container.files.get(path);
            own.is_none() || below.files.get(path) != own
        });
        for (path, file) in files.iter_mut() {
            if container.files.contains_key(path) && let Some(fields) = file.as_object_mut() {
                fields.retain(|name, value| !matches!((name.as_str(), value.as_str()), ("mode", Some("0644")) | ("owner" | "group", Some("root"))));
            }
        }
    }
    if let Some(environment) = spec.get_mut("environment").and_then(Value::as_object_mut) {
        environment.retain(|name, _| {
            let own = container.environment.get(name);
            own.is_none() || below.environment.get(name) != own
        });
    }
    spec.retain(|_, value| !is_empty(value));
}

/// Makes a whole device one that is merged onto the layer below, where they have one type. Answers whether nothing is
/// left to say.
fn merge_onto(device: &mut Value, below: &BTreeMap<String, String>) -> bool {
    let Some(options) = device.as_object_mut() else { return false };
    let same_type = options.get("type").and_then(Value::as_str) == below.get("type").map(String::as_str);
    if !same_type {
        return false;
    }
    options.retain(|name, value| below.get(name).map(String::as_str) != value.as_str());
    for name in below.keys() {
        if name != "type" && !options.contains_key(name) {
            // It is the same, or it is taken away: `whole` had it or not.
            continue;
        }
    }
    options.is_empty()
}
