//! Kind Secret, and `secretRef`: where a secret is. Never what it is.

use super::reader::{Fields, Reader};
use crate::spec::names;
use crate::spec::report::Wrong;
use crate::spec::tree::{Entry, Mark, Node};
use schemars::JsonSchema;

pub const FIELDS: Fields = Fields { known: &["file", "env", "credential", "placement"], later: &[] };

const IN_PLACE: Fields = Fields { known: &["file", "env", "credential"], later: &[] };

const HELP: &str = "write one of `file: PATH`, `env: NAME`, `credential: NAME`";

/// Where a secret is: exactly one of them. The value is read when it is needed, and never stored.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
pub enum SecretSpec {
    /// A file of the host; relative to the manifest's folder.
    File(String),
    /// A variable in the environment of the process that applies: the daemon, or the command.
    Env(String),
    /// A credential that systemd gives to that process (`LoadCredential=`).
    Credential(String),
}

/// `secretRef`.
#[derive(Debug, Clone)]
pub enum SecretRefSpec {
    /// The name of a Secret.
    Name(String),
    InPlace(SecretSpec),
}

pub fn read(node: &Node, mark: Mark, reader: &mut Reader) -> Option<SecretSpec> {
    place(node, mark, ("", "the spec of a Secret"), &FIELDS, reader)
}

/// A Secret's name, or its place.
pub fn reference(node: &Node, path: &str, reader: &mut Reader) -> Option<SecretRefSpec> {
    if node.entries().is_some() {
        let at = (path, "secretRef");
        return place(node, node.mark, at, &IN_PLACE, reader).map(SecretRefSpec::InPlace);
    }
    let name = reader.text(node, path)?;
    match names::object(&name) {
        Ok(()) => Some(SecretRefSpec::Name(name)),
        Err(bad) => {
            reader.bad(node.mark, path, &name, bad);
            None
        }
    }
}

/// `path` is the field's, empty for the spec itself; `at` names the mapping in findings.
fn place(
    node: &Node,
    mark: Mark,
    (path, at): (&str, &str),
    fields: &Fields,
    reader: &mut Reader,
) -> Option<SecretSpec> {
    if !reader.mapping(node, at, fields) {
        return None;
    }
    let entries = node.entries().unwrap_or_default();
    let chosen: Vec<&Entry> =
        entries.iter().filter(|entry| IN_PLACE.known.contains(&entry.key.as_ref())).collect();
    match chosen[..] {
        [entry] => {
            let path = if path.is_empty() { entry.key.to_string() } else { format!("{path}.{}", entry.key) };
            reader.remember(&path, entry.mark, &entry.value);
            let text = reader.text(&entry.value, &path)?;
            if !is_valid(&entry.key, &text) {
                let wrong = Wrong::new("bad-value", format!("`{}` names nothing: `{text}`", entry.key));
                reader.report.error(entry.value.mark, wrong.help(HELP));
                return None;
            }
            Some(match entry.key.as_ref() {
                "file" => SecretSpec::File(text),
                "env" => SecretSpec::Env(text),
                _ => SecretSpec::Credential(text),
            })
        }
        [] => {
            if entries.iter().all(|entry| fields.known.contains(&entry.key.as_ref())) {
                let wrong = Wrong::new("missing-field", format!("{at} does not say where the secret is"));
                reader.report.error(mark, wrong.help(HELP));
            }
            None
        }
        [first, second, ..] => {
            let message = format!("a secret is in one place; `{}` and `{}` are two", first.key, second.key);
            reader.report.error(second.mark, Wrong::new("bad-value", message).help("remove one of them"));
            None
        }
    }
}

fn is_valid(field: &str, text: &str) -> bool {
    let plain = !text.is_empty() && !text.contains('\0');
    match field {
        "file" => plain,
        "env" => plain && !text.contains('='),
        _ => plain && !text.contains('/') && text != "." && text != "..",
    }
}
