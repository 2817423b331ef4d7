//! An outline as SARIF 2.1.0 (OASIS), which code scanning reads: each remark a result at its line of the manifest. PURE.

use super::outline::{Level, Outline, Remark, Row};
use crate::model::origin::Place;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What the rules that are no finding's code mean.
const RULES: [(&str, &str); 16] = [
    ("loss", "Data goes for good: what was written in a root, or what a container persists"),
    ("broken", "Something on the host is broken, and no step repairs it"),
    ("change", "The manifests differ from what was applied"),
    ("done", "A step of an apply changed something"),
    ("drift", "The host differs from what was applied"),
    ("failed", "The command failed"),
    ("guard", "A guard stops the apply before its first step"),
    ("hold", "A verb holds a container against its declared state"),
    ("kept", "An object is owned by the site and no longer declared"),
    ("not-begun", "A step was not begun: the apply was interrupted"),
    ("not-applied", "It was declared and never applied"),
    ("pending", "A change waits for approval"),
    ("rollout-stopped", "A failure stopped a rollout"),
    ("step-blocked", "A step waits for one that failed"),
    ("step-failed", "A step of an apply failed"),
    ("unmanaged", "A container on the host that no site owns"),
];

/// One document, with a line feed at its end.
pub fn sarif(outline: &Outline) -> String {
    let results: Vec<Value> = outline
        .rows
        .iter()
        .flat_map(|row| row.remarks.iter().filter(|remark| remark.rule != "done").map(|one| result(row, one)))
        .collect();
    let codes: BTreeSet<&str> =
        outline.rows.iter().flat_map(|row| &row.remarks).map(|remark| remark.rule).collect();
    let document = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "bayplan",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": codes.into_iter().filter(|code| *code != "done").map(rule).collect::<Vec<_>>(),
            }},
            "automationDetails": {"id": format!("bayplan/{}/", outline.verb)},
            "columnKind": "unicodeCodePoints",
            "invocations": [{"executionSuccessful": outline.rows.iter().all(is_executed)}],
            "results": results,
            "properties": {"summary": outline.summary, "site": outline.site},
        }],
    });
    // Two-space indent, as the schema's own examples have it.
    format!("{document:#}\n")
}

fn is_executed(row: &Row) -> bool {
    row.remarks.iter().all(|remark| !["failed", "step-failed"].contains(&remark.rule))
}

fn rule(code: &str) -> Value {
    let known = RULES.iter().find(|(id, _)| *id == code).map(|(_, meaning)| (*meaning).to_owned());
    let meaning = known.unwrap_or_else(|| format!("A finding in the manifests: {}", code.replace('-', " ")));
    json!({"id": code, "shortDescription": {"text": meaning}})
}

fn result(row: &Row, remark: &Remark) -> Value {
    let level = match remark.level {
        Level::Note => "note",
        Level::Warning => "warning",
        Level::Error => "error",
    };
    let help = remark.help.as_ref().map_or(String::new(), |help| format!(". Help: {help}"));
    let mut location = json!({"logicalLocations": [{"fullyQualifiedName": row.name, "kind": "object"}]});
    if let Some(place) = &remark.place {
        location["physicalLocation"] = physical(place);
    }
    json!({
        "ruleId": remark.rule,
        "level": level,
        "message": {"text": format!("{}: {}{help}", row.name, remark.text)},
        "locations": [location],
        "partialFingerprints": {"object/v1": format!("{} {} {}", remark.rule, row.name, remark.field)},
    })
}

fn physical(place: &Place) -> Value {
    let mut artifact = json!({"uri": uri(&place.file)});
    if !place.file.starts_with('/') {
        artifact["uriBaseId"] = json!("%SRCROOT%");
    }
    let region = json!({"startLine": place.line.max(1), "startColumn": place.column.max(1)});
    json!({"artifactLocation": artifact, "region": region})
}

/// A path as a URI reference (RFC 3986): an absolute one with its scheme; a relative one as it is, without `./`.
fn uri(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let relative = path.strip_prefix("./").unwrap_or(path);
    let escaped: String = relative
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect();
    if path.starts_with('/') { format!("file://{escaped}") } else { escaped }
}
