//! Edits of a manifest's text that leave every other byte as it is: comments, order, quotes, line breaks.
//!
//! A value is named by its document (the n-th of the text) and its path; or by the place where a scalar begins.

mod lines;
pub mod remove;

use super::spans::{self, Entry, Node, Shape, byte_at};
use super::tree::{Plain, classify};
use crate::model::origin::Place;
use granit_parser::{ScalarStyle, StructureStyle};
use lines::Lines;
use std::ops::Range;

/// Why a text is not edited, in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unedited(pub String);

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum New<'v> {
    Null,
    Scalar(&'v str),
    /// A value in flow style, which takes the place of whatever stands there.
    Flow(&'v str),
}

impl<'v> From<Option<&'v str>> for New<'v> {
    fn from(value: Option<&'v str>) -> New<'v> {
        value.map_or(New::Null, New::Scalar)
    }
}

fn unedited<T>(why: impl Into<String>) -> Result<T, Unedited> {
    Err(Unedited(why.into()))
}

/// Which document of a text a place is in, from 0.
pub fn document_at(text: &str, place: &Place) -> Option<usize> {
    let (_, body) = bom(text);
    let byte = byte_at(body, place.line, place.column)?;
    let documents = spans::documents(body).ok()?;
    documents.iter().rposition(|document| document.range.start <= byte)
}

/// The scalar at a path as it is written, quotes apart; None: there is none.
pub fn written(text: &str, document: usize, path: &[&str]) -> Option<String> {
    let documents = spans::documents(bom(text).1).ok()?;
    let mut node = documents.get(document)?;
    for name in path {
        node = node.get(name)?;
    }
    match &node.shape {
        Shape::Scalar { text, .. } => Some(text.clone()),
        _ => None,
    }
}

/// The text with another scalar where one begins at `place`.
pub fn replace(text: &str, place: &Place, value: &str) -> Result<String, Unedited> {
    let (mark, body) = bom(text);
    let documents = parse(body)?;
    let byte = byte_at(body, place.line, place.column);
    let found = byte.and_then(|byte| documents.iter().find_map(|document| document.scalar_at(byte)));
    match found {
        Some(node) => Ok(format!("{mark}{}", exchange(body, node, New::Scalar(value)))),
        None => unedited(format!("no single value begins at {place}")),
    }
}

/// The text with `value` at a path of one of its documents: in place of the one that is there, else added to the
/// nearest mapping around it.
pub fn set<'v>(
    text: &str,
    document: usize,
    path: &[&str],
    value: impl Into<New<'v>>,
) -> Result<String, Unedited> {
    let (mark, body) = bom(text);
    let documents = parse(body)?;
    let Some(root) = documents.get(document) else { return unedited("the document is gone") };
    Ok(format!("{mark}{}", set_in(body, root, path, value.into())?))
}

/// The text with another document at its end.
pub fn append(text: &str, document: &str) -> String {
    let broken = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    let is_empty = text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'));
    let ends_open = text.trim_end().ends_with("\n---") || text.trim() == "---";
    let between = if is_empty || ends_open { "" } else { "---\n" };
    format!("{text}{broken}{between}{document}")
}

/// Byte-order mark and the rest.
fn bom(text: &str) -> (&str, &str) {
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.split_at(text.len() - body.len())
}

fn parse(text: &str) -> Result<Vec<Node>, Unedited> {
    spans::documents(text).map_err(|error| Unedited(format!("not YAML: {}", error.message)))
}

fn splice(text: &str, range: &Range<usize>, new: &str) -> String {
    format!("{}{new}{}", &text[..range.start], &text[range.end..])
}

/// The text with another value in the place of a scalar, as alike as it can be.
fn exchange(text: &str, node: &Node, value: New<'_>) -> String {
    match (Lines::of(text, node), value) {
        (Some(lines), New::Scalar(new)) => {
            let literal = lines.literal(new);
            splice(text, &lines.range, &literal.unwrap_or_else(|| lines.beside(&quoted(new))))
        }
        (Some(lines), other) => splice(text, &lines.range, &lines.beside(&inline(other))),
        (None, New::Scalar(new)) => splice(text, &node.range, &scalar_like(node, new)),
        (None, other) => splice(text, &node.range, &inline(other)),
    }
}

