//! The hosts of a load, and which of them it is rendered for.
//!
//! Host documents are the hosts; a load without them has the Site's targets, by their names alone; without those it has
//! no hosts, and is the same everywhere.

use super::RenderFor;
use super::document::host::Host;
use super::document::reader::Reader;
use super::document::site::{self, Targets};
use super::document::{Opened, host};
use super::fill::{FILL_BUDGET, Filler, Scope, Values};
use super::report::{Report, Wrong};
use super::tree::{Mark, Node};
use crate::model::key::Kind;
use crate::model::words::did_you_mean;
use std::collections::BTreeMap;

/// What rendering needs before anything else is read.
#[derive(Debug, Default)]
pub struct Hosts {
    pub documents: Vec<Host>,
    pub targets: Option<Targets>,
    /// The Site's.
    pub values: Values,
}

/// The load is not for the host that is asked for; why is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotHere;

impl Hosts {
    /// Reads the Host documents and the Site's `targets` and `values`; each is checked here once for all hosts.
    pub fn read(opened: &[Opened], report: &mut Report) -> Hosts {
        let mut hosts = Hosts::default();
        for document in opened.iter().filter(|document| document.kind == Kind::Host) {
            report.key = None;
            let node = defining(&document.node, "what a Host says", report);
            if let Some(host) = host::read(&node, document.mark, &mut Reader::new(report)) {
                hosts.add(host, report);
            }
        }
        if let Some(site) = opened.iter().find(|document| document.kind == Kind::Site)
            && let Some(spec) = site.node.get("spec")
        {
            report.key = None;
            let spec = rendering_fields(spec, report);
            (hosts.targets, hosts.values) = site::rendering(&spec, &mut Reader::new(report));
        }
        report.key = None;
        hosts.check_targets(report);
        hosts
    }

    fn add(&mut self, host: Host, report: &mut Report) {
        if let Some(first) = self.documents.iter().find(|first| first.name == host.name) {
            let message = format!("host/{} is declared twice", host.name);
            let help = format!("the first one is at {}; remove one", report.place(first.mark));
            return report.error(host.mark, Wrong::new("duplicate-object", message).help(help));
        }
        let same = |first: &&Host| first.machine_id.is_some() && first.machine_id == host.machine_id;
        if let Some(first) = self.documents.iter().find(same) {
            let message = format!("hosts `{}` and `{}` have the same machineId", first.name, host.name);
            let help = "each machine has its own: the line in its /etc/machine-id";
            report.error(host.mark, Wrong::new("duplicate-object", message).help(help));
        }
        self.documents.push(host);
    }

    /// Where there are Host documents, targets are among them.
    fn check_targets(&self, report: &mut Report) {
        if self.documents.is_empty() {
            return;
        }
        for (name, mark) in self.targets.iter().flat_map(|targets| &targets.names) {
            if self.documents.iter().all(|host| host.name != *name) {
                report.error(*mark, self.no_such(name));
            }
        }
    }

    /// Every host that the load is for, without a second look at what is wrong with them.
    pub fn all(&self) -> Vec<Host> {
        let target = |name: &str| {
            self.targets.as_ref().is_none_or(|targets| targets.names.iter().any(|(target, _)| target == name))
        };
        match (&self.documents[..], &self.targets) {
            ([], None) => vec![],
            ([], Some(targets)) => targets.names.iter().map(|(name, mark)| bare(name, *mark)).collect(),
            (hosts, _) => hosts.iter().filter(|host| target(&host.name)).cloned().collect(),
        }
    }

    /// The same; a load without hosts is for none in particular.
    pub fn or_none(&self) -> Vec<Option<Host>> {
        let hosts: Vec<Option<Host>> = self.all().into_iter().map(Some).collect();
        if hosts.is_empty() { vec![None] } else { hosts }
    }

    /// Whether there is a host with that name.
    pub fn has(&self, name: &str) -> bool {
        self.names().any(|other| other == name)
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let targets = self.targets.iter().filter(|_| self.documents.is_empty());
        let targets = targets.flat_map(|targets| targets.names.iter().map(|(name, _)| name.as_str()));
        self.documents.iter().map(|host| host.name.as_str()).chain(targets)
    }

    /// What is wrong with the name of a host that there is not.
    pub fn no_such(&self, name: &str) -> Wrong {
        let known: Vec<&str> = self.names().collect();
        let wrong = Wrong::new("missing-object", format!("there is no host `{name}`"));
        wrong.help(did_you_mean(name, known.iter().copied()).unwrap_or_else(|| match known.is_empty() {
            true => "add a document `kind: Host` with this name".to_owned(),
            false => format!("hosts of this load are {}", known.join(", ")),
        }))
    }

