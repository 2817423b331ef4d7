//! Typed reading of trees: every mistake becomes a finding, and reading goes on.

use super::super::registry::check;
use super::super::registry::value::BadValue;
use super::super::registry::{Entry, Table};
use super::super::report::{Report, Wrong};
use super::super::tree::{Mark, Node, Plain, Value};
use super::ready::WITHOUT_TLS;
use crate::model::origin::below;
use crate::model::time_span::TimeSpan;
use crate::model::words::{alternatives, did_you_mean};
use std::collections::BTreeMap;

/// Field path → where its value stands.
pub type Marks = BTreeMap<String, Mark>;

/// Reads one document.
pub struct Reader<'r> {
    pub report: &'r mut Report,
    pub marks: Marks,
    /// Device option's path → where its name stands.
    pub names: Marks,
}

/// The fields of a mapping: those that are read, and those that a later version will read.
pub struct Fields {
    pub known: &'static [&'static str],
    pub later: &'static [&'static str],
}

impl<'r> Reader<'r> {
    pub fn new(report: &'r mut Report) -> Reader<'r> {
        Reader { report, marks: Marks::new(), names: Marks::new() }
    }

    /// True for a mapping; reports each field that is not known. `at` names the mapping in findings.
    pub fn mapping(&mut self, node: &Node, at: &str, fields: &Fields) -> bool {
        let Some(entries) = node.entries() else {
            self.mistyped(node, at, "a mapping", None);
            return false;
        };
        for entry in entries {
            let name = entry.key.as_ref();
            if fields.known.contains(&name) {
                continue;
            }
            if fields.later.contains(&name) {
                let wrong = Wrong::new("not-supported", format!("`{name}` is not supported yet"));
                self.report.error(entry.mark, wrong.help("remove it; this version does without"));
                continue;
            }
            let help = elsewhere(at, name)
                .map(str::to_owned)
                .or_else(|| did_you_mean(name, fields.known.iter().copied()))
                .or_else(|| did_you_mean(name, fields.later.iter().copied()))
                .unwrap_or_else(|| match fields.known {
                    [] => "it takes no fields: write `{}`".to_owned(),
                    known => format!("known here: {}", known.join(", ")),
                });
            let message = format!("unknown field `{name}` in {at}");
            self.report.error(entry.mark, Wrong::new("unknown-field", message).help(help));
        }
        true
    }

    /// Remembers where a field stands: at its value if that is a scalar, else at its name.
    pub fn remember(&mut self, path: &str, key: Mark, node: &Node) {
        let mark = if matches!(node.value, Value::Scalar { .. }) { node.mark } else { key };
        self.marks.insert(path.to_owned(), mark);
    }

    /// The value of a field, remembered; none when it is absent or null.
    pub fn field<'n, 'a>(&mut self, node: &'n Node<'a>, name: &str, path: &str) -> Option<&'n Node<'a>> {
        let entry = node.entries()?.iter().find(|entry| entry.key == name)?;
        if entry.value.is_null() {
            return None;
        }
        self.remember(path, entry.mark, &entry.value);
        Some(&entry.value)
    }

    /// Reports that a field is not there; `help` is what to write.
    pub fn missing(&mut self, mark: Mark, path: &str, help: &str) {
        self.report.error(mark, Wrong::new("missing-field", format!("`{path}` is missing")).help(help));
    }

    pub fn mistyped(&mut self, node: &Node, path: &str, wanted: &str, help: Option<String>) {
        let message = format!("{path} must be {wanted}; it is {}", node.describe());
        self.report.error(node.mark, Wrong::new("wrong-type", message).maybe_help(help));
    }

    /// A text. What YAML reads as a number, a bool or nothing must be quoted; `no`, `on` and the like are texts.
    pub fn text(&mut self, node: &Node, path: &str) -> Option<String> {
        if let Some(text) = node.as_text() {
            return Some(text.to_owned());
        }
        match node.scalar() {
            Some((text, Plain::Text)) => Some(text.to_owned()),
            Some((_, Plain::Null)) => {
                self.mistyped(node, path, "a text", Some("for an empty text write \"\"".to_owned()));
                None
            }
            Some((text, _)) => {
                self.mistyped(node, path, "a text", Some(format!("put it in quotes: \"{text}\"")));
                None
            }
            None => {
                self.mistyped(node, path, "a text", None);
                None
            }
        }
    }

    pub fn flag(&mut self, node: &Node, path: &str) -> Option<bool> {
        match node.scalar() {
            Some((text, Plain::Bool)) => Some(text.eq_ignore_ascii_case("true")),
            Some((text, Plain::Text)) => {
                let help = match text.to_ascii_lowercase().as_str() {
                    "yes" | "on" | "y" => Some("in YAML 1.2 that is a text; write true".to_owned()),
                    "no" | "off" | "n" => Some("in YAML 1.2 that is a text; write false".to_owned()),
                    "true" | "false" => Some("remove the quotes".to_owned()),
                    _ => None,
                };
                self.mistyped(node, path, "true or false", help);
                None
            }
            _ => {
                self.mistyped(node, path, "true or false", None);
                None
            }
        }
    }

    /// The items of a list.
    pub fn list<'n, 'a>(&mut self, node: &'n Node<'a>, path: &str) -> &'n [Node<'a>] {
        match &node.value {
            Value::List(items) => items,
            _ => {
                let help = node.scalar().map(|(text, _)| format!("write it as a list: [{text}]"));
                self.mistyped(node, path, "a list", help);
                &[]
            }
        }
    }

