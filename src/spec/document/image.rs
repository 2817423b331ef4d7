//! Kind Image: what a container's root is made from.

use super::reader::{Fields, Reader};
use crate::spec::report::Wrong;
use crate::spec::tree::{Mark, Node};
use schemars::JsonSchema;

pub const FIELDS: Fields =
    Fields { known: &["source", "fingerprint", "update", "placement", "external"], later: &[] };

const SOURCES: Fields = Fields {
    known: &["busybox", "directory", "bootstrap"],
    later: &["remote", "alias", "server", "protocol", "file", "metadata", "rootfs"],
};

const BOOTSTRAP: Fields = Fields { known: &["suite", "include", "snapshot"], later: &[] };

const SOURCE_HELP: &str =
    "write `source: {busybox: {}}`, `source: {directory: PATH}` or `source: {bootstrap: {suite: bookworm}}`";

const SUITE_HELP: &str = "add Debian's suite: `suite: bookworm`";

const NOTHING: Fields = Fields { known: &[], later: &[] };

/// What the root of a container is made from.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImageSpec {
    /// Where its content comes from: exactly one of them.
    #[schemars(schema_with = "crate::spec::schema::image_source")]
    pub source: SourceSpec,
    /// The pinned content: 64 hexadecimal digits. Absent: the first import decides.
    #[schemars(regex(pattern = r"^[0-9a-fA-F]{64}$"))]
    pub fingerprint: Option<String>,
    /// manual: its content moves when its declaration does. auto (not supported yet): when its source does.
    #[schemars(default, schema_with = "crate::spec::schema::image_update")]
    pub update: ImageUpdate,
}

/// When the content of an image moves.
#[derive(Debug, Clone, Copy, Default)]
pub enum ImageUpdate {
    /// When its declaration does.
    #[default]
    Manual,
}

#[derive(Debug, Clone, JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
pub enum SourceSpec {
    /// The host's static busybox as a tiny system container.
    Busybox {},
    /// A root file system in a folder of the host; relative to the manifest's folder.
    Directory(#[schemars(length(min = 1))] String),
    /// A Debian made by mmdebstrap from the host's own mirror.
    Bootstrap(BootstrapSpec),
}

#[derive(Debug, Clone, JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
pub struct BootstrapSpec {
    /// Debian's suite: `bookworm`, `trixie`.
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9+.-]*$"))]
    pub suite: String,
    /// Packages besides the smallest system and its init.
    #[schemars(default, inner(regex(pattern = r"^[a-z0-9][a-z0-9+.-]*$")))]
    pub include: Vec<String>,
    /// A point in time of Debian's snapshot archive: `20260101T000000Z`.
    #[schemars(regex(pattern = r"^[0-9]{8}T[0-9]{6}Z$"))]
    pub snapshot: Option<String>,
}

pub fn read(node: &Node, mark: Mark, reader: &mut Reader) -> Option<ImageSpec> {
    if !reader.mapping(node, "the spec of an Image", &FIELDS) {
        return None;
    }
    let source = match reader.field(node, "source", "source") {
        Some(node) => source(node, reader),
        None => {
            reader.missing(mark, "spec.source", SOURCE_HELP);
            None
        }
    };
    let fingerprint =
        reader.field(node, "fingerprint", "fingerprint").and_then(|node| fingerprint(node, reader));
    let update = reader.field(node, "update", "update").and_then(|node| update(node, reader));
    Some(ImageSpec { source: source?, fingerprint, update: update.unwrap_or_default() })
}

fn update(node: &Node, reader: &mut Reader) -> Option<ImageUpdate> {
    if node.raw() == Some("auto") {
        let wrong = Wrong::new("not-supported", "`update: auto` is not supported yet");
        reader.report.error(node.mark, wrong.help("write `update: manual`, or remove it"));
        return None;
    }
    reader.choice(node, "update", &[("manual", ImageUpdate::Manual)])
}

fn fingerprint(node: &Node, reader: &mut Reader) -> Option<String> {
    let text = reader.text(node, "fingerprint")?;
    if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Some(text.to_ascii_lowercase());
    }
    let message =
        format!("fingerprint must be 64 hexadecimal digits; it has {} characters", text.chars().count());
    reader.report.error(node.mark, Wrong::new("bad-value", message).help("it is the SHA-256 of the content"));
    None
}

