//! The fields of a container as the planner sees them: what each costs to change, and how it is copied.

use crate::model::object::{Container, Meta, Object, Spec, Update};
use crate::model::prune::Prune;
use crate::model::ready::Ready;
use crate::model::rollout::Rollout;
use crate::model::step::Class;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// One field; a device is changed as a whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    Meta,
    Image,
    Architecture,
    Profiles,
    Config(String),
    Device(String),
    File(String),
    /// A variable whose value is secret.
    Environment(String),
    State,
    DependsOn,
    RestartWith,
    Ready,
    Update,
    Persist,
    Ignore,
    Ephemeral,
}

impl Field {
    /// What a change costs a running container (manifest.md, section 3).
    pub fn class(&self) -> Class {
        match self {
            Field::Meta
            | Field::Profiles
            | Field::DependsOn
            | Field::RestartWith
            | Field::Ready
            | Field::Update
            | Field::Ignore
            | Field::Ephemeral => Class::Record,
            Field::Image | Field::Architecture => Class::Deferred,
            Field::Persist => Class::Restart,
            Field::Device(_) | Field::File(_) | Field::Environment(_) | Field::State => Class::Live,
            Field::Config(key) => config_class(key),
        }
    }

    /// Whether it is about creation only (`update.image: keep`).
    pub fn serves_creation(&self) -> bool {
        matches!(self, Field::Image | Field::Architecture)
    }

    /// Makes this field of `into` as it is in `from`.
    pub fn copy(&self, from: (&Meta, &Container), into: (&mut Meta, &mut Container)) {
        let (from_meta, from) = from;
        let (into_meta, into) = into;
        match self {
            Field::Meta => into_meta.clone_from(from_meta),
            Field::Image => into.image.clone_from(&from.image),
            Field::Architecture => into.architecture.clone_from(&from.architecture),
            Field::Profiles => into.profiles.clone_from(&from.profiles),
            Field::Config(key) => copy_entry(key, &from.config, &mut into.config),
            Field::Device(name) => copy_entry(name, &from.devices, &mut into.devices),
            Field::File(path) => copy_entry(path, &from.files, &mut into.files),
            Field::Environment(name) => copy_entry(name, &from.environment, &mut into.environment),
            Field::State => into.state = from.state,
            Field::DependsOn => into.depends_on.clone_from(&from.depends_on),
            Field::RestartWith => into.restart_with.clone_from(&from.restart_with),
            Field::Ready => into.ready.clone_from(&from.ready),
            Field::Update => into.update.clone_from(&from.update),
            Field::Persist => into.persist.clone_from(&from.persist),
            Field::Ignore => into.ignore.clone_from(&from.ignore),
            Field::Ephemeral => into.ephemeral = from.ephemeral,
        }
    }

    /// Whether `path`, a field path in dots, is of this field.
    pub fn covers(&self, path: &str) -> bool {
        match self {
            Field::Meta => ["labels", "annotations", "description", "memberOf", "deletion"]
                .iter()
                .any(|word| path == *word || path.starts_with(&format!("{word}."))),
            Field::Image => path == "image",
            Field::Architecture => path == "architecture",
            Field::Profiles => path == "profiles",
            Field::Config(key) => path.strip_prefix("config.") == Some(key),
            Field::Device(name) => is_in(path, "devices.", name).is_some(),
            Field::File(file) => is_in(path, "files.", file).is_some_and(|field| {
                let field = field.split('.').next().unwrap_or_default();
                let fields = ["", "content", "source", "secretRef", "mode", "owner", "group", "onChange"];
                fields.contains(&field)
            }),
            Field::Environment(name) => is_in(path, "environment.", name).is_some(),
            Field::State => path == "state",
            Field::DependsOn => path == "dependsOn",
            Field::RestartWith => path == "restartWith",
            Field::Ready => path == "ready" || path.starts_with("ready."),
            Field::Update => path.starts_with("update."),
            Field::Persist => path == "persist",
            Field::Ignore => path == "ignore",
            Field::Ephemeral => path == "ephemeral",
        }
    }
}

/// The rest of a path below one entry of a mapping.
fn is_in<'p>(path: &'p str, mapping: &str, entry: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(mapping)?.strip_prefix(entry)?;
    if rest.is_empty() { Some("") } else { rest.strip_prefix('.') }
}

/// The class of a field of a container's spec by its path; None where that depends on the entry.
pub fn class_of(path: &str) -> Option<Class> {
    let field = match path.split('.').next()? {
        "image" => Field::Image,
        "architecture" => Field::Architecture,
        "profiles" => Field::Profiles,
        "devices" => Field::Device(String::new()),
        "files" => Field::File(String::new()),
        "environment" => Field::Environment(String::new()),
        "state" => Field::State,
        "dependsOn" => Field::DependsOn,
        "ready" => Field::Ready,
        "ignore" => Field::Ignore,
        "ephemeral" => Field::Ephemeral,
        _ => return None,
    };
    Some(field.class())
}

/// `security.nesting` and all else that shapes the namespaces is taken at start.
fn config_class(key: &str) -> Class {
    if key.starts_with("boot.") {
        return Class::Deferred;
    }
    let live = ["limits.", "environment.", "user.", "security.protection."];
    if live.iter().any(|prefix| key.starts_with(prefix)) { Class::Live } else { Class::Restart }
}

