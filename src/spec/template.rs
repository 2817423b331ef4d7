//! Files of `template`: a text file beside the manifest whose placeholders are filled as those of the manifest that
//! names it are. Its own lines are what findings show.

use super::document::files::{FileSpec, FromSpec};
use super::document::{Body, Document};
use super::fill::{Each, Filler, Part, Scope, not_closed, parts};
use super::render::Renderer;
use super::report::Wrong;
use super::resolve::paths::Folders;
use super::tree::{Mark, Node};
use super::{SourceText, TextRole};
use crate::model::content::SourceFile;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

/// The most bytes of a template; what it becomes stands in records and plans.
pub const MAX_BYTES: usize = 1 << 20;

/// The templates among the texts of a load.
pub struct Templates<'t> {
    texts: &'t [SourceText],
    by_file: BTreeMap<&'t SourceFile, u32>,
}

impl<'t> Templates<'t> {
    pub fn of(texts: &'t [SourceText]) -> Templates<'t> {
        let file = |(index, text): (usize, &'t SourceText)| match &text.role {
            TextRole::Manifest | TextRole::Source(_) => None,
            TextRole::Template(file) | TextRole::Unread(file) => Some((file, u32::try_from(index).ok()?)),
        };
        Templates { texts, by_file: texts.iter().enumerate().filter_map(file).collect() }
    }

    /// How findings show a template: beside the manifest that names it first.
    fn shown(&self, mark: Mark, name: &str) -> String {
        let manifest = self.texts.get(mark.file as usize).map_or(Path::new(""), |text| Path::new(&text.path));
        let mut shown = PathBuf::new();
        for component in manifest.parent().unwrap_or(Path::new("")).join(name).components() {
            match component {
                Component::CurDir => {}
                Component::ParentDir if shown.file_name().is_some() => drop(shown.pop()),
                other => shown.push(other),
            }
        }
        shown.display().to_string()
    }
}

/// Whether a document has a file of `template`, itself or for the members that it makes.
pub fn is_named(document: &Node) -> bool {
    let spec = document.get("spec");
    let in_files = |spec: &Node| {
        let files = spec.get("files").and_then(Node::entries).unwrap_or_default();
        files.iter().any(|file| file.value.get("template").is_some())
    };
    spec.is_some_and(|spec| in_files(spec) || spec.get("template").is_some_and(in_files))
}

impl<'l> Renderer<'l, '_> {
    /// Fills the templates of a document's files.
    pub fn fill_templates(&mut self, document: &mut Document, each: Option<Each<'_>>) {
        let Document { body, marks, mark, .. } = document;
        let files = match body {
            Body::Profile(profile) => &mut profile.files,
            Body::Container(container) => &mut container.files,
            _ => return,
        };
        for (path, file) in files {
            let Some(FileSpec { from: FromSpec::Template(template), .. }) = file else { continue };
            let mark_of = |field: String| marks.get(&field).copied().unwrap_or(*mark);
            let named = mark_of(format!("files.{path}.template"));
            let Some((file, text)) = self.template(&template.name, named) else { continue };
            let Some((filled, from)) = self.fill_text(text, file, each) else { continue };
            self.report.fill(mark_of(format!("files.{path}")), &from);
            template.filled = Some(filled);
        }
    }

    /// The text of a template that is named at `mark`, and its number among the load's.
    fn template(&mut self, name: &str, mark: Mark) -> Option<(u32, &'l str)> {
        let templates = self.templates;
        let file = match (Folders { texts: templates.texts }).beside(mark, name) {
            Ok(file) => file,
            Err(wrong) => {
                self.report.error(mark, wrong);
                return None;
            }
        };
        self.rendered.templates.entry(file.clone()).or_insert_with(|| templates.shown(mark, name));
        let index = templates.by_file.get(&file).copied();
        let text = index.and_then(|index| templates.texts.get(index as usize));
        let why = match (index, text) {
            (Some(index), Some(SourceText { role: TextRole::Template(_), text, .. })) => {
                return Some((index, text));
            }
            (_, Some(unread)) => unread.text.clone(),
            _ => format!("file {} was not read", file.root.join(&file.path).display()),
        };
        let wrong = Wrong::new("bad-template", format!("template `{name}`: {why}"));
        self.report.error(mark, wrong.help("its path is relative to the manifest's folder"));
        None
    }

    /// The text with its placeholders filled, and where it and their values stand. One that cannot be filled is a
    /// finding at its own place.
    fn fill_text(&mut self, text: &str, file: u32, each: Option<Each<'_>>) -> Option<(String, Vec<Mark>)> {
        let whole = Mark { file, line: 1, column: 1 };
        let host = self.host.map(|host| host.name.as_str());
        let scope = Scope::Known { values: self.values, each, host };
        let mut filler = Filler { scope, report: self.report, budget: &mut self.bytes };
        // What is read is paid for too: values may be empty.
        if !filler.spend(text.len(), whole) {
            return None;
        }
        let mut cursor = Cursor { text, byte: 0, mark: whole };
        let open = parts(text).err();
        let closed = &text[..text.len() - open.map_or(0, str::len)];
        let (mut filled, mut values) = (String::new(), BTreeSet::new());
        let mut is_whole = open.is_none();
        for part in parts(closed).unwrap_or_default() {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Name { name, at } => {
                    self.used.extend(name.strip_prefix("each.").map(str::to_owned));
                    match filler.given(name, cursor.mark_at(at)) {
                        Some(given) if filler.spend(given.text.len(), whole) => {
                            filled.push_str(&given.text);
                            values.insert(given.mark);
                        }
                        Some(_) => return None,
                        None => is_whole = false,
                    }
                }
            }
        }
        if let Some(rest) = open {
            filler.spoil(cursor.mark_at(closed.len()), not_closed(rest));
        }
        is_whole.then(|| (filled, std::iter::once(whole).chain(values).collect()))
    }
}

/// Goes through a text once, and knows line and column.
struct Cursor<'t> {
    text: &'t str,
    byte: usize,
    mark: Mark,
}

impl Cursor<'_> {
    /// The place of a byte that is not before the last one that was asked for.
    fn mark_at(&mut self, byte: usize) -> Mark {
        for character in self.text.get(self.byte..byte).unwrap_or_default().chars() {
            match character {
                '\n' => self.mark = Mark { line: self.mark.line.saturating_add(1), column: 1, ..self.mark },
                _ => self.mark.column = self.mark.column.saturating_add(1),
            }
        }
        self.byte = byte;
        self.mark
    }
}
