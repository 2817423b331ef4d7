//! Placeholders in scalar values: `${values.NAME}` and, in a set's template, `${each.NAME}`; `$${` is the text `${`.
//!
//! A placeholder that is the whole scalar stands for its value with its type, quoted or not (in a flow mapping it must
//! be quoted); inside a longer text it adds its text. What a value is, is checked as if it had been written in place.

use super::report::{Report, Wrong};
use super::tree::{Entry, Mark, Node, Style, Value};
use crate::model::words::did_you_mean;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// The most bytes that filling may write in one load for one host; only a bomb needs more.
pub const FILL_BUDGET: usize = 64 << 20;

/// A value that placeholders name, and where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    pub text: String,
    pub style: Style,
    pub mark: Mark,
}

pub type Values = BTreeMap<String, Given>;

/// What a set's member has of its own.
#[derive(Debug, Clone, Copy)]
pub struct Each<'v> {
    pub values: &'v Values,
    /// Every name that some member of the set has.
    pub names: &'v BTreeSet<String>,
    /// Where the member is asked for.
    pub mark: Mark,
}

/// What placeholders may name.
#[derive(Debug, Clone, Copy)]
pub enum Scope<'v> {
    /// Nothing: where values are defined. What is defined there, for a finding.
    Defining(&'static str),
    Known {
        values: &'v Values,
        each: Option<Each<'v>>,
        /// The host that is rendered for, if the load has hosts.
        host: Option<&'v str>,
    },
}

/// Whether there is anything to fill, or to refuse.
pub fn is_needed(node: &Node) -> bool {
    match &node.value {
        Value::Scalar { text, .. } => has_placeholder(text),
        Value::List(items) => items.iter().any(is_needed),
        Value::Map(entries) => {
            entries.iter().any(|entry| has_placeholder(&entry.key) || is_needed(&entry.value))
        }
    }
}

/// Nearly no text has a dollar: one byte is found sooner than two.
fn has_placeholder(text: &str) -> bool {
    text.as_bytes().contains(&b'$') && text.contains("${")
}

/// Fills trees of one document.
pub struct Filler<'f, 'r> {
    pub scope: Scope<'f>,
    pub report: &'r mut Report,
    pub budget: &'r mut usize,
}

impl Filler<'_, '_> {
    /// The tree with every placeholder filled. One that cannot be is a finding; its scalar stays as it is.
    pub fn node<'a>(&mut self, node: &Node<'a>) -> Node<'a> {
        let mark = node.mark;
        let value = match &node.value {
            Value::Scalar { text, style } => self.scalar(text, *style, mark),
            Value::List(items) => Value::List(items.iter().map(|item| self.node(item)).collect()),
            Value::Map(entries) => Value::Map(entries.iter().map(|entry| self.entry(entry)).collect()),
        };
        Node { mark, value }
    }

    fn entry<'a>(&mut self, entry: &Entry<'a>) -> Entry<'a> {
        if entry.key.contains("${") {
            let wrong = Wrong::new("placeholder", "placeholders stand in values, not in names");
            self.report.error(entry.mark, wrong.help("write the name out"));
        }
        Entry { key: entry.key.clone(), mark: entry.mark, value: self.node(&entry.value) }
    }

    fn scalar<'a>(&mut self, text: &Cow<'a, str>, style: Style, mark: Mark) -> Value<'a> {
        let filled = text.contains("${").then(|| self.fill(text, style, mark)).flatten();
        filled.unwrap_or_else(|| Value::Scalar { text: text.clone(), style })
    }

    fn fill(&mut self, text: &str, style: Style, mark: Mark) -> Option<Value<'static>> {
        let parts = match parts(text) {
            Ok(parts) => parts,
            Err(rest) => {
                self.spoil(mark, not_closed(rest));
                return None;
            }
        };
        if let [Part::Name { name, .. }] = parts[..] {
            let given = self.given(name, mark)?;
            let style = match (style, given.style) {
                (Style::Plain, style) => style,
                (_, Style::Plain) => Style::Filled,
                (_, style) => style,
            };
            return self.spend(given.text.len(), mark).then(|| {
                self.report.fill(mark, &[given.mark]);
                Value::Scalar { text: Cow::Owned(given.text), style }
            });
        }
        let mut whole = String::new();
        let mut marks = vec![];
        for part in parts {
            match part {
                Part::Text(text) => whole.push_str(text),
                Part::Name { name, .. } => {
                    let given = self.given(name, mark)?;
                    whole.push_str(&given.text);
                    marks.push(given.mark);
                }
            }
        }
        self.report.fill(mark, &marks);
        self.spend(whole.len(), mark).then_some(Value::Scalar { text: Cow::Owned(whole), style })
    }

    /// Whether so many bytes may still be written.
    pub fn spend(&mut self, bytes: usize, mark: Mark) -> bool {
        match self.budget.checked_sub(bytes) {
            Some(rest) => *self.budget = rest,
            None => {
                let message = format!("placeholders write more than {} MiB in this load", FILL_BUDGET >> 20);
                self.spoil(mark, Wrong::new("too-many", message).help("shorten the values"));
                return false;
            }
        }
        true
    }

    /// What a placeholder's name stands for; none when it is reported.
    pub fn given(&mut self, name: &str, mark: Mark) -> Option<Given> {
        let (values, each, host) = match self.scope {
            Scope::Known { values, each, host } => (values, each, host),
            Scope::Defining(what) => {
                let wrong =
                    Wrong::new("placeholder", format!("`${{{name}}}`: {what} cannot refer to others"));
                self.spoil(mark, wrong.help("write it out; the text `${` itself is written `$${`"));
                return None;
            }
        };
        let found = match name.split_once('.') {
            Some(("values", name)) => values.get(name),
            Some(("each", name)) => each.and_then(|each| each.values.get(name)),
            _ => None,
        };
        if found.is_some() {
            return found.cloned();
        }
        if let (Some(each), Some(("each", name))) = (each, name.split_once('.'))
            && each.names.contains(name)
        {
            let key = each.values.get("key").map_or("", |key| key.text.as_str());
            let message = format!("`{key}` has no `{name}`, and `${{each.{name}}}` asks for it");
            let help = format!("add `{name}: …`; it is used at {}", self.report.place(mark));
            self.report.error(each.mark, Wrong::new("unknown-value", message).help(help));
            self.report.spoil(mark);
            return None;
        }
        let wrong = unknown(name, values, each.map(|each| each.names), host);
        self.spoil(mark, wrong);
        None
    }

    /// Reports what keeps a scalar from being filled; what others say about it then is noise.
    pub fn spoil(&mut self, mark: Mark, wrong: Wrong) {
        self.report.error(mark, wrong);
        self.report.spoil(mark);
    }
}

