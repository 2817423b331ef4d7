//! What `why`, `adopt` and `export` ask, and what they are told.

use super::Manifests;
use crate::model::key::Key;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What `why` asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WhyRequest {
    pub key: Key,
    /// A value, or all below it: `config.limits.memory`, `limits.memory`, `devices.eth0`. None: every value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// None: what was last declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifests: Option<Manifests>,
    /// Who asks: `why by root`.
    pub actor: String,
}

/// Which file inside a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FileRequest {
    pub key: Key,
    pub path: String,
}

/// What it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileText {
    pub text: String,
}

/// What `export` asks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExportRequest {
    /// Not empty: these objects, and what they need.
    #[serde(default)]
    pub keys: BTreeSet<Key>,
    /// None: the only site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// Without what they need.
    #[serde(default)]
    pub alone: bool,
}

/// What was last declared, as documents of manifests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Export {
    pub version: u32,
    pub site: String,
    pub documents: Vec<serde_json::Value>,
}
