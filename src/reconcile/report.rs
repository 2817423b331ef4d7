//! What became of a plan's steps.

use crate::model::key::Key;
use crate::model::step::StepId;
use serde::{Deserialize, Serialize};

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
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StepOutcome {
    Changed,
    Unchanged,
    /// The error and its causes, outermost first.
    Failed {
        chain: Vec<String>,
    },
    /// A step before it failed, or was blocked itself.
    Blocked {
        by: StepId,
    },
    /// Not begun: interrupted.
    Skipped,
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

    /// The exit code of `apply`: 0 done, 3 steps failed or were not begun.
    pub fn exit_code(&self) -> u8 {
        if self.is_done() { 0 } else { 3 }
    }
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
