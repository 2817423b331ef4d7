//! docs/config-keys.md, made from the registry.

use super::{DEVICES, Entry, INSTANCE, NETWORK, POOL, Support, Table};
use crate::model::step::Class;

const HEAD: &str = "# Config keys

Generated from the registry (`src/spec/registry/`); a test keeps it current (`BAYPLAN_BLESS=1 cargo test --test it \
schemas` writes it anew). Names and meanings are LXD's.

A change is *live* (applied to the running container), *deferred* (taken at the next start or boot) or takes a \
*restart*. Values are compared in their normal form: `1024MiB` is `1GiB`, `yes` is `true`, processors `1,0` are `0-1`, \
and an explicit default is the same as none.
";

/// The whole document.
pub fn markdown() -> String {
    let mut text = HEAD.to_owned();
    section(&mut text, "## `config` of containers and profiles", &INSTANCE);
    section(&mut text, "## `config` of bridge networks", &NETWORK);
    section(&mut text, "## `config` of `dir` pools", &POOL);
    text.push_str("\n# Devices\n");
    for (device, table) in DEVICES.iter() {
        section(&mut text, &format!("## `{device}`"), table);
    }
    text.push_str("\n## `none`\n\nRemoves the device that a layer below gives. It has no options.\n");
    text
}

fn section(text: &mut String, title: &str, table: &Table) {
    text.push_str(&format!("\n{title}\n"));
    let mut supported = table.supported().peekable();
    if supported.peek().is_some() {
        text.push_str("\n| name | value | default | change | |\n| --- | --- | --- | --- | --- |\n");
        supported.for_each(|entry| text.push_str(&row(entry)));
    }
    refused(text, table, Support::NotYet, "Known, and not supported yet");
    let mut reasons: Vec<&str> = vec![];
    for entry in table.entries.values() {
        if let Support::Never(reason) = entry.support
            && !reasons.contains(&reason)
        {
            reasons.push(reason);
        }
    }
    for reason in reasons {
        refused(text, table, Support::Never(reason), &format!("Refused: {reason}"));
    }
}

fn row(entry: &Entry) -> String {
    let default = entry.default.map(|value| format!("`{value}`")).unwrap_or_default();
    let about = entry.about.replace('|', "\\|");
    format!(
        "| `{}` | {} | {default} | {} | {about} |\n",
        entry.name,
        entry.value.describe(),
        class(entry.class)
    )
}

fn class(class: Class) -> &'static str {
    match class {
        Class::Live => "live",
        Class::Deferred => "deferred",
        _ => "restart",
    }
}

fn refused(text: &mut String, table: &Table, support: Support, lead: &str) {
    let names: Vec<String> = table
        .entries
        .values()
        .filter(|entry| entry.support == support)
        .map(|entry| format!("`{}`", entry.name))
        .collect();
    if !names.is_empty() {
        text.push_str(&format!("\n{lead}: {}.\n", names.join(", ")));
    }
}
