//! What is wrong with an input, where, and how to mend it.

use super::key::Key;
use super::origin::Place;
use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    Error,
    Warning,
}

/// One thing that is wrong. An error keeps the whole input from having any effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    pub severity: Severity,
    /// A stable word for machines: `unknown-field`, `duplicate-key`, `not-supported`, …
    pub code: &'static str,
    /// Where; none for what is wrong with the host.
    pub place: Option<Place>,
    pub key: Option<Key>,
    /// What is wrong, lower case, one line.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}
