//! What objects refer to must be there.

use super::{Resolution, builtin};

use super::containers::option;
use crate::model::key::{Key, Kind};
use crate::model::object::{DeviceType, Object, Spec};
use crate::model::origin::Origin;
use crate::model::words::did_you_mean;
use crate::spec::report::{Report, Wrong};
use crate::spec::tree::Mark;

/// What an object refers to, each with the field that does.
pub fn of(object: &Object) -> Vec<(String, Key)> {
    let Spec::Container(container) = &object.spec else { return vec![] };
    let mut references = vec![("image".to_owned(), container.image.clone())];
    for (index, name) in container.profiles.iter().enumerate() {
        references.push((format!("profiles[{index}]"), Key::profile(name)));
    }
    for (name, device) in &container.devices {
        let (field, key) = match device.device_type {
            DeviceType::Disk => ("pool", option(device, "pool").map(Key::pool)),
            DeviceType::Nic => ("network", option(device, "network").map(Key::network)),
        };
        references.extend(key.map(|key| (format!("devices.{name}.{field}"), key)));
    }
    for (index, key) in container.depends_on.iter().enumerate() {
        references.push((format!("dependsOn[{index}]"), key.clone()));
    }
    references
}

/// Reports every reference to an object that is neither declared nor built in.
pub fn check(resolution: &Resolution, report: &mut Report) {
    for (key, object) in &resolution.desired.objects {
        report.key = Some(key.clone());
        for (field, target) in of(object) {
            let is_there = resolution.documents.contains_key(&target)
                || resolution.desired.objects.contains_key(&target)
                || report.is_unread(&target);
            if !is_there {
                let wrong = missing(&target, resolution, report);
                report.error(mark(resolution, key, &field, report), wrong);
            }
        }
        repeated_profiles(resolution, key, object, report);
    }
    report.key = None;
}

pub fn missing(target: &Key, resolution: &Resolution, report: &Report) -> Wrong {
    if let Some(elsewhere) = resolution.elsewhere.get(target) {
        let host = resolution.here.host.map_or("this host".to_owned(), |host| format!("host {host}"));
        let message = format!("{target} is not rendered for {host}, only for {}", elsewhere.placement);
        let place = report.place(elsewhere.mark);
        let help = format!("its placement is at {place}; widen it, or place this object alike");
        return Wrong::new("placed-elsewhere", message).help(help);
    }
    let known = || resolution.documents.keys().chain(resolution.sets.keys());
    let names = || known().filter(|key| key.kind == target.kind).map(|key| key.name.as_str());
    let builtins = builtin::keys().into_iter().filter(|key| key.kind == target.kind);
    let builtins: Vec<String> = builtins.map(|key| key.name).collect();
    let candidates = names().chain(builtins.iter().map(String::as_str));
    let help = did_you_mean(&target.name, candidates).unwrap_or_else(|| {
        let document = format!("add a document `kind: {}` with this name", target.kind);
        match first(names()) {
            Some(known) => format!("{document}; declared are {known}"),
            None => document,
        }
    });
    let noun = match target.kind {
        Kind::StoragePool => "storage pool".to_owned(),
        kind => kind.slug().to_owned(),
    };
    Wrong::new("missing-object", format!("there is no {noun} `{}`", target.name)).help(help)
}

/// The most names that a help lists.
const MAX_LISTED: usize = 8;

/// The first names, and how many more there are; none of none.
fn first<'n>(names: impl Iterator<Item = &'n str>) -> Option<String> {
    let names: Vec<&str> = names.collect();
    let listed = names.get(..MAX_LISTED).unwrap_or(&names).join(", ");
    match names.len() {
        0 => None,
        count if count > MAX_LISTED => Some(format!("{listed} and {} more", count - MAX_LISTED)),
        _ => Some(listed),
    }
}

fn repeated_profiles(resolution: &Resolution, key: &Key, object: &Object, report: &mut Report) {
    let Spec::Container(container) = &object.spec else { return };
    for (index, name) in container.profiles.iter().enumerate() {
        if container.profiles[..index].contains(name) {
            let wrong = Wrong::new("duplicate-field", format!("profile `{name}` is named twice"));
            let mark = mark(resolution, key, &format!("profiles[{index}]"), report);
            report.error(mark, wrong.help("remove one"));
        }
    }
}

/// Where a field of an object stands: in the layer that gave it, else in the object's document.
pub fn mark(resolution: &Resolution, key: &Key, field: &str, report: &Report) -> Mark {
    let origin = resolution.desired.origins.get(key).and_then(|origins| origins.get(field));
    let from_origin = origin.and_then(|origin: &Origin| report.mark(origin.place.as_ref()?));
    from_origin.unwrap_or_else(|| match resolution.documents.get(key) {
        Some(document) => document.mark_of(field),
        None => Mark { file: 0, line: 1, column: 1 },
    })
}
