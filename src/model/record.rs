//! What the store keeps for each object. A record alone is never believed to be the truth about the host.

use super::content::Digest;
use super::key::Key;
use super::object::{Object, Power};
use super::origin::FieldOrigins;
use super::words::turns;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use uuid::Uuid;

/// The version of the stored form; a newer one is refused.
pub const RECORD_VERSION: u32 = 1;

/// Everything kept about one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Record {
    pub version: u32,
    pub owner: Owner,
    /// Number of the apply that set `desired`.
    pub generation: u64,
    /// What was last declared.
    pub desired: Option<Object>,
    /// Where each value of `desired` was written.
    #[serde(default)]
    pub origins: FieldOrigins,
    /// What the last successful steps established.
    pub applied: Option<Applied>,
    pub identity: Option<Identity>,
    /// A container: the files that steps wrote into its root, by path inside.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, WrittenFile>,
    #[serde(default)]
    pub overrides: Vec<Override>,
    /// Its deletion has begun: every later pass goes on with it, until a manifest declares the object again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retiring: bool,
    /// It is out of service and kept for a while: it runs no more, and goes when the time is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parked: Option<Parked>,
    /// A network or pool whose rename has begun: what the host has of it may still be under this former name. Every
    /// later pass goes on with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renaming: Option<Key>,
    /// Brought back by hand: it is not pruned, until a manifest declares it again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undeleted: bool,
    /// Who wrote it last.
    pub actor: String,
}

/// A file that a step wrote into a container's root. Noted before it is written, so that a crash leaves no file that
/// nobody knows of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WrittenFile {
    pub digest: Digest,
    /// Nothing was at its path before: it is ours to remove.
    pub made: bool,
    /// Its `onChange` is still to run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsettled: bool,
}

/// Since when and until when an object is parked, and by whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Parked {
    pub at: Timestamp,
    pub until: Timestamp,
    pub by: String,
}

/// Who may change an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Owner {
    /// Bayplan's built-in objects.
    System,
    Site(String),
    /// Made through `/1.0`.
    Api,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Owner::System => f.write_str("system"),
            Owner::Site(name) => write!(f, "site {name}"),
            Owner::Api => f.write_str("the API"),
        }
    }
}

/// What steps established on the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Applied {
    pub object: Object,
    /// An image: the content imported. A container: the content its root stands on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// An ephemeral container: how often it was complete and made afresh.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub remakes: u64,
    /// A container that is to run: the incarnation that Bayplan stopped, by `power-off` or on the way to another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<u64>,
    /// A container: it was started, and was not seen ready since.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unready: bool,
    /// A container: which incarnation of each that it restarts with ran when it started; 0: none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub started_with: BTreeMap<Key, u64>,
    /// A container: the root whose place its root took, while it is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced: Option<Replaced>,
    /// A container: the content that took its root's place, was not ready, and was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolled_back: Option<String>,
}

/// A root that another one took the place of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Replaced {
    /// The Image object that it was made from.
    pub image: Key,
    pub fingerprint: String,
    /// How long it is kept.
    pub until: Timestamp,
    /// Whether the new root was seen ready: until then it may be taken back.
    pub proven: bool,
}

impl Applied {
    /// An object without content of its own.
    pub fn plain(object: Object) -> Applied {
        Applied {
            object,
            fingerprint: None,
            remakes: 0,
            stopped: None,
            unready: false,
            started_with: BTreeMap::new(),
            replaced: None,
            rolled_back: None,
        }
    }
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// What makes a container itself: kept across replace, freed by delete. A copy lies beside its root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Identity {
    pub uuid: Uuid,
    /// First host id of its range; 0 for a privileged container, which has none.
    pub id_base: u32,
    /// How many ids; 0 for a privileged container.
    pub id_count: u32,
    /// Device name → MAC address, lower case with colons.
    #[serde(default)]
    pub macs: BTreeMap<String, String>,
    /// Device name → address that was chosen for it (nics that give none).
    #[serde(default)]
    pub leases: BTreeMap<String, IpAddr>,
}

/// The copy of what matters beside a container's root, by which a lost state folder re-adopts it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RootIdentity {
    pub version: u32,
    pub key: Key,
    pub owner: Owner,
    pub identity: Identity,
    /// The image content that the root stands on.
    pub fingerprint: String,
}

/// A verb's temporary say against the declared value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Override {
    pub field: OverrideField,
    pub by: String,
    pub at: Timestamp,
    /// None: until the next apply of a manifest (`--until-apply`).
    pub until: Option<Timestamp>,
    /// The declared value when the hold was set: another one in the manifest ends it.
    pub declared: Power,
    /// Why, as whoever set it said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<HoldReason>,
}

/// Why something is held: one line of text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HoldReason(String);

/// The most letters of a hold's reason.
const LONGEST_REASON: usize = 200;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a reason is one line of 1 to {LONGEST_REASON} letters, without control characters")]
pub struct ReasonError;

impl TryFrom<String> for HoldReason {
    type Error = ReasonError;

    fn try_from(text: String) -> Result<HoldReason, ReasonError> {
        let text = text.trim();
        let fits = !text.is_empty() && text.chars().count() <= LONGEST_REASON;
        let is_plain = !text.contains(|letter: char| letter.is_control() || turns(letter));
        match fits && is_plain {
            true => Ok(HoldReason(text.to_owned())),
            false => Err(ReasonError),
        }
    }
}

impl FromStr for HoldReason {
    type Err = ReasonError;

    fn from_str(text: &str) -> Result<HoldReason, ReasonError> {
        HoldReason::try_from(text.to_owned())
    }
}

impl From<HoldReason> for String {
    fn from(reason: HoldReason) -> String {
        reason.0
    }
}

impl fmt::Display for HoldReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OverrideField {
    State(Power),
}
