//! Documents as written → the documents for one host: placed, sets expanded, placeholders and templates filled.

use super::document::host::Host;
use super::document::placement::{self, Placement};
use super::document::reader::Reader;
use super::document::{self, Document, Opened};
use super::fill::{self, Each, FILL_BUDGET, Filler, Scope, Values};
use super::hosts::{Hosts, is_rendering_field, rendering_fields};
use super::report::{Report, Wrong};
use super::sets;
use super::template::Templates;
use super::tree::{Mark, Node, Value};
use crate::model::content::SourceFile;
use crate::model::key::{Key, Kind};
use std::collections::{BTreeMap, BTreeSet};

/// The documents for one host.
#[derive(Default)]
pub struct Rendered {
    pub documents: Vec<Document>,
    /// What is placed on other hosts only.
    pub elsewhere: BTreeMap<Key, Unrendered>,
    /// The members of each set that is rendered.
    pub sets: BTreeMap<Key, Vec<Key>>,
    /// Where each set stands.
    pub set_marks: BTreeMap<Key, Mark>,
    /// The templates that files name, and how findings show each.
    pub templates: BTreeMap<SourceFile, String>,
}

/// An object that is not rendered for this host.
#[derive(Clone)]
pub struct Unrendered {
    /// Where its placement stands.
    pub mark: Mark,
    /// Its placement in words.
    pub placement: String,
    /// What of it this host does not meet.
    pub unmet: String,
}

/// Renders for one host.
pub struct Renderer<'l, 'r> {
    pub hosts: &'l Hosts,
    /// Those that the load is for.
    pub all: &'l [Host],
    pub host: Option<&'l Host>,
    pub values: &'l Values,
    pub templates: &'l Templates<'l>,
    pub report: &'r mut Report,
    pub rendered: Rendered,
    /// What templates have asked of a set's members, `${each.NAME}`.
    pub used: BTreeSet<String>,
    /// Bytes that filling may still write.
    pub bytes: usize,
    /// Values that copies of templates may still hold.
    pub nodes: usize,
}

