//! `ignore`: paths of fields that the container has.

use crate::model::object::{ContainerFile, Devices};
use crate::model::words::did_you_mean;
use crate::spec::document::Document;
use crate::spec::document::container::ContainerSpec;
use crate::spec::registry::{INSTANCE, check};
use crate::spec::report::{Report, Wrong};
use std::collections::{BTreeMap, BTreeSet};

const FORMS: &str = "paths are config.KEY, devices.NAME, files.PATH and environment.NAME";

pub fn paths(
    spec: &ContainerSpec,
    (devices, files): (&Devices, &BTreeMap<String, ContainerFile>),
    document: &Document,
    report: &mut Report,
) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    for (index, path) in spec.ignore.iter().enumerate() {
        match field(path, devices, files) {
            Ok(()) => drop(paths.insert(path.clone())),
            Err(wrong) => report.error(document.mark_of(&format!("ignore[{index}]")), wrong),
        }
    }
    paths
}

fn field(path: &str, devices: &Devices, files: &BTreeMap<String, ContainerFile>) -> Result<(), Wrong> {
    let unknown = |help: Option<String>| {
        let message = format!("ignore: there is no field `{path}`");
        Err(Wrong::new("unknown-path", message).help(help.unwrap_or_else(|| FORMS.to_owned())))
    };
    match path.split_once('.') {
        Some(("config", key)) => check::name(&INSTANCE, key).map(|_| ()).map_err(|wrong| {
            let message = format!("ignore: {}", wrong.message);
            Wrong { message, ..wrong }
        }),
        Some(("environment", name)) if !name.is_empty() && !name.contains('=') => Ok(()),
        Some(("devices", name)) if devices.contains_key(name) => Ok(()),
        Some(("files", name)) if files.contains_key(name) => Ok(()),
        Some(("devices", name)) => {
            let whole = name.split('.').next().filter(|device| devices.contains_key(*device));
            let whole = whole.map(|device| format!("a device is ignored as a whole: `devices.{device}`"));
            unknown(whole.or_else(|| did_you_mean(name, devices.keys().map(String::as_str))))
        }
        Some(("files", name)) => unknown(did_you_mean(name, files.keys().map(String::as_str))),
        _ if path == "state" => unknown(Some("`state: any` leaves the power state alone".to_owned())),
        _ => unknown(None),
    }
}
