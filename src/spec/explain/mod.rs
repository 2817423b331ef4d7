//! `explain`: what a field means, from the registry of config keys and from the schemas.

mod schemas;

use self::schemas::{below, of_schema, walk};
use super::document::{METADATA, container, image, is_later_kind, site};
use super::registry::{DEVICES, Entry, INSTANCE, NETWORK, POOL, Support, Table};
use super::schema;
use crate::model::key::Kind;
use crate::model::step::Class;
use crate::model::words::did_you_mean;
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// What is known of one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Documentation {
    /// From the kind on: `container.spec.config.limits.memory`.
    pub field: String,
    /// Empty for what is only known by name.
    pub about: String,
    /// The type in words.
    #[serde(rename = "type")]
    pub value_type: String,
    pub default: Option<String>,
    /// What a change costs; None: it is not a value, or that depends on where it is used.
    pub class: Option<Class>,
    pub support: Supported,
    /// Why it is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What stands below it.
    pub fields: Vec<Below>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Supported {
    Supported,
    NotYet,
    Never,
}

/// One field below another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Below {
    pub name: String,
    pub about: String,
}

/// The fields of each kind; one question is asked of several.
static FIELDS: LazyLock<BTreeMap<Kind, Value>> =
    LazyLock::new(|| Kind::ALL.into_iter().map(|kind| (kind, schema::fields(kind))).collect());

/// Every field that a text names, with or without its kind. None is an error: the likely one in words.
pub fn explain(text: &str) -> Result<Vec<Documentation>, String> {
    let (first, rest) = text.split_once('.').unwrap_or((text, ""));
    let exact = Kind::ALL.into_iter().find(|kind| kind.slug() == first.to_ascii_lowercase());
    let found = match exact.or_else(|| Kind::from_word(first)) {
        Some(kind) => of_kind(kind, rest).into_iter().collect(),
        None => of_any(text),
    };
    if found.is_empty() { Err(help(text)) } else { Ok(found) }
}

/// In any kind: a field of its spec or metadata, a config key, a device's option.
fn of_any(text: &str) -> Vec<Documentation> {
    let mut found: Vec<Documentation> = vec![];
    let mut add = |documentation: Documentation| {
        if found.iter().all(|known| known.field != documentation.field) {
            found.push(documentation);
        }
    };
    // A set's fields are its template's, and a profile's config is a container's.
    let kinds = [
        Kind::Container,
        Kind::Network,
        Kind::StoragePool,
        Kind::Image,
        Kind::Secret,
        Kind::Site,
        Kind::Host,
    ];
    for kind in kinds {
        of_kind(kind, text).into_iter().for_each(&mut add);
        if let Some(table) = config(kind) {
            let entry =
                table.find(text).map(|entry| entry_of(&path(kind, &format!("spec.config.{text}")), entry));
            entry.into_iter().for_each(&mut add);
        }
    }
    for documentation in
        [Kind::Profile, Kind::ContainerSet].into_iter().filter_map(|kind| of_kind(kind, text))
    {
        let word = documentation.field.rsplit('.').next().unwrap_or_default().to_owned();
        if found.iter().all(|known| known.field.rsplit('.').next() != Some(&word)) {
            found.push(documentation);
        }
    }
    found.extend(option(text));
    found
}

fn path(kind: Kind, below: &str) -> String {
    if below.is_empty() { kind.slug().to_owned() } else { format!("{}.{below}", kind.slug()) }
}

fn config(kind: Kind) -> Option<&'static Table> {
    match kind {
        Kind::Container | Kind::Profile => Some(&INSTANCE),
        Kind::Network => Some(&NETWORK),
        Kind::StoragePool => Some(&POOL),
        _ => None,
    }
}

/// A path below a kind; `spec` may be left out.
fn of_kind(kind: Kind, rest: &str) -> Option<Documentation> {
    let schema = &FIELDS[&kind];
    let spec = &schema["properties"]["spec"];
    if rest.is_empty() {
        let fields = below(schema).into_iter().chain(
            below(spec).into_iter().map(|below| Below { name: format!("spec.{}", below.name), ..below }),
        );
        return Some(Documentation { fields: fields.collect(), ..of_schema(kind.slug().to_owned(), spec) });
    }
    let inner = rest.strip_prefix("spec.").unwrap_or(rest);
    let container = inner.strip_prefix("template.").filter(|_| kind == Kind::ContainerSet);
    let table = if container.is_some() { Some(&*INSTANCE) } else { config(kind) };
    let lead = if container.is_some() { "spec.template." } else { "spec." };
    let inner_most = container.unwrap_or(inner);
    if let Some(name) = inner_most.strip_prefix("config.") {
        return table?.find(name).map(|entry| entry_of(&path(kind, &format!("{lead}config.{name}")), entry));
    }
    let has_devices = matches!(kind, Kind::Container | Kind::Profile) || container.is_some();
    if let Some(name) = inner_most.strip_prefix("devices.").filter(|_| has_devices) {
        return option(name).into_iter().next();
    }
    if let Some(found) = walk(schema, rest) {
        return Some(of_schema(path(kind, rest), found));
    }
    if let Some(found) = walk(spec, inner) {
        return Some(of_schema(path(kind, &format!("spec.{inner}")), found));
    }
    later(kind, inner)
}

