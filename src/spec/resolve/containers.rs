//! One container: its layers merged, its devices checked together.

use super::contents::{self, check_places, unset_plain};
use super::layers::{Layered, MergedDevice, Written, merge_config, merge_devices};
use super::{MAX_DEPENDENCIES, Resolution, builtin, devices, ignore, overridden, persist};
use crate::model::key::Key;
use crate::model::object::{Config, Container, Device, DeviceType, Devices, Profile};
use crate::model::origin::{FieldOrigins, Layer, Origin, below};
use crate::model::typed::{self, RawIds};
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
        let mut layers = self.profile_layers(&profiles);
        layers.push(Layered {
            layer: document.layer.clone(),
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
        record_config(&config, origins, report);
        host_root(&config, document, report);
        let devices = self.devices(&merged, document, origins, report);
        if profiles
            .iter()
            .all(|name| self.is_builtin_profile(name) || self.documents.contains_key(&Key::profile(name)))
        {
            root_disk(&merged, document, report);
        }
        distinct(&devices, &merged, document, report);
        let files = self.files(&contents, document, origins, report);
        let environment = self.environment(&contents, document, origins, report);
        overridden::note(&layers, origins, report);
        check_places(&contents, &devices, document, report);
        let persist = persist::paths(spec, (&devices, files.keys()), document, report);
        let ignored = ignore::paths(spec, (&devices, &files), document, report);
        self.architecture(spec, document, report);
        let mut depends_on = vec![];
        self.depends_on((&spec.depends_on[..], "dependsOn"), document, &mut depends_on, (origins, report));
        // What it restarts with comes before it, as what it depends on does.
        let mut restart_with = vec![];
        let of_restarts = (&spec.restart_with[..], "restartWith");
        self.depends_on(of_restarts, document, &mut restart_with, (&mut FieldOrigins::new(), report));
        let missing = restart_with.iter().filter(|key| !depends_on.contains(key));
        for key in missing.cloned().collect::<Vec<_>>() {
            depend(&mut depends_on, &key, (document.mark_of("restartWith"), document), origins, report);
        }
        let restart_with = restart_with.into_iter().collect();
        for field in ["architecture", "profiles", "state", "ready", "ephemeral"] {
            origins.entry(field.to_owned()).or_insert_with(built_in);
        }
        Some(Container {
            image: Key::image(&spec.image),
            architecture: spec.architecture.clone().unwrap_or_else(|| self.here.architecture.to_owned()),
            profiles,
            config: effective(config),
            devices,
            files,
            environment,
            state: spec.state,
            depends_on,
            restart_with,
            ready: spec.ready.clone(),
            update: spec.update.clone(),
            persist,
            ignore: ignored,
            ephemeral: spec.ephemeral,
        })
    }

    /// Whether a profile is the built-in one: nobody declares another of that name.
    fn is_builtin_profile(&self, name: &str) -> bool {
        let key = Key::profile(name);
        name == builtin::PROFILE && !self.documents.contains_key(&key) && !self.elsewhere.contains_key(&key)
    }

    /// The layers of the profiles that are declared or built in; `references` reports the others.
    fn profile_layers(&self, profiles: &[String]) -> Vec<Layered<'_>> {
        let builtin: &Profile = &builtin::PROFILE_OBJECT;
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
                None if self.is_builtin_profile(name) => layers.push(Layered {
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
            let path = below("devices", name);
            origins.insert(path.clone(), origin(&device.named, report));
            origins.insert(below(&path, "type"), origin(&device.device_type, report));
            for (option, written) in &device.options {
                origins.insert(below(&path, option), origin(written, report));
            }
            if let Some(device) = devices::check_device(name, device, &context, report) {
                checked.insert(name.clone(), device);
            }
        }
        checked
    }

    /// A list of keys with each set's members in its place; a member does not depend on itself by its set.
    fn depends_on(
        &self,
        (listed, field): (&[Key], &str),
        document: &Document,
        keys: &mut Vec<Key>,
        (origins, report): (&mut FieldOrigins, &mut Report),
    ) {
        for (index, key) in listed.iter().enumerate() {
            let mark = document.mark_of(&format!("{field}[{index}]"));
            let Some(members) = self.sets.get(key) else {
                depend(keys, key, (mark, document), origins, report);
                continue;
            };
            let Some(left) = self.dependencies.get().checked_sub(members.len()) else {
                let message = format!("{field} on sets stands for more than {MAX_DEPENDENCIES} dependencies");
                report.error(mark, Wrong::new("too-many", message).help("name fewer of the members"));
                continue;
            };
            self.dependencies.set(left);
            for member in members.iter().filter(|member| **member != document.key) {
                depend(keys, member, (mark, document), origins, report);
            }
        }
    }

    fn architecture(&self, spec: &ContainerSpec, document: &Document, report: &mut Report) {
        let host = self.here.architecture;
        if let Some(wanted) = spec.architecture.as_ref().filter(|wanted| *wanted != host) {
            let wrong = Wrong::new("bad-value", format!("architecture `{wanted}`; this host is {host}"));
            report.error(document.mark_of("architecture"), wrong.help("remove it, or apply on such a host"));
        }
    }
}

/// What the built-in profile puts into containers.
static NO_FILES: Files = Files::new();
static NO_SECRETS: Secrets = Secrets::new();

fn depend(
    keys: &mut Vec<Key>,
    key: &Key,
    (mark, document): (Mark, &Document),
    origins: &mut FieldOrigins,
    report: &Report,
) {
    let written = Written { value: (), mark: Some(mark), name: None, layer: document.layer.clone() };
    origins.insert(format!("dependsOn[{}]", keys.len()), origin(&written, report));
    keys.push(key.clone());
}

pub(super) fn built_in() -> Origin {
    Origin::new(None, Layer::Default)
}

pub fn origin<T>(written: &Written<T>, report: &Report) -> Origin {
    Origin {
        filled: written.mark.map(|mark| report.filled_places(mark)).unwrap_or_default(),
        ..Origin::new(written.mark.map(|mark| report.place(mark)), written.layer.clone())
    }
}

fn record_config(config: &BTreeMap<String, Written<String>>, origins: &mut FieldOrigins, report: &Report) {
    for (key, written) in config {
        origins.insert(below("config", key), origin(written, report));
    }
}

/// Ids 0 of the host in `raw.idmap` are allowed, and hardly ever what is wanted.
fn host_root(config: &BTreeMap<String, Written<String>>, document: &Document, report: &mut Report) {
    let Some(written) = config.get("raw.idmap") else { return };
    let values = config.iter().map(|(key, written)| (key.clone(), written.value.clone())).collect();
    let settings = typed::idmap(&values);
    let mut root = settings.raw.iter().filter(|line| line.range.outside == 0);
    if let Some(line) = root.next().filter(|_| !settings.privileged) {
        let (who, gives) = match line.ids {
            RawIds::Both => ("user and group", "whoever is root inside is as good as root on the host"),
            RawIds::Uid => ("user", "whoever is root inside is as good as root on the host"),
            RawIds::Gid => ("group", "on files of the host it is of root's group"),
        };
        let (inside, key) = (line.range.inside, &document.key);
        let message = format!("`raw.idmap` makes {who} {inside} of {key} the host's {who} 0: {gives}");
        let help = "leave 0 out; a disk with `shift: true` shows a folder of root's to root inside";
        report.warning(written.mark.unwrap_or(document.mark), Wrong::new("host-root", message).help(help));
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
