//! Text → documents as trees. Reports every document's syntax errors, not only the first one's.
//!
//! YAML's traps, and what becomes of them: anchors, aliases and merge keys (`<<`) work, up to [`ALIAS_BUDGET`]
//! copied values a text; a tag other than `!!str` is refused; keys must be texts and distinct; empty documents are
//! skipped; a byte-order mark at the start is ignored. What a plain scalar means is for the reader to say
//! ([`super::tree::Plain`]): it knows which type is wanted.

mod separate;

use super::report::{Report, Wrong};
use super::tree::{Entry, Mark, Node, Style, Value};
use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// How many values aliases and merge keys may copy in one text; a bomb needs far more.
pub const ALIAS_BUDGET: usize = 100_000;

/// The documents of a text that are not empty and could be read.
pub fn documents<'a>(text: &'a str, file: u32, report: &mut Report) -> Vec<Node<'a>> {
    let mut parser = Parser::new_from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
    let mut documents = vec![];
    let mut budget = ALIAS_BUDGET;
    loop {
        let mut builder = Builder::new(file, &mut budget);
        match builder.read_document(&mut parser, report) {
            Ok(Next::Document(node)) => documents.extend(separate::separated(node, report)),
            Ok(Next::Nothing) => {}
            Ok(Next::End) => return documents,
            Err(error) => {
                report_syntax(&error, file, report);
                if !matches!(parser.proceed_next_document(), Ok(true)) {
                    return documents;
                }
            }
        }
    }
}

enum Next<'a> {
    Document(Node<'a>),
    Nothing,
    End,
}

/// A collection that is still open.
enum Open<'a> {
    List {
        mark: Mark,
        anchor: usize,
        items: Vec<Node<'a>>,
    },
    Map {
        mark: Mark,
        anchor: usize,
        entries: Vec<Entry<'a>>,
        merges: Vec<Node<'a>>,
        key: Option<PendingKey<'a>>,
    },
}

/// A key whose value comes next; `text` is none when the key itself was refused.
struct PendingKey<'a> {
    text: Option<Cow<'a, str>>,
    mark: Mark,
    /// An unquoted `<<`.
    merge: bool,
}

struct Builder<'a, 'b> {
    file: u32,
    budget: &'b mut usize,
    /// The budget did not suffice: the document is dropped.
    exhausted: bool,
    stack: Vec<Open<'a>>,
    anchors: BTreeMap<usize, Node<'a>>,
    root: Option<Node<'a>>,
}

impl<'a, 'b> Builder<'a, 'b> {
    fn new(file: u32, budget: &'b mut usize) -> Builder<'a, 'b> {
        Builder { file, budget, exhausted: false, stack: vec![], anchors: BTreeMap::new(), root: None }
    }

    fn read_document(
        &mut self,
        parser: &mut Parser<'a, StrInput<'a>>,
        report: &mut Report,
    ) -> Result<Next<'a>, ScanError> {
        while let Some(event) = parser.next_event() {
            let (event, span) = event?;
            match event {
                Event::StreamEnd => return Ok(Next::End),
                Event::DocumentEnd => {
                    let root = self.root.take().filter(|node| !node.is_null() && !self.exhausted);
                    return Ok(root.map_or(Next::Nothing, Next::Document));
                }
                event => self.take(event, span, report),
            }
        }
        Ok(Next::End)
    }

    fn take(&mut self, event: Event<'a>, span: Span, report: &mut Report) {
        let mark = mark(self.file, span);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && !self.is_tagged_text(tag.as_deref(), mark, report);
                let style = if plain { Style::Plain } else { Style::Quoted };
                self.place(Node { mark, value: Value::Scalar { text, style } }, anchor, report);
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.is_tagged_text(tag.as_deref(), mark, report);
                self.stack.push(Open::List { mark, anchor, items: vec![] });
            }
            Event::MappingStart(_, anchor, tag) => {
                self.is_tagged_text(tag.as_deref(), mark, report);
                self.stack.push(Open::Map { mark, anchor, entries: vec![], merges: vec![], key: None });
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(report),
            Event::Alias(id) => self.alias(id, mark, report),
            _ => {}
        }
    }

    /// True for `!!str`; any other tag is a finding.
    fn is_tagged_text(&self, tag: Option<&Tag>, mark: Mark, report: &mut Report) -> bool {
        match tag {
            None => false,
            Some(tag) if tag.core_suffix() == Some("str") => true,
            Some(tag) => {
                let message = format!("the YAML tag `{}` is not supported", tag.original());
                report.error(mark, Wrong::new("yaml-tag", message).help("write the value without a tag"));
                false
            }
        }
    }

    fn close(&mut self, report: &mut Report) {
        match self.stack.pop() {
            Some(Open::List { mark, anchor, items }) => {
                self.place(Node { mark, value: Value::List(items) }, anchor, report);
            }
            Some(Open::Map { mark, anchor, mut entries, merges, .. }) => {
                for merged in merges {
                    merge(&mut entries, merged, report);
                }
                self.place(Node { mark, value: Value::Map(entries) }, anchor, report);
            }
            None => {}
        }
    }

    fn alias(&mut self, id: usize, mark: Mark, report: &mut Report) {
        let Some(node) = self.anchors.get(&id) else {
            let wrong = Wrong::new("yaml-alias", "an alias inside the value that it stands for");
            report.error(mark, wrong.help("write the value out"));
            return self.place(null(mark), 0, report);
        };
        let weight = if self.exhausted { 0 } else { node.weight() };
        if self.exhausted || weight > *self.budget {
            if !self.exhausted {
                let message = format!("aliases copy more than {ALIAS_BUDGET} values in this file");
                report.error(mark, Wrong::new("yaml-alias", message).help("write the values out"));
            }
            self.exhausted = true;
            return self.place(null(mark), 0, report);
        }
        *self.budget -= weight;
        let copy = node.clone();
        self.place(copy, 0, report);
    }

    /// Puts a finished value where it belongs: key or value of the open mapping, item of the open list, the root.
    fn place(&mut self, node: Node<'a>, anchor: usize, report: &mut Report) {
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let is_root = self.stack.len() == 1;
        match self.stack.last_mut() {
            None => self.root = Some(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { key: key @ None, .. }) => *key = Some(pending_key(node, report)),
            Some(Open::Map { entries, merges, key, .. }) => {
                let Some(key) = key.take() else { return };
                match key.text {
                    _ if key.merge => merges.push(node),
                    None => {}
                    Some(text) => {
                        let first = entries.iter().find(|entry| entry.key == text).filter(|_| !is_root);
                        match first {
                            Some(first) => separate::twice(first, &text, key.mark, report),
                            None => entries.push(Entry { key: text, mark: key.mark, value: node }),
                        }
                    }
                }
            }
        }
    }
}

