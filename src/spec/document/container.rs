//! Kind Container.

use super::environment::{self, Secrets};
use super::files::{self, Files};
use super::host::architecture;
use super::layer;
use super::reader::{Fields, Reader};
use super::{ready, update};
use crate::model::key::{Key, Kind};
use crate::model::object::{DeviceLayer, Power, Update};
use crate::model::ready::Ready;
use crate::spec::registry::INSTANCE;
use crate::spec::report::Wrong;
use crate::spec::tree::{Mark, Node, Value};
use schemars::JsonSchema;
use std::collections::BTreeMap;

pub const FIELDS: Fields = Fields {
    known: &[
        "image",
        "architecture",
        "profiles",
        "config",
        "devices",
        "files",
        "state",
        "dependsOn",
        "restartWith",
        "ready",
        "update",
        "persist",
        "ignore",
        "ephemeral",
        "environment",
        "placement",
        "external",
    ],
    later: &[],
};

/// Debian's words for processors.
pub const ARCHITECTURES: [&str; 9] =
    ["amd64", "arm64", "armhf", "armel", "i386", "ppc64el", "riscv64", "s390x", "loong64"];

/// A system container.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContainerSpec {
    /// The name of an Image.
    #[schemars(schema_with = "crate::spec::schema::container_image")]
    pub image: String,
    /// Debian's word for the processor; absent: the host's.
    #[schemars(default, schema_with = "crate::spec::schema::architecture")]
    pub architecture: Option<String>,
    /// Profiles in order: a later one wins, the container's own config and devices win over all. Absent: [default].
    #[schemars(extend("uniqueItems" = true))]
    pub profiles: Option<Vec<String>>,
    /// Config keys (docs/config-keys.md); null unsets what a profile sets.
    #[schemars(default, schema_with = "crate::spec::schema::instance_config")]
    pub config: BTreeMap<String, Option<String>>,
    /// Devices by name. Without `type`: merged onto the device of that name in the profiles; `{type: none}` removes it.
    #[schemars(default, schema_with = "crate::spec::schema::own_devices")]
    pub devices: BTreeMap<String, DeviceLayer>,
    /// Files inside, by path; null takes away what a profile puts there.
    #[schemars(default, schema_with = "crate::spec::schema::files")]
    pub files: Files,
    /// Variables; a plain value is the same as `environment.NAME` in config, null unsets.
    #[schemars(default, schema_with = "crate::spec::schema::environment")]
    pub environment: Secrets,
    /// What it should be doing; `any` is not managed.
    #[schemars(default)]
    pub state: Power,
    /// Objects that must be there (containers: ready) before it starts: `container/db-1`.
    #[schemars(default, schema_with = "crate::spec::schema::keys")]
    pub depends_on: Vec<Key>,
    /// Containers whose restart restarts it too; it depends on them.
    #[schemars(default, schema_with = "crate::spec::schema::restarting_keys")]
    pub restart_with: Vec<Key>,
    /// When a started container counts as ready.
    #[schemars(default, schema_with = "crate::spec::schema::ready")]
    pub ready: Ready,
    /// How it takes changes that stop it.
    #[schemars(default, schema_with = "crate::spec::schema::update")]
    pub update: Update,
    /// Folders inside that outlive the root when it is replaced.
    #[schemars(default, schema_with = "crate::spec::schema::inside_paths")]
    pub persist: Vec<String>,
    /// Fields that are neither compared nor written: `config.KEY`, `devices.NAME`, `files.PATH`, `environment.NAME`.
    #[schemars(default, schema_with = "crate::spec::schema::ignore")]
    pub ignore: Vec<String>,
    /// A power-off from inside is completion.
    #[schemars(default)]
    pub ephemeral: bool,
}

