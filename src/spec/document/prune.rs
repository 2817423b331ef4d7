//! A Site's `prune`, and how any object goes: `metadata.deletion`, `metadata.movedFromSite`; `spec.external`.

use super::reader::{Fields, Reader};
use crate::model::key::Kind;
use crate::model::prune::{Deletion, Prune, PruneEmpty, PruneMode};
use crate::model::share::Share;
use crate::spec::names;
use crate::spec::report::Wrong;
use crate::spec::tree::Node;

const PRUNE: Fields = Fields { known: &["mode", "max", "empty", "grace"], later: &[] };

/// `prune: {mode, max, empty, grace}`.
pub fn read(node: &Node, reader: &mut Reader) -> Prune {
    let default = Prune::default();
    if !reader.mapping(node, "prune", &PRUNE) {
        return default;
    }
    let modes = [("off", PruneMode::Off), ("confirm", PruneMode::Confirm), ("auto", PruneMode::Auto)];
    let empties = [("refuse", PruneEmpty::Refuse), ("allow", PruneEmpty::Allow)];
    let field = |reader: &mut Reader, name: &str| reader.field(node, name, &format!("prune.{name}"));
    Prune {
        mode: field(reader, "mode")
            .and_then(|node| reader.choice(node, "prune.mode", &modes))
            .unwrap_or_default(),
        max: field(reader, "max").and_then(|node| share(node, "prune.max", reader)).unwrap_or(default.max),
        empty: field(reader, "empty")
            .and_then(|node| reader.choice(node, "prune.empty", &empties))
            .unwrap_or_default(),
        grace: field(reader, "grace")
            .and_then(|node| reader.time_span(node, "prune.grace"))
            .unwrap_or(default.grace),
    }
}

/// So many, or a share of all.
pub fn share(node: &Node, path: &str, reader: &mut Reader) -> Option<Share> {
    let Some((text, _)) = node.scalar() else {
        reader.mistyped(node, path, "a number or a share", Some("for example 5 or 20%".to_owned()));
        return None;
    };
    text.parse()
        .map_err(|wrong| {
            let name = path.rsplit('.').next().unwrap_or(path);
            let help = format!("for example `{name}: 5` or `{name}: 20%`");
            reader.report.error(node.mark, Wrong::new("bad-value", format!("{path}: {wrong}")).help(help));
        })
        .ok()
}

/// `metadata.deletion`; only containers have what parking keeps.
pub fn deletion(metadata: &Node, kind: Kind, reader: &mut Reader) -> Option<Deletion> {
    let path = "metadata.deletion";
    let node = reader.field(metadata, "deletion", path)?;
    let words = [("park", Deletion::Park), ("delete", Deletion::Delete), ("retain", Deletion::Retain)];
    let deletion = reader.choice(node, path, &words)?;
    let wrong = match kind {
        Kind::Site => {
            Some(("a Site is not pruned: it has no deletion", "say it for the objects that are to differ"))
        }
        Kind::Host => Some(("a Host is no object of a site: it has no deletion", "remove it")),
        Kind::Container => None,
        _ if deletion == Deletion::Park => {
            Some(("only containers are parked", "write `deletion: retain` or `deletion: delete`"))
        }
        _ => None,
    };
    if let Some((message, help)) = wrong {
        reader.report.error(node.mark, Wrong::new("bad-value", message).help(help));
        return None;
    }
    Some(deletion)
}

/// `metadata.movedFromSite`.
pub fn moved_from(metadata: &Node, kind: Kind, reader: &mut Reader) -> Option<String> {
    let path = "metadata.movedFromSite";
    let node = reader.field(metadata, "movedFromSite", path)?;
    if kind == Kind::Host {
        let wrong = Wrong::new("bad-value", "a Host is no object of a site: it has no movedFromSite");
        reader.report.error(node.mark, wrong.help("say it for the Site, or for single objects"));
        return None;
    }
    let text = reader.text(node, path)?;
    match names::of_kind(Kind::Site, &text) {
        Ok(()) => Some(text),
        Err(bad) => {
            reader.bad(node.mark, path, &text, bad);
            None
        }
    }
}

/// Whether the spec says `external: true`, and then nothing else but where.
pub fn external(spec: &Node, kind: Kind, reader: &mut Reader) -> bool {
    let Some(node) = reader.field(spec, "external", "external") else { return false };
    let why = match kind {
        Kind::Site => Some("a load's Site is its own"),
        Kind::Profile => Some("its content is merged into containers when they are loaded"),
        Kind::Secret => Some("where it is, is read into what uses it when that is loaded"),
        _ => None,
    };
    if let Some(why) = why {
        let wrong = Wrong::new("bad-value", format!("a {kind} cannot be external: {why}"));
        reader.report.error(node.mark, wrong.help("declare it here"));
        return true;
    }
    match reader.flag(node, "external") {
        Some(true) => {}
        Some(false) => {
            let wrong = Wrong::new("bad-value", "external can only be true");
            reader
                .report
                .error(node.mark, wrong.help("remove it: an object is declared here unless it says so"));
            return false;
        }
        None => return true,
    }
    let beside = |name: &str| !matches!(name, "external" | "placement");
    let others = spec.entries().into_iter().flatten().filter(|entry| beside(&entry.key));
    for entry in others {
        let message = format!("`{}` beside `external: true`", entry.key);
        let help = "remove it: what an external object is, is said where it is declared";
        reader.report.error(entry.mark, Wrong::new("external-field", message).help(help));
    }
    true
}

/// What of an external object's metadata says something that only its own site can.
pub fn external_metadata(metadata: &Node, reader: &mut Reader) {
    for name in ["memberOf", "deletion", "movedFromSite", "renamedFrom"] {
        let path = format!("metadata.{name}");
        if let Some(node) = reader.field(metadata, name, &path) {
            let message = format!("`{path}` beside `external: true`");
            let help = "remove it: an external object is not this site's";
            reader.report.error(node.mark, Wrong::new("external-field", message).help(help));
        }
    }
}
