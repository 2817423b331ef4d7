//! A YAML text as trees that know which bytes each node takes: what layout and edits work on. What the nodes mean is
//! for [`super::yaml`] and the readers to say.

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, StructureStyle};
use std::ops::Range;

/// One value, or the name of one.
#[derive(Debug, Clone)]
pub struct Node {
    /// In bytes of the text. A collection in block style ends where its last value does.
    pub range: Range<usize>,
    pub shape: Shape,
}

#[derive(Debug, Clone)]
pub enum Shape {
    Scalar { text: String, style: ScalarStyle },
    Alias,
    List { style: StructureStyle, items: Vec<Node> },
    Map { style: StructureStyle, entries: Vec<Entry> },
}

/// `key: value`
#[derive(Debug, Clone)]
pub struct Entry {
    pub key: Node,
    pub value: Node,
}

/// What is written, wherever it stands; quotes and brackets count.
impl PartialEq for Node {
    fn eq(&self, other: &Node) -> bool {
        self.shape == other.shape
    }
}

impl PartialEq for Shape {
    fn eq(&self, other: &Shape) -> bool {
        match (self, other) {
            (Shape::Scalar { text, style }, Shape::Scalar { text: other, style: other_style }) => {
                text == other && style == other_style
            }
            (Shape::Alias, Shape::Alias) => true,
            (Shape::List { style, items }, Shape::List { style: other_style, items: other }) => {
                style == other_style && items == other
            }
            (Shape::Map { style, entries }, Shape::Map { style: other_style, entries: other }) => {
                style == other_style
                    && entries.len() == other.len()
                    && entries.iter().zip(other).all(|(a, b)| a.key == b.key && a.value == b.value)
            }
            _ => false,
        }
    }
}

impl Node {
    /// The entry of a mapping's key.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        let Shape::Map { entries, .. } = &self.shape else { return None };
        entries.iter().find(|entry| matches!(&entry.key.shape, Shape::Scalar { text, .. } if text == key))
    }

    /// The value of a mapping's key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The scalar that begins at this byte.
    pub fn scalar_at(&self, byte: usize) -> Option<&Node> {
        match &self.shape {
            Shape::Scalar { .. } => (self.range.start == byte).then_some(self),
            Shape::Alias => None,
            Shape::List { items, .. } => items.iter().find_map(|item| item.scalar_at(byte)),
            Shape::Map { entries, .. } => entries.iter().find_map(|entry| entry.value.scalar_at(byte)),
        }
    }
}

/// Not YAML: where, in lines and columns from 1, and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotYaml {
    pub line: usize,
    pub column: usize,
    pub message: String,
}

/// The documents of a text, the empty ones too. The text has no byte-order mark.
pub fn documents(text: &str) -> Result<Vec<Node>, NotYaml> {
    let mut parser = Parser::new_from_str(text);
    let mut documents = vec![];
    let mut builder = Builder::default();
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| not_yaml(&error))?;
        match event {
            Event::DocumentEnd => documents.extend(builder.root.take()),
            Event::StreamEnd => break,
            event => builder.take(event, span),
        }
    }
    Ok(documents)
}

fn not_yaml(error: &ScanError) -> NotYaml {
    let marker = error.marker();
    NotYaml { line: marker.line(), column: marker.col() + 1, message: error.info().to_owned() }
}

/// The byte at a line and column from 1 (columns in characters).
pub fn byte_at(text: &str, line: u32, column: u32) -> Option<usize> {
    let (line, column) = (usize::try_from(line).ok()?, usize::try_from(column).ok()?);
    let start: usize = text.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let rest = text.get(start..)?;
    let (offset, _) = rest.char_indices().nth(column.checked_sub(1)?)?;
    Some(start + offset)
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    root: Option<Node>,
}

struct Open {
    start: usize,
    style: StructureStyle,
    children: Children,
}

enum Children {
    List(Vec<Node>),
    /// The entries, and a key whose value comes next.
    Map(Vec<Entry>, Option<Node>),
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span) {
        let range = span.byte_range().unwrap_or(0..0);
        match event {
            Event::Scalar(text, style, _, _) => {
                self.place(Node { range, shape: Shape::Scalar { text: text.into_owned(), style } });
            }
            Event::Alias(_) => self.place(Node { range, shape: Shape::Alias }),
            Event::SequenceStart(style, ..) => {
                self.open.push(Open { start: range.start, style, children: Children::List(vec![]) });
            }
            Event::MappingStart(style, ..) => {
                self.open.push(Open { start: range.start, style, children: Children::Map(vec![], None) });
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(range.end),
            _ => {}
        }
    }

    fn close(&mut self, end: usize) {
        let Some(Open { start, style, children }) = self.open.pop() else { return };
        let (last, shape) = match children {
            Children::List(items) => (items.last().map(|item| item.range.end), Shape::List { style, items }),
            Children::Map(entries, _) => {
                let last = entries.last().map(|entry| entry.value.range.end.max(entry.key.range.end));
                (last, Shape::Map { style, entries })
            }
        };
        let end = if style == StructureStyle::Flow { end } else { last.unwrap_or(start) };
        self.place(Node { range: start..end, shape });
    }

    fn place(&mut self, node: Node) {
        match self.open.last_mut().map(|open| &mut open.children) {
            None => self.root = Some(node),
            Some(Children::List(items)) => items.push(node),
            Some(Children::Map(_, key @ None)) => *key = Some(node),
            Some(Children::Map(entries, key)) => {
                if let Some(key) = key.take() {
                    entries.push(Entry { key, value: node });
                }
            }
        }
    }
}
