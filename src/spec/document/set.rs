//! Kind ContainerSet: many containers from one template.

use super::container::ContainerSpec;
use super::reader::{Fields, Reader};
use super::values;
use crate::spec::fill::{Given, Values};
use crate::spec::report::Wrong;
use crate::spec::tree::{Mark, Node, Plain, Style};
use schemars::JsonSchema;
use std::collections::BTreeMap;

pub const FIELDS: Fields =
    Fields { known: &["replicas", "for", "name", "template", "placement"], later: &[] };

/// The most members of one set.
pub const MAX_MEMBERS: usize = 10_000;

/// Many containers that are alike. Each member is a container like any other; it has the set's metadata but for the
/// name.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContainerSetSpec {
    /// How many there are, numbered from 0: `{index}` in `name`, `${each.index}` in the template.
    #[schemars(range(min = 0, max = 10_000))]
    pub replicas: Option<u32>,
    /// One for each key, with values of its own: `{key}` in `name`, `${each.key}` and `${each.NAME}` in the template;
    /// `renamedFrom` is the key that it had before.
    #[schemars(rename = "for", default, schema_with = "crate::spec::schema::each")]
    pub each: Option<BTreeMap<String, BTreeMap<String, String>>>,
    /// The members' names: `runner-{index:02}`, `web-{key}`. Absent: the set's name, `-`, and the index or key.
    #[schemars(default, schema_with = "crate::spec::schema::member_names")]
    pub name: Option<String>,
    /// The spec of each member.
    pub template: ContainerSpec,
}

/// What one member has of its own.
#[derive(Debug, Clone)]
pub struct Member {
    /// The index or the key.
    pub id: Id,
    /// What `${each.NAME}` stands for; the index or key among it.
    pub each: Values,
    /// The key that it had before.
    pub former: Option<Given>,
    /// Where it is asked for.
    pub mark: Mark,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Id {
    Index(usize),
    Key(String),
}

/// The members that a set's spec asks for, in order; none when it does not say so properly.
pub fn members(spec: &Node, mark: Mark, reader: &mut Reader) -> Option<Vec<Member>> {
    let replicas = reader.field(spec, "replicas", "replicas");
    let each = reader.field(spec, "for", "for");
    match (replicas, each) {
        (Some(node), None) => {
            let count = count(node, reader)?;
            let member = |index| Member {
                id: Id::Index(index),
                each: Values::from([("index".to_owned(), values::number(index, node.mark))]),
                former: None,
                mark,
            };
            Some((0..count).map(member).collect())
        }
        (None, Some(node)) => keyed(node, reader),
        (Some(_), Some(node)) => {
            let wrong = Wrong::new("bad-value", "a set has `replicas` or `for`, not both");
            reader.report.error(node.mark, wrong.help("remove one of them"));
            None
        }
        (None, None) => {
            let help = "add `replicas: 3`, or `for: {a: {…}, b: {…}}`";
            reader.missing(mark, "spec.replicas", help);
            None
        }
    }
}

fn count(node: &Node, reader: &mut Reader) -> Option<usize> {
    let Some((text, Plain::Integer)) = node.scalar() else {
        let help = matches!(node.scalar(), Some((text, _)) if text.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| "write it without quotes".to_owned());
        reader.mistyped(node, "replicas", "a whole number", help);
        return None;
    };
    match text.parse::<usize>().ok().filter(|count| *count <= MAX_MEMBERS) {
        Some(count) => Some(count),
        None => {
            let wrong =
                Wrong::new("bad-value", format!("replicas must be from 0 to {MAX_MEMBERS}; it is {text}"));
            let help = (!text.starts_with('-')).then(|| "more than that are several sets".to_owned());
            reader.report.error(node.mark, wrong.maybe_help(help));
            None
        }
    }
}

fn keyed(node: &Node, reader: &mut Reader) -> Option<Vec<Member>> {
    let Some(entries) = node.entries() else {
        let help = "write `for: {a: {…}, b: {…}}`; a key without values is `a: {}`";
        reader.mistyped(node, "for", "a mapping of keys", Some(help.to_owned()));
        return None;
    };
    if entries.len() > MAX_MEMBERS {
        let wrong = Wrong::new("bad-value", format!("`for` has more than {MAX_MEMBERS} keys"));
        reader.report.error(node.mark, wrong.help("more than that are several sets"));
        return None;
    }
    let mut members = vec![];
    for entry in entries {
        let at = format!("for.{}", entry.key);
        let mut each = match entry.value.is_null() {
            true => Values::new(),
            false => values::scalars(&entry.value, &at, reader),
        };
        if let Some(own) = each.get("key") {
            let wrong = Wrong::new("bad-value", "`key` is the entry's key itself");
            reader.report.error(own.mark, wrong.help("give it another name"));
        }
        let former = each.remove("renamedFrom");
        let key = Given { text: entry.key.to_string(), style: Style::Quoted, mark: entry.mark };
        each.insert("key".to_owned(), key);
        members.push(Member { id: Id::Key(entry.key.to_string()), each, former, mark: entry.mark });
    }
    Some(members)
}

/// A pattern of names: texts, and where the index (in so many digits at least) or the key stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Index { digits: usize },
    Key,
}

