//! Kind Host: who a site renders for.

use super::container::ARCHITECTURES;
use super::reader::{Fields, Reader};
use super::{Head, values};
use crate::model::words::did_you_mean;
use crate::spec::fill::Values;
use crate::spec::report::Wrong;
use crate::spec::tree::{Mark, Node};
use schemars::JsonSchema;
use std::collections::BTreeMap;

pub const FIELDS: Fields = Fields { known: &["machineId", "architecture", "values"], later: &[] };

/// A host that the site renders for: its labels and values are written here, so that rendering needs no look at it.
#[derive(Debug, Clone, Default, JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostSpec {
    /// Its /etc/machine-id. Absent: the host whose host name is this document's name.
    #[schemars(regex(pattern = r"^[0-9a-fA-F]{32}$"))]
    pub machine_id: Option<String>,
    /// Debian's word for its processor; absent: that of the machine that renders.
    #[schemars(default, schema_with = "crate::spec::schema::architecture")]
    pub architecture: Option<String>,
    /// What `${values.NAME}` stands for on this host; stronger than the Site's.
    #[schemars(default, schema_with = "crate::spec::schema::values")]
    pub values: BTreeMap<String, String>,
}

/// A Host document.
#[derive(Debug, Clone)]
pub struct Host {
    pub name: String,
    pub mark: Mark,
    pub labels: BTreeMap<String, String>,
    pub machine_id: Option<String>,
    pub architecture: Option<String>,
    pub values: Values,
}

pub fn read(node: &Node, mark: Mark, reader: &mut Reader) -> Option<Host> {
    let head = Head::read(node, crate::model::key::Kind::Host, mark, reader);
    let mut host = Host {
        name: head.key?.name,
        mark,
        labels: head.meta.labels,
        machine_id: None,
        architecture: None,
        values: Values::new(),
    };
    let Some(spec) = reader.field(node, "spec", "spec") else { return Some(host) };
    if reader.mapping(spec, "the spec of a Host", &FIELDS) {
        host.machine_id =
            reader.field(spec, "machineId", "machineId").and_then(|node| machine_id(node, reader));
        host.architecture =
            reader.field(spec, "architecture", "architecture").and_then(|node| architecture(node, reader));
        host.values = values::read(spec, "values", reader);
    }
    Some(host)
}

fn machine_id(node: &Node, reader: &mut Reader) -> Option<String> {
    // An id of digits alone is a number to YAML, and still one.
    let text = node.scalar().map(|(text, _)| text.to_owned()).unwrap_or_default();
    if text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Some(text.to_ascii_lowercase());
    }
    let wrong = Wrong::new("bad-value", "machineId must be 32 hexadecimal digits");
    reader.report.error(node.mark, wrong.help("it is the line in the host's /etc/machine-id"));
    None
}

/// Debian's word for a processor.
pub fn architecture(node: &Node, reader: &mut Reader) -> Option<String> {
    let text = reader.text(node, "architecture")?;
    if ARCHITECTURES.contains(&text.as_str()) {
        return Some(text);
    }
    let help = match text.as_str() {
        "x86_64" | "x86-64" | "x64" => Some("did you mean `amd64`?".to_owned()),
        "aarch64" => Some("did you mean `arm64`?".to_owned()),
        _ => did_you_mean(&text, ARCHITECTURES),
    };
    let wrong = Wrong::new("bad-value", format!("unknown architecture `{text}`"));
    let help = help.unwrap_or_else(|| format!("known are {}", ARCHITECTURES.join(", ")));
    reader.report.error(node.mark, wrong.help(help));
    None
}
