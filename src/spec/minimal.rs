//! Desired → manifests without what says itself: defaults, and what a container's profiles give. An object whose short
//! form would not load as the same object has its whole form instead.

use super::canonical;
use super::emit;
use super::fill::escape;
use super::{LoadContext, SourceText, TextRole, load};
use crate::model::content::SecretRef;
use crate::model::desired::Desired;
use crate::model::key::Key;
use crate::model::object::{Container, ContainerFile, Object, Spec, Update};
use crate::model::prune::Prune;
use crate::model::ready::{HttpProbe, Ready};
use crate::model::rollout::Rollout;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;

type Fields = Map<String, Value>;

/// The documents of a declaration by key. `folder` is where its relative paths begin.
pub fn documents(desired: &Desired, context: &LoadContext, folder: &Path) -> BTreeMap<Key, Value> {
    let whole = canonical::by_key(desired, None);
    let mut short: BTreeMap<Key, Value> = BTreeMap::new();
    for (key, document) in &whole {
        let mut document = document.clone();
        if let (Some(object), Some(spec)) =
            (desired.objects.get(key), document.get_mut("spec").and_then(Value::as_object_mut))
        {
            shorten(spec, object, desired, context);
        }
        short.insert((*key).clone(), document);
    }
    let loaded = reload(&short, context, folder);
    for (key, document) in &mut short {
        let is_same =
            loaded.as_ref().is_some_and(|loaded| loaded.objects.get(key) == desired.objects.get(key));
        if let (false, Some(whole)) = (is_same, whole.get(key)) {
            document.clone_from(whole);
        }
    }
    short
}

/// What these documents say; None: they do not load.
pub fn reload(documents: &BTreeMap<Key, Value>, context: &LoadContext, folder: &Path) -> Option<Desired> {
    let documents: Vec<Value> = documents.values().cloned().collect();
    let (base, root) = (folder.to_owned(), folder.to_owned());
    let (path, text) = ("<export>".to_owned(), emit::documents(&documents));
    let text = SourceText { path, text, base, root, role: TextRole::Manifest };
    load(&[text], context).ok().map(|loaded| loaded.desired)
}

fn shorten(spec: &mut Fields, object: &Object, desired: &Desired, context: &LoadContext) {
    match &object.spec {
        Spec::Container(container) => shorten_container(spec, container, desired, context),
        Spec::Site(_) => {
            remove_if(spec, "heal", "always");
            remove_usual(spec, "prune", &canonical::prune(&Prune::default()));
            remove_usual(spec, "rollout", &canonical::rollout(&Rollout::default()));
        }
        Spec::Network(_) => remove_if(spec, "type", "bridge"),
        Spec::Profile(_) => shorten_files(spec),
        _ => {}
    }
    for field in ["config", "devices"] {
        spec.get_mut(field).into_iter().for_each(unquote);
    }
    let is_empty = |value: &Value| {
        value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
    };
    // A container without profiles has an empty list of them.
    spec.retain(|field, value| field == "profiles" || !is_empty(value));
}

/// Numbers and bools as people write them: config values may be either.
fn unquote(value: &mut Value) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(unquote),
        Value::String(text) => match (text.as_str(), text.parse::<i64>()) {
            ("true", _) => *value = Value::Bool(true),
            ("false", _) => *value = Value::Bool(false),
            (text, Ok(number)) if number.to_string() == text => *value = Value::from(number),
            _ => {}
        },
        _ => {}
    }
}

fn remove_if(fields: &mut Fields, name: &str, value: &str) {
    if fields.get(name).and_then(Value::as_str) == Some(value) {
        fields.shift_remove(name);
    }
}

/// Removes from the mapping `name` what is as in its default form.
fn remove_usual(fields: &mut Fields, name: &str, usual: &Value) {
    if let Some(inner) = inner(fields, name) {
        inner.retain(|field, value| usual.get(field) != Some(value));
    }
}

fn inner<'f>(fields: &'f mut Fields, name: &str) -> Option<&'f mut Fields> {
    fields.get_mut(name).and_then(Value::as_object_mut)
}

