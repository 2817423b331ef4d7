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
use crate::model::key::Key;
use crate::model::origin::Place;
use anstyle::{AnsiColor, Style};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How much of a long line an excerpt shows, in columns, where no terminal says another number.
const WIDTH: usize = 110;

/// How many of the objects are named that one finding is about.
const NAMED: usize = 3;

/// The least that an excerpt shows.
const NARROWEST: usize = 20;

/// How findings are shown.
#[derive(Debug, Clone, Copy, Default)]
pub struct Look {
    /// ANSI colours.
    pub colour: bool,
    /// Of the terminal: words are wrapped and excerpts cut so that they fit. None: neither.
    pub columns: Option<usize>,
}

/// All findings without colours, a blank line between two, and how many there are.
pub fn render_all(findings: &[Finding], texts: &[SourceText]) -> String {
    show_all(findings, texts, Look::default())
}

/// The same with a look. What is wrong with a line that many objects have is shown once, with their names.
pub fn show_all(findings: &[Finding], texts: &[SourceText], look: Look) -> String {
    let mut groups: Vec<(&Finding, Vec<&Key>)> = vec![];
    for finding in findings {
        let same = |group: &&mut (&Finding, Vec<&Key>)| is_same(group.0, finding);
        match groups.iter_mut().rev().find(same) {
            Some((_, keys)) => keys.extend(&finding.key),
            None => groups.push((finding, finding.key.iter().collect())),
        }
    }
    let mut shown: Vec<String> =
        groups.iter().map(|(finding, keys)| show(finding, keys, texts, look)).collect();
    shown.push(summary(findings));
    shown.join("\n")
}

/// The same in the same place, of whichever object.
fn is_same(one: &Finding, other: &Finding) -> bool {
    one.place.is_some()
        && (one.severity, &one.place, &one.message, &one.help)
            == (other.severity, &other.place, &other.message, &other.help)
}

/// One finding, with the line that it is about when its text is among `texts`, and the objects if they are several. Ends
/// with a line break.
fn show(finding: &Finding, keys: &[&Key], texts: &[SourceText], look: Look) -> String {
    let (severity, colour) = match finding.severity {
        Severity::Error => ("error", AnsiColor::Red),
        Severity::Warning => ("warning", AnsiColor::Yellow),
    };
    let strong = Style::new().bold();
    let grave = strong.fg_color(Some(colour.into()));
    let faint = Style::new().fg_color(Some(AnsiColor::Blue.into()));
    let head = paint(look, grave, severity);
    let message = wrapped(&visible(&finding.message), (severity.len() + 2, 2), look);
    let mut shown = format!("{head}: {}\n", paint(look, strong, &message));
    let margin = finding.place.as_ref().map_or(1, |place| place.line.to_string().len());
    let excerpt = finding.place.as_ref().and_then(|place| excerpt(place, texts, room(look, margin)));
    let blank = " ".repeat(margin);
    let bar = paint(look, faint, "|");
    if let Some(place) = &finding.place {
        shown.push_str(&format!("{blank}{} {place}\n", paint(look, faint, "-->")));
        if let Some((line, carets)) = &excerpt {
            shown.push_str(&format!("{blank} {bar}\n"));
            let number = paint(look, faint, &format!("{:>margin$}", place.line));
            shown.push_str(format!("{number} {bar} {line}").trim_end());
            let indent = carets.len() - carets.trim_start().len();
            let carets = paint(look, grave, carets.trim_start());
            shown.push_str(&format!("\n{blank} {bar} {}{carets}\n", " ".repeat(indent)));
        }
    }
    let mut remark = |word: &str, text: &str| {
        let text = wrapped(&visible(text), (margin + 9, margin + 9), look);
        let (sign, word) = (paint(look, faint, "="), paint(look, strong, word));
        shown.push_str(&format!("{blank} {sign} {word}: {text}\n"));
    };
    if let [_, _, ..] = keys {
        remark("note", &some_of(keys));
    }
    if let Some(help) = &finding.help {
        remark("help", help);
    }
    shown
}

/// The first ones, and how many more.
fn some_of(keys: &[&Key]) -> String {
    let mut keys = keys.to_vec();
    keys.sort_by(|a, b| a.natural(b));
    let names: Vec<String> = keys.iter().take(NAMED).map(|key| key.to_string()).collect();
    match keys.len() - names.len() {
        0 => format!("it is so for {}", names.join(", ")),
        more => format!("it is so for {} and {more} more", names.join(", ")),
    }
}

/// What is left of a line beside the margin.
fn room(look: Look, margin: usize) -> usize {
    look.columns.map_or(WIDTH, |columns| columns.saturating_sub(margin + 3).max(NARROWEST))
}

fn paint(look: Look, style: Style, text: &str) -> String {
    if look.colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
}

