//! The name of an object: project, kind, parent and name.

use super::natural;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// The project that texts leave out.
pub const DEFAULT_PROJECT: &str = "default";

/// The kinds of document that this version carries, in the order in which lists show them. Host and ContainerSet say
/// how others are rendered; no object on a host is of these kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Kind {
    Site,
    Host,
    Image,
    StoragePool,
    Network,
    Secret,
    Profile,
    ContainerSet,
    Container,
}

impl Kind {
    pub const ALL: [Kind; 9] = [
        Kind::Site,
        Kind::Host,
        Kind::Image,
        Kind::StoragePool,
        Kind::Network,
        Kind::Secret,
        Kind::Profile,
        Kind::ContainerSet,
        Kind::Container,
    ];

    /// The word that keys use: `container` in `container/web-1`.
    pub fn slug(self) -> &'static str {
        match self {
            Kind::Site => "site",
            Kind::Host => "host",
            Kind::Image => "image",
            Kind::StoragePool => "storagepool",
            Kind::Network => "network",
            Kind::Secret => "secret",
            Kind::Profile => "profile",
            Kind::ContainerSet => "containerset",
            Kind::Container => "container",
        }
    }

    /// The word in a manifest's `kind`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Site => "Site",
            Kind::Host => "Host",
            Kind::Image => "Image",
            Kind::StoragePool => "StoragePool",
            Kind::Network => "Network",
            Kind::Secret => "Secret",
            Kind::Profile => "Profile",
            Kind::ContainerSet => "ContainerSet",
            Kind::Container => "Container",
        }
    }

    /// Reads a slug, a manifest's kind, or a customary short form (`pool`, `storage-pool`), in any case.
    pub fn from_word(word: &str) -> Option<Kind> {
        let word = word.to_ascii_lowercase();
        match word.as_str() {
            "pool" | "storage" | "storage-pool" | "pools" => return Some(Kind::StoragePool),
            "instance" | "c" => return Some(Kind::Container),
            _ => {}
        }
        let singular = word.strip_suffix('s').unwrap_or(&word);
        Kind::ALL.into_iter().find(|kind| kind.slug() == word || kind.slug() == singular)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name of an object. Text: `kind/name`, `kind/parent/name` for what lives in a parent (volumes in a pool,
/// forwards in a network: later parts), with `project:` in front where the project is not `default`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The default one is never copied: every key has it, and keys are what plans compare most.
    pub project: Cow<'static, str>,
    pub kind: Kind,
    pub parent: Option<String>,
    pub name: String,
}

impl Key {
    /// A key in the default project, without a parent.
    pub fn new(kind: Kind, name: impl Into<String>) -> Key {
        Key { project: Cow::Borrowed(DEFAULT_PROJECT), kind, parent: None, name: name.into() }
    }

    pub fn container(name: impl Into<String>) -> Key {
        Key::new(Kind::Container, name)
    }

    pub fn image(name: impl Into<String>) -> Key {
        Key::new(Kind::Image, name)
    }

    pub fn network(name: impl Into<String>) -> Key {
        Key::new(Kind::Network, name)
    }

    pub fn pool(name: impl Into<String>) -> Key {
        Key::new(Kind::StoragePool, name)
    }

    pub fn profile(name: impl Into<String>) -> Key {
        Key::new(Kind::Profile, name)
    }

    pub fn set(name: impl Into<String>) -> Key {
        Key::new(Kind::ContainerSet, name)
    }

    pub fn host(name: impl Into<String>) -> Key {
        Key::new(Kind::Host, name)
    }

    pub fn secret(name: impl Into<String>) -> Key {
        Key::new(Kind::Secret, name)
    }

    pub fn site(name: impl Into<String>) -> Key {
        Key::new(Kind::Site, name)
    }
}

impl Key {
    /// As `Ord` has it, but for numbers in names: those count by their value.
    pub fn natural(&self, other: &Key) -> Ordering {
        let place = (&self.project, self.kind, &self.parent);
        let order = place.cmp(&(&other.project, other.kind, &other.parent));
        order.then_with(|| natural::compare(&self.name, &other.name))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.project != DEFAULT_PROJECT {
            write!(f, "{}:", self.project)?;
        }
        match &self.parent {
            Some(parent) => write!(f, "{}/{}/{}", self.kind.slug(), parent, self.name),
            None => write!(f, "{}/{}", self.kind.slug(), self.name),
        }
    }
}

/// A text that is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("a key is empty; write KIND/NAME, for example container/web-1")]
    Empty,
    #[error("`{text}` has no kind; write KIND/NAME, for example container/{text}")]
    NoKind { text: String },
    #[error(
        "`{word}` is no kind; kinds are site, image, storagepool, network, secret, profile, containerset, container"
    )]
    UnknownKind { word: String },
    #[error("`{text}` has no name")]
    NoName { text: String },
}

impl FromStr for Key {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Key, KeyError> {
        if text.is_empty() {
            return Err(KeyError::Empty);
        }
        let (project, rest) = match text.split_once(':') {
            Some((project, rest)) => (project, rest),
            None => (DEFAULT_PROJECT, text),
        };
        let (word, path) = rest.split_once('/').ok_or_else(|| KeyError::NoKind { text: text.to_owned() })?;
        let kind = Kind::from_word(word).ok_or_else(|| KeyError::UnknownKind { word: word.to_owned() })?;
        let (parent, name) = match path.split_once('/') {
            Some((parent, name)) => (Some(parent.to_owned()), name),
            None => (None, path),
        };
        if name.is_empty() || project.is_empty() || parent.as_deref() == Some("") {
            return Err(KeyError::NoName { text: text.to_owned() });
        }
        let project = match project {
            DEFAULT_PROJECT => Cow::Borrowed(DEFAULT_PROJECT),
            other => Cow::Owned(other.to_owned()),
        };
        Ok(Key { project, kind, parent, name: name.to_owned() })
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Key, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}
