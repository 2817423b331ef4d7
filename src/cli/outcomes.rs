//! The table at the end of an apply: each object with what became of it, how long it took, and what it waits for.

use super::table::Table;
use crate::model::key::Key;
use crate::model::step::StepId;
use crate::reconcile::plan::Plan;
use crate::reconcile::render::duration_words;
use crate::reconcile::report::{Report, StepOutcome, StepReport};
use std::collections::BTreeMap;

/// What became of an object; the gravest of its steps counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    Pending,
    Unchanged,
    Changed,
    NotBegun,
    Blocked,
    Failed,
}

struct Row {
    fate: Fate,
    waits_for: String,
}

/// The table; empty where it would say no more than the summary.
pub fn table(plan: &Plan, report: &Report) -> String {
    let by_id: BTreeMap<StepId, &StepReport> = report.steps.iter().map(|step| (step.id, step)).collect();
    let mut keys: Vec<&Key> = vec![];
    let mut rows: BTreeMap<&Key, Row> = BTreeMap::new();
    let mut put = |key, fate, waits_for: String| {
        let row = rows.entry(key).or_insert_with(|| {
            keys.push(key);
            Row { fate, waits_for: String::new() }
        });
        row.fate = row.fate.max(fate);
        if row.waits_for.is_empty() {
            row.waits_for = waits_for;
        }
    };
    for step in &report.steps {
        match &step.outcome {
            StepOutcome::Changed => put(&step.key, Fate::Changed, String::new()),
            StepOutcome::Unchanged => put(&step.key, Fate::Unchanged, String::new()),
            StepOutcome::Failed(_) => put(&step.key, Fate::Failed, String::new()),
            StepOutcome::Skipped => put(&step.key, Fate::NotBegun, String::new()),
            StepOutcome::Blocked { by } => {
                let other = by_id.get(by).filter(|other| other.key != step.key);
                let cause = other.map_or(String::new(), |other| format!("{}: {}", other.key, other.what));
                put(&step.key, Fate::Blocked, cause);
            }
        }
    }
    for pending in &plan.pending {
        put(&pending.key, Fate::Pending, pending.waits_for.clone());
    }
    if rows.len() < 2 {
        return String::new();
    }
    let times = report.durations_ms();
    let mut table = Table::new(["OBJECT", "OUTCOME", "TIME", "WAITS FOR"]);
    for key in keys {
        let Some(Row { fate, waits_for }) = rows.remove(key) else { continue };
        let time = times.get(key).map_or(String::new(), |ms| duration_words(*ms));
        table.row([key.to_string(), fate.word().to_owned(), time, waits_for]);
    }
    table.text_or("")
}

impl Fate {
    fn word(self) -> &'static str {
        match self {
            Fate::Pending => "pending",
            Fate::Unchanged => "unchanged",
            Fate::Changed => "changed",
            Fate::NotBegun => "not begun",
            Fate::Blocked => "blocked",
            Fate::Failed => "failed",
        }
    }
}
