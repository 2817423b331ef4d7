//! When a plan that brought a new root has failed: which containers get their former one back, by a plan of its own.

use super::plan::Plan;
use super::report::{Report, StepOutcome};
use crate::model::key::Key;
use std::collections::BTreeSet;

/// The containers whose new root was not brought to the end of its proof. Where the swap was not reached, their
/// rollback has nothing to do.
pub fn due(plan: &Plan, report: &Report) -> BTreeSet<Key> {
    let failed = report.steps.iter().filter(|step| matches!(step.outcome, StepOutcome::Failed(_)));
    failed.map(|step| &step.key).filter(|key| plan.replacing.contains(*key)).cloned().collect()
}