    /// The host to render for; Ok(None): the load has no hosts. An error is reported.
    pub fn choose(&self, wanted: &RenderFor, report: &mut Report) -> Result<Option<Host>, NotHere> {
        let found = match wanted {
            RenderFor::Named(name) => self.named(name, report)?,
            RenderFor::Machine { machine_id, hostname } => {
                match self.machine(machine_id, hostname, report)? {
                    Some(host) => host,
                    None => return Ok(None),
                }
            }
        };
        if let Some(targets) = &self.targets
            && targets.names.iter().all(|(name, _)| *name != found.name)
        {
            if targets.names.is_empty() {
                return Err(NotHere);
            }
            self.elsewhere(&format!("`{}`", found.name), Some(targets.mark), report);
            return Err(NotHere);
        }
        Ok(Some(found))
    }

    fn named(&self, name: &str, report: &mut Report) -> Result<Host, NotHere> {
        if let Some(host) = self.documents.iter().find(|host| host.name == name) {
            return Ok(host.clone());
        }
        match &self.targets {
            Some(targets) if self.documents.is_empty() && self.has(name) => Ok(bare(name, targets.mark)),
            Some(targets) if self.documents.is_empty() => {
                report.error(targets.mark, self.no_such(name));
                Err(NotHere)
            }
            _ => {
                report.error_nowhere(self.no_such(name));
                Err(NotHere)
            }
        }
    }

    /// By its machine id, else by its host name.
    fn machine(
        &self,
        machine_id: &str,
        hostname: &str,
        report: &mut Report,
    ) -> Result<Option<Host>, NotHere> {
        if self.documents.is_empty() {
            return Ok(self.targets.as_ref().map(|targets| bare(hostname, targets.mark)));
        }
        let has_id = |host: &&Host| host.machine_id.as_ref().is_some_and(|id| id == machine_id);
        let by_id = self.documents.iter().find(has_id);
        if let Some(host) = by_id {
            return Ok(Some(host.clone()));
        }
        let Some(host) = self.documents.iter().find(|host| host.name == hostname) else {
            let mark = self.documents.first().map(|host| host.mark);
            self.elsewhere(&format!("`{hostname}` (machine id {})", or_none(machine_id)), mark, report);
            return Err(NotHere);
        };
        if let Some(other) = &host.machine_id {
            let message = format!(
                "this machine is called `{hostname}`, and its machine id is {}, not {other}",
                or_none(machine_id)
            );
            let help = "write this machine's id into the Host document, or apply on the right machine";
            report.error(host.mark, Wrong::new("other-host", message).help(help));
            return Err(NotHere);
        }
        Ok(Some(host.clone()))
    }

    fn elsewhere(&self, this: &str, mark: Option<Mark>, report: &mut Report) {
        let hosts: Vec<String> = self.all().into_iter().map(|host| host.name).collect();
        let message = format!("this load is for {}; this host is {this}", hosts.join(", "));
        let help = "apply it on one of those; or name this host in the Site's `targets` and, if there are any, a Host document";
        let wrong = Wrong::new("other-host", message).help(help);
        match mark {
            Some(mark) => report.error(mark, wrong),
            None => report.error_nowhere(wrong),
        }
    }

    /// What `${values.NAME}` stands for on a host.
    pub fn values(&self, host: Option<&Host>) -> Values {
        let mut values = self.values.clone();
        values.extend(host.map(|host| host.values.clone()).unwrap_or_default());
        values
    }
}

fn or_none(machine_id: &str) -> &str {
    if machine_id.is_empty() { "unknown" } else { machine_id }
}

/// A host of which only the name is known.
fn bare(name: &str, mark: Mark) -> Host {
    Host {
        name: name.to_owned(),
        mark,
        labels: BTreeMap::new(),
        machine_id: None,
        architecture: None,
        values: Values::new(),
    }
}

/// A tree in which values are defined: no placeholder has a place there.
fn defining<'a>(node: &Node<'a>, what: &'static str, report: &mut Report) -> Node<'a> {
    let mut budget = FILL_BUDGET;
    Filler { scope: Scope::Defining(what), report, budget: &mut budget }.node(node)
}

/// A Site's spec with these two fields alone, filled as what defines values is.
pub fn rendering_fields<'a>(spec: &Node<'a>, report: &mut Report) -> Node<'a> {
    let mut spec = spec.clone();
    if let super::tree::Value::Map(entries) = &mut spec.value {
        entries.retain(|entry| is_rendering_field(&entry.key));
        for entry in entries {
            entry.value = defining(&entry.value, "what rendering depends on", report);
        }
    }
    spec
}

/// The fields of a Site that are filled by [`rendering_fields`].
pub fn is_rendering_field(name: &str) -> bool {
    matches!(name, "targets" | "values")
}
