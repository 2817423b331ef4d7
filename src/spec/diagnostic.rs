//! Findings as text for people:
//!
//! ```text
//! error: unknown field `imgae` in the spec of a Container
//!  --> site.yaml:12:3
//!    |
//! 12 |   imgae: busybox
//!    |   ^^^^^
//!    = help: did you mean `image`?
//! ```

use super::SourceText;
use super::document::reader::visible;
use crate::model::finding::{Finding, Severity};
use crate::model::origin::Place;

/// How much of a long line an excerpt shows, in characters.
const WIDTH: usize = 110;

/// All findings, a blank line between two, and how many there are.
pub fn render_all(findings: &[Finding], texts: &[SourceText]) -> String {
    let mut shown: Vec<String> = findings.iter().map(|finding| render(finding, texts)).collect();
    shown.push(summary(findings));
    shown.join("\n")
}

/// One finding, with the line that it is about when its text is among `texts`. Ends with a line break.
pub fn render(finding: &Finding, texts: &[SourceText]) -> String {
    let severity = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let mut shown = format!("{severity}: {}\n", visible(&finding.message));
    let excerpt = finding.place.as_ref().map(|place| excerpt(place, texts));
    let margin = excerpt.as_ref().map_or(1, |excerpt| excerpt.margin);
    let blank = " ".repeat(margin);
    if let (Some(place), Some(excerpt)) = (&finding.place, &excerpt) {
        shown.push_str(&format!("{blank}--> {place}\n"));
        if let Some((line, carets)) = &excerpt.lines {
            shown.push_str(&format!("{blank} |\n"));
            shown.push_str(format!("{:>margin$} | {line}", place.line).trim_end());
            shown.push_str(&format!("\n{blank} | {carets}\n"));
        }
    }
    if let Some(help) = &finding.help {
        shown.push_str(&format!("{blank} = help: {}\n", visible(help)));
    }
    shown
}

/// `2 errors, 1 warning`, with a line break.
fn summary(findings: &[Finding]) -> String {
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let words = |count: usize, word: &str| match count {
        0 => None,
        1 => Some(format!("1 {word}")),
        more => Some(format!("{more} {word}s")),
    };
    let parts = [words(count(Severity::Error), "error"), words(count(Severity::Warning), "warning")];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "no findings\n".to_owned() } else { format!("{}\n", parts.join(", ")) }
}

struct Excerpt {
    /// The width of the line number.
    margin: usize,
    /// The line, and the carets below it.
    lines: Option<(String, String)>,
}

fn excerpt(place: &Place, texts: &[SourceText]) -> Excerpt {
    let source = texts.iter().find(|text| *text.path == *place.file);
    let line = source.and_then(|source| line(&source.text, place.line));
    Excerpt { margin: place.line.to_string().len(), lines: line.map(|line| underline(line, place.column)) }
}

/// A line by its number from 1, without byte-order mark and line break.
fn line(text: &str, number: u32) -> Option<&str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let index = usize::try_from(number).ok()?.checked_sub(1)?;
    text.split('\n').nth(index).map(|line| line.trim_end_matches('\r'))
}

/// The part of the line around the column, made safe to print, and carets under the word that begins there.
fn underline(line: &str, column: u32) -> (String, String) {
    let characters: Vec<char> = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let start = usize::try_from(column).unwrap_or(1).saturating_sub(1).min(characters.len());
    let length = word_length(&characters[start..]);
    let first = if characters.len() <= WIDTH { 0 } else { start.saturating_sub(WIDTH / 2) };
    let last = characters.len().min(first + WIDTH);
    let lead = if first > 0 { "…" } else { "" };
    let tail = if last < characters.len() { "…" } else { "" };
    let shown: String = characters[first..last].iter().collect();
    let carets = "^".repeat(length.min(last.saturating_sub(start)).max(1));
    let indent = " ".repeat(start - first + lead.chars().count());
    (format!("{lead}{shown}{tail}"), format!("{indent}{carets}"))
}

/// How long the key or value is that the characters begin with.
fn word_length(characters: &[char]) -> usize {
    if let Some(quote @ ('"' | '\'')) = characters.first() {
        return characters.iter().skip(1).position(|c| c == quote).map_or(1, |end| end + 2);
    }
    let ends = |index: usize, c: char| match c {
        ',' | '}' | ']' | '{' | '[' => true,
        ':' => characters.get(index + 1).is_none_or(|next| next.is_whitespace()),
        '#' => index > 0 && characters[index - 1].is_whitespace(),
        other => other.is_whitespace(),
    };
    characters.iter().enumerate().position(|(index, c)| ends(index, *c)).unwrap_or(characters.len()).max(1)
}