/// The fields in which two containers differ.
pub fn differing(before: (&Meta, &Container), after: (&Meta, &Container)) -> BTreeSet<Field> {
    let (before_meta, before) = before;
    let (after_meta, after) = after;
    let mut fields = BTreeSet::new();
    let plain = [
        (Field::Meta, before_meta != after_meta),
        (Field::Image, before.image != after.image),
        (Field::Architecture, before.architecture != after.architecture),
        (Field::Profiles, before.profiles != after.profiles),
        (Field::State, before.state != after.state),
        (Field::DependsOn, before.depends_on != after.depends_on),
        (Field::RestartWith, before.restart_with != after.restart_with),
        (Field::Ready, before.ready != after.ready),
        (Field::Update, before.update != after.update),
        (Field::Persist, before.persist != after.persist),
        (Field::Ignore, before.ignore != after.ignore),
        (Field::Ephemeral, before.ephemeral != after.ephemeral),
    ];
    fields.extend(plain.into_iter().filter(|(_, differs)| *differs).map(|(field, _)| field));
    fields.extend(differing_keys(&before.config, &after.config).map(Field::Config));
    fields.extend(differing_keys(&before.devices, &after.devices).map(Field::Device));
    fields.extend(differing_keys(&before.files, &after.files).map(Field::File));
    fields.extend(differing_keys(&before.environment, &after.environment).map(Field::Environment));
    fields
}

fn differing_keys<'a, V: PartialEq>(
    before: &'a BTreeMap<String, V>,
    after: &'a BTreeMap<String, V>,
) -> impl Iterator<Item = String> + 'a {
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    keys.into_iter().filter(|key| before.get(*key) != after.get(*key)).cloned()
}

fn copy_entry<V: Clone>(key: &str, from: &BTreeMap<String, V>, into: &mut BTreeMap<String, V>) {
    match from.get(key) {
        Some(value) => {
            into.insert(key.to_owned(), value.clone());
        }
        None => {
            into.remove(key);
        }
    }
}

/// An object's leaves by field path, as manifests write them.
pub fn texts(object: &Object) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    if let Ok(meta) = serde_json::to_value(&object.meta) {
        flatten("", &meta, &mut texts);
    }
    let spec = match &object.spec {
        Spec::Site(site) => serde_json::to_value(site),
        Spec::Image(image) => serde_json::to_value(image),
        Spec::StoragePool(pool) => serde_json::to_value(pool),
        Spec::Network(network) => serde_json::to_value(network),
        Spec::Secret(secret) => serde_json::to_value(secret),
        Spec::Profile(profile) => serde_json::to_value(profile),
        Spec::Container(container) => serde_json::to_value(container),
    };
    if let Ok(spec) = spec {
        flatten("", &spec, &mut texts);
    }
    texts
}

fn flatten(path: &str, value: &Value, texts: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                // A device's options stand beside its type, as manifests write them; so does a content's place.
                let is_wrapped = |field: &str| path.is_empty() || path.starts_with(field);
                let is_hidden = match name.as_str() {
                    "options" => path.starts_with("devices."),
                    "from" => is_wrapped("files.") || is_wrapped("environment."),
                    _ => false,
                };
                let name = if is_hidden { "" } else { name };
                let dot = if path.is_empty() || name.is_empty() { "" } else { "." };
                flatten(&format!("{path}{dot}{name}"), value, texts);
            }
        }
        Value::Object(_) if path.is_empty() || path == "config" || path.starts_with("devices") => {}
        Value::String(text) => {
            texts.insert(path.to_owned(), text.clone());
        }
        Value::Array(items) => {
            let words = items.iter().map(|item| item.as_str().map_or(item.to_string(), str::to_owned));
            texts.insert(path.to_owned(), format!("[{}]", words.collect::<Vec<_>>().join(", ")));
        }
        other => {
            texts.insert(path.to_owned(), other.to_string());
        }
    }
}

/// What the parts of fields are that nobody wrote, where such a field stands as a whole or not at all.
static DEFAULTS: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    let wholes = [
        ("ready", serde_json::to_value(Ready::default())),
        ("update", serde_json::to_value(Update::default())),
        ("prune", serde_json::to_value(Prune::default())),
        ("rollout", serde_json::to_value(Rollout::default())),
    ];
    let mut texts = BTreeMap::new();
    for (field, value) in wholes {
        flatten(field, &value.unwrap_or_default(), &mut texts);
    }
    texts
});

/// An object's leaves, but for the defaults that `other` does not have: they say nothing beside what was written.
pub fn texts_beside(object: &Object, other: &Object) -> BTreeMap<String, String> {
    let (mut own, other) = (texts(object), texts(other));
    own.retain(|path, value| other.contains_key(path) || DEFAULTS.get(path) != Some(value));
    own
}

/// Field path, before, after: of the leaves that differ.
pub fn differing_texts(before: &Object, after: &Object) -> Vec<(String, Option<String>, Option<String>)> {
    let (before, after) = (texts_beside(before, after), texts_beside(after, before));
    let paths: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    paths
        .into_iter()
        .filter(|path| before.get(*path) != after.get(*path))
        .map(|path| (path.clone(), before.get(path).cloned(), after.get(path).cloned()))
        .collect()
}
