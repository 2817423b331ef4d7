//! The canonical layout of a manifest's text. Only blanks and line breaks change:
//!
//! - two blanks a level, the items of a list below their key; one blank behind `:` and `-`
//! - no blanks at a line's end, no two empty lines in a row, none around `---` and at both ends of the text
//! - line feeds, no byte-order mark, one line feed at the end
//!
//! Comments, the order of documents and fields, quotes, and what stands in brackets stay as they are; so do the lines
//! inside texts of several lines, but for their indentation. What a text says is compared before and after.

mod source;

use self::source::{Line, Source, blanks, indicator, is_item};
use super::spans::{self, NotYaml};

/// Blanks a level.
const STEP: usize = 2;

/// Why a text has no canonical layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unformatted {
    NotYaml(NotYaml),
    /// It would say something else: it is written in a way that layout does not know.
    Unusual,
}

/// The text in canonical layout; the same text again gives itself.
pub fn format(text: &str) -> Result<String, Unformatted> {
    let plain = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    let before = spans::documents(&plain).map_err(Unformatted::NotYaml)?;
    let formatted = Layout { source: Source::new(&plain, &before), levels: vec![], written: vec![] }.run();
    match spans::documents(&formatted) {
        Ok(after) if after == before => Ok(formatted),
        _ => Err(Unformatted::Unusual),
    }
}

/// A block that is open at a line.
#[derive(Debug, Clone, Copy)]
struct Level {
    /// Where it stands in the source, in blanks.
    column: usize,
    is_list: bool,
    /// Where it goes.
    indent: usize,
}

struct Layout<'t> {
    source: Source<'t>,
    levels: Vec<Level>,
    written: Vec<Written>,
}

/// A line of the outcome.
struct Written {
    indent: usize,
    words: String,
    /// An empty one is content.
    is_content: bool,
}