    /// A list of texts; each item's place is remembered as `path[INDEX]`.
    pub fn texts(&mut self, node: &Node, path: &str) -> Vec<String> {
        let mut texts = vec![];
        for item in self.list(node, path) {
            let path = format!("{path}[{}]", texts.len());
            if let Some(text) = self.text(item, &path) {
                self.marks.insert(path, item.mark);
                texts.push(text);
            }
        }
        texts
    }

    /// One of the given words.
    pub fn choice<T: Copy>(&mut self, node: &Node, path: &str, words: &[(&str, T)]) -> Option<T> {
        let names = || words.iter().map(|(word, _)| *word);
        let Some((text, Plain::Text)) = node.scalar() else {
            self.mistyped(node, path, &alternatives(names()), None);
            return None;
        };
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let message = format!("{path} must be {}; it is `{}`", alternatives(names()), visible(text));
            let wrong = Wrong::new("bad-value", message).maybe_help(did_you_mean(text, names()));
            self.report.error(node.mark, wrong);
        }
        found
    }

    /// A time span (`500ms`, `10s`, `2m`, `1h`, `7d`) that is not zero.
    pub fn time_span(&mut self, node: &Node, path: &str) -> Option<TimeSpan> {
        let parsed = node.scalar().and_then(|(text, _)| text.parse::<TimeSpan>().ok());
        let span = parsed.filter(|span| span.milliseconds() > 0);
        if span.is_none() {
            self.mistyped(node, path, "a time span", Some("for example 500ms, 10s, 2m or 1h".to_owned()));
        }
        span
    }

    /// Reports a value that breaks a rule of names or values.
    pub fn bad(&mut self, mark: Mark, path: &str, text: &str, bad: BadValue) {
        let message = format!("{path} must be {}; it is {}", bad.wanted, quoted(text));
        self.report.error(mark, Wrong::new("bad-value", message).maybe_help(bad.help));
    }

    /// `config`: names to normalised texts; null (unset) is none.
    pub fn config(&mut self, node: &Node, path: &str, table: &Table) -> BTreeMap<String, Option<String>> {
        let mut config = BTreeMap::new();
        let Some(entries) = node.entries() else {
            self.mistyped(node, path, "a mapping", None);
            return config;
        };
        for entry in entries {
            let name = entry.key.as_ref();
            if let Some(help) = nested(name, &entry.value, table) {
                let message = format!("`{name}` is a mapping; config keys are written in one piece");
                self.report.error(entry.mark, Wrong::new("wrong-type", message).help(help));
                continue;
            }
            self.remember(&below(path, name), entry.mark, &entry.value);
            let known = match check::name(table, name) {
                Ok(known) => known,
                Err(wrong) => {
                    self.report.error(entry.mark, wrong);
                    continue;
                }
            };
            if entry.value.is_null() {
                config.insert(name.to_owned(), None);
                continue;
            }
            match self.config_value(&entry.value, name, known) {
                Some(Ok(text)) => drop(config.insert(name.to_owned(), Some(text))),
                Some(Err(wrong)) => self.report.error(entry.value.mark, wrong),
                None => {}
            }
        }
        config
    }

    /// A config value in its normal form; none when it is reported already.
    fn config_value(&mut self, node: &Node, name: &str, known: &Entry) -> Option<Result<String, Wrong>> {
        match node.scalar() {
            // Where the value is wrong in any reading, that says more than the advice to quote it.
            Some((text, Plain::Float | Plain::OddInteger)) => match check::normal_form(known, name, text) {
                Err(wrong) => Some(Err(wrong)),
                Ok(_) => self.config_text(node, name).map(Ok),
            },
            _ => self.config_text(node, name).map(|text| check::normal_form(known, name, &text)),
        }
    }

    /// A config value: a text, a whole number or a bool, as text.
    pub fn config_text(&mut self, node: &Node, name: &str) -> Option<String> {
        let (text, plain) = match node.scalar() {
            Some(scalar) => scalar,
            None => {
                self.mistyped(node, &format!("`{name}`"), "a single value", None);
                return None;
            }
        };
        match plain {
            Plain::Text | Plain::Bool | Plain::Integer => Some(text.to_owned()),
            Plain::Null => {
                self.mistyped(node, &format!("`{name}`"), "a value", None);
                None
            }
            Plain::Float | Plain::OddInteger => {
                let help = format!("put it in quotes if it is meant as it stands: \"{text}\"");
                let wanted = "a text, a whole number, true or false";
                self.mistyped(node, &format!("`{name}`"), wanted, Some(help));
                None
            }
        }
    }
}