fn set_in(text: &str, node: &Node, path: &[&str], value: New<'_>) -> Result<String, Unedited> {
    let Some((name, rest)) = path.split_first() else {
        return match &node.shape {
            Shape::Scalar { .. } if !node.range.is_empty() => Ok(exchange(text, node, value)),
            Shape::Map { .. } | Shape::List { .. } if !matches!(value, New::Scalar(_)) => {
                Ok(splice(text, &node.range, &inline(value)))
            }
            _ => unedited("its value is no single one"),
        };
    };
    match &node.shape {
        Shape::Map { .. } => {}
        Shape::Scalar { text: written, style: ScalarStyle::Plain }
            if classify(written) == Plain::Null && !node.range.is_empty() =>
        {
            return Ok(splice(text, &node.range, &flow(path, value)));
        }
        _ => return unedited(format!("what stands around `{name}` is no mapping of its own; write it out")),
    }
    match node.entry(name) {
        Some(entry) if entry.value.range.is_empty() => {
            let colon = text[entry.key.range.end..].find(':').map(|at| entry.key.range.end + at + 1);
            let Some(at) = colon else { return unedited(format!("`{name}` has no value")) };
            let new = if rest.is_empty() { inline(value) } else { flow(rest, value) };
            Ok(format!("{} {new}{}", &text[..at], &text[at..]))
        }
        Some(entry) if rest.is_empty() && !matches!(value, New::Scalar(_)) => {
            // A block below its key becomes a value beside it.
            let between = &text[entry.key.range.end..entry.value.range.start];
            match between.trim() == ":" {
                true => {
                    let (head, tail) = (&text[..entry.key.range.end], &text[entry.value.range.end..]);
                    Ok(format!("{head}: {}{tail}", inline(value)))
                }
                false => set_in(text, &entry.value, rest, value),
            }
        }
        Some(entry) => match as_lines(text, node, entry, value).filter(|_| rest.is_empty()) {
            Some(new) => Ok(new),
            None => set_in(text, &entry.value, rest, value),
        },
        None => add(text, node, path, value),
    }
}

/// A value of one line that is to have several: a block of lines, where its mapping lets one stand.
fn as_lines(text: &str, map: &Node, entry: &Entry, value: New<'_>) -> Option<String> {
    let New::Scalar(new) = value else { return None };
    let lines = Lines::beside_key(text, map, entry).filter(|_| !is_one_line(new))?;
    Some(splice(text, &lines.range, &lines.literal(new)?))
}

/// But for a line break at its end.
fn is_one_line(value: &str) -> bool {
    !value.trim_end_matches('\n').contains('\n')
}

/// Adds a field to a mapping, in the mapping's own style.
fn add(text: &str, map: &Node, path: &[&str], value: New<'_>) -> Result<String, Unedited> {
    let Shape::Map { style, entries } = &map.shape else { return unedited("no mapping") };
    let Some(last) = entries.last() else {
        let inner = map.range.start + 1;
        return Ok(format!("{}{}{}", &text[..inner], pair(path, value), &text[inner..]));
    };
    let end = last.value.range.end.max(last.key.range.end);
    if *style == StructureStyle::Flow {
        // Behind the last value; a comma that stands there already goes on standing.
        return Ok(format!("{}, {}{}", &text[..end], pair(path, value), &text[end..]));
    }
    let first = entries.first().map_or(map.range.start, |entry| entry.key.range.start);
    let line = text[..first].rfind('\n').map_or(0, |at| at + 1);
    let indent = text[line..first].chars().count();
    let end = text[..end].trim_end().len().max(first);
    let at = text[end..].find('\n').map_or(text.len(), |at| end + at + 1);
    let broken = if text[..at].ends_with('\n') { "" } else { "\n" };
    let ending = if text[..at].ends_with("\r\n") { "\r\n" } else { "\n" };
    let lines = block(path, value, indent).replace('\n', ending);
    Ok(format!("{}{broken}{lines}{}", &text[..at], &text[at..]))
}

/// `config: {limits.memory: 1GiB}`
fn pair(path: &[&str], value: New<'_>) -> String {
    match path {
        [] => inline(value),
        [name] => format!("{}: {}", scalar(name), inline(value)),
        [name, rest @ ..] => format!("{}: {}", scalar(name), flow(rest, value)),
    }
}

fn flow(path: &[&str], value: New<'_>) -> String {
    format!("{{{}}}", pair(path, value))
}

/// One line a level.
fn block(path: &[&str], value: New<'_>, indent: usize) -> String {
    match path {
        [] => String::new(),
        [name] => format!("{:indent$}{}: {}\n", "", scalar(name), inline(value)),
        [name, rest @ ..] => {
            format!("{:indent$}{}:\n{}", "", scalar(name), block(rest, value, indent + 2))
        }
    }
}

fn inline(value: New<'_>) -> String {
    match value {
        New::Null => "null".to_owned(),
        New::Scalar(text) => scalar(text),
        New::Flow(yaml) => yaml.to_owned(),
    }
}

/// A scalar with the quotes that the former one had.
fn scalar_like(node: &Node, value: &str) -> String {
    let is_simple = value.chars().all(|c| !c.is_control() && c != '\'');
    match &node.shape {
        Shape::Scalar { style: ScalarStyle::SingleQuoted, .. } if is_simple => format!("'{value}'"),
        Shape::Scalar { style: ScalarStyle::DoubleQuoted | ScalarStyle::SingleQuoted, .. } => quoted(value),
        _ => scalar(value),
    }
}

/// Without quotes where every reader takes it for what it is: a number stays one, and so does a bool.
pub fn scalar(value: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '+' | '@' | '%');
    let begins = value.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/' || c == '_');
    let is_word = ["y", "n", "yes", "no", "on", "off"].contains(&value.to_ascii_lowercase().as_str());
    let is_plain = matches!(classify(value), Plain::Text | Plain::Integer | Plain::Bool);
    match begins && is_plain && !is_word && value.chars().all(safe) {
        true => value.to_owned(),
        false => quoted(value),
    }
}

fn quoted(value: &str) -> String {
    serde_json::Value::String(value.to_owned()).to_string()
}
