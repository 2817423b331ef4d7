//! What stronger layers of a container hide, for `why`: beside each origin what the layers below had written, and an
//! origin of its own for what is taken away.

use super::layers::Layered;
use crate::model::origin::{FieldOrigins, Layer, Origin, Overridden};
use crate::spec::document::files::{FileSpec, FromSpec};
use crate::spec::report::Report;
use crate::spec::tree::Mark;
use std::collections::BTreeMap;

/// One layer's word about one value.
struct Write<'l> {
    /// The field path under which it is an origin.
    path: String,
    /// None: taken away.
    value: Option<String>,
    mark: Option<Mark>,
    layer: &'l Layer,
}

/// Value → what the layers wrote, lowest first.
type Writes<'l> = BTreeMap<String, Vec<Write<'l>>>;

/// Completes the origins of a container whose layers were merged.
pub fn note(layers: &[Layered], origins: &mut FieldOrigins, report: &Report) {
    let mut writes = Writes::new();
    for layer in layers {
        config(&mut writes, layer);
        devices(&mut writes, layer);
        contents(&mut writes, layer);
    }
    for mut written in writes.into_values() {
        let Some(last) = written.pop() else { continue };
        let hidden: Vec<Overridden> = written.iter().rev().map(|write| overridden(write, report)).collect();
        if last.value.is_none() {
            let place = last.mark.map(|mark| report.place(mark));
            let origin = Origin { overrides: hidden, unset: true, ..Origin::new(place, last.layer.clone()) };
            origins.insert(last.path, origin);
        } else if !hidden.is_empty() {
            for path in told(&last.path) {
                origins.get_mut(&path).into_iter().for_each(|origin| origin.overrides.clone_from(&hidden));
            }
        }
    }
}

/// What a layer hides of a file is told of the file and of its content.
fn told(path: &str) -> Vec<String> {
    let contents = ["content", "source", "secretRef"].into_iter().filter(|_| path.starts_with("files."));
    let contents = contents.map(|field| format!("{path}.{field}"));
    contents.chain([path.to_owned()]).collect()
}

fn overridden(write: &Write, report: &Report) -> Overridden {
    Overridden {
        value: write.value.clone(),
        place: write.mark.map(|mark| report.place(mark)),
        layer: write.layer.clone(),
    }
}

fn push<'l>(writes: &mut Writes<'l>, layer: &'l Layered, path: String, value: Option<String>) {
    let mark = layer.document.map(|document| document.mark_of(&path));
    let write = Write { path: path.clone(), value, mark, layer: &layer.layer };
    writes.entry(path).or_default().push(write);
}

/// Variables are told by [`contents`], where a secret one of the same name counts too.
fn config<'l>(writes: &mut Writes<'l>, layer: &'l Layered) {
    for (key, value) in layer.config.iter().filter(|(key, _)| !key.starts_with("environment.")) {
        push(writes, layer, format!("config.{key}"), value.clone());
    }
}

/// A layer that gives a device's type begins it anew: what layers below say of it is gone.
fn devices<'l>(writes: &mut Writes<'l>, layer: &'l Layered) {
    for (name, device) in layer.devices {
        let below = format!("devices.{name}.");
        if let Some(device_type) = &device.device_type {
            let mark = layer.document.map(|document| document.mark_of(&format!("{below}type")));
            for (path, written) in writes.range_mut(below.clone()..) {
                if !path.starts_with(&below) {
                    break;
                }
                let is_said = path.strip_prefix(&below).is_some_and(|it| device.options.contains_key(it));
                if !is_said && *path != format!("{below}type") {
                    written.push(Write { path: path.clone(), value: None, mark, layer: &layer.layer });
                }
            }
            let gone = device_type == "none";
            push(writes, layer, format!("{below}type"), (!gone).then(|| device_type.clone()));
            if gone {
                continue;
            }
        }
        for (option, value) in &device.options {
            push(writes, layer, format!("{below}{option}"), value.clone());
        }
    }
}

/// Files, and variables of both sorts: a later layer's word hides an earlier one's of either sort.
fn contents<'l>(writes: &mut Writes<'l>, layer: &'l Layered) {
    for (path, file) in layer.files {
        push(writes, layer, format!("files.{path}"), file.as_ref().map(file_words));
    }
    let plain =
        layer.config.iter().filter_map(|(key, value)| Some((key.strip_prefix("environment.")?, value)));
    for (name, value) in plain.filter(|(name, _)| !layer.environment.contains_key(*name)) {
        variable(writes, layer, name, (format!("config.environment.{name}"), value.clone()));
    }
    for (name, secret) in layer.environment {
        let value = secret.as_ref().map(|_| "a secret".to_owned());
        let path = if secret.is_some() { "environment." } else { "config.environment." };
        variable(writes, layer, name, (format!("{path}{name}"), value));
    }
}

fn variable<'l>(
    writes: &mut Writes<'l>,
    layer: &'l Layered,
    name: &str,
    (path, value): (String, Option<String>),
) {
    let mark = layer.document.map(|document| document.mark_of(&path));
    let write = Write { path, value, mark, layer: &layer.layer };
    writes.entry(format!("environment.{name}")).or_default().push(write);
}

fn file_words(file: &FileSpec) -> String {
    match &file.from {
        FromSpec::Content(_) => "a content".to_owned(),
        FromSpec::Source(path) => format!("source {path}"),
        FromSpec::Template(template) => format!("template {}", template.name),
        FromSpec::Secret(_) => "a secret".to_owned(),
    }
}