/// How what is written here is written, where the likeness of names would mislead.
fn elsewhere(at: &str, name: &str) -> Option<&'static str> {
    match (at, name) {
        (_, "placement") => Some("it stands in the spec of what is placed; a Site has `targets`"),
        ("ready", "https") | ("ready.http", "scheme" | "tls") => Some(WITHOUT_TLS),
        ("ready", "httpGet") => Some("write `http: {port: 80, path: /}`"),
        ("ready", "tcpSocket") => Some("write `tcp: 80`"),
        ("ready.http", "host" | "address") => Some("the container itself is asked, on its loopback first"),
        _ => None,
    }
}

/// `limits: {memory: 1GiB}` for `limits.memory: 1GiB`.
fn nested(name: &str, value: &Node, table: &Table) -> Option<String> {
    let first = value.entries()?.first()?;
    let whole = format!("{name}.{}", first.key);
    Some(match table.find(&whole) {
        Some(_) => format!("write `{whole}: …`"),
        None if table.find(name).is_some() => format!("give `{name}` a single value"),
        None => "write `limits.memory: 1GiB`, not `limits: {memory: 1GiB}`".to_owned(),
    })
}

/// A text in backticks, or that it is empty.
pub fn quoted(text: &str) -> String {
    if text.is_empty() { "empty".to_owned() } else { format!("`{}`", visible(text)) }
}

/// A text with its control characters escaped.
pub fn visible(text: &str) -> String {
    text.chars()
        .flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] })
        .collect()
}
