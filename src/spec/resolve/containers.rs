//! One container: its layers merged, its devices checked together.

use super::contents::{self, check_places, unset_plain};
use super::layers::{Layered, MergedDevice, Written, merge_config, merge_devices};
use super::{Resolution, builtin, devices};
use crate::model::key::Key;
use crate::model::object::{Config, Container, Device, DeviceType, Devices, Profile};
use crate::model::origin::{FieldOrigins, Layer, Origin};
use crate::spec::document::container::ContainerSpec;
use crate::spec::document::environment::Secrets;
use crate::spec::document::files::Files;
use crate::spec::document::{Body, Document};
use crate::spec::registry::{INSTANCE, check};
use crate::spec::report::{Report, Wrong};
use crate::spec::tree::Mark;
use std::collections::BTreeMap;

impl Resolution<'_> {
    pub(super) fn container(
        &self,
        spec: &ContainerSpec,
        document: &Document,
        origins: &mut FieldOrigins,
        report: &mut Report,
    ) -> Option<Container> {
        let profiles = spec.profiles.clone().unwrap_or_else(|| vec![builtin::PROFILE.to_owned()]);
        let builtin_profile = builtin::profile();
        let mut layers = self.profile_layers(&profiles, &builtin_profile);
        layers.push(Layered {
            layer: Layer::Document,
            config: &spec.config,
            devices: &spec.devices,
            files: &spec.files,
            environment: &spec.environment,
            document: Some(document),
        });
        let mut config = merge_config(&layers);
        unset_plain(&layers, &mut config);
        let merged = merge_devices(&layers, report);
        let contents = contents::merge(&layers);
        let merges = ["config", "devices", "files", "environment"];
        origins.retain(|path, _| !merges.iter().any(|field| path.starts_with(field)));
        record_config(&config, origins, report);
        let devices = self.devices(&merged, document, origins, report);
        if profiles
            .iter()
            .all(|name| name == builtin::PROFILE || self.documents.contains_key(&Key::profile(name)))
        {
            root_disk(&merged, document, report);
        }
        distinct(&devices, &merged, document, report);
        let files = self.files(&contents, document, origins, report);
        let environment = self.environment(&contents, document, origins, report);
        check_places(&contents, &devices, document, report);
        self.architecture(spec, document, report);
        let default = |field: &str, origins: &mut FieldOrigins| {
            origins.entry(field.to_owned()).or_insert_with(built_in);
        };
        for field in ["architecture", "profiles", "state", "ready", "ephemeral"] {
            default(field, origins);
        }
        Some(Container {
            image: Key::image(&spec.image),
            architecture: spec.architecture.clone().unwrap_or_else(|| self.context.architecture.clone()),
            profiles,
            config: effective(config),
            devices,
            files,
            environment,
            state: spec.state,
            depends_on: spec.depends_on.clone(),
            ready: spec.ready.clone(),
            ephemeral: spec.ephemeral,
        })
    }

    /// The layers of the profiles that are declared or built in; `references` reports the others.
    fn profile_layers<'l>(&'l self, profiles: &[String], builtin: &'l Profile) -> Vec<Layered<'l>> {
        let mut layers = vec![];
        for name in profiles {
            match self.documents.get(&Key::profile(name)) {
                Some(document) => {
                    if let Body::Profile(profile) = &document.body {
                        layers.push(Layered {
                            layer: Layer::Profile(name.clone()),
                            config: &profile.config,
                            devices: &profile.devices,
                            files: &profile.files,
                            environment: &profile.environment,
                            document: Some(document),
                        });
                    }
                }
                None if name == builtin::PROFILE => layers.push(Layered {
                    layer: Layer::Default,
                    config: &builtin.config,
                    devices: &builtin.devices,
                    files: &NO_FILES,
                    environment: &NO_SECRETS,
                    document: None,
                }),
                None => {}
            }
        }
        layers
    }

    fn devices(
        &self,
        merged: &BTreeMap<String, MergedDevice>,
        document: &Document,
        origins: &mut FieldOrigins,
        report: &mut Report,
    ) -> Devices {
        let context = devices::Context { folders: &self.folders, mark: document.mark };
        let mut checked = Devices::new();
        for (name, device) in merged {
            let path = format!("devices.{name}");
            origins.insert(path.clone(), origin(&device.named, report));
            origins.insert(format!("{path}.type"), origin(&device.device_type, report));
            for (option, written) in &device.options {
                origins.insert(format!("{path}.{option}"), origin(written, report));
            }
            if let Some(device) = devices::check_device(name, device, &context, report) {
                checked.insert(name.clone(), device);
            }
        }
        checked
    }

    fn architecture(&self, spec: &ContainerSpec, document: &Document, report: &mut Report) {
        let host = &self.context.architecture;
        if let Some(wanted) = spec.architecture.as_ref().filter(|wanted| *wanted != host) {
            let wrong = Wrong::new("bad-value", format!("architecture `{wanted}`; this host is {host}"));
            report.error(document.mark_of("architecture"), wrong.help("remove it, or apply on such a host"));
        }
    }
}

