//! Carries out a plan that was made for a request.

use crate::api::types::{ProgressLine, ProgressWord};
use crate::daemon::wiring::Bay;
use crate::model::step::Step;
use crate::reconcile::apply::{ApplyOptions, Progress, WORKERS, apply};
use crate::reconcile::plan::Plan;
use crate::reconcile::render;
use crate::reconcile::report::{Report, StepOutcome};
use jiff::Timestamp;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// What stands around an apply.
pub struct Surroundings<'a> {
    /// Set by Ctrl-C: the running steps end, nothing new starts.
    pub cancel: &'a AtomicBool,
    pub progress: &'a (dyn Fn(ProgressLine) + Sync),
    /// Who asked: `apply by root`.
    pub actor: &'a str,
}

impl Bay {
    /// The caller holds the writers' lock.
    pub fn apply(&self, plan: &Plan, around: &Surroundings<'_>) -> Report {
        let progress = |event: &Progress<'_>| (around.progress)(line(event));
        let options = ApplyOptions {
            workers: WORKERS,
            cancel: around.cancel,
            deadline: None,
            progress: &progress,
            clock: &Instant::now,
            now: Timestamp::now(),
            actor: around.actor,
        };
        apply(self.driver(), plan, &options)
    }
}

fn line(event: &Progress<'_>) -> ProgressLine {
    let say = |step: &Step, word: ProgressWord| ProgressLine {
        key: step.key.clone(),
        what: render::step_words(&step.action),
        line: word,
    };
    match event {
        Progress::Begin(step) => say(step, ProgressWord::Begin),
        Progress::Line(step, text) => say(step, ProgressWord::Line((*text).to_owned())),
        Progress::End(step, outcome) => say(step, end(outcome)),
    }
}

fn end(outcome: &StepOutcome) -> ProgressWord {
    match outcome {
        StepOutcome::Changed => ProgressWord::Changed,
        StepOutcome::Unchanged => ProgressWord::Unchanged,
        StepOutcome::Failed(failure) => ProgressWord::Failed(failure.words()),
        StepOutcome::Blocked { .. } => ProgressWord::Blocked,
        StepOutcome::Skipped => ProgressWord::Skipped,
    }
}