impl Layout<'_> {
    fn run(mut self) -> String {
        let mut comments: Vec<usize> = vec![];
        let mut number = 0;
        while number < self.source.lines.len() {
            match self.source.kinds[number] {
                Line::Blank | Line::Comment => comments.push(number),
                Line::Marker => {
                    self.comments(&mut comments, None);
                    self.levels.clear();
                    self.write(0, self.source.line(number).trim_end());
                    number = self.follow(number, 0, 0);
                }
                Line::Structure => {
                    let before = self.levels.clone();
                    let column = blanks(self.source.line(number));
                    let indent = self.settle(number);
                    let waiting = std::mem::take(&mut comments);
                    self.flush(waiting, Some((column, indent)), &before);
                    let words = self.words(number);
                    self.write(indent, &words);
                    number = self.follow(number, column, indent);
                }
                Line::Inside | Line::Block => {}
            }
            number += 1;
        }
        self.comments(&mut comments, None);
        self.finish()
    }

    fn comments(&mut self, waiting: &mut Vec<usize>, next: Option<(usize, usize)>) {
        let before = self.levels.clone();
        let waiting = std::mem::take(waiting);
        self.flush(waiting, next, &before);
    }

    /// Writes comments and empty lines: a comment as deep as what follows it, if it was so before; else as the block
    /// that it stood at the level of; else one level deeper than what it stands in.
    fn flush(&mut self, waiting: Vec<usize>, next: Option<(usize, usize)>, before: &[Level]) {
        for number in waiting {
            let line = self.source.line(number);
            if line.trim().is_empty() {
                self.write(0, "");
                continue;
            }
            let column = blanks(line);
            let level = before.iter().rev().find(|level| level.column == column);
            let around = || before.iter().rev().find(|level| level.column < column);
            let indent = match (next, level) {
                (Some((next, indent)), _) if next == column => indent,
                (_, Some(level)) => level.indent,
                _ => around().map_or(0, |level| level.indent + STEP),
            };
            self.write(indent, line.trim());
        }
    }

    /// Closes the blocks that a line ends and opens those that it begins; answers the line's indentation.
    fn settle(&mut self, number: usize) -> usize {
        let start = self.source.lines[number].start;
        let line = self.source.line(number);
        let mut column = blanks(line);
        let mut first = None;
        loop {
            let is_item = is_item(&line[column..]);
            let is_key = self.source.keys.contains_key(&(start + column));
            self.levels.retain(|level| level.column <= column);
            if !is_item {
                while self
                    .levels
                    .last()
                    .is_some_and(|level| level.column == column && (level.is_list || !is_key))
                {
                    self.levels.pop();
                }
            }
            let same = self.levels.last().filter(|level| level.column == column && level.is_list == is_item);
            let indent = match same {
                Some(level) => level.indent,
                None => self.levels.last().map_or(0, |level| level.indent + STEP),
            };
            if same.is_none() && (is_item || is_key) {
                self.levels.push(Level { column, is_list: is_item, indent });
            }
            first.get_or_insert(indent);
            if !is_item {
                break;
            }
            let rest = &line[column + 1..];
            let gap = blanks(rest);
            if rest.trim().is_empty() || rest[gap..].starts_with('#') {
                break;
            }
            column += 1 + gap;
        }
        first.unwrap_or_default()
    }

    /// A structural line's words, with one blank behind `-` and behind a key's colon.
    fn words(&self, number: usize) -> String {
        let range = self.source.lines[number].clone();
        let line = self.source.line(number);
        let mut column = blanks(line);
        let mut words = String::new();
        while is_item(&line[column..]) {
            let rest = &line[column + 1..];
            if rest.trim().is_empty() || rest.trim_start().starts_with('#') {
                words.push_str(line[column..].trim_end());
                return words;
            }
            words.push_str("- ");
            column += 1 + blanks(rest);
        }
        let mut rest = line[column..].to_owned();
        if let Some((key, value)) = self.source.keys.get(&(range.start + column))
            && *value <= range.end
            && key.end < *value
        {
            let gap = &self.source.text[key.end..*value];
            if gap.trim() == ":" && gap.ends_with(' ') {
                rest =
                    format!("{}: {}", &self.source.text[key.clone()], &self.source.text[*value..range.end]);
            }
        }
        if let (Some((key, _)), true) =
            (self.source.keys.get(&(range.start + column)), self.source.blocks.contains_key(&number))
        {
            let head =
                self.source.text[key.end..range.end].trim_start().strip_prefix(':').map(str::trim_start);
            if let Some(head) = head.filter(|head| head.starts_with(['|', '>'])) {
                rest = format!("{}: {head}", &self.source.text[key.clone()]);
            }
        }
        words.push_str(if self.goes_on(number) { &rest } else { rest.trim_end() });
        words
    }

    /// Whether the next line is inside of a value that begins on this one.
    fn goes_on(&self, number: usize) -> bool {
        self.source.kinds.get(number + 1) == Some(&Line::Inside)
    }

    /// Writes the lines of the value that a structural line begins; answers the last one.
    fn follow(&mut self, number: usize, column: usize, indent: usize) -> usize {
        let kind = self.source.kinds.get(number + 1).copied();
        let mut last = number;
        while kind.is_some()
            && self.source.kinds.get(last + 1).copied() == kind
            && matches!(kind, Some(Line::Inside | Line::Block))
        {
            last += 1;
        }
        match kind {
            Some(Line::Inside) => {
                for inside in number + 1..=last {
                    let line = self.source.line(inside);
                    self.content(
                        (blanks(line) + indent).saturating_sub(column),
                        line.trim_start_matches(' '),
                    );
                }
            }
            Some(Line::Block) => self.write_block(number, last),
            _ => {}
        }
        last
    }

    fn write_block(&mut self, head: usize, last: usize) {
        let old = self.source.blocks.get(&head).copied().unwrap_or_default();
        let new = match (self.levels.last(), indicator(self.source.line(head)).digits) {
            (None, _) => old,
            (Some(level), digits) => level.indent + digits.unwrap_or(STEP),
        };
        for number in head + 1..=last {
            self.content(new, self.source.line(number).get(old..).unwrap_or_default());
        }
    }

    fn write(&mut self, indent: usize, words: &str) {
        self.written.push(Written { indent, words: words.to_owned(), is_content: false });
    }

    fn content(&mut self, indent: usize, words: &str) {
        self.written.push(Written { indent, words: words.to_owned(), is_content: true });
    }

    /// The lines as one text.
    fn finish(self) -> String {
        let is_marker = |line: &Written| line.words == "---" || line.words.starts_with("--- ");
        let is_empty = |line: &Written| line.words.is_empty() && !line.is_content;
        let mut lines: Vec<Written> = vec![];
        for line in self.written {
            if is_empty(&line) && lines.last().is_none_or(|last| is_empty(last) || is_marker(last)) {
                continue;
            }
            if is_marker(&line) {
                lines.pop_if(|last| is_empty(last));
            }
            lines.push(line);
        }
        lines.pop_if(|last| is_empty(last));
        let text = |Written { indent, words, .. }: Written| match words.is_empty() {
            true => "\n".to_owned(),
            false => format!("{:indent$}{words}\n", ""),
        };
        lines.into_iter().map(text).collect()
    }
}
