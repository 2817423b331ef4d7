//! The registry of config keys: every instance key, device option, bridge and pool key that LXD 6.9 and Incus 7.3
//! know. Validation, JSON Schema, docs/config-keys.md and planning read it.
//!
//! | file | holds |
//! | --- | --- |
//! | `supported` | the table of what works |
//! | `later` | the names that are refused by name |
//! | `value`, `lists` | the types of values and their normal forms |
//! | `check` | a name and a text → the normal form, or what is wrong with them |
//! | `markdown` | docs/config-keys.md |

pub mod check;
pub mod later;
pub mod lists;
pub mod markdown;
pub mod supported;
pub mod value;

use crate::model::step::Class;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use value::ValueType;

/// One name. A name with a `*`, `<name>`, NAME or KEYNAME part stands for many.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    pub name: &'static str,
    pub value: ValueType,
    pub default: Option<&'static str>,
    /// What a change of it costs.
    pub class: Class,
    /// One sentence of documentation.
    pub about: &'static str,
    pub support: Support,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    Supported,
    /// Known, and part of what is to come.
    NotYet,
    /// Known, and not part of what Bayplan is for: why.
    Never(&'static str),
}

/// The names that one place in a manifest may have.
#[derive(Debug)]
pub struct Table {
    /// What a name is called here: `config key`, `option of a disk`.
    pub noun: String,
    pub entries: BTreeMap<&'static str, Entry>,
    /// The entries whose name stands for many.
    patterns: Vec<Entry>,
}

impl Table {
    fn new(noun: impl Into<String>, entries: impl IntoIterator<Item = Entry>) -> Table {
        let entries: BTreeMap<_, _> = entries.into_iter().map(|entry| (entry.name, entry)).collect();
        let patterns = entries.values().filter(|entry| is_pattern(entry.name)).copied().collect();
        Table { noun: noun.into(), entries, patterns }
    }

    /// The entry that covers a name.
    pub fn find(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name).or_else(|| self.patterns.iter().find(|entry| pattern_covers(entry.name, name)))
    }

    /// Why nothing of it will ever be supported, if that is so.
    pub fn never(&self) -> Option<&'static str> {
        let reason = |entry: &Entry| match entry.support {
            Support::Never(reason) => Some(reason),
            Support::Supported | Support::NotYet => None,
        };
        self.entries.values().map(reason).reduce(|all, one| all.and(one))?
    }

    pub fn supported(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values().filter(|entry| entry.support == Support::Supported)
    }
}

/// Whether a registry name stands for many.
pub fn is_pattern(name: &str) -> bool {
    name.split('.').any(is_placeholder)
}

fn is_placeholder(part: &str) -> bool {
    matches!(part, "*" | "<name>" | "NAME" | "KEYNAME")
}

/// `*` at the end covers one part or more; other placeholders cover exactly one.
fn pattern_covers(pattern: &str, name: &str) -> bool {
    if let Some(prefix) = pattern.strip_suffix('*') {
        return name.len() > prefix.len() && name.starts_with(prefix);
    }
    let (mut parts, mut given) = (pattern.split('.'), name.split('.'));
    loop {
        match (parts.next(), given.next()) {
            (None, None) => return true,
            (Some(part), Some(given)) if is_placeholder(part) || part == given => {}
            _ => return false,
        }
    }
}

/// `config` of containers and profiles.
pub static INSTANCE: LazyLock<Table> = LazyLock::new(|| {
    let refused = later::INSTANCE.iter().flat_map(|group| {
        let support = group.reason.map_or(Support::NotYet, Support::Never);
        refused_entries(group.names, support)
    });
    Table::new("config key", supported::INSTANCE.into_iter().chain(refused))
});

/// `config` of bridge networks.
pub static NETWORK: LazyLock<Table> = LazyLock::new(|| {
    let refused = refused_entries(later::NETWORK, Support::NotYet);
    Table::new("config key of a bridge network", supported::NETWORK.into_iter().chain(refused))
});

/// `config` of `dir` pools; their `source` is a field of the spec.
pub static POOL: LazyLock<Table> = LazyLock::new(|| {
    let reason = "it is a field of the spec, beside `driver`";
    let refused = refused_entries(later::POOL, Support::NotYet);
    Table::new("config key of a dir pool", refused.chain(refused_entries("source", Support::Never(reason))))
});

/// Device type, `nic/NICTYPE` and `gpu/GPUTYPE` → its options.
pub static DEVICES: LazyLock<BTreeMap<&'static str, Table>> = LazyLock::new(|| {
    later::DEVICES
        .iter()
        .map(|(device, refused)| {
            let supported: &[Entry] = match *device {
                "disk" => &supported::DISK,
                "nic/bridged" => &supported::NIC_BRIDGED,
                "nic/p2p" => &supported::NIC_P2P,
                _ => &[],
            };
            let noun = match device.split_once('/') {
                Some((class, kind)) => format!("option of a {kind} {class}"),
                None => format!("option of a {device} device"),
            };
            let refused = refused_entries(refused, Support::NotYet);
            let refused = refused.map(|entry| match later::never(device, entry.name) {
                Some(reason) => Entry { support: Support::Never(reason), ..entry },
                None => entry,
            });
            (*device, Table::new(noun, supported.iter().copied().chain(refused)))
        })
        .collect()
});

/// The device types that a manifest may name, whether supported or not.
pub fn device_types() -> impl Iterator<Item = &'static str> {
    let mut types: Vec<&str> =
        DEVICES.keys().map(|name| name.split_once('/').map_or(*name, |(class, _)| class)).collect();
    types.push("none");
    types.sort_unstable();
    types.dedup();
    types.into_iter()
}

fn refused_entries(names: &'static str, support: Support) -> impl Iterator<Item = Entry> {
    names.split_whitespace().map(move |name| {
        let (name, class) = match name.strip_suffix('!') {
            Some(name) => (name, Class::Live),
            None => (name, Class::Restart),
        };
        Entry { name, value: ValueType::Text, default: None, class, about: "", support }
    })
}
