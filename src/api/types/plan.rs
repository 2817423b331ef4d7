//! What a plan is made from and asked for, and what its apply says.

use crate::api::error::Failure;
use crate::api::saved::Basis;
use crate::model::key::Key;
use crate::model::object::Power;
use crate::model::record::HoldReason;
use crate::reconcile::goal::DeletionApproval;
use crate::reconcile::report::Report;
use crate::spec::{SourceText, TextRole};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::PathBuf;
use uuid::Uuid;

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
        reason: Option<HoldReason>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stop: Option<StopWish>,
    },
    /// Held in a power state, whatever is declared.
    Hold {
        keys: BTreeSet<Key>,
        /// None: each as it is now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        power: Option<Power>,
        hold: HoldUntil,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<HoldReason>,
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

    /// Whether a container may be started for it.
    pub fn may_start(&self) -> bool {
        match self {
            GoalRequest::Power { power, .. } => *power != Power::Stopped,
            GoalRequest::Hold { power, .. } => matches!(power, Some(Power::Running | Power::Frozen)),
            GoalRequest::Delete(_)
            | GoalRequest::Park(_)
            | GoalRequest::DeleteAll
            | GoalRequest::DeleteDeclared(_)
            | GoalRequest::PowerOff => false,
            GoalRequest::Site(_)
            | GoalRequest::Recorded
            | GoalRequest::Undelete(_)
            | GoalRequest::Resume(_)
            | GoalRequest::Restart { .. }
            | GoalRequest::Rollback(_) => true,
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
    Failure(Failure),
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
