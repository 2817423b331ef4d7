//! One document: its envelope, then its kind.
//!
//! [`open`] reads what it is; rendering for a host then fills and places it, and [`read`] reads what it says.

pub mod container;
pub mod environment;
pub mod files;
pub mod host;
pub mod image;
pub mod layer;
pub mod network;
pub mod placement;
pub mod pool;
pub mod profile;
pub mod prune;
pub mod reader;
pub mod ready;
pub mod renamed;
pub mod rollout;
pub mod secret;
pub mod set;
pub mod site;
pub mod update;
pub mod values;

use super::names;
use super::report::{Report, Wrong};
use super::tree::{Mark, Node};
use crate::model::key::{Key, Kind};
use crate::model::object::Meta;
use crate::model::origin::{Layer, below};
use crate::model::prune::Deletion;
use crate::model::words::did_you_mean;
use reader::{Fields, Marks, Reader};
use schemars::JsonSchema;
use std::collections::BTreeMap;

/// The version of the language.
pub const API_VERSION: &str = "bayplan/v1";

/// Kinds of manifest.md that later parts bring.
const LATER_KINDS: [&str; 10] = [
    "Device",
    "Volume",
    "NetworkACL",
    "NetworkForward",
    "NetworkZone",
    "Project",
    "Certificate",
    "Remote",
    "Source",
    "HostConfig",
];

/// Whether it is the name of such a kind, in whatever letters.
pub fn is_later_kind(word: &str) -> bool {
    LATER_KINDS.iter().any(|kind| kind.eq_ignore_ascii_case(word))
}

pub const ENVELOPE: Fields = Fields { known: &["apiVersion", "kind", "metadata", "spec"], later: &[] };

pub const METADATA: Fields = Fields {
    known: &[
        "name",
        "labels",
        "annotations",
        "description",
        "memberOf",
        "deletion",
        "movedFromSite",
        "renamedFrom",
    ],
    later: &["project"],
};

/// What says something about an object.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// Unique for its kind.
    pub name: String,
    /// Short texts by which objects are grouped and found.
    #[schemars(default)]
    pub labels: BTreeMap<String, String>,
    /// Texts of any length, for other tools.
    #[schemars(default)]
    pub annotations: BTreeMap<String, String>,
    /// For people.
    #[schemars(default)]
    pub description: String,
    /// A container that `render` wrote: the ContainerSet that it comes from.
    pub member_of: Option<String>,
    /// How it goes once it is no longer declared. Absent: containers are parked (ephemeral ones deleted), pools are
    /// retained, all else is deleted.
    #[schemars(default, schema_with = "crate::spec::schema::deletion")]
    pub deletion: Option<Deletion>,
    /// The site that it is taken over from; a Site's own: all objects of that site.
    pub moved_from_site: Option<String>,
    /// What it was called before: it stays what it is, with its data, ids and addresses.
    pub renamed_from: Option<String>,
}

/// A document that could be read; findings tell what of it could not.
pub struct Document {
    pub key: Key,
    /// Where its `kind` stands; for a set's member where the set's does, or its entry in `for`.
    pub mark: Mark,
    pub meta: Meta,
    /// What its values are to an object: its own, or its set's.
    pub layer: Layer,
    /// `metadata.movedFromSite`.
    pub moved_from: Option<String>,
    /// `metadata.renamedFrom`.
    pub renamed_from: Option<Key>,
    pub body: Body,
    /// Field path → where its value stands.
    pub marks: Marks,
    /// Device option's path → where its name stands.
    pub names: Marks,
}

pub enum Body {
    Site(site::SiteSpec),
    Image(image::ImageSpec),
    StoragePool(pool::StoragePoolSpec),
    Network(network::NetworkSpec),
    Secret(secret::SecretSpec),
    Profile(profile::ProfileSpec),
    Container(Box<container::ContainerSpec>),
    /// It is there already, and not changed from here.
    External,
}

impl Document {
    /// Where a field stands; for one that is not written, where the nearest field around it does.
    pub fn mark_of(&self, path: &str) -> Mark {
        let mut path = path;
        loop {
            if let Some(mark) = self.marks.get(path) {
                return *mark;
            }
            match path.rfind(['.', '[']) {
                Some(end) => path = &path[..end],
                None => return self.mark,
            }
        }
    }
}

/// What the documents of one text share.
#[derive(Default)]
pub struct TextState {
    /// A document before it in the text said `apiVersion`.
    versioned: bool,
}