pub fn read(node: &Node, mark: Mark, reader: &mut Reader) -> Option<ContainerSpec> {
    if !reader.mapping(node, "the spec of a Container", &FIELDS) {
        return None;
    }
    let image = match reader.field(node, "image", "image") {
        Some(node) => image(node, reader),
        None => {
            reader.missing(mark, "spec.image", "name an Image document: `image: NAME`");
            None
        }
    };
    let mut config = reader
        .field(node, "config", "config")
        .map(|node| reader.config(node, "config", &INSTANCE))
        .unwrap_or_default();
    let environment = environment::environment(node, &mut config, reader);
    let spec = ContainerSpec {
        image: String::new(),
        architecture: reader
            .field(node, "architecture", "architecture")
            .and_then(|n| architecture(n, reader)),
        profiles: reader.field(node, "profiles", "profiles").and_then(|node| profiles(node, reader)),
        config,
        devices: layer::devices(node, reader),
        files: files::files(node, reader),
        environment,
        state: reader.field(node, "state", "state").and_then(|n| state(n, reader)).unwrap_or_default(),
        depends_on: keys(node, "dependsOn", reader),
        restart_with: restart_with(node, reader),
        ready: reader
            .field(node, "ready", "ready")
            .and_then(|node| ready::read(node, reader))
            .unwrap_or_default(),
        update: update::read(node, reader),
        persist: update::persist(node, reader),
        ignore: reader.field(node, "ignore", "ignore").map(|n| reader.texts(n, "ignore")).unwrap_or_default(),
        ephemeral: reader
            .field(node, "ephemeral", "ephemeral")
            .and_then(|node| reader.flag(node, "ephemeral"))
            .unwrap_or_default(),
    };
    Some(ContainerSpec { image: image?, ..spec })
}

/// A list; anything else is reported, and counts as absent.
fn profiles(node: &Node, reader: &mut Reader) -> Option<Vec<String>> {
    let texts = reader.texts(node, "profiles");
    matches!(node.value, Value::List(_)).then_some(texts)
}

fn image(node: &Node, reader: &mut Reader) -> Option<String> {
    let text = reader.text(node, "image")?;
    if text.contains([':', '/']) {
        let message = format!("`{text}`: remote images are not supported yet");
        let help = "write an Image document with a local source, and its name here";
        reader.report.error(node.mark, Wrong::new("not-supported", message).help(help));
        return None;
    }
    Some(text)
}

fn state(node: &Node, reader: &mut Reader) -> Option<Power> {
    let words = [
        ("running", Power::Running),
        ("stopped", Power::Stopped),
        ("frozen", Power::Frozen),
        ("any", Power::Any),
    ];
    reader.choice(node, "state", &words)
}

/// `restartWith`: containers, or sets of them.
fn restart_with(spec: &Node, reader: &mut Reader) -> Vec<Key> {
    let mut all = keys(spec, "restartWith", reader);
    for (index, key) in all.iter().enumerate() {
        if !matches!(key.kind, Kind::Container | Kind::ContainerSet) {
            let mark = reader.marks.get(&format!("restartWith[{index}]")).copied().unwrap_or(spec.mark);
            let wrong = Wrong::new("bad-value", format!("restartWith: {key} is never restarted"));
            reader.report.error(mark, wrong.help("name containers, or sets of them"));
        }
    }
    all.retain(|key| matches!(key.kind, Kind::Container | Kind::ContainerSet));
    all
}

/// A list of keys; a bare name is a container's.
fn keys(spec: &Node, field: &str, reader: &mut Reader) -> Vec<Key> {
    let mut keys = vec![];
    let Some(node) = reader.field(spec, field, field) else { return keys };
    for item in reader.list(node, field) {
        let Some(text) = reader.text(item, field) else { continue };
        let key = if text.contains('/') { text.parse() } else { Ok(Key::container(text.clone())) };
        match key {
            Ok(key) => {
                reader.marks.insert(format!("{field}[{}]", keys.len()), item.mark);
                keys.push(key);
            }
            Err(error) => {
                let wrong = Wrong::new("bad-value", format!("{field}: {error}"));
                reader.report.error(item.mark, wrong.help("write KIND/NAME: `container/db-1`"));
            }
        }
    }
    keys
}
