//! Takes an entry out of a manifest's text, with mappings around it that have nothing else. Comments stay: one beside
//! what goes becomes a line of its own.

use super::{Lines, Unedited, bom, parse, splice, unedited};
use crate::spec::spans::{Entry, Node, Shape};
use granit_parser::StructureStyle;
use std::ops::Range;

/// The text without the entry at a path of one of its documents; what stands at the path's first name stays.
pub fn remove(text: &str, document: usize, path: &[&str]) -> Result<String, Unedited> {
    let (mark, body) = bom(text);
    let documents = parse(body)?;
    let Some(root) = documents.get(document) else { return unedited("the document is gone") };
    let (map, name) = last_reason(root, path)?;
    Ok(format!("{mark}{}", without(body, map, name)?))
}

/// The outermost mapping and its entry that serve this path alone.
fn last_reason<'n, 'p>(root: &'n Node, path: &[&'p str]) -> Result<(&'n Node, &'p str), Unedited> {
    let (mut map, mut found) = (root, None);
    for (depth, name) in path.iter().enumerate() {
        let Shape::Map { entries, .. } = &map.shape else { return unedited("no mapping of its own") };
        if map.entry("<<").is_some() {
            return unedited("it may be merged in, too");
        }
        let Some(value) = map.get(name) else { return unedited(format!("no `{name}`")) };
        if depth > 0 && (entries.len() > 1 || found.is_none()) {
            found = Some((map, *name));
        }
        map = value;
    }
    match found {
        Some((map, name)) if !matches!(&map.shape, Shape::Map { entries, .. } if entries.len() == 1) => {
            Ok((map, name))
        }
        _ => unedited("nothing would be left around it"),
    }
}

fn without(text: &str, map: &Node, name: &str) -> Result<String, Unedited> {
    let Shape::Map { style, entries } = &map.shape else { return unedited("no mapping") };
    let Some(entry) = map.entry(name) else { return unedited(format!("no `{name}`")) };
    if text[entry.key.range.start..end(text, entry)].contains('&') {
        return unedited("another value may stand for it");
    }
    if *style == StructureStyle::Flow {
        return without_in_flow(text, entries, entry);
    }
    let start = text[..entry.key.range.start].rfind('\n').map_or(0, |at| at + 1);
    let indent = &text[start..entry.key.range.start];
    if !indent.trim().is_empty() {
        return unedited("something stands before it in its line");
    }
    let end = end(text, entry);
    let end = text[end..].find('\n').map_or(text.len(), |at| end + at + 1);
    let ending = if text[..end].ends_with("\r\n") { "\r\n" } else { "\n" };
    let kept: Vec<String> = comments(text, start..end, entry)
        .into_iter()
        .map(|comment| format!("{indent}{comment}{ending}"))
        .collect();
    Ok(splice(text, &(start..end), &kept.concat()))
}

fn without_in_flow(text: &str, entries: &[Entry], entry: &Entry) -> Result<String, Unedited> {
    let at = entries.iter().position(|other| other.key.range == entry.key.range).unwrap_or_default();
    let range = match (entries.get(at + 1), at.checked_sub(1).and_then(|at| entries.get(at))) {
        (Some(next), _) => entry.key.range.start..next.key.range.start,
        (None, Some(former)) => end(text, former)..end(text, entry),
        (None, None) => return unedited("nothing would be left around it"),
    };
    match text[range.clone()].contains('#') {
        true => unedited("a comment stands in it"),
        false => Ok(splice(text, &range, "")),
    }
}

/// Behind the last byte that is the entry's.
fn end(text: &str, entry: &Entry) -> usize {
    let of_value = Lines::of(text, &entry.value).map_or(entry.value.range.end, |lines| lines.range.end);
    text[..of_value.max(entry.key.range.end)].trim_end().len()
}

/// The comments in these lines, which are the entry's.
fn comments<'t>(text: &'t str, lines: Range<usize>, entry: &Entry) -> Vec<&'t str> {
    let mut scalars = vec![entry.key.range.clone()];
    collect(text, &entry.value, &mut scalars);
    let mut start = lines.start;
    let mut comments = vec![];
    for line in text[lines].split_inclusive('\n') {
        let begins = |(at, letter): &(usize, char)| {
            let before = line[..*at].chars().next_back();
            let byte = start + at;
            *letter == '#'
                && before.is_none_or(char::is_whitespace)
                && !scalars.iter().any(|scalar| scalar.contains(&byte))
        };
        comments.extend(line.char_indices().find(begins).map(|(at, _)| line[at..].trim_end()));
        start += line.len();
    }
    comments
}

/// What of the text is scalars'.
fn collect(text: &str, node: &Node, scalars: &mut Vec<Range<usize>>) {
    match &node.shape {
        Shape::Scalar { .. } => {
            let end = Lines::of(text, node).map_or(node.range.end, |lines| lines.range.end);
            scalars.push(node.range.start..end);
        }
        Shape::Alias => {}
        Shape::List { items, .. } => items.iter().for_each(|item| collect(text, item, scalars)),
        Shape::Map { entries, .. } => {
            for entry in entries {
                scalars.push(entry.key.range.clone());
                collect(text, &entry.value, scalars);
            }
        }
    }
}
