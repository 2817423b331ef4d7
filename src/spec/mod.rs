//! Manifests → [`Desired`]. Pure: texts in, a valid declaration or all findings out.
//!
//! ```text
//! texts ─ yaml ─► trees ─ document ─► documents ─ resolve ─► Desired
//!                    └── registry, names, words ──┘
//!                              report ─► findings ─ diagnostic ─► text for people
//! ```
//!
//! | file | does |
//! | --- | --- |
//! | `yaml`, `tree` | YAML to trees whose every value knows its place |
//! | `document/` | one file a kind: a tree to typed fields |
//! | `registry/` | config keys and device options: types, defaults, documentation |
//! | `resolve/` | profile expansion, built-ins, references, and checks across objects |
//! | `names`, `words` | naming rules; "did you mean" |
//! | `report`, `diagnostic` | collecting findings; showing them |
//! | `schema` | JSON Schema of each kind |

pub mod diagnostic;
pub mod document;
pub mod names;
pub mod registry;
pub mod report;
pub mod resolve;
pub mod schema;
pub mod tree;
pub mod words;
pub mod yaml;

use crate::model::desired::Desired;
use crate::model::finding::Finding;
use report::{Report, Wrong};
use std::path::PathBuf;

/// One manifest as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceText {
    /// As findings show it.
    pub path: String,
    pub text: String,
    /// The manifest's folder, absolute: relative host paths start here.
    pub base: PathBuf,
    /// The source's folder, absolute: relative host paths stay inside it.
    pub root: PathBuf,
}

/// What a load needs to know besides the texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadContext {
    /// The host's processor in Debian's word: `amd64`.
    pub architecture: String,
}

/// A load without errors.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub desired: Desired,
    pub warnings: Vec<Finding>,
}

/// Loads manifests. All findings of all documents in one run, in the order of their places.
pub fn load(texts: &[SourceText], context: &LoadContext) -> Result<Loaded, Vec<Finding>> {
    let mut report = Report::new(texts.iter().map(|text| text.path.clone()).collect());
    let mut documents = vec![];
    let mut empty = true;
    for (index, text) in texts.iter().enumerate() {
        let mut state = document::TextState::default();
        let file = u32::try_from(index).unwrap_or(u32::MAX);
        for tree in yaml::documents(&text.text, file, &mut report) {
            empty = false;
            documents.extend(document::read(&tree, &mut state, &mut report));
        }
    }
    report.key = None;
    if empty && !report.has_errors() {
        let files: Vec<&str> = texts.iter().map(|text| text.path.as_str()).collect();
        let message = format!(
            "no document in {}",
            if files.is_empty() { "no file".to_owned() } else { files.join(", ") }
        );
        report.error_nowhere(
            Wrong::new("empty", message).help("write at least one document; see docs/manifests.md"),
        );
    }
    let desired = resolve::resolve(documents, texts, context, &mut report);
    match report.has_errors() {
        true => Err(report.into_findings()),
        false => Ok(Loaded { desired, warnings: report.into_findings() }),
    }
}
