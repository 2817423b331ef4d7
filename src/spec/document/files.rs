//! `files`: what is put into a container, path by path.

use super::reader::{Fields, Reader};
use super::secret::{self, SecretRefSpec};
use crate::spec::report::Wrong;
use crate::spec::tree::{Entry, Node, Value};
use std::collections::BTreeMap;

pub const FIELDS: Fields = Fields {
    known: &["content", "source", "template", "secretRef", "mode", "owner", "group", "onChange"],
    later: &[],
};

const HELP: &str = "write one of `content: \"…\"`, `source: FILE`, `template: FILE`, `secretRef: NAME`";

/// The kernel's PATH_MAX and NAME_MAX, less the closing zero.
const LONGEST_PATH: usize = 4095;
const LONGEST_NAME: usize = 255;

/// Made anew at each start, or the kernel's own.
pub const VOLATILE: [&str; 6] = ["/proc", "/sys", "/dev", "/run", "/var/run", "/tmp"];

/// A file as one layer writes it.
#[derive(Debug, Clone)]
pub struct FileSpec {
    pub from: FromSpec,
    pub mode: String,
    pub owner: String,
    pub group: String,
    pub on_change: Vec<String>,
}

#[derive(Debug, Clone)]
pub enum FromSpec {
    Content(String),
    Source(String),
    Template(TemplateSpec),
    Secret(SecretRefSpec),
}

/// A file beside the manifest whose placeholders are filled.
#[derive(Debug, Clone)]
pub struct TemplateSpec {
    pub name: String,
    /// What it is for the host that is rendered for. None: it cannot be filled, and that is reported.
    pub filled: Option<String>,
}

/// Path inside → file; null (take away) is none.
pub type Files = BTreeMap<String, Option<FileSpec>>;

/// Reads `files` of a spec.
pub fn files(spec: &Node, reader: &mut Reader) -> Files {
    let mut files = Files::new();
    let Some(node) = reader.field(spec, "files", "files") else { return files };
    let Some(entries) = node.entries() else {
        let help = "write `files: {/etc/app.conf: {content: \"…\"}}`";
        reader.mistyped(node, "files", "a mapping", Some(help.to_owned()));
        return files;
    };
    for entry in entries {
        let path = entry.key.as_ref();
        reader.marks.insert(format!("files.{path}"), entry.mark);
        if let Some(wrong) = bad_path(path) {
            reader.report.error(entry.mark, wrong);
        } else if entry.value.is_null() {
            files.insert(path.to_owned(), None);
        } else if let Some(file) = file(entry, reader) {
            files.insert(path.to_owned(), Some(file));
        }
    }
    files
}

pub fn bad_path(path: &str) -> Option<Wrong> {
    let wrong = |message: String, help: &str| Some(Wrong::new("bad-value", message).help(help));
    let Some(rest) = path.strip_prefix('/') else {
        return wrong(format!("`{path}` is no absolute path"), "paths inside begin with `/`");
    };
    let is_plain = |name: &str| !matches!(name, "" | "." | "..") && name.len() <= LONGEST_NAME;
    if !rest.split('/').all(is_plain) || path.len() > LONGEST_PATH || path.contains(char::is_control) {
        let help = "write the file's whole path without `.`, `..`, `//` and a `/` at the end";
        return wrong(format!("`{path}` is no path of a file"), help);
    }
    let volatile = VOLATILE.into_iter().find(|folder| path == *folder || below(path, folder))?;
    wrong(
        format!("`{path}`: {volatile} is made anew at each start"),
        "put the file elsewhere; a service inside (systemd-tmpfiles) can copy it",
    )
}

/// Whether a path is inside a folder.
pub fn below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

fn file(entry: &Entry, reader: &mut Reader) -> Option<FileSpec> {
    let node = &entry.value;
    let at = format!("files.{}", entry.key);
    let path = |field: &str| format!("{at}.{field}");
    if node.scalar().is_some() {
        reader.mistyped(node, &at, "a mapping", Some(HELP.to_owned()));
        return None;
    }
    if !reader.mapping(node, &format!("file {}", entry.key), &FIELDS) {
        return None;
    }
    let mode = reader.field(node, "mode", &path("mode")).and_then(|node| mode(node, &path("mode"), reader));
    let mut name = |field: &str| {
        let node = reader.field(node, field, &path(field))?;
        owner(node, &path(field), reader)
    };
    let (owner, group) = (name("owner"), name("group"));
    let on_change = reader.field(node, "onChange", &path("onChange"));
    let on_change = on_change.map(|node| command(node, &path("onChange"), reader)).unwrap_or_default();
    Some(FileSpec {
        from: from(entry, reader)?,
        mode: mode.unwrap_or_else(|| "0644".to_owned()),
        owner: owner.unwrap_or_else(|| "root".to_owned()),
        group: group.unwrap_or_else(|| "root".to_owned()),
        on_change,
    })
}

