//! Drift as rows: what was applied against what the host has. Made from a plan for [`super::goal::Goal::Recorded`].

use super::plan::{Broken, Pending, Plan};
use super::render::values::in_a_line;
use super::unmanaged::UnmanagedContainer;
use crate::model::key::Key;
use crate::model::step::{Cause, Reason};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The version of the JSON.
pub const DRIFT_VERSION: u32 = 1;

/// The host against what was last applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Drift {
    pub version: u32,
    pub rows: Vec<Row>,
    /// Declared, but never applied: no drift.
    pub not_applied: Vec<Row>,
    /// What waits for approval: no drift.
    pub pending: Vec<Pending>,
    /// Drift that no step repairs.
    pub broken: Vec<Broken>,
    /// Containers that no site owns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unmanaged: Vec<UnmanagedContainer>,
}

/// One field that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    pub key: Key,
    /// Empty: the whole object.
    pub field: String,
    pub expected: Option<String>,
    pub found: Option<String>,
    /// In words: `init was killed (signal 9)`.
    pub cause: Option<String>,
}

impl Row {
    /// `container/web-1 config.limits.memory is 512MiB, not 1GiB: changed in its cgroup`
    pub fn words(&self) -> String {
        let field = if self.field.is_empty() { String::new() } else { format!(" {}", self.field) };
        let text = |value: &Option<String>| value.as_deref().map_or("-".to_owned(), in_a_line);
        let values = match (&self.expected, &self.found) {
            (None, None) => String::new(),
            (expected, found) => format!(" is {}, not {}", text(found), text(expected)),
        };
        let cause = self.cause.as_ref().map(|cause| format!(": {cause}")).unwrap_or_default();
        format!("{}{field}{values}{cause}", self.key)
    }
}

impl Drift {
    /// 0: the host is as applied; 2: drift.
    pub fn exit_code(&self) -> u8 {
        if self.rows.is_empty() && self.broken.is_empty() { 0 } else { 2 }
    }
}

/// The rows of a plan, each once, in the plan's order.
pub fn drift(plan: &Plan) -> Drift {
    let mut rows = vec![];
    let mut not_applied = vec![];
    let mut seen = BTreeSet::new();
    for step in &plan.steps {
        for reason in &step.reasons {
            let list = match reason.cause {
                Cause::Drift | Cause::ChangeAndDrift => &mut rows,
                Cause::Change => &mut not_applied,
                Cause::Verb | Cause::Consequence => continue,
            };
            let row = row(&step.key, reason);
            if seen.insert((reason.cause == Cause::Change, row.clone())) {
                list.push(row);
            }
        }
    }
    Drift {
        version: DRIFT_VERSION,
        rows,
        not_applied,
        pending: plan.pending.clone(),
        broken: plan.broken.clone(),
        unmanaged: plan.unmanaged.clone(),
    }
}

fn row(key: &Key, reason: &Reason) -> Row {
    Row {
        key: key.clone(),
        field: reason.field.clone(),
        expected: reason.to.clone(),
        found: reason.from.clone(),
        cause: reason.note.clone(),
    }
}