/// A document of which is known what it is.
#[derive(Debug, Clone)]
pub struct Opened<'a> {
    pub node: Node<'a>,
    pub kind: Kind,
    /// Where its `kind` stands.
    pub mark: Mark,
}

/// Reads `{apiVersion, kind}`.
pub fn open<'a>(node: Node<'a>, state: &mut TextState, report: &mut Report) -> Option<Opened<'a>> {
    report.key = None;
    let mut reader = Reader::new(report);
    if node.entries().is_none() {
        reader.mistyped(&node, "a document", "a mapping with apiVersion, kind, metadata and spec", None);
        return None;
    }
    api_version(&node, state, &mut reader);
    let kind = kind(&node, &mut reader)?;
    let mark = reader.marks.get("kind").copied().unwrap_or(node.mark);
    Some(Opened { node, kind, mark })
}

/// Name and metadata.
pub struct Head {
    /// None: there is no name, or it is none; that is reported.
    pub key: Option<Key>,
    pub meta: Meta,
    /// `metadata.movedFromSite`.
    pub moved_from: Option<String>,
    /// `metadata.renamedFrom`.
    pub renamed_from: Option<Key>,
}

impl Head {
    /// Reads them, and the names of the document's fields. From here on findings name the object.
    pub fn read(node: &Node, kind: Kind, mark: Mark, reader: &mut Reader) -> Head {
        let key = name(node, kind, mark, reader).map(|name| Key::new(kind, name));
        if key.is_some() {
            reader.report.key.clone_from(&key);
        }
        reader.mapping(node, "the document", &ENVELOPE);
        let meta = metadata(node, kind, reader);
        let moved_from = node.get("metadata").and_then(|metadata| prune::moved_from(metadata, kind, reader));
        let renamed_from = node.get("metadata").and_then(|metadata| renamed::read(metadata, kind, reader));
        Head { key, meta, moved_from, renamed_from }
    }
}

/// Reads a document that stands for an object: metadata, then the kind's own fields.
pub fn read(node: &Node, kind: Kind, mark: Mark, report: &mut Report) -> Option<Document> {
    let mut reader = Reader::new(report);
    let head = Head::read(node, kind, mark, &mut reader);
    let nothing = Node { mark, value: super::tree::Value::Map(vec![]) };
    let spec = reader.field(node, "spec", "spec").unwrap_or(&nothing);
    let body = body(kind, spec, mark, &mut reader);
    if let (Some(Body::External), Some(metadata)) = (&body, node.get("metadata")) {
        prune::external_metadata(metadata, &mut reader);
    }
    let (marks, names) = (reader.marks, reader.names);
    if let (Some(key), None) = (&head.key, &body) {
        report.unread(key.clone());
    }
    let document = Document {
        key: head.key?,
        mark,
        meta: head.meta,
        moved_from: head.moved_from,
        renamed_from: head.renamed_from,
        layer: Layer::Document,
        body: body?,
        marks,
        names,
    };
    Some(document)
}

fn body(kind: Kind, spec: &Node, mark: Mark, reader: &mut Reader) -> Option<Body> {
    if prune::external(spec, kind, reader) {
        return Some(Body::External);
    }
    match kind {
        Kind::Site => site::read(spec, reader).map(Body::Site),
        Kind::Image => image::read(spec, mark, reader).map(Body::Image),
        Kind::StoragePool => pool::read(spec, mark, reader).map(Body::StoragePool),
        Kind::Network => network::read(spec, reader).map(Body::Network),
        Kind::Secret => secret::read(spec, mark, reader).map(Body::Secret),
        Kind::Profile => profile::read(spec, reader).map(Body::Profile),
        Kind::Container => container::read(spec, mark, reader).map(Box::new).map(Body::Container),
        // They say how others are rendered, and are read before those.
        Kind::Host | Kind::ContainerSet => None,
    }
}

/// The first document of a text says its version; those that follow may leave it out.
fn api_version(node: &Node, state: &mut TextState, reader: &mut Reader) {
    match reader.field(node, "apiVersion", "apiVersion") {
        None if state.versioned => {}
        None => {
            let help = format!("begin the document with `apiVersion: {API_VERSION}`");
            reader.missing(node.mark, "apiVersion", &help);
        }
        Some(version) => match reader.text(version, "apiVersion") {
            Some(text) if text != API_VERSION => {
                let wrong =
                    Wrong::new("bad-value", format!("apiVersion must be {API_VERSION}; it is `{text}`"));
                reader.report.error(version.mark, wrong.help(format!("write `apiVersion: {API_VERSION}`")));
            }
            _ => {}
        },
    }
    // One finding about it is enough for a text.
    state.versioned = true;
}