/// What is wrong with a placeholder without an end.
pub fn not_closed(rest: &str) -> Wrong {
    let line = rest.lines().next().unwrap_or_default();
    let wrong = Wrong::new("placeholder", format!("`{line}` is not closed"));
    wrong.help("close it with `}`; the text `${` itself is written `$${`")
}

fn unknown(name: &str, values: &Values, each: Option<&BTreeSet<String>>, host: Option<&str>) -> Wrong {
    let whole = format!("${{{name}}}");
    if name.starts_with("each.") && each.is_none() {
        let wrong = Wrong::new("placeholder", format!("`{whole}` outside a set"));
        return wrong.help("`${each.…}` stands in the name, the metadata and the template of a ContainerSet");
    }
    if matches!(name.split('.').next(), Some("secret" | "secrets")) {
        let wrong = Wrong::new("placeholder", format!("`{whole}`: a secret is filled in nowhere"));
        return wrong.help("put it into a file or a variable of its own: `{secretRef: NAME}`");
    }
    let mut names: Vec<String> = values.keys().map(|name| format!("values.{name}")).collect();
    names.extend(each.into_iter().flatten().map(|name| format!("each.{name}")));
    let place = match (host, name.starts_with("each.")) {
        (Some(host), false) => format!(" for host {host}"),
        _ => String::new(),
    };
    let wrong = Wrong::new("unknown-value", format!("there is no value `{whole}`{place}"));
    let near = did_you_mean(name, names.iter().map(String::as_str));
    wrong.help(near.map(|near| near.replace('`', "")).map_or_else(
        || {
            match names.is_empty() {
                true => {
                    "give it under `values` of the Site or of a Host; the text `${` itself is written `$${`"
                        .to_owned()
                }
                false => format!("known are {}; the text `${{` itself is written `$${{`", names.join(", ")),
            }
        },
        |near| near.replace("did you mean ", "did you mean `${").replace('?', "}`?"),
    ))
}

pub enum Part<'t> {
    Text(&'t str),
    /// What stands between `${` and `}`, and the byte at which the `$` stands.
    Name {
        name: &'t str,
        at: usize,
    },
}

/// Texts and placeholders in order; where one is not closed on its line, the text from there on.
pub fn parts(text: &str) -> Result<Vec<Part<'_>>, &str> {
    let mut parts = vec![];
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            parts.push(Part::Text(&rest[..at - 1]));
            parts.push(Part::Text("${"));
            rest = &rest[at + 2..];
            continue;
        }
        if at > 0 {
            parts.push(Part::Text(&rest[..at]));
        }
        let end = rest[at..].find(['}', '\n']).filter(|end| rest[at + end..].starts_with('}'));
        let end = end.ok_or(&rest[at..])?;
        parts.push(Part::Name { name: rest[at + 2..at + end].trim(), at: text.len() - rest.len() + at });
        rest = &rest[at + end + 1..];
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest));
    }
    Ok(parts)
}

/// The text written so that filling gives it back.
pub fn escape(text: &str) -> String {
    text.replace("${", "$${")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Result<Vec<String>, String> {
        let show = |part: &Part| match part {
            Part::Text(text) => (*text).to_owned(),
            Part::Name { name, .. } => format!("<{name}>"),
        };
        parts(text).map(|parts| parts.iter().map(show).collect()).map_err(str::to_owned)
    }

    #[test]
    fn a_doubled_dollar_is_the_text_itself() {
        assert_eq!(shown("a${b.c}d").unwrap().concat(), "a<b.c>d");
        assert_eq!(shown("$${b}").unwrap().concat(), "${b}");
        assert_eq!(shown("$$$${b} $$ ${ c }").unwrap().concat(), "$$${b} $$ <c>");
        assert_eq!(shown("x ${b"), Err("${b".to_owned()));
        assert_eq!(shown("x ${b\n}"), Err("${b\n}".to_owned()));
        assert_eq!(shown("$").unwrap().concat(), "$");
    }

    #[test]
    fn what_is_escaped_is_given_back() {
        for text in ["${a}", "$${a}", "$$${a", "a$b{c}"] {
            assert_eq!(shown(&escape(text)).unwrap().concat(), text);
        }
    }
}
