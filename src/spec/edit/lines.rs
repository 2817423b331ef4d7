//! Values in several lines: the place of one that is there, and how one is written.

use super::is_one_line;
use crate::spec::spans::{Entry, Node, Shape};
use granit_parser::{ScalarStyle, StructureStyle};
use std::borrow::Cow;
use std::ops::Range;

/// A scalar in block style: what of the text is its, from the indicator to the end of its last line.
pub struct Lines<'t> {
    pub range: Range<usize>,
    /// Of each line.
    indent: Cow<'t, str>,
    /// Behind the indicator, the `#` included; empty: none.
    comment: &'t str,
}

impl<'t> Lines<'t> {
    /// None: the node is no such scalar.
    pub fn of(text: &'t str, node: &Node) -> Option<Lines<'t>> {
        let is_block = |style| matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        if !matches!(&node.shape, Shape::Scalar { style, .. } if is_block(*style)) {
            return None;
        }
        // The node begins with its first line.
        let first = text[..node.range.start].rfind('\n')? + 1;
        let indent = &text[first..node.range.start];
        let above = text[..first].trim_end();
        let header = above.rfind('\n').map_or(0, |at| at + 1);
        let bare = above[header..].find(" #").map_or(above.len(), |at| header + at);
        let start = header + above[header..bare].rfind(['|', '>'])?;
        let mut end = above.len();
        let mut at = first;
        for line in text[first..].split_inclusive('\n') {
            if line.trim().is_empty() {
                at += line.len();
                continue;
            }
            if indent.is_empty() || !line.starts_with(indent) {
                break;
            }
            end = at + line.trim_end_matches(['\r', '\n']).len();
            at += line.len();
        }
        Some(Lines { range: start..end, indent: indent.into(), comment: above[bare..].trim() })
    }

    /// What lines would take the place of: a value of one line beside its key, in a mapping in block style.
    pub fn beside_key(text: &'t str, map: &Node, entry: &Entry) -> Option<Lines<'t>> {
        let Shape::Map { style: StructureStyle::Block, .. } = &map.shape else { return None };
        let (key, value) = (&entry.key.range, &entry.value.range);
        match &entry.value.shape {
            Shape::Scalar { style: ScalarStyle::Literal | ScalarStyle::Folded, .. } => return None,
            Shape::Scalar { text, .. } if is_one_line(text) => {}
            _ => return None,
        }
        let line = text[..key.start].rfind('\n').map_or(0, |at| at + 1);
        let end = text[value.end..].find('\n').map_or(text.len(), |at| value.end + at);
        let rest = &text[value.end..end];
        let is_alone = rest.trim().is_empty() || rest.trim_start().starts_with('#');
        if !is_alone || rest.ends_with('\r') || text[key.end..value.end].contains('\n') {
            return None;
        }
        let indent = " ".repeat(text[line..key.start].chars().count() + 2);
        let range = value.start..value.end + rest.trim_end().len();
        Some(Lines { range, indent: indent.into(), comment: rest.trim() })
    }

    /// The value as lines; None: it cannot stand so.
    pub fn literal(&self, value: &str) -> Option<String> {
        let (body, chomp) = match value.strip_suffix('\n') {
            Some(body) => (body, ""),
            None => (value, "-"),
        };
        let is_odd = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
        let is_odd_at_an_end = body.is_empty() || body.starts_with([' ', '\t', '\n']) || body.ends_with('\n');
        if is_odd_at_an_end || body.contains(is_odd) {
            return None;
        }
        let line = |line: &str| match line.is_empty() {
            true => String::new(),
            false => format!("{}{line}", self.indent),
        };
        let lines: Vec<String> = body.split('\n').map(line).collect();
        Some(format!("{}\n{}", self.beside(&format!("|{chomp}")), lines.join("\n")))
    }

    pub fn beside(&self, value: &str) -> String {
        if self.comment.is_empty() { value.to_owned() } else { format!("{value}   {}", self.comment) }
    }
}
