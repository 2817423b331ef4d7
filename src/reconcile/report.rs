//! What became of a plan's steps.

use super::rollout::Turns;
use crate::model::key::Key;
use crate::model::origin::Place;
use crate::model::record::Owner;
use crate::model::step::StepId;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The version of a report's JSON.
pub const REPORT_VERSION: u32 = 1;

/// One entry a step, in the plan's order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    pub version: u32,
    pub steps: Vec<StepReport>,
    /// Whether Ctrl-C or the deadline kept steps from starting.
    pub interrupted: bool,
    /// From the first step's begin until all was made last.
    #[serde(default)]
    pub duration_ms: u64,
    /// The rollouts that a failure stopped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rollouts: Vec<RolloutStop>,
}

/// Where a rollout stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RolloutStop {
    pub owner: Owner,
    /// The containers that failed, or were not ready.
    pub at: Vec<Key>,
    /// Those that were to be stopped and were left as they are.
    pub left: Vec<Key>,
    /// How many were to be stopped.
    pub total: usize,
}

/// What became of one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepReport {
    pub id: StepId,
    pub key: Key,
    /// The step in a few words: `start`.
    pub what: String,
    pub outcome: StepOutcome,
    /// None: it was not begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// It takes a running container down to bring it up again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub takes_down: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StepOutcome {
    Changed,
    Unchanged,
    Failed(Failure),
    /// A step before it failed, or was blocked itself.
    Blocked {
        by: StepId,
    },
    /// Not begun: interrupted.
    Skipped,
}

/// Why a step failed, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// The error and its causes, outermost first; the object's key is not said again.
    pub chain: Vec<String>,
    /// The line of the manifest that the step comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// How to mend it, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Failure {
    /// The error and its causes in a line.
    pub fn error(&self) -> String {
        self.chain.join(": ")
    }

    /// All of it in a line: `its /etc/passwd has no user www  (site.yaml:12); declare another owner`
    pub fn words(&self) -> String {
        let place = self.place.as_ref().map(|place| format!("  ({}:{})", place.file, place.line));
        let help = self.help.as_ref().map(|help| format!("; {help}"));
        format!("{}{}{}", self.error(), place.unwrap_or_default(), help.unwrap_or_default())
    }
}

impl Report {
    /// Whether every step is done.
    pub fn is_done(&self) -> bool {
        self.steps.iter().all(|step| matches!(step.outcome, StepOutcome::Changed | StepOutcome::Unchanged))
    }

    /// Whether any step changed something.
    pub fn changed(&self) -> bool {
        self.steps.iter().any(|step| step.outcome == StepOutcome::Changed)
    }

    /// How long each object's steps took, together; objects of which none was begun have no entry.
    pub fn durations_ms(&self) -> BTreeMap<&Key, u64> {
        let mut durations = BTreeMap::new();
        for (step, duration_ms) in self.steps.iter().filter_map(|step| Some((step, step.duration_ms?))) {
            *durations.entry(&step.key).or_insert(0) += duration_ms;
        }
        durations
    }

    /// The exit code of `apply`: 0 done, 3 steps failed or were not begun.
    pub fn exit_code(&self) -> u8 {
        if self.is_done() { 0 } else { 3 }
    }
}

/// Where the rollout stopped, if a failure left some of its containers as they were.
pub fn stopped(turns: &Turns, steps: &[StepReport]) -> Option<RolloutStop> {
    let with = |wanted: fn(&StepReport) -> bool| -> BTreeSet<&Key> {
        steps.iter().filter(|step| wanted(step)).map(|step| &step.key).collect()
    };
    let failed = with(|step| matches!(step.outcome, StepOutcome::Failed(_)));
    let blocked = with(|step| step.takes_down && matches!(step.outcome, StepOutcome::Blocked { .. }));
    let all = || turns.unready.iter().chain(turns.turns.iter().flatten());
    let left: Vec<Key> = all().filter(|key| blocked.contains(key)).cloned().collect();
    let at = all().filter(|key| failed.contains(key)).cloned().collect();
    let (owner, total) = (turns.owner.clone(), turns.count());
    (!left.is_empty()).then_some(RolloutStop { owner, at, left, total })
}

/// An error and its causes, outermost first; a cause whose text its parent already has is left out.
pub fn error_chain(error: &dyn std::error::Error) -> Vec<String> {
    let mut chain = vec![error.to_string()];
    let mut source = error.source();
    while let Some(cause) = source {
        chain.push(cause.to_string());
        source = cause.source();
    }
    chain.dedup();
    chain
}
