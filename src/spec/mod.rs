//! Manifests → [`Desired`]. Pure: texts in, a valid declaration or all findings out.
//!
//! ```text
//! texts ─ yaml ─► trees ─ hosts, render ─► one host's trees ─ document ─► documents ─ resolve ─► Desired
//!                    └────────────────── registry, names, words ──────────────────┘
//!                              report ─► findings ─ diagnostic ─► text for people
//! ```
//!
//! | file | does |
//! | --- | --- |
//! | `yaml`, `tree` | YAML to trees whose every value knows its place |
//! | `hosts` | Host documents, targets, values: which host is rendered for |
//! | `render`, `sets`, `fill`, `template` | for that host: placement, members of sets, placeholders, files of `template` |
//! | `document/` | one file a kind: a tree to typed fields |
//! | `registry/` | config keys and device options: types, defaults, documentation |
//! | `resolve/` | profile expansion, built-ins, references, and checks across objects |
//! | `names`, `words` | naming rules; "did you mean" |
//! | `canonical`, `minimal`, `emit` | the way back: Desired to documents, whole or short; documents to YAML |
//! | `spans`, `layout`, `edit` | texts as users wrote them: where each node stands, the canonical layout, edits of it |
//! | `explain`, `first_site` | documentation of a field; what `init` writes |
//! | `report`, `diagnostic` | collecting findings; showing them |
//! | `schema` | JSON Schema of each kind |

pub mod canonical;
pub mod diagnostic;
pub mod document;
pub mod edit;
pub mod emit;
pub mod explain;
pub mod fill;
pub mod first_site;
pub mod hosts;
pub mod layout;
pub mod minimal;
pub mod names;
pub mod registry;
pub mod render;
pub mod report;
pub mod resolve;
pub mod schema;
pub mod sets;
pub mod spans;
pub mod template;
pub mod tree;
pub mod yaml;

use crate::model::content::SourceFile;
use crate::model::desired::Desired;
use crate::model::finding::Finding;
use crate::model::key::Key;
use crate::model::origin::Elsewhere;
use document::Opened;
use document::host::Host;
use hosts::Hosts;
use report::{Report, Wrong};
use resolve::paths::tidy;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use template::Templates;

/// One manifest, or a template that manifests name, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceText {
    /// As findings show it.
    pub path: String,
    pub text: String,
    /// The manifest's folder, absolute: relative host paths start here.
    pub base: PathBuf,
    /// The source's folder, absolute: relative host paths stay inside it.
    pub root: PathBuf,
    pub role: TextRole,
}

impl SourceText {
    /// Its own file, absolute, without `..`.
    pub fn file(&self) -> PathBuf {
        tidy(&self.base.join(Path::new(&self.path).file_name().unwrap_or_default()))
    }
}

/// What a text is to a load.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TextRole {
    #[default]
    Manifest,
    /// Named by a `template` of `files`.
    Template(SourceFile),
    /// The same, but it cannot be read: its text says why.
    Unread(SourceFile),
    /// Named by a `source` of `files`, with the content that it is to have: a plan takes that for its own.
    Source(SourceFile),
}

/// What a load needs to know besides the texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadContext {
    /// The processor in Debian's word, where no Host document says another: `amd64`.
    pub architecture: String,
    pub render_for: RenderFor,
}

impl LoadContext {
    /// For a machine of which only the processor is known.
    pub fn new(architecture: impl Into<String>) -> LoadContext {
        LoadContext { architecture: architecture.into(), render_for: RenderFor::default() }
    }
}

/// Which of a load's hosts it is rendered for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RenderFor {
    /// The machine with this /etc/machine-id, else the one with this host name.
    Machine { machine_id: String, hostname: String },
    /// The host with this name.
    Named(String),
}

impl Default for RenderFor {
    fn default() -> RenderFor {
        RenderFor::Machine { machine_id: String::new(), hostname: String::new() }
    }
}

/// A load without errors.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub desired: Desired,
    pub warnings: Vec<Finding>,
    /// The host that it is rendered for, where the load has hosts.
    pub host: Option<Host>,
    /// What is placed on other hosts only.
    pub elsewhere: BTreeMap<Key, Elsewhere>,
}

/// A load without errors, for each of its hosts; without any for no host in particular.
#[derive(Debug, Clone)]
pub struct LoadedHosts {
    pub hosts: Vec<Loaded>,
    pub warnings: Vec<Finding>,
}