/// The documents of a load for `host`.
pub fn render(
    opened: &[Opened],
    hosts: &Hosts,
    (host, templates): (Option<&Host>, &Templates<'_>),
    report: &mut Report,
) -> Rendered {
    let values = hosts.values(host);
    let all = hosts.all();
    let mut renderer = Renderer {
        hosts,
        all: &all,
        host,
        values: &values,
        templates,
        report,
        rendered: Rendered::default(),
        used: BTreeSet::new(),
        bytes: FILL_BUDGET,
        nodes: sets::MAX_NODES,
    };
    for document in opened {
        renderer.report.key = None;
        match document.kind {
            Kind::Host => {}
            Kind::Site => renderer.site(document),
            Kind::ContainerSet if !renderer.is_here(&document.node, Kind::ContainerSet) => {
                renderer.members_elsewhere(document);
            }
            kind if !renderer.is_here(&document.node, kind) => {}
            Kind::ContainerSet => sets::expand(document, &mut renderer),
            kind => renderer.object(document, kind),
        }
    }
    renderer.report.key = None;
    renderer.rendered
}

impl<'l> Renderer<'l, '_> {
    /// The tree with its placeholders filled; `each` is what a set's member has of its own.
    pub fn filled<'a>(&mut self, node: &Node<'a>, each: Option<Each<'_>>) -> Node<'a> {
        let host = self.host.map(|host| host.name.as_str());
        let scope = Scope::Known { values: self.values, each, host };
        Filler { scope, report: self.report, budget: &mut self.bytes }.node(node)
    }

    fn object(&mut self, document: &Opened, kind: Kind) {
        // Most documents have no placeholder: they are read as they are.
        let filled = fill::is_needed(&document.node).then(|| self.filled(&document.node, None));
        let node = filled.as_ref().unwrap_or(&document.node);
        let mut read = document::read(node, kind, document.mark, self.report);
        read.iter_mut().for_each(|document| self.fill_templates(document, None));
        self.rendered.documents.extend(read);
    }

    fn site(&mut self, document: &Opened) {
        let mut node = document.node.clone();
        if let Value::Map(entries) = &mut node.value {
            for entry in entries {
                entry.value = match (entry.key.as_ref(), &entry.value.value) {
                    ("spec", Value::Map(_)) => self.site_spec(&entry.value),
                    _ => self.filled(&entry.value, None),
                };
            }
        }
        self.rendered.documents.extend(document::read(&node, Kind::Site, document.mark, self.report));
    }

    fn site_spec<'a>(&mut self, spec: &Node<'a>) -> Node<'a> {
        let defined = rendering_fields(spec, self.report);
        let mut spec = spec.clone();
        if let Value::Map(entries) = &mut spec.value {
            for entry in entries.iter_mut() {
                entry.value = match is_rendering_field(&entry.key) {
                    true => defined.get(&entry.key).unwrap_or(&entry.value).clone(),
                    false => self.filled(&entry.value, None),
                };
            }
        }
        spec
    }

    /// Whether a document is rendered for this host; one that is not is remembered.
    pub fn is_here(&mut self, node: &Node, kind: Kind) -> bool {
        let Some(written) = node.get("spec").and_then(|spec| spec.get("placement")) else { return true };
        let filled = self.filled(written, None);
        let name = self.name_apart(node);
        self.placed(&filled, name.as_deref(), kind)
    }

    /// The name of a document; what keeps it from being known here is no finding.
    fn name_apart(&mut self, node: &Node) -> Option<String> {
        let name = node.get("metadata")?.get("name")?;
        let host = self.host.map(|host| host.name.as_str());
        let scope = Scope::Known { values: self.values, each: None, host };
        let mut report = self.report.scratch();
        let filled = Filler { scope, report: &mut report, budget: &mut self.bytes }.node(name);
        filled.raw().map(str::to_owned)
    }

    /// The same by a placement that is filled already.
    pub fn placed(&mut self, written: &Node, name: Option<&str>, kind: Kind) -> bool {
        let Some(placement) = placement::read(written, &mut Reader::new(self.report)) else { return true };
        self.check_placement(&placement);
        let is_here = self.host.is_some_and(|host| placement.matches(&host.name, &host.labels));
        if let (false, Some(name)) = (is_here, name) {
            let unmet = match self.host {
                Some(host) => placement.unmet(&host.name, &host.labels),
                None => "this load has no host".to_owned(),
            };
            let unrendered = Unrendered { mark: placement.mark, placement: placement.describe(), unmet };
            self.rendered.elsewhere.entry(Key::new(kind, name)).or_insert(unrendered);
        }
        is_here
    }

    /// Remembers the members of a set that is placed on other hosts; what this host cannot say of it is no finding.
    fn members_elsewhere(&mut self, document: &Opened) {
        let Some(key) = self.name_apart(&document.node).map(Key::set) else { return };
        let mut scratch = self.report.scratch();
        let mut apart = Renderer {
            hosts: self.hosts,
            all: self.all,
            host: self.host,
            values: self.values,
            templates: self.templates,
            report: &mut scratch,
            rendered: Rendered::default(),
            used: BTreeSet::new(),
            bytes: FILL_BUDGET,
            nodes: sets::MAX_NODES,
        };
        sets::expand(document, &mut apart);
        let members = apart.rendered.sets.remove(&key).unwrap_or_default();
        let Some(set) = self.rendered.elsewhere.get(&key).cloned() else { return };
        for member in members {
            self.rendered.elsewhere.entry(member).or_insert_with(|| set.clone());
        }
    }

    fn check_placement(&mut self, placement: &Placement) {
        if self.host.is_none() {
            let wrong =
                Wrong::new("missing-object", "placement without hosts: this load has no Host document");
            let help = "add a document `kind: Host` for each host, or remove `placement`";
            return self.report.error(placement.mark, wrong.help(help));
        }
        let mut unknown = placement.hosts.as_ref().is_some_and(Vec::is_empty);
        for (name, mark) in placement.hosts.iter().flatten() {
            if !self.hosts.has(name) {
                unknown = true;
                self.report.error(*mark, self.hosts.no_such(name));
            }
        }
        if !unknown && !self.all.iter().any(|host| placement.matches(&host.name, &host.labels)) {
            let message = format!("no host of this load matches: {}", placement.describe());
            let wrong = Wrong::new("placed-nowhere", message);
            self.report.warning(placement.mark, wrong.help("correct the placement, or the Host documents"));
        }
    }
}