fn from(entry: &Entry, reader: &mut Reader) -> Option<FromSpec> {
    let node = &entry.value;
    let entries = node.entries().unwrap_or_default();
    let is_content =
        |entry: &&Entry| matches!(entry.key.as_ref(), "content" | "source" | "template" | "secretRef");
    let chosen: Vec<&Entry> = entries.iter().filter(is_content).collect();
    match chosen[..] {
        [given] => {
            let path = format!("files.{}.{}", entry.key, given.key);
            reader.remember(&path, given.mark, &given.value);
            match given.key.as_ref() {
                "content" => reader.text(&given.value, &path).map(FromSpec::Content),
                "source" => beside(&given.value, &path, reader).map(FromSpec::Source),
                "template" => beside(&given.value, &path, reader)
                    .map(|name| FromSpec::Template(TemplateSpec { name, filled: None })),
                _ => secret::reference(&given.value, &path, reader).map(FromSpec::Secret),
            }
        }
        [] => {
            let message = format!("file {} has no content", entry.key);
            reader.report.error(entry.mark, Wrong::new("missing-field", message).help(HELP));
            None
        }
        [first, second, ..] => {
            let message = format!("a file has one content; `{}` and `{}` are two", first.key, second.key);
            reader.report.error(second.mark, Wrong::new("bad-value", message).help("remove one of them"));
            None
        }
    }
}

/// The name of a file beside the manifest.
fn beside(node: &Node, path: &str, reader: &mut Reader) -> Option<String> {
    let text = reader.text(node, path)?;
    if text.is_empty() || text.starts_with('/') || text.contains('\0') {
        let message = format!("{path} must be a file beside the manifest; it is `{text}`");
        let help = "write its path relative to the manifest's folder; files of the host are disks";
        reader.report.error(node.mark, Wrong::new("bad-value", message).help(help));
        return None;
    }
    Some(text)
}

/// Three or four octal digits, quoted: YAML readers disagree about `0644`.
fn mode(node: &Node, path: &str, reader: &mut Reader) -> Option<String> {
    let text = node.scalar().map(|(text, _)| text.to_owned()).unwrap_or_default();
    let is_octal = matches!(text.len(), 3 | 4) && text.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    if is_octal {
        return reader.text(node, path).map(|text| format!("{text:0>4}"));
    }
    let help = Some("octal digits in quotes: `mode: \"0644\"`".to_owned());
    reader.mistyped(node, path, "a file mode", help);
    None
}

/// A name, or a number with or without quotes.
fn owner(node: &Node, path: &str, reader: &mut Reader) -> Option<String> {
    let text = reader.config_text(node, path)?;
    let is_name = !text.is_empty() && !text.contains([':', '/', '\n', '\0']) && !text.starts_with('-');
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    // The highest id means "no change" to chown(2).
    if is_name && (!is_number || text.parse::<u32>().is_ok_and(|id| id < u32::MAX)) {
        return Some(if is_number { text.trim_start_matches('0').to_owned() } else { text })
            .map(|text| if text.is_empty() { "0".to_owned() } else { text });
    }
    let help = "a name or number that the container's own /etc/passwd and /etc/group have; one at a time";
    reader.mistyped(node, path, "a name or a number", Some(help.to_owned()));
    None
}

fn command(node: &Node, path: &str, reader: &mut Reader) -> Vec<String> {
    let command = reader.texts(node, path);
    let is_empty = matches!(&node.value, Value::List(items) if items.is_empty());
    if is_empty || command.first().is_some_and(String::is_empty) {
        let wrong = Wrong::new("bad-value", format!("{path} needs a command"));
        reader.report.error(node.mark, wrong.help("write `onChange: [systemctl, reload, app]`"));
    }
    command
}