/// Words in lines that fit: the first one begins at a column, the others are indented.
fn wrapped(text: &str, (first, indent): (usize, usize), look: Look) -> String {
    let Some(columns) = look.columns else { return text.to_owned() };
    let mut shown = String::new();
    let mut at = first;
    for word in text.split(' ') {
        let width = word.width();
        if at > indent && at + width > columns && !shown.is_empty() {
            shown.push_str(&format!("\n{}", " ".repeat(indent)));
            at = indent;
        } else if !shown.is_empty() {
            shown.push(' ');
        }
        shown.push_str(word);
        at += width + 1;
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

/// The line that a place is in, with its number: `12 |   imgae: busybox`.
pub fn excerpt_line(place: &Place, texts: &[SourceText], columns: Option<usize>) -> Option<String> {
    let margin = place.line.to_string().len();
    let (line, _) = excerpt(place, texts, room(Look { colour: false, columns }, margin))?;
    Some(format!("{} | {line}", place.line).trim_end().to_owned())
}

/// The line, and the carets below it.
fn excerpt(place: &Place, texts: &[SourceText], width: usize) -> Option<(String, String)> {
    let source = texts.iter().find(|text| *text.path == *place.file)?;
    Some(underline(line(&source.text, place.line)?, place.column, width))
}

/// A line by its number from 1, without byte-order mark and line break.
fn line(text: &str, number: u32) -> Option<&str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let index = usize::try_from(number).ok()?.checked_sub(1)?;
    text.split('\n').nth(index).map(|line| line.trim_end_matches('\r'))
}

/// The part of the line around the column, made safe to print, and carets under the word that begins there.
fn underline(line: &str, column: u32, width: usize) -> (String, String) {
    let characters: Vec<char> = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let start = usize::try_from(column).unwrap_or(1).saturating_sub(1).min(characters.len());
    let length = word_length(&characters[start..]);
    let columns = |part: &[char]| part.iter().map(|c| c.width().unwrap_or(0)).sum::<usize>();
    let all_fits = columns(&characters) <= width;
    let first = if all_fits { 0 } else { start.saturating_sub(width / 2) };
    let lead = if first > 0 { "…" } else { "" };
    let mut last = first;
    while last < characters.len() && (all_fits || columns(&characters[first..=last]) + 2 <= width) {
        last += 1;
    }
    let tail = if last < characters.len() { "…" } else { "" };
    let shown: String = characters[first..last].iter().collect();
    let end = (start + length).min(last).max(start);
    let carets = "^".repeat(columns(&characters[start.min(last)..end]).max(1));
    let indent = " ".repeat(columns(&characters[first..start.min(last)]) + lead.chars().count());
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::TextRole;
    use std::path::PathBuf;

    fn shown(line: &str, column: u32, look: Look) -> String {
        let place = Place { file: "site.yaml".into(), line: 1, column };
        let message = "unknown field `imgae` in the spec of a Container".to_owned();
        let help = Some("did you mean `image`? The fields are: architecture, config, devices".to_owned());
        let finding = Finding {
            severity: Severity::Error,
            code: "unknown-field",
            place: Some(place),
            key: None,
            message,
            help,
        };
        let (path, text) = ("site.yaml".into(), line.to_owned());
        let (base, root, role) = (PathBuf::new(), PathBuf::new(), TextRole::Manifest);
        show(&finding, &[], &[SourceText { path, text, base, root, role }], look)
    }

    #[test]
    fn on_a_narrow_terminal_words_are_wrapped_and_excerpts_cut() {
        let line =
            format!("{{metadata: {{labels: {{a: {}}}}}, imgae: busybox, state: running}}", "x".repeat(60));
        let column = u32::try_from(line.find("imgae").unwrap() + 1).unwrap();
        let shown = shown(&line, column, Look { colour: false, columns: Some(40) });
        assert!(shown.lines().all(|line| line.width() <= 40), "{shown}");
        let expected = "\
error: unknown field `imgae` in the spec
  of a Container
 --> site.yaml:1:89
  |
1 | …xxxxxxxxxxxxxx}}, imgae: busybox, …
  |                    ^^^^^
  = help: did you mean `image`? The
          fields are: architecture,
          config, devices
";
        assert_eq!(shown, expected);
    }

    #[test]
    fn what_many_objects_have_from_one_line_is_shown_once_with_their_names() {
        let of = |name: &str| Finding {
            severity: Severity::Error,
            code: "refused",
            place: Some(Place { file: "site.yaml".into(), line: 7, column: 3 }),
            key: Some(Key::container(name)),
            message: "its root cannot move".to_owned(),
            help: Some("put the pool back".to_owned()),
        };
        let elsewhere =
            Finding { place: Some(Place { file: "site.yaml".into(), line: 8, column: 3 }), ..of("e") };
        let findings = [of("a"), elsewhere, of("b"), of("c"), of("d")];
        let expected = "\
error: its root cannot move
 --> site.yaml:7:3
  = note: it is so for container/a, container/b, container/c and 1 more
  = help: put the pool back

error: its root cannot move
 --> site.yaml:8:3
  = help: put the pool back

5 errors
";
        assert_eq!(render_all(&findings, &[]), expected);
    }

    #[test]
    fn carets_stand_under_wide_letters() {
        let shown = shown("{名前: 値, imgae: x}", 9, Look::default());
        assert!(shown.contains("1 | {名前: 値, imgae: x}\n  |            ^^^^^\n"), "{shown}");
    }

    #[test]
    fn colours_are_for_severity_places_and_carets() {
        let shown = shown("imgae: x", 1, Look { colour: true, columns: None });
        assert!(shown.starts_with("\u{1b}[1m\u{1b}[31merror\u{1b}[0m: "), "{shown:?}");
        assert!(shown.contains("\u{1b}[1m\u{1b}[31m^^^^^\u{1b}[0m"), "{shown:?}");
    }
}
