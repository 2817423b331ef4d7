//! A text as layout sees it: what each line is, where keys begin, where the contents of block scalars stand.

use crate::spec::spans::{Node, Shape};
use granit_parser::{ScalarStyle, StructureStyle};
use std::collections::BTreeMap;
use std::ops::Range;

/// What one source line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    Blank,
    Comment,
    /// `---`, `...`, or a directive.
    Marker,
    /// Begins an entry, an item, or a value on a line of its own.
    Structure,
    /// Goes on with a value of several lines.
    Inside,
    /// Of a block scalar: `|`, `>`.
    Block,
}

pub struct Source<'t> {
    pub text: &'t str,
    /// Each line's bytes, without its line feed.
    pub lines: Vec<Range<usize>>,
    pub kinds: Vec<Line>,
    /// Where a key of a block mapping begins → the key, and where its value begins.
    pub keys: BTreeMap<usize, (Range<usize>, usize)>,
    /// The head of a block scalar → the column of its content.
    pub blocks: BTreeMap<usize, usize>,
}

impl<'t> Source<'t> {
    pub fn new(text: &'t str, documents: &[Node]) -> Source<'t> {
        let mut lines = vec![];
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            let end = start + line.trim_end_matches('\n').len();
            lines.push(start..end);
            start += line.len();
        }
        let mut source = Source {
            text,
            kinds: vec![Line::Structure; lines.len()],
            lines,
            keys: BTreeMap::new(),
            blocks: BTreeMap::new(),
        };
        for number in 0..source.lines.len() {
            source.kinds[number] = kind(source.line(number));
        }
        documents.iter().for_each(|document| source.visit(document));
        source
    }

    pub fn line(&self, number: usize) -> &'t str {
        &self.text[self.lines[number].clone()]
    }

    /// The line that a byte is in.
    fn line_of(&self, byte: usize) -> usize {
        self.lines.partition_point(|line| line.end < byte).min(self.lines.len().saturating_sub(1))
    }

    /// Notes keys of block mappings, and which lines are inside of values.
    fn visit(&mut self, node: &Node) {
        match &node.shape {
            Shape::Scalar { style: ScalarStyle::Literal | ScalarStyle::Folded, .. } => self.block(node),
            Shape::Scalar { .. } | Shape::Alias => self.inside(node),
            Shape::List { style: StructureStyle::Flow, .. }
            | Shape::Map { style: StructureStyle::Flow, .. } => {
                self.inside(node);
            }
            Shape::List { items, .. } => items.iter().for_each(|item| self.visit(item)),
            Shape::Map { entries, .. } => {
                for entry in entries {
                    self.keys
                        .insert(entry.key.range.start, (entry.key.range.clone(), entry.value.range.start));
                    self.visit(&entry.key);
                    self.visit(&entry.value);
                }
            }
        }
    }

    fn inside(&mut self, node: &Node) {
        if node.range.is_empty() {
            return;
        }
        let (first, last) = (self.line_of(node.range.start), self.line_of(node.range.end));
        for kind in self.kinds.iter_mut().take(last + 1).skip(first + 1) {
            *kind = Line::Inside;
        }
    }

    /// The lines below a block scalar's head. Its range begins with its first line that is not empty.
    fn block(&mut self, node: &Node) {
        let Shape::Scalar { text, .. } = &node.shape else { return };
        let content = self.line_of(node.range.start);
        let is_blank = |number: &usize| self.line(*number).trim().is_empty();
        let head = (0..content).rev().find(|number| !is_blank(number));
        let Some(head) = head.filter(|_| !text.trim().is_empty()) else { return };
        let column = node.range.start - self.lines[content].start;
        let is_over = |number: &usize| {
            let line = self.line(*number);
            !line.trim().is_empty() && (blanks(line) < column || kind(line) == Line::Marker)
        };
        let mut end = (content..self.lines.len()).find(is_over).unwrap_or(self.lines.len());
        if !indicator(self.line(head)).keeps {
            while is_blank(&(end - 1)) {
                end -= 1;
            }
        }
        self.kinds[head + 1..end].fill(Line::Block);
        self.blocks.insert(head, column);
    }
}

fn kind(line: &str) -> Line {
    let marker = |mark: &str| {
        line.strip_prefix(mark).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
    };
    if line.trim().is_empty() {
        Line::Blank
    } else if line.trim_start().starts_with('#') {
        Line::Comment
    } else if marker("---") || marker("...") || line.starts_with('%') {
        Line::Marker
    } else {
        Line::Structure
    }
}

/// The blanks that a text begins with.
pub fn blanks(text: &str) -> usize {
    text.len() - text.trim_start_matches(' ').len()
}

/// Whether a list's item begins here.
pub fn is_item(text: &str) -> bool {
    text.strip_prefix('-').is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

/// What a block scalar's head says: `|2+`.
pub struct Mark {
    pub digits: Option<usize>,
    /// Empty lines at the end are content.
    pub keeps: bool,
}

pub fn indicator(head: &str) -> Mark {
    let head = head.split(" #").next().unwrap_or_default();
    let mark = head.rfind(['|', '>']).map_or("", |at| &head[at + 1..]);
    let digit = mark.chars().find_map(|c| c.to_digit(10));
    Mark { digits: digit.and_then(|digit| usize::try_from(digit).ok()), keeps: mark.contains('+') }
}
