//! What travels between a command and whoever carries it out, in this process or over the socket.

use super::saved::Basis;
use crate::model::key::{Key, Kind};
use crate::model::object::Power;
use crate::model::observed::{ExitFacts, Usage};
use crate::model::origin::Origin;
use crate::model::record::{Override, Parked};
use crate::reconcile::goal::DeletionApproval;
use crate::reconcile::report::Report;
use crate::spec::{SourceText, TextRole};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use uuid::Uuid;

/// The version of every JSON that commands print, plans and reports (which have their own) aside.
pub const OUTPUT_VERSION: u32 = 1;

/// Manifests as they travel: texts, and the templates that they name, read where the command runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Manifests {
    pub files: Vec<ManifestFile>,
}

/// One text; see [`SourceText`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ManifestFile {
    pub path: String,
    pub text: String,
    pub base: PathBuf,
    pub root: PathBuf,
    #[serde(default)]
    pub role: TextRole,
}

impl Manifests {
    pub fn new(texts: &[SourceText]) -> Manifests {
        let file = |text: &SourceText| ManifestFile {
            path: text.path.clone(),
            text: text.text.clone(),
            base: text.base.clone(),
            root: text.root.clone(),
            role: text.role.clone(),
        };
        Manifests { files: texts.iter().map(file).collect() }
    }

    pub fn texts(&self) -> Vec<SourceText> {
        let text = |file: &ManifestFile| SourceText {
            path: file.path.clone(),
            text: file.text.clone(),
            base: file.base.clone(),
            root: file.root.clone(),
            role: file.role.clone(),
        };
        self.files.iter().map(text).collect()
    }
}

/// What a plan is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanRequest {
    pub goal: GoalRequest,
    /// Not empty: only these objects, and what they need.
    #[serde(default)]
    pub only: BTreeSet<Key>,
    /// More of them, by how their keys look.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub only_like: BTreeSet<KeyPattern>,
    #[serde(default)]
    pub approval: Approval,
    /// What is said about what prune would take.
    #[serde(default)]
    pub deletions: DeletionApproval,
    /// Objects may be taken from their owner.
    #[serde(default)]
    pub take_ownership: bool,
    /// Who asks, and by what: `apply by root`.
    pub actor: String,
    /// What a saved plan stood on: another plan now is refused as moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Box<Basis>>,
}

impl PlanRequest {
    /// Nothing is approved, nothing is left out.
    pub fn new(goal: GoalRequest, actor: String) -> PlanRequest {
        PlanRequest {
            goal,
            only: BTreeSet::new(),
            only_like: BTreeSet::new(),
            approval: Approval::None,
            deletions: DeletionApproval::None,
            take_ownership: false,
            actor,
            basis: None,
        }
    }
}

/// A key with `*` (any letters) and `?` (one letter): `container/web-*`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyPattern(pub String);

impl KeyPattern {
    pub fn matches(&self, key: &Key) -> bool {
        let (pattern, text) = (self.0.as_bytes(), key.to_string().into_bytes());
        // Where the last `*` stood, and what of the text it has taken: what is tried again where the rest does not fit.
        let (mut at, mut star) = ((0, 0), None);
        while at.1 < text.len() {
            match pattern.get(at.0) {
                Some(b'*') => {
                    star = Some(at);
                    at.0 += 1;
                }
                Some(letter) if *letter == b'?' || *letter == text[at.1] => at = (at.0 + 1, at.1 + 1),
                _ => match star {
                    Some((place, taken)) => {
                        star = Some((place, taken + 1));
                        at = (place + 1, taken + 1);
                    }
                    None => return false,
                },
            }
        }
        pattern[at.0..].iter().all(|letter| *letter == b'*')
    }
}

/// The goals of [`crate::reconcile::goal::Goal`], as a command gives them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum GoalRequest {
    /// What these manifests say.
    Site(Manifests),
    /// What was last declared.
    Recorded,
    Delete(Vec<Key>),
    /// Containers, put out of service and kept for a while.
    Park(Vec<Key>),
    Undelete(Key),
    DeleteAll,
    /// The objects that these manifests declare.
    DeleteDeclared(Manifests),
    Power {
        keys: BTreeSet<Key>,
        power: Power,
        hold: HoldUntil,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stop: Option<StopWish>,
    },
    Resume(BTreeSet<Key>),
    Restart {
        keys: BTreeSet<Key>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stop: Option<StopWish>,
    },
    /// All containers that run are stopped, and nothing is held.
    PowerOff,
    /// Roots that were replaced and not seen ready are taken back.
    Rollback(BTreeSet<Key>),
}

impl GoalRequest {
    /// The texts that it is about.
    pub fn manifests(&self) -> Option<&Manifests> {
        match self {
            GoalRequest::Site(manifests) | GoalRequest::DeleteDeclared(manifests) => Some(manifests),
            _ => None,
        }
    }
}

/// What a plan may contain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Approval {
    /// Restarts and new roots wait.
    #[default]
    None,
    Restart,
    /// New roots.
    Replace,
    RestartAndReplace,
}

impl Approval {
    pub fn new(restarts: bool, replaces: bool) -> Approval {
        match (restarts, replaces) {
            (false, false) => Approval::None,
            (true, false) => Approval::Restart,
            (false, true) => Approval::Replace,
            (true, true) => Approval::RestartAndReplace,
        }
    }

    pub fn restarts(self) -> bool {
        matches!(self, Approval::Restart | Approval::RestartAndReplace)
    }

    pub fn replaces(self) -> bool {
        matches!(self, Approval::Replace | Approval::RestartAndReplace)
    }
}

/// When a hold ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum HoldUntil {
    /// So many seconds from now.
    Seconds(u64),
    NextApply,
}