/// `disk`, `nic.bridged`, `disk.readonly`, `nic.bridged.mtu`, and for a device by name the option alone.
fn option(text: &str) -> Vec<Documentation> {
    let mut found = vec![];
    for (device, table) in DEVICES.iter() {
        let (class, variant) = device.split_once('/').unwrap_or((device, ""));
        let whole = if variant.is_empty() { class.to_owned() } else { format!("{class}.{variant}") };
        if text == whole || text == class {
            found.push(of_device(device, table));
            continue;
        }
        let prefixes = [format!("{whole}."), format!("{class}.")];
        let short = prefixes.iter().filter_map(|prefix| text.strip_prefix(prefix.as_str()));
        // `gpu.mig.ci` is `mig.ci` of a gpu: the name may begin as the kind does.
        let named = short.chain([text]).find_map(|name| Some((name, table.find(name)?)));
        found.extend(named.map(|(name, entry)| entry_of(&format!("{device} device: {name}"), entry)));
    }
    // Where some type has it, those that will have it one day say nothing new.
    if found.iter().any(|documentation| documentation.support == Supported::Supported) {
        found.retain(|documentation| documentation.support == Supported::Supported);
    }
    found.truncate(MANY);
    found
}

/// So many types of device that will have an option are told.
const MANY: usize = 4;

fn of_device(device: &str, table: &Table) -> Documentation {
    let fields: Vec<Below> = table
        .supported()
        .map(|entry| Below { name: entry.name.to_owned(), about: entry.about.to_owned() })
        .collect();
    let never = table.never();
    let support = match never {
        Some(_) => Supported::Never,
        None if fields.is_empty() => Supported::NotYet,
        None => Supported::Supported,
    };
    Documentation {
        field: format!("{device} device"),
        about: if fields.is_empty() {
            String::new()
        } else {
            format!("A device of type {}.", device.split('/').next().unwrap_or(device))
        },
        value_type: "a mapping".to_owned(),
        default: None,
        class: None,
        support,
        reason: never.map(str::to_owned),
        fields,
    }
}

fn entry_of(field: &str, entry: &Entry) -> Documentation {
    let (support, reason) = match entry.support {
        Support::Supported => (Supported::Supported, None),
        Support::NotYet => (Supported::NotYet, None),
        Support::Never(reason) => (Supported::Never, Some(reason.to_owned())),
    };
    let is_supported = support == Supported::Supported;
    Documentation {
        field: field.to_owned(),
        about: entry.about.to_owned(),
        value_type: if is_supported { entry.value.describe().replace('\\', "") } else { String::new() },
        default: entry.default.map(str::to_owned),
        class: is_supported.then_some(entry.class),
        support,
        reason,
        fields: vec![],
    }
}

/// Fields that this version refuses by name.
fn later(kind: Kind, field: &str) -> Option<Documentation> {
    let names: &[&[&str]] = match kind {
        Kind::Container => &[container::FIELDS.later],
        Kind::Image => &[image::FIELDS.later],
        Kind::Site => &[site::FIELDS.later],
        _ => &[],
    };
    let in_metadata = METADATA.later.contains(&field.strip_prefix("metadata.").unwrap_or(field));
    let known = in_metadata || names.iter().any(|names| names.contains(&field));
    let lead = if in_metadata { "metadata." } else { "spec." };
    known.then(|| Documentation {
        field: path(kind, &format!("{lead}{}", field.strip_prefix(lead).unwrap_or(field))),
        about: String::new(),
        value_type: String::new(),
        default: None,
        class: None,
        support: Supported::NotYet,
        reason: None,
        fields: vec![],
    })
}

/// The field that was likely meant, or why there is none.
fn help(text: &str) -> String {
    let kind = text.split('.').next().unwrap_or(text);
    if is_later_kind(kind) {
        return format!("kind `{kind}` is not supported yet");
    }
    let mut known: BTreeSet<String> = BTreeSet::new();
    for kind in Kind::ALL {
        let spec = &FIELDS[&kind];
        for field in below(&spec["properties"]["spec"]).into_iter().map(|below| below.name) {
            known.extend([field.clone(), path(kind, &format!("spec.{field}")), path(kind, &field)]);
        }
        for entry in config(kind).into_iter().flat_map(Table::supported) {
            let name = entry.name;
            known.extend([
                name.to_owned(),
                path(kind, &format!("spec.config.{name}")),
                path(kind, &format!("config.{name}")),
            ]);
        }
        known.insert(kind.slug().to_owned());
    }
    for (_, table) in DEVICES.iter() {
        known.extend(table.supported().map(|entry| entry.name.to_owned()));
    }
    did_you_mean(text, known.iter().map(String::as_str)).unwrap_or_else(|| {
        let kinds: Vec<&str> = Kind::ALL.iter().map(|kind| kind.slug()).collect();
        format!("begin with a kind ({}), or name a config key", kinds.join(", "))
    })
}
