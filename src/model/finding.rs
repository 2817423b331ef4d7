//! What is wrong with an input, where, and how to mend it.

use super::key::Key;
use super::origin::Place;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    Error,
    Warning,
}

/// A stable word for machines. (A name of its own also keeps serde from borrowing it from its input.)
pub type Code = &'static str;

/// One thing that is wrong. An error keeps the whole input from having any effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    pub severity: Severity,
    /// A stable word for machines: `unknown-field`, `duplicate-key`, `not-supported`, …
    #[serde(deserialize_with = "word")]
    pub code: Code,
    /// Where; none for what is wrong with the host.
    pub place: Option<Place>,
    pub key: Option<Key>,
    /// What is wrong, lower case, one line.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// Reads a code; each distinct word is kept once for the life of the process.
fn word<'de, D: Deserializer<'de>>(deserializer: D) -> Result<&'static str, D::Error> {
    static WORDS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let text = String::deserialize(deserializer)?;
    let mut words = WORDS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = words.get(text.as_str()) {
        return Ok(known);
    }
    let word: &'static str = text.leak();
    words.insert(word);
    Ok(word)
}
