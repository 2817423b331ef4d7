//! `placement` of a spec: which hosts an object is rendered for.

use super::reader::{Fields, Reader};
use crate::spec::report::Wrong;
use crate::spec::tree::{Mark, Node, Value};
use schemars::JsonSchema;
use std::collections::BTreeMap;

const FIELDS: Fields = Fields { known: &["hosts", "labels"], later: &[] };

/// The hosts that an object is rendered for: those that match all that is given.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields, transform = crate::spec::schema::somewhere)]
pub struct PlacementSpec {
    /// Hosts by name.
    #[schemars(length(min = 1))]
    pub hosts: Option<Vec<String>>,
    /// Labels that the Host document has.
    #[schemars(default)]
    pub labels: BTreeMap<String, String>,
}

/// A placement as written.
#[derive(Debug, Clone)]
pub struct Placement {
    pub mark: Mark,
    pub hosts: Option<Vec<(String, Mark)>>,
    pub labels: BTreeMap<String, String>,
}

impl Placement {
    /// Whether a host with this name and these labels is meant.
    pub fn matches(&self, host: &str, labels: &BTreeMap<String, String>) -> bool {
        self.hosts.as_ref().is_none_or(|hosts| hosts.iter().any(|(name, _)| name == host))
            && self.labels.iter().all(|(label, value)| labels.get(label) == Some(value))
    }

    /// What of it a host does not meet, in words.
    pub fn unmet(&self, host: &str, labels: &BTreeMap<String, String>) -> String {
        let mut words = vec![];
        if self.hosts.as_ref().is_some_and(|hosts| hosts.iter().all(|(name, _)| name != host)) {
            words.push(format!("host `{host}` is not among its hosts"));
        }
        for (label, wanted) in &self.labels {
            match labels.get(label) {
                Some(value) if value == wanted => {}
                Some(value) => words.push(format!("label {label} of host `{host}` is {value}, not {wanted}")),
                None => words.push(format!("host `{host}` has no label {label} (wanted {wanted})")),
            }
        }
        words.join("; ")
    }

    /// In words: `hosts a, b with labels gpu=nvidia`.
    pub fn describe(&self) -> String {
        let names = |(name, _): &(String, Mark)| format!(" {name}");
        let hosts: Vec<String> = self.hosts.iter().flatten().map(names).collect();
        let labels: Vec<String> =
            self.labels.iter().map(|(label, value)| format!("{label}={value}")).collect();
        let labels =
            if labels.is_empty() { String::new() } else { format!(" with labels {}", labels.join(", ")) };
        format!("hosts{}{labels}", hosts.join(","))
    }
}

/// Reads a `placement`; none when it is null, or reported.
pub fn read(node: &Node, reader: &mut Reader) -> Option<Placement> {
    if node.is_null() || !reader.mapping(node, "placement", &FIELDS) {
        return None;
    }
    let hosts = reader.field(node, "hosts", "placement.hosts").map(|node| hosts(node, reader));
    let labels = reader.field(node, "labels", "placement.labels").map(|node| labels(node, reader));
    if hosts.is_none() && labels.as_ref().is_none_or(BTreeMap::is_empty) {
        let wrong = Wrong::new("missing-field", "placement says neither `hosts` nor `labels`");
        reader.report.error(node.mark, wrong.help("remove it: then every host is meant"));
    }
    Some(Placement { mark: node.mark, hosts, labels: labels.unwrap_or_default() })
}

fn hosts(node: &Node, reader: &mut Reader) -> Vec<(String, Mark)> {
    let mut names = vec![];
    for item in reader.list(node, "placement.hosts") {
        if let Some(text) = reader.text(item, "placement.hosts") {
            names.push((text, item.mark));
        }
    }
    if matches!(&node.value, Value::List(items) if items.is_empty()) {
        let wrong = Wrong::new("bad-value", "placement.hosts names no host");
        reader.report.error(node.mark, wrong.help("name one, or remove the document"));
    }
    names
}

fn labels(node: &Node, reader: &mut Reader) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let Some(entries) = node.entries() else {
        reader.mistyped(node, "placement.labels", "a mapping", None);
        return labels;
    };
    for entry in entries {
        let path = format!("placement.labels.{}", entry.key);
        if let Some(text) = reader.text(&entry.value, &path) {
            labels.insert(entry.key.to_string(), text);
        }
    }
    labels
}
