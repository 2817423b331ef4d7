//! Content that is put into containers: where it comes from, and how it is told from another without being shown.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// Where the bytes of a file come from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Content {
    /// Written in the manifest.
    #[serde(rename = "content")]
    Text(String),
    /// A file beside the manifest.
    #[serde(rename = "source")]
    File(SourceFile),
    #[serde(rename = "secretRef")]
    Secret(SecretRef),
    /// A secret as the value of a variable: text without zero bytes.
    #[serde(rename = "variable")]
    Variable(SecretRef),
}

/// A file of the source that manifests are loaded from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SourceFile {
    /// The source's folder, absolute: no link leads out of it.
    pub root: PathBuf,
    /// Below `root`, without `..`.
    pub path: PathBuf,
}

/// A secret as it is used.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretRef {
    /// The Secret object that says where it is; none: it is said in place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub from: SecretSource,
}

/// Where a secret's value is. Never the value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum SecretSource {
    /// A file of the host, absolute.
    File(PathBuf),
    /// A variable in the environment of the process that applies: the daemon, or the command.
    Env(String),
    /// A file in that process's `$CREDENTIALS_DIRECTORY` (systemd.exec(5), `LoadCredential=`).
    Credential(String),
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretSource::File(path) => write!(f, "file {}", path.display()),
            SecretSource::Env(name) => write!(f, "environment variable {name}"),
            SecretSource::Credential(name) => write!(f, "credential {name}"),
        }
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Content::Text(_) => f.write_str("the content in the manifest"),
            Content::File(file) => write!(f, "file {}", file.root.join(&file.path).display()),
            Content::Secret(secret) | Content::Variable(secret) => match secret {
                SecretRef { name: Some(name), from } => write!(f, "secret {name} ({from})"),
                SecretRef { name: None, from } => write!(f, "the secret in {from}"),
            },
        }
    }
}

/// A keyed hash of content, made with the state folder's own key: equal contents have equal digests there, and nobody
/// without the key learns anything about a secret from its digest, not even by guessing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(pub String);

impl Digest {
    /// Enough of it for people.
    pub fn short(&self) -> String {
        let start: String = self.0.chars().take(12).collect();
        format!("digest {start}")
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What contents are now; or why one cannot be had, in words that show nothing of it.
pub type Contents = BTreeMap<Content, Result<Digest, String>>;

/// The value of a secret, or other bytes that nobody is to see. It cannot be printed, compared or written by serde,
/// and its memory is overwritten when it goes.
pub struct SecretValue(zeroize::Zeroizing<Vec<u8>>);

/// What stands for a secret wherever one is printed.
const REDACTED: &str = "[redacted]";

impl SecretValue {
    pub fn new(bytes: Vec<u8>) -> SecretValue {
        SecretValue(zeroize::Zeroizing::new(bytes))
    }

    /// The value itself: for a digest, or for the descriptor that carries it into the container.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl fmt::Display for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl Serialize for SecretValue {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(REDACTED)
    }
}

#[cfg(test)]
mod tests {
    use super::SecretValue;

    #[test]
    fn a_secret_value_shows_nothing_of_itself() {
        let secret = SecretValue::new(b"hunter2".to_vec());
        let shown = [
            format!("{secret}"),
            format!("{secret:?}"),
            format!("{secret:#?}"),
            serde_json::to_string(&secret).unwrap(),
            format!("{:?}", Some(vec![&secret])),
        ];
        assert!(shown.iter().all(|text| text.contains("redacted") && !text.contains("hunter2")), "{shown:?}");
        assert_eq!(secret.expose(), b"hunter2");
    }
}