/// What the built-in profile puts into containers.
static NO_FILES: Files = Files::new();
static NO_SECRETS: Secrets = Secrets::new();

fn built_in() -> Origin {
    Origin { place: None, layer: Layer::Default, revision: None }
}

pub fn origin<T>(written: &Written<T>, report: &Report) -> Origin {
    Origin {
        place: written.mark.map(|mark| report.place(mark)),
        layer: written.layer.clone(),
        revision: None,
    }
}

fn record_config(config: &BTreeMap<String, Written<String>>, origins: &mut FieldOrigins, report: &Report) {
    for (key, written) in config {
        origins.insert(format!("config.{key}"), origin(written, report));
    }
}

fn effective(config: BTreeMap<String, Written<String>>) -> Config {
    config
        .into_iter()
        .map(|(key, written)| (key, written.value))
        .filter(|(key, value)| !check::is_default(&INSTANCE, key, value))
        .collect()
}

/// Exactly one disk has path `/`; counted as written, so that a broken root disk is not reported as missing too.
fn root_disk(merged: &BTreeMap<String, MergedDevice>, document: &Document, report: &mut Report) {
    let is_root = |device: &MergedDevice| {
        device.device_type.value == "disk"
            && device.options.get("path").is_some_and(|path| path.value.trim_end_matches('/').is_empty())
    };
    let roots: Vec<_> = merged.iter().filter(|(_, device)| is_root(device)).collect();
    match roots[..] {
        [] => {
            let wrong = Wrong::new("missing-field", format!("{} has no root disk", document.key));
            let help = "name profile `default`, or add `root: {type: disk, path: /, pool: default}`";
            report.error(document.mark_of("profiles"), wrong.help(help));
        }
        [(first, _), (second, device), ..] => {
            let message = format!("{} has two root disks: `{first}` and `{second}`", document.key);
            let help = format!("remove one: `{second}: {{type: none}}`");
            report.error(
                device.named.mark.unwrap_or(document.mark),
                Wrong::new("duplicate-path", message).help(help),
            );
        }
        _ => {}
    }
}

/// No target path and no interface name twice.
fn distinct(
    devices: &Devices,
    merged: &BTreeMap<String, MergedDevice>,
    document: &Document,
    report: &mut Report,
) {
    let mut seen: BTreeMap<(DeviceType, &str), &str> = BTreeMap::new();
    for (name, device) in devices {
        let option = match device.device_type {
            DeviceType::Disk => "path",
            DeviceType::Nic => "name",
        };
        let Some(value) = device.options.get(option).filter(|value| *value != "/") else { continue };
        if let Some(first) = seen.insert((device.device_type, value), name) {
            let message = format!("`{first}` and `{name}` have the same {option} `{value}`");
            let mark = option_mark(merged, name, option).unwrap_or(document.mark);
            report.error(mark, Wrong::new("duplicate-path", message).help("give one of them another"));
        }
    }
}

fn option_mark(merged: &BTreeMap<String, MergedDevice>, device: &str, option: &str) -> Option<Mark> {
    merged.get(device)?.options.get(option)?.mark
}

/// The device's value of an option.
pub fn option<'d>(device: &'d Device, name: &str) -> Option<&'d str> {
    device.options.get(name).map(String::as_str)
}