/// The most digits that an index may be filled up to.
const MAX_DIGITS: usize = 9;

impl Pattern {
    /// The pattern of a set that gives none.
    pub fn of_set(name: &str, keyed: bool) -> Pattern {
        let id = if keyed { Part::Key } else { Part::Index { digits: 0 } };
        Pattern { parts: vec![Part::Text(format!("{name}-")), id] }
    }

    pub fn parse(text: &str) -> Result<Pattern, Wrong> {
        let mut parts = vec![];
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let end = rest[at..].find('}').filter(|_| rest[at..].starts_with('{'));
            let Some(end) = end else {
                let wrong = Wrong::new("bad-value", format!("the brace in `{text}` has no other"));
                return Err(wrong.help("write `{index}`, `{index:02}` or `{key}`"));
            };
            parts.push(Part::Text(rest[..at].to_owned()));
            parts.push(part(&rest[at + 1..at + end])?);
            rest = &rest[at + end + 1..];
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Pattern { parts })
    }

    /// Whether each member gets another name; `written` is the pattern before its placeholders were filled.
    pub fn tells_apart(&self, written: &str) -> bool {
        written.contains("${each.") || self.parts.iter().any(|part| !matches!(part, Part::Text(_)))
    }

    /// The name of a member.
    pub fn name(&self, id: &Id) -> Result<String, Wrong> {
        let mut name = String::new();
        for part in &self.parts {
            match (part, id) {
                (Part::Text(text), _) => name.push_str(text),
                (Part::Index { digits }, Id::Index(index)) => name.push_str(&format!("{index:0digits$}")),
                (Part::Key, Id::Key(key)) => name.push_str(key),
                (Part::Index { .. }, Id::Key(_)) => {
                    let wrong = Wrong::new("bad-value", "the members of a set with `for` have no index");
                    return Err(wrong.help("write `{key}`: removing a key then renames no other member"));
                }
                (Part::Key, Id::Index(_)) => {
                    let wrong = Wrong::new("bad-value", "the members of a set with `replicas` have no key");
                    return Err(wrong.help("write `{index}`"));
                }
            }
        }
        Ok(name)
    }
}

fn part(text: &str) -> Result<Part, Wrong> {
    let digits = |digits: &str| {
        let count = digits.strip_prefix('0')?.parse::<usize>().ok()?;
        (1..=MAX_DIGITS).contains(&count).then_some(count)
    };
    match text.split_once(':') {
        None if text == "index" => Ok(Part::Index { digits: 0 }),
        None if text == "key" => Ok(Part::Key),
        Some(("index", format)) => digits(format).map(|digits| Part::Index { digits }).ok_or_else(|| {
            let message =
                format!("`{{{text}}}`: the index is filled up with zeros to 1 to {MAX_DIGITS} digits");
            Wrong::new("bad-value", message).help("write `{index:02}` for two digits")
        }),
        _ => {
            let wrong = Wrong::new("bad-value", format!("`{{{text}}}` is no part of a name"));
            Err(wrong.help("write `{index}`, `{index:02}` or `{key}`; values are `${each.NAME}`"))
        }
    }
}