fn source(node: &Node, reader: &mut Reader) -> Option<SourceSpec> {
    if let Some((text, _)) = node.scalar() {
        let wanted = "a mapping with one of busybox, directory, bootstrap";
        let fix = if text == "busybox" { "write `source: {busybox: {}}`" } else { SOURCE_HELP };
        reader.mistyped(node, "source", wanted, Some(fix.to_owned()));
        return None;
    }
    if !reader.mapping(node, "source", &SOURCES) {
        return None;
    }
    let entries = node.entries().unwrap_or_default();
    let chosen: Vec<_> = entries.iter().filter(|entry| SOURCES.known.contains(&entry.key.as_ref())).collect();
    match chosen[..] {
        [entry] => {
            reader.remember(&format!("source.{}", entry.key), entry.mark, &entry.value);
            match entry.key.as_ref() {
                "busybox" => busybox(&entry.value, reader),
                "directory" => directory(&entry.value, reader),
                _ => bootstrap(&entry.value, reader),
            }
        }
        [] => {
            if entries.is_empty() {
                reader.missing(node.mark, "spec.source", SOURCE_HELP);
            }
            None
        }
        [first, second, ..] => {
            let message = format!("an image has one source; `{}` and `{}` are two", first.key, second.key);
            reader.report.error(second.mark, Wrong::new("bad-value", message).help("remove one of them"));
            None
        }
    }
}

fn busybox(node: &Node, reader: &mut Reader) -> Option<SourceSpec> {
    let is_empty = node.is_null() || reader.mapping(node, "source.busybox", &NOTHING);
    is_empty.then_some(SourceSpec::Busybox {})
}

fn directory(node: &Node, reader: &mut Reader) -> Option<SourceSpec> {
    let path = reader.text(node, "source.directory")?;
    if path.is_empty() {
        reader.missing(node.mark, "source.directory", "give the path of a folder");
        return None;
    }
    Some(SourceSpec::Directory(path))
}

fn bootstrap(node: &Node, reader: &mut Reader) -> Option<SourceSpec> {
    let path = "source.bootstrap";
    if node.is_null() || !reader.mapping(node, path, &BOOTSTRAP) {
        if node.is_null() {
            reader.missing(node.mark, "source.bootstrap.suite", SUITE_HELP);
        }
        return None;
    }
    let suite = match reader.field(node, "suite", "source.bootstrap.suite") {
        Some(node) => word(node, "source.bootstrap.suite", reader),
        None => {
            reader.missing(node.mark, "source.bootstrap.suite", SUITE_HELP);
            None
        }
    };
    let include = reader
        .field(node, "include", "source.bootstrap.include")
        .map(|node| packages(node, reader))
        .unwrap_or_default();
    let snapshot =
        reader.field(node, "snapshot", "source.bootstrap.snapshot").and_then(|node| snapshot(node, reader));
    Some(SourceSpec::Bootstrap(BootstrapSpec { suite: suite?, include, snapshot }))
}

fn packages(node: &Node, reader: &mut Reader) -> Vec<String> {
    let path = "source.bootstrap.include";
    let items = reader.list(node, path);
    let mut packages: Vec<String> = items.iter().filter_map(|item| word(item, path, reader)).collect();
    packages.sort();
    packages.dedup();
    packages
}

/// The name of a suite or package: it becomes an argument of a command.
fn word(node: &Node, path: &str, reader: &mut Reader) -> Option<String> {
    let text = reader.text(node, path)?;
    let is_word = text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-.".contains(&b));
    if !is_word {
        let message = format!("{path} must be lower-case letters, digits, `+`, `-` and `.`; it is `{text}`");
        reader.report.error(node.mark, Wrong::new("bad-value", message));
        return None;
    }
    Some(text)
}

fn snapshot(node: &Node, reader: &mut Reader) -> Option<String> {
    let text = reader.text(node, "source.bootstrap.snapshot")?;
    let is_digits =
        |part: &str, length| part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_time = text
        .strip_suffix('Z')
        .and_then(|text| text.split_once('T'))
        .is_some_and(|(day, time)| is_digits(day, 8) && is_digits(time, 6));
    if is_time {
        return Some(text);
    }
    let message = format!("source.bootstrap.snapshot must be a time of snapshot.debian.org; it is `{text}`");
    reader.report.error(node.mark, Wrong::new("bad-value", message).help("write it as 20260101T000000Z"));
    None
}
