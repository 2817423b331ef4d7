//! Where a value was written. Origins stand beside the model, never inside it, and take no part in equality.

use super::key::Key;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// A place in a source text; line and column count from 1.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// All values of a file share its name.
    #[serde(with = "shared_text")]
    pub file: Arc<str>,
    pub line: u32,
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

mod shared_text {
    use serde::{Deserialize, Deserializer, Serializer};
    use std::sync::Arc;

    pub fn serialize<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(text)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<str>, D::Error> {
        String::deserialize(deserializer).map(Arc::from)
    }
}

/// Which layer of a declaration gave the value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Layer {
    /// The object's own document.
    Document,
    /// The ContainerSet that the object is a member of.
    Set(String),
    /// A profile that the object names.
    Profile(String),
    /// Bayplan's built-in defaults.
    Default,
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Layer::Document => f.write_str("document"),
            Layer::Set(name) => write!(f, "containerset {name}"),
            Layer::Profile(name) => write!(f, "profile {name}"),
            Layer::Default => f.write_str("built-in default"),
        }
    }
}

/// Where one value came from. A built-in default has no place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Origin {
    pub place: Option<Place>,
    pub layer: Layer,
    /// Where the values of its placeholders were written: in the Site, the Host, a set's `for`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filled: Vec<Place>,
    /// What the layers below it wrote and this one hides, nearest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<Overridden>,
    /// The value is taken away here (`null`, `type: none`, another `type`): the object has none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unset: bool,
    /// The git commit of the source, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
}

/// What a layer wrote that a stronger one hides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Overridden {
    /// None: the layer took the value away.
    pub value: Option<String>,
    pub place: Option<Place>,
    pub layer: Layer,
}

/// An object of a load that is not rendered for this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Elsewhere {
    /// Where its placement stands.
    pub place: Place,
    /// The placement in words: `hosts a, b with labels gpu=nvidia`.
    pub placement: String,
    /// What of it this host does not meet.
    pub unmet: String,
}

impl Origin {
    /// Of a layer, and nothing more.
    pub fn new(place: Option<Place>, layer: Layer) -> Origin {
        Origin { place, layer, filled: vec![], overrides: vec![], unset: false, revision: None }
    }

    /// `, filled from site.yaml:4`; empty without placeholders.
    pub fn filled_from(&self) -> String {
        let lines: Vec<String> =
            self.filled.iter().map(|place| format!("{}:{}", place.file, place.line)).collect();
        if lines.is_empty() { String::new() } else { format!(", filled from {}", lines.join(", ")) }
    }
}

/// A field of an object, in dots: `config.limits.memory`, `devices.eth0.ipv4.address`, `state`, `image`; the empty
/// path is the object itself (the line of its `kind`).
pub type FieldPath = String;

/// The path of a field inside another.
pub fn below(path: &str, field: &str) -> FieldPath {
    [path, ".", field].concat()
}

/// The side table of one object.
pub type FieldOrigins = BTreeMap<FieldPath, Origin>;

/// The side table of a load: (key, field path) → origin.
pub type Origins = BTreeMap<Key, FieldOrigins>;