/// How a container is to be stopped, where it is not the usual way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StopWish {
    Force,
    TimeoutSeconds(u64),
}

/// Asks for a plan to be carried out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApplyRequest {
    pub plan: PlanRequest,
    /// The digest of the plan that was shown: another one now is refused as moved. None: whatever it is now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<String>,
}

/// One line of an apply's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ApplyEvent {
    /// First: what a cancellation names.
    Operation(Uuid),
    /// What is going on.
    Progress(ProgressLine),
    /// Last: what came of it.
    Report(Report),
    /// Last, instead: nothing was done.
    Failure(super::error::Failure),
}

/// Progress of one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProgressLine {
    pub key: Key,
    /// The step in a few words: `start`.
    pub what: String,
    pub line: ProgressWord,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ProgressWord {
    Begin,
    Line(String),
    Changed,
    Unchanged,
    Failed(String),
    Blocked,
    Skipped,
}

/// What `get` shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listing {
    pub version: u32,
    pub objects: Vec<ObjectStatus>,
}

/// One object as it stands. Fields that a kind does not have are absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectStatus {
    pub key: Key,
    pub kind: Kind,
    pub name: String,
    /// `site edge`, `system`, `the API`.
    pub owner: String,
    pub generation: u64,
    /// Whatever is parked: `parked`. A container: `running`, `frozen`, `stopped`; else `present` or `missing`.
    pub state: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<ContainerStatus>,
    /// What an image or a container's root is made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parked: Option<Parked>,
    /// What people should know; empty when all is well.
    pub conditions: Vec<Condition>,
}

/// What only containers have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerStatus {
    /// Of its init, on the host.
    pub pid: Option<u32>,
    pub incarnation: Option<u64>,
    pub uuid: Option<Uuid>,
    pub declared: Option<Power>,
    pub image: Option<String>,
    pub addresses: Vec<Address>,
    pub usage: Option<Usage>,
    /// A verb's say against the declared state.
    pub hold: Option<Override>,
    /// Whether its root stands on another content than its image now has.
    pub stale: bool,
    /// How the last incarnation ended, while none runs.
    pub last_exit: Option<ExitFacts>,
    /// An ephemeral container: how often it was complete and made afresh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remakes: Option<u64>,
}

/// An address of a nic, with its prefix length.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Address {
    pub device: String,
    pub address: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// One word: `Held`, `Stale`, `Unsupervised`, `Broken`, `NotApplied`, `Unrecorded`, `Undeleted`, `CrashLoop`.
    #[serde(rename = "type")]
    pub condition_type: String,
    pub message: String,
}

/// What `describe` shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Description {
    pub version: u32,
    pub status: ObjectStatus,
    /// Who wrote the record last.
    pub actor: Option<String>,
    pub labels: BTreeMap<String, String>,
    pub description: String,
    pub fields: Vec<FieldStatus>,
}

/// One declared field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FieldStatus {
    /// `config.limits.memory`
    pub field: String,
    pub desired: Option<String>,
    /// What steps established; equal to `desired` when all is applied.
    pub applied: Option<String>,
    pub origin: Option<Origin>,
}

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

/// What `holds` shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HoldListing {
    pub version: u32,
    pub holds: Vec<HoldStatus>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HoldStatus {
    pub key: Key,
    pub declared: Power,
    pub held: Power,
    pub by: String,
    pub since: Timestamp,
    /// None: until the next apply of a manifest.
    pub until: Option<Timestamp>,
}

/// What the daemon says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DaemonStatus {
    pub version: u32,
    pub pid: u32,
    pub bayplan: String,
    pub driver: String,
    /// What it follows, if it follows anything.
    pub follows: Option<FollowStatus>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FollowStatus {
    pub path: PathBuf,
    pub site: Option<String>,
    /// When a pass last ended well.
    pub last_success: Option<Timestamp>,
    /// What is wrong with the manifests now; the last good ones stay in force.
    pub load_problem: Option<String>,
    /// What went wrong in the last pass.
    pub pass_problem: Option<String>,
}

/// A program to run in a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExecRequest {
    /// Program and arguments.
    pub arguments: Vec<String>,
    /// Stronger than the container's.
    pub environment: BTreeMap<String, String>,
    /// None: root.
    pub user: Option<String>,
    /// None: the user's home.
    pub folder: Option<String>,
    /// A terminal of so many columns and rows, instead of three streams.
    pub terminal: Option<(u16, u16)>,
}

/// What a client says on an exec's or a console's websocket, beside binary messages: those are standard input, one at
/// a time ([`InsideEvent::Taken`] asks for the next); an empty one is its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum InsideOrder {
    Signal(i32),
    /// Columns and rows.
    Resize(u16, u16),
}

/// What the daemon says there, beside binary messages: the first byte is 1 for standard output (also a terminal's) or
/// 2 for standard error, the rest is what was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum InsideEvent {
    /// First: the program runs, or the console is attached.
    Started,
    /// The last input was passed on.
    Taken,
    /// Last: the exit status; all output was sent before. A console's end is 0.
    Ended(i32),
    /// Last, instead.
    Failed(super::error::Failure),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_keys() {
        let matches =
            |pattern: &str, key: &str| KeyPattern(pattern.to_owned()).matches(&key.parse().unwrap());
        for pattern in
            ["container/web-*", "container/*", "*", "*-1", "container/w?b-1", "c*/*w*-1", "container/web-1*"]
        {
            assert!(matches(pattern, "container/web-1"), "{pattern}");
        }
        for pattern in
            ["container/web", "web-*", "container/web-??", "container/*-2", "image/*", "container/w?-1"]
        {
            assert!(!matches(pattern, "container/web-1"), "{pattern}");
        }
    }
}
