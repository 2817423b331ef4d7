//! Carries out a plan: worker threads take the steps whose predecessors are done.
//!
//! ```text
//! waiting ──► ready ──► running ──► changed | unchanged
//!    │          │          └──────► failed ──► those after it: blocked
//!    └──────────┴── Ctrl-C ───────► skipped
//! ```
//!
//! A failed step blocks those after it; all others go on. There is no retry here: the next pass does it.

use super::plan::Plan;
use super::render::step_words;
use super::report::{REPORT_VERSION, Report, StepOutcome, StepReport, error_chain};
use crate::driver::{Driver, Error, StepContext};
use crate::model::step::{Step, StepId};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// How to carry out a plan.
pub struct ApplyOptions<'a> {
    /// Steps carried out at once; at least 1.
    pub workers: usize,
    /// Set by Ctrl-C: the running step ends, nothing new starts.
    pub cancel: &'a AtomicBool,
    /// After it nothing new starts.
    pub deadline: Option<Instant>,
    pub progress: &'a (dyn Fn(&Progress<'_>) + Sync),
    pub now: Timestamp,
    /// Who asked: `apply by root`.
    pub actor: &'a str,
}

/// What a progress display is told.
pub enum Progress<'a> {
    Begin(&'a Step),
    /// One line of what is going on inside a step.
    Line(&'a Step, &'a str),
    End(&'a Step, &'a StepOutcome),
}

/// The work that is shared by the workers.
struct Board {
    outcomes: BTreeMap<StepId, StepOutcome>,
    taken: BTreeMap<StepId, ()>,
}

/// Carries out `plan`. Every step has an entry in the report.
pub fn apply(driver: &dyn Driver, plan: &Plan, options: &ApplyOptions<'_>) -> Report {
    let board = Mutex::new(Board { outcomes: BTreeMap::new(), taken: BTreeMap::new() });
    let changed = Condvar::new();
    std::thread::scope(|scope| {
        for _ in 0..options.workers.clamp(1, plan.steps.len().max(1)) {
            scope.spawn(|| work(driver, plan, options, &board, &changed));
        }
    });
    let mut outcomes = board.into_inner().unwrap_or_else(PoisonError::into_inner).outcomes;
    let steps: Vec<StepReport> = plan
        .steps
        .iter()
        .map(|step| StepReport {
            id: step.id,
            key: step.key.clone(),
            what: step_words(&step.action),
            outcome: outcomes.remove(&step.id).unwrap_or(StepOutcome::Skipped),
        })
        .collect();
    let interrupted = steps.iter().any(|step| step.outcome == StepOutcome::Skipped);
    Report { version: REPORT_VERSION, steps, interrupted }
}

fn work(
    driver: &dyn Driver,
    plan: &Plan,
    options: &ApplyOptions<'_>,
    board: &Mutex<Board>,
    changed: &Condvar,
) {
    loop {
        let Some(step) = take(plan, options, board, changed) else { return };
        (options.progress)(&Progress::Begin(step));
        let outcome = run(driver, step, options);
        (options.progress)(&Progress::End(step, &outcome));
        lock(board).outcomes.insert(step.id, outcome);
        changed.notify_all();
    }
}

/// The next step that may start; waits for one. None: there is nothing left to start.
fn take<'a>(
    plan: &'a Plan,
    options: &ApplyOptions<'_>,
    board: &Mutex<Board>,
    changed: &Condvar,
) -> Option<&'a Step> {
    let mut state = lock(board);
    loop {
        let stopped = options.cancel.load(Ordering::Relaxed)
            || options.deadline.is_some_and(|deadline| Instant::now() >= deadline);
        if stopped {
            return None;
        }
        let mut running = false;
        for step in &plan.steps {
            if state.outcomes.contains_key(&step.id) {
                continue;
            }
            if state.taken.contains_key(&step.id) {
                running = true;
                continue;
            }
            match readiness(step, &state.outcomes) {
                Readiness::Ready => {
                    state.taken.insert(step.id, ());
                    return Some(step);
                }
                Readiness::Blocked(by) => {
                    let outcome = StepOutcome::Blocked { by };
                    (options.progress)(&Progress::End(step, &outcome));
                    state.outcomes.insert(step.id, outcome);
                }
                Readiness::Waiting => {}
            }
        }
        if !running {
            return None;
        }
        state = changed.wait(state).unwrap_or_else(PoisonError::into_inner);
    }
}

enum Readiness {
    Ready,
    Waiting,
    Blocked(StepId),
}

fn readiness(step: &Step, outcomes: &BTreeMap<StepId, StepOutcome>) -> Readiness {
    let mut all = true;
    for before in &step.after {
        match outcomes.get(before) {
            Some(StepOutcome::Changed | StepOutcome::Unchanged) => {}
            Some(StepOutcome::Failed { .. } | StepOutcome::Skipped) => return Readiness::Blocked(*before),
            Some(StepOutcome::Blocked { by }) => return Readiness::Blocked(*by),
            None => all = false,
        }
    }
    if all { Readiness::Ready } else { Readiness::Waiting }
}

fn run(driver: &dyn Driver, step: &Step, options: &ApplyOptions<'_>) -> StepOutcome {
    let line = |text: &str| (options.progress)(&Progress::Line(step, text));
    let context = StepContext {
        cancel: options.cancel,
        deadline: options.deadline,
        progress: &line,
        now: options.now,
        actor: options.actor,
    };
    match driver.execute(step, &context) {
        Ok(outcome) if outcome.changed => StepOutcome::Changed,
        Ok(_) => StepOutcome::Unchanged,
        Err(Error::Cancelled) => StepOutcome::Skipped,
        Err(error) => StepOutcome::Failed { chain: error_chain(&error) },
    }
}

fn lock<'a>(board: &'a Mutex<Board>) -> MutexGuard<'a, Board> {
    board.lock().unwrap_or_else(PoisonError::into_inner)
}