/// Loads manifests for one host. All findings of all documents in one run, in the order of their places.
pub fn load(texts: &[SourceText], context: &LoadContext) -> Result<Loaded, Vec<Finding>> {
    let mut report = Report::new(texts.iter().map(|text| text.path.as_str().into()));
    let opened = open(texts, &mut report);
    let hosts = Hosts::read(&opened, &mut report);
    let Ok(host) = hosts.choose(&context.render_for, &mut report) else {
        // For nobody here; what else is wrong with it is said all the same.
        each_host(&opened, &hosts, texts, context, &mut report);
        return Err(report.into_findings());
    };
    let loaded = desired(&opened, &hosts, host, (texts, context), &mut report);
    match report.has_errors() {
        true => Err(report.into_findings()),
        false => Ok(Loaded { warnings: report.into_findings(), ..loaded }),
    }
}

/// Loads manifests for all their hosts. What is wrong for every host is said once, the rest with the hosts' names.
pub fn load_hosts(texts: &[SourceText], architecture: &str) -> Result<LoadedHosts, Vec<Finding>> {
    let mut report = Report::new(texts.iter().map(|text| text.path.as_str().into()));
    let opened = open(texts, &mut report);
    let hosts = Hosts::read(&opened, &mut report);
    let loads = each_host(&opened, &hosts, texts, &LoadContext::new(architecture), &mut report);
    match report.has_errors() {
        true => Err(report.into_findings()),
        false => Ok(LoadedHosts { hosts: loads, warnings: report.into_findings() }),
    }
}

/// The templates that these manifests name for any of their hosts, and how findings show each. What is wrong with the
/// manifests is for the load to say.
pub fn templates(texts: &[SourceText]) -> BTreeMap<SourceFile, String> {
    let mut named = BTreeMap::new();
    if !texts.iter().any(|text| text.text.contains("template")) {
        return named;
    }
    let mut report = Report::new(texts.iter().map(|text| text.path.as_str().into()));
    let opened = open(texts, &mut report);
    if !opened.iter().any(|document| template::is_named(&document.node)) {
        return named;
    }
    let hosts = Hosts::read(&opened, &mut report);
    let templates = Templates::of(texts);
    for host in hosts.or_none() {
        let rendered = render::render(&opened, &hosts, (host.as_ref(), &templates), &mut report.scratch());
        named.extend(rendered.templates);
    }
    named
}

/// The load of each host, or of none in particular; their findings are merged.
fn each_host(
    opened: &[Opened],
    hosts: &Hosts,
    texts: &[SourceText],
    context: &LoadContext,
    report: &mut Report,
) -> Vec<Loaded> {
    let mut loads = vec![];
    let mut found = vec![];
    for host in hosts.or_none() {
        let mut report = report.scratch();
        let name = host.as_ref().map(|host| host.name.clone()).unwrap_or_default();
        loads.push(desired(opened, hosts, host, (texts, context), &mut report));
        found.push((name, report.into_findings()));
    }
    report.merge(found);
    loads
}

/// The documents of the texts, as far as it can be told what they are.
fn open<'t>(texts: &'t [SourceText], report: &mut Report) -> Vec<Opened<'t>> {
    let mut opened = vec![];
    let mut empty = true;
    for (index, text) in texts.iter().enumerate().filter(|(_, text)| text.role == TextRole::Manifest) {
        let mut state = document::TextState::default();
        let file = u32::try_from(index).unwrap_or(u32::MAX);
        for tree in yaml::documents(&text.text, file, report) {
            empty = false;
            opened.extend(document::open(tree, &mut state, report));
        }
    }
    report.key = None;
    if empty && !report.has_errors() {
        let files: Vec<&str> = texts.iter().map(|text| text.path.as_str()).collect();
        let message = format!(
            "no document in {}",
            if files.is_empty() { "no file".to_owned() } else { files.join(", ") }
        );
        report.error_nowhere(
            Wrong::new("empty", message).help("write at least one document; see docs/manifests.md"),
        );
    }
    opened
}

/// The load of one host; its findings are in the report.
fn desired(
    opened: &[Opened],
    hosts: &Hosts,
    host: Option<Host>,
    (texts, context): (&[SourceText], &LoadContext),
    report: &mut Report,
) -> Loaded {
    let templates = Templates::of(texts);
    let rendered = render::render(opened, hosts, (host.as_ref(), &templates), report);
    let elsewhere = rendered.elsewhere.iter().map(|(key, unrendered)| {
        let (placement, unmet) = (unrendered.placement.clone(), unrendered.unmet.clone());
        (key.clone(), Elsewhere { place: report.place(unrendered.mark), placement, unmet })
    });
    let elsewhere = elsewhere.collect();
    let processor = host.as_ref().and_then(|host| host.architecture.as_ref());
    let architecture = processor.unwrap_or(&context.architecture);
    let name = host.as_ref().map(|host| host.name.as_str());
    let here = resolve::Here { texts, architecture, host: name };
    let desired = resolve::resolve(rendered, &here, report);
    Loaded { desired, warnings: vec![], host, elsewhere }
}
