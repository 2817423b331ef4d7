//! A YAML document as a tree in which every key and value knows where it stands.

use std::borrow::Cow;

/// A place in a load: the index of its text, line and column from 1 (in characters).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark {
    pub file: u32,
    pub line: u32,
    pub column: u32,
}

/// A value and where it starts.
#[derive(Debug, Clone)]
pub struct Node<'a> {
    pub mark: Mark,
    pub value: Value<'a>,
}

#[derive(Debug, Clone)]
pub enum Value<'a> {
    Scalar { text: Cow<'a, str>, style: Style },
    List(Vec<Node<'a>>),
    Map(Vec<Entry<'a>>),
}

/// How a scalar was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Neither quoted nor a block: it may stand for a number, a bool or null.
    Plain,
    /// Quoted, or a block: a text, whatever it holds.
    Quoted,
    /// A placeholder alone in quotes, filled with a plain value: a text where one is wanted, else what its value is.
    Filled,
}

/// One `key: value` of a mapping; keys are distinct.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    pub key: Cow<'a, str>,
    pub mark: Mark,
    pub value: Node<'a>,
}

/// What a plain scalar is by YAML 1.2's core schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plain {
    Null,
    Bool,
    Integer,
    /// `017`, `0o17`, `0x1f`, `1_000`: a number to some readers of YAML, another one or a text to others.
    OddInteger,
    Float,
    Text,
}

impl<'a> Node<'a> {
    /// The text and what it is; none for a list or a mapping. A quoted one is text whatever it holds.
    pub fn scalar(&self) -> Option<(&str, Plain)> {
        match &self.value {
            Value::Scalar { text, style: Style::Quoted } => Some((text, Plain::Text)),
            Value::Scalar { text, .. } => Some((text, classify(text))),
            _ => None,
        }
    }

    /// The text of a scalar that may stand for a text whatever it holds.
    pub fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, style: Style::Quoted | Style::Filled } => Some(text),
            _ => None,
        }
    }

    /// A scalar's text, whatever it stands for.
    pub fn raw(&self) -> Option<&str> {
        self.scalar().map(|(text, _)| text)
    }

    pub fn is_null(&self) -> bool {
        matches!(self.scalar(), Some((_, Plain::Null)))
    }

    /// What it is, in words for a finding.
    pub fn describe(&self) -> String {
        match (&self.value, self.scalar()) {
            (Value::List(_), _) => "a list".to_owned(),
            (Value::Map(_), _) => "a mapping".to_owned(),
            (_, Some((_, Plain::Null))) => "nothing".to_owned(),
            (_, Some((text, Plain::Bool))) => format!("the bool {text}"),
            (_, Some((text, Plain::Integer | Plain::OddInteger | Plain::Float))) => {
                format!("the number {text}")
            }
            (_, Some((text, Plain::Text))) => format!("the text \"{}\"", shorten(text)),
            (_, None) => "something else".to_owned(),
        }
    }

    /// The mapping's entries.
    pub fn entries(&self) -> Option<&[Entry<'a>]> {
        match &self.value {
            Value::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The value of a mapping's key.
    pub fn get(&self, key: &str) -> Option<&Node<'a>> {
        self.entries()?.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// How many values it holds, itself too.
    pub fn weight(&self) -> usize {
        match &self.value {
            Value::Scalar { .. } => 1,
            Value::List(items) => 1 + items.iter().map(Node::weight).sum::<usize>(),
            Value::Map(entries) => 1 + entries.iter().map(|entry| 1 + entry.value.weight()).sum::<usize>(),
        }
    }
}

/// What a plain scalar of this text is.
pub fn classify(text: &str) -> Plain {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Plain::Null,
        "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => return Plain::Bool,
        ".inf" | ".Inf" | ".INF" | "+.inf" | "-.inf" | "-.Inf" | "-.INF" | ".nan" | ".NaN" | ".NAN" => {
            return Plain::Float;
        }
        _ => {}
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Plain::Text;
    }
    if unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        let odd = unsigned.len() > 1 && unsigned.starts_with('0') || text.starts_with('+');
        return if odd { Plain::OddInteger } else { Plain::Integer };
    }
    classify_number(unsigned)
}

fn classify_number(unsigned: &str) -> Plain {
    let based = |prefix: &str, radix: u32| {
        let digits = unsigned.strip_prefix(prefix);
        digits.is_some_and(|digits| !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix)))
    };
    let grouped =
        unsigned.contains('_') && unsigned.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    if based("0x", 16) || based("0o", 8) || based("0b", 2) || grouped {
        return Plain::OddInteger;
    }
    let float_form = unsigned
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'-' | b'+'));
    if float_form && unsigned.parse::<f64>().is_ok() { Plain::Float } else { Plain::Text }
}

/// The first 40 characters of a text on one line.
fn shorten(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}