fn shorten_container(spec: &mut Fields, container: &Container, desired: &Desired, context: &LoadContext) {
    let below = Below::new(desired, &container.profiles);
    remove_if(spec, "architecture", &context.architecture);
    remove_if(spec, "state", "running");
    if container.profiles == ["default"] {
        spec.shift_remove("profiles");
    }
    if let Some(ready) = inner(spec, "ready") {
        let usual = Ready::default();
        remove_if(ready, "timeout", &usual.timeout.to_string());
        remove_if(ready, "interval", &usual.interval.to_string());
        ready.shift_remove("alive");
        let http = ready.get_mut("http");
        if let Some(http) = http.filter(|http| http["path"] == HttpProbe::ROOT) {
            *http = http["port"].take();
        }
    }
    remove_usual(spec, "update", &canonical::update(&Update::default()));
    if let Some(keys) = spec.get_mut("dependsOn").and_then(Value::as_array_mut) {
        keys.truncate(written_dependencies(container));
    }
    if let Some(config) = inner(spec, "config") {
        config.retain(|key, value| match (value.as_str(), below.config.get(key)) {
            (Some(value), Some(below)) => value != escape(below),
            (None, below) => below.is_some(),
            (Some(_), None) => true,
        });
    }
    if let Some(devices) = inner(spec, "devices") {
        let names: Vec<String> = devices.keys().cloned().collect();
        for name in names {
            let below = below.devices.get(&name);
            let device = inner(devices, &name);
            if let (Some(device), Some(below)) = (device, below)
                && is_merged(device, below)
            {
                devices.shift_remove(&name);
            }
        }
    }
    if let Some(files) = inner(spec, "files") {
        files.retain(|path, _| container.files.get(path) != below.files.get(path).copied());
    }
    shorten_files(spec);
    if let Some(environment) = inner(spec, "environment") {
        let same = |name: &String| container.environment.get(name) == below.environment.get(name).copied();
        environment.retain(|name, value| !same(name) || value.is_null());
    }
}

/// How many of the dependencies must be written: the others follow from `restartWith`, in its order.
fn written_dependencies(container: &Container) -> usize {
    let all = &container.depends_on;
    let follows = |count: &usize| {
        let (written, implied) = all.split_at(*count);
        implied.iter().eq(container.restart_with.iter().filter(|key| !written.contains(key)))
    };
    (0..all.len()).find(follows).unwrap_or(all.len())
}

fn shorten_files(spec: &mut Fields) {
    let files = inner(spec, "files").into_iter().flat_map(Map::values_mut);
    for file in files.filter_map(Value::as_object_mut) {
        remove_if(file, "mode", "0644");
        remove_if(file, "owner", "root");
        remove_if(file, "group", "root");
    }
}

/// Makes a whole device one that is merged onto the layer below, where both have one type. Answers whether nothing is
/// left to say.
fn is_merged(device: &mut Fields, below: &BTreeMap<String, String>) -> bool {
    let Some(device_type) = below.get("type") else { return false };
    if device.get("type").and_then(Value::as_str) != Some(device_type) {
        return false;
    }
    for (option, value) in below {
        match device.get(option).and_then(Value::as_str) {
            Some(own) if own == escape(value) => drop(device.shift_remove(option)),
            Some(_) => {}
            None => drop(device.insert(option.clone(), Value::Null)),
        }
    }
    device.is_empty()
}

/// What the profiles of a container give together.
#[derive(Default)]
struct Below<'d> {
    config: BTreeMap<String, String>,
    /// With `type` among the options.
    devices: BTreeMap<String, BTreeMap<String, String>>,
    files: BTreeMap<&'d String, &'d ContainerFile>,
    environment: BTreeMap<&'d String, &'d SecretRef>,
}

impl<'d> Below<'d> {
    fn new(desired: &'d Desired, profiles: &[String]) -> Below<'d> {
        let mut below = Below::default();
        for name in profiles {
            let profile = desired.objects.get(&Key::profile(name));
            let Some(Spec::Profile(profile)) = profile.map(|object| &object.spec) else { continue };
            merge(&mut below.config, &profile.config);
            for (name, device) in &profile.devices {
                match device.device_type.as_deref() {
                    Some("none") => drop(below.devices.remove(name)),
                    Some(device_type) => {
                        let fresh = BTreeMap::from([("type".to_owned(), device_type.to_owned())]);
                        below.devices.insert(name.clone(), fresh);
                    }
                    None => {}
                }
                if let Some(options) = below.devices.get_mut(name) {
                    merge(options, &device.options);
                }
            }
            for (path, file) in &profile.files {
                match file {
                    Some(file) => drop(below.files.insert(path, file)),
                    None => drop(below.files.remove(path)),
                }
            }
            for (name, secret) in &profile.environment {
                match secret {
                    Some(secret) => drop(below.environment.insert(name, secret)),
                    None => drop(below.environment.remove(name)),
                }
            }
        }
        below
    }
}

fn merge(into: &mut BTreeMap<String, String>, from: &BTreeMap<String, Option<String>>) {
    for (name, value) in from {
        match value {
            Some(value) => drop(into.insert(name.clone(), value.clone())),
            None => drop(into.remove(name)),
        }
    }
}