fn kind(node: &Node, reader: &mut Reader) -> Option<Kind> {
    let names = || Kind::ALL.into_iter().map(Kind::name);
    let Some(kind) = reader.field(node, "kind", "kind") else {
        let help = format!("add `kind`: {}", names().collect::<Vec<_>>().join(", "));
        reader.missing(node.mark, "kind", &help);
        return None;
    };
    let text = reader.text(kind, "kind")?;
    let found = Kind::ALL.into_iter().find(|kind| kind.name() == text);
    if found.is_none() {
        let wrong = if LATER_KINDS.contains(&text.as_str()) {
            Wrong::new("not-supported", format!("kind `{text}` is not supported yet"))
                .help("remove the document; this version does without")
        } else {
            let help = did_you_mean(&text, names())
                .unwrap_or_else(|| format!("kinds are {}", names().collect::<Vec<_>>().join(", ")));
            Wrong::new("unknown-kind", format!("unknown kind `{text}`")).help(help)
        };
        reader.report.error(kind.mark, wrong);
    }
    found
}

fn name(node: &Node, kind: Kind, mark: Mark, reader: &mut Reader) -> Option<String> {
    let metadata = node.get("metadata").filter(|metadata| metadata.entries().is_some());
    let found = metadata.and_then(|metadata| reader.field(metadata, "name", "metadata.name"));
    let Some(value) = found else {
        if node.get("metadata").is_none_or(|node| node.entries().is_some() || node.is_null()) {
            reader.missing(mark, "metadata.name", "add `metadata: {name: …}`");
        }
        return None;
    };
    let text = reader.text(value, "metadata.name")?;
    match names::of_kind(kind, &text) {
        Ok(()) => Some(text),
        Err(bad) => {
            reader.bad(value.mark, "metadata.name", &text, bad);
            None
        }
    }
}

fn metadata(node: &Node, kind: Kind, reader: &mut Reader) -> Meta {
    let Some(metadata) = reader.field(node, "metadata", "metadata") else { return Meta::default() };
    if !reader.mapping(metadata, "metadata", &METADATA) {
        return Meta::default();
    }
    let description = reader
        .field(metadata, "description", "metadata.description")
        .and_then(|node| reader.text(node, "metadata.description"));
    Meta {
        labels: words(metadata, "labels", reader),
        annotations: words(metadata, "annotations", reader),
        description: description.unwrap_or_default(),
        member_of: member_of(metadata, kind, reader),
        deletion: prune::deletion(metadata, kind, reader),
    }
}

fn member_of(metadata: &Node, kind: Kind, reader: &mut Reader) -> Option<Key> {
    let node = reader.field(metadata, "memberOf", "metadata.memberOf")?;
    if kind != Kind::Container {
        let wrong = Wrong::new("unknown-field", format!("`memberOf` in a document of kind {kind}"));
        reader.report.error(node.mark, wrong.help("remove it; only containers are members of a set"));
        return None;
    }
    let text = reader.text(node, "metadata.memberOf")?;
    match names::of_kind(Kind::ContainerSet, &text) {
        Ok(()) => Some(Key::set(text)),
        Err(bad) => {
            reader.bad(node.mark, "metadata.memberOf", &text, bad);
            None
        }
    }
}

/// Labels or annotations.
fn words(metadata: &Node, field: &str, reader: &mut Reader) -> BTreeMap<String, String> {
    let path = format!("metadata.{field}");
    let mut words = BTreeMap::new();
    let Some(node) = reader.field(metadata, field, &path) else { return words };
    let Some(entries) = node.entries() else {
        reader.mistyped(node, &path, "a mapping", None);
        return words;
    };
    for entry in entries {
        let path = below(&path, &entry.key);
        if let Err(bad) = names::label(&entry.key) {
            reader.bad(entry.mark, "the name of a label or annotation", &entry.key, bad);
        }
        reader.remember(&path, entry.mark, &entry.value);
        if let Some(text) = reader.text(&entry.value, &path) {
            if field == "labels" && text.chars().count() > names::MAX_NAME {
                let message = format!("a label's value has at most {} characters", names::MAX_NAME);
                let wrong = Wrong::new("bad-value", message).help("longer texts are annotations");
                reader.report.error(entry.value.mark, wrong);
            }
            words.insert(entry.key.to_string(), text);
        }
    }
    words
}