fn pending_key<'a>(node: Node<'a>, report: &mut Report) -> PendingKey<'a> {
    let mark = node.mark;
    let is_null = node.is_null();
    match node.value {
        Value::Scalar { text, style } if !is_null => {
            PendingKey { merge: style == Style::Plain && text == "<<", text: Some(text), mark }
        }
        _ => {
            let wrong = Wrong::new("yaml-key", "a key must be a text");
            report.error(mark, wrong.help("quote it, if it is meant"));
            PendingKey { text: None, mark, merge: false }
        }
    }
}

/// `<<: *base` or `<<: [*a, *b]`: adds what is not there yet.
fn merge<'a>(entries: &mut Vec<Entry<'a>>, merged: Node<'a>, report: &mut Report) {
    let mark = merged.mark;
    match merged.value {
        Value::Map(additions) => {
            for addition in additions {
                if entries.iter().all(|entry| entry.key != addition.key) {
                    entries.push(addition);
                }
            }
        }
        Value::List(items) => {
            for item in items {
                merge(entries, item, report);
            }
        }
        Value::Scalar { .. } => {
            let wrong = Wrong::new("yaml-merge", "`<<` merges a mapping or a list of mappings");
            report.error(mark, wrong.help("write `<<: *anchor`; quote \"<<\" if it is a name"));
        }
    }
}

fn null<'a>(mark: Mark) -> Node<'a> {
    Node { mark, value: Value::Scalar { text: Cow::Borrowed(""), style: Style::Plain } }
}

fn mark(file: u32, span: Span) -> Mark {
    from_marker(file, &span.start)
}

/// granit counts lines from 1 and columns from 0.
fn from_marker(file: u32, marker: &granit_parser::Marker) -> Mark {
    let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    Mark { file, line: number(marker.line()), column: number(marker.col()).saturating_add(1) }
}

fn report_syntax(error: &ScanError, file: u32, report: &mut Report) {
    let help = match error.kind() {
        ErrorKind::TabInIndentation
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabNotAllowed
        | ErrorKind::TabAtBlockScalarStart => "YAML is indented with spaces; replace the tab",
        ErrorKind::UnclosedQuotedScalar => "close the quote",
        ErrorKind::UnclosedFlowCollection { .. } | ErrorKind::MismatchedFlowCollectionEnd { .. } => {
            "close the bracket"
        }
        ErrorKind::UnknownAnchor => "define it before with `&name`; quote a text that begins with `*`",
        ErrorKind::SimpleKeyExpected => "write `key: value`, with a blank after the colon",
        ErrorKind::RecursionLimitExceeded => "nest less deeply",
        _ => "check the indentation, and quote texts that hold `: `, ` #`, `{`, `[`, `*`, `&`, `%` or `@`",
    };
    let message = format!("not YAML: {}", error.info());
    report.error(from_marker(file, error.marker()), Wrong::new("yaml-syntax", message).help(help));
}
