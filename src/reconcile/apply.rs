//! Carries out a plan: worker threads take the steps whose predecessors are done.
//!
//! ```text
//! waiting ──► ready ──► running ──► changed | unchanged
//!    │          │          └──────► failed ──► those after it: blocked
//!    └──────────┴── Ctrl-C ───────► skipped
//! ```
//!
//! A failed step blocks those after it; all others go on. There is no retry here: the next pass does it. At the end
//! the driver makes last what the steps wrote, once for all of them.

use super::failure::failure;
use super::plan::Plan;
use super::render::step_words;
use super::report::{Failure, REPORT_VERSION, Report, StepOutcome, StepReport, error_chain, stopped};
use super::rollout::is_turn;
use crate::driver::{Driver, Error, StepContext};
use crate::model::step::{Action, Step, StepId};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Steps carried out at once, whatever the host has: most of a step's time it waits, for the disk, for a program inside
/// that ends or gets ready. On two processors a hundred starts took about half the time that two at once took
/// (beside other work), and twice as many gained nothing.
pub const WORKERS: usize = 16;

/// How to carry out a plan.
pub struct ApplyOptions<'a> {
    /// Steps carried out at once; at least 1.
    pub workers: usize,
    /// Set by Ctrl-C: the running step ends, nothing new starts.
    pub cancel: &'a AtomicBool,
    /// After it nothing new starts.
    pub deadline: Option<Instant>,
    pub progress: &'a (dyn Fn(&Progress<'_>) + Sync),
    /// What the deadline and the steps' durations are told by.
    pub clock: &'a (dyn Fn() -> Instant + Sync),
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

/// The work that is shared by the workers. Steps are named by their place in the plan.
struct Board {
    outcomes: BTreeMap<StepId, StepOutcome>,
    durations_ms: BTreeMap<StepId, u64>,
    /// Steps whose predecessors are done; the first one in the plan's order goes first.
    ready: BTreeSet<usize>,
    /// How many predecessors of each step are not done, or have not ended where that is enough.
    waiting: Vec<usize>,
    running: usize,
}

impl Board {
    /// One predecessor less for each of these.
    fn release(&mut self, steps: &[usize]) {
        for at in steps {
            self.waiting[*at] -= 1;
            if self.waiting[*at] == 0 {
                self.ready.insert(*at);
            }
        }
    }
}

/// What does not change while a plan is carried out.
struct Work<'a> {
    driver: &'a dyn Driver,
    plan: &'a Plan,
    options: &'a ApplyOptions<'a>,
    /// Each step's successors.
    next: Vec<Vec<usize>>,
    /// Those that wait for its end, whatever comes of it.
    next_at_end: Vec<Vec<usize>>,
    board: Mutex<Board>,
    changed: Condvar,
}

/// Carries out `plan`. Every step has an entry in the report.
pub fn apply(driver: &dyn Driver, plan: &Plan, options: &ApplyOptions<'_>) -> Report {
    let begun = (options.clock)();
    let work = Work::new(driver, plan, options);
    std::thread::scope(|scope| {
        for _ in 0..options.workers.clamp(1, plan.steps.len().max(1)) {
            scope.spawn(|| {
                while let Some(at) = work.take() {
                    work.carry_out(at);
                }
            });
        }
    });
    let Board { mut outcomes, durations_ms, .. } =
        work.board.into_inner().unwrap_or_else(PoisonError::into_inner);
    if plan.steps.iter().any(must_last)
        && let Err(error) = driver.settle()
    {
        let failure = Failure { chain: error_chain(&error), place: None, help: error.help() };
        fail_changed(&mut outcomes, &failure);
    }
    let steps: Vec<StepReport> = plan
        .steps
        .iter()
        .map(|step| StepReport {
            id: step.id,
            key: step.key.clone(),
            what: step_words(&step.action),
            duration_ms: durations_ms.get(&step.id).copied(),
            takes_down: is_turn(&step.action, step.class),
            outcome: outcomes.remove(&step.id).unwrap_or(StepOutcome::Skipped),
        })
        .collect();
    let rollouts = plan.rollouts.iter().filter_map(|turns| stopped(turns, &steps)).collect();
    let interrupted = steps.iter().any(|step| step.outcome == StepOutcome::Skipped);
    let duration_ms = since_ms(options, begun);
    Report { version: REPORT_VERSION, steps, interrupted, duration_ms, rollouts }
}

/// Whether what the step leaves has to outlast a crash of the machine from the moment that apply answers. What runs
/// does not, so neither what began and ended it nor a hold on it has to: their records are whole at any time, and the
/// kernel writes them within seconds.
fn must_last(step: &Step) -> bool {
    match &step.action {
        Action::Start(_)
        | Action::Stop { .. }
        | Action::Freeze { .. }
        | Action::Unfreeze { .. }
        | Action::Supervise { .. }
        | Action::WaitReady { .. } => false,
        Action::PutRecord(update) => !update.is_hold(),
        _ => true,
    }
}

impl<'a> Work<'a> {
    fn new(driver: &'a dyn Driver, plan: &'a Plan, options: &'a ApplyOptions<'a>) -> Work<'a> {
        let places: BTreeMap<StepId, usize> =
            plan.steps.iter().enumerate().map(|(at, step)| (step.id, at)).collect();
        let mut next = vec![vec![]; plan.steps.len()];
        let mut next_at_end = next.clone();
        let mut waiting = vec![0; plan.steps.len()];
        for (at, step) in plan.steps.iter().enumerate() {
            for before in step.after.iter().filter_map(|id| places.get(id)) {
                next[*before].push(at);
                waiting[at] += 1;
            }
            for before in step.after_end.iter().filter_map(|id| places.get(id)) {
                next_at_end[*before].push(at);
                waiting[at] += 1;
            }
        }
        let ready = (0..waiting.len()).filter(|at| waiting[*at] == 0).collect();
        let board = Mutex::new(Board {
            outcomes: BTreeMap::new(),
            durations_ms: BTreeMap::new(),
            ready,
            waiting,
            running: 0,
        });
        Work { driver, plan, options, next, next_at_end, board, changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next step that may start; waits for one. None: there is nothing left to start.
    fn take(&self) -> Option<usize> {
        let mut board = self.lock();
        loop {
            let late = self.options.deadline.is_some_and(|deadline| (self.options.clock)() >= deadline);
            if late || self.options.cancel.load(Ordering::Relaxed) {
                return None;
            }
            if let Some(at) = board.ready.pop_first() {
                board.running += 1;
                return Some(at);
            }
            if board.running == 0 {
                return None;
            }
            board = self.changed.wait(board).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn carry_out(&self, at: usize) {
        let step = &self.plan.steps[at];
        (self.options.progress)(&Progress::Begin(step));
        let begun = (self.options.clock)();
        let outcome = self.run(step);
        let duration_ms = since_ms(self.options, begun);
        (self.options.progress)(&Progress::End(step, &outcome));
        let done = matches!(outcome, StepOutcome::Changed | StepOutcome::Unchanged);
        let failed = matches!(outcome, StepOutcome::Failed(_));
        let mut board = self.lock();
        board.running -= 1;
        if outcome != StepOutcome::Skipped {
            board.durations_ms.insert(step.id, duration_ms);
        }
        board.outcomes.insert(step.id, outcome);
        if done {
            board.release(&self.next[at]);
        } else if failed {
            self.block(&mut board, at);
        }
        if done || failed {
            board.release(&self.next_at_end[at]);
        }
        drop(board);
        self.changed.notify_all();
    }

    fn run(&self, step: &Step) -> StepOutcome {
        let options = self.options;
        let line = |text: &str| (options.progress)(&Progress::Line(step, text));
        let context = StepContext {
            cancel: options.cancel,
            deadline: options.deadline,
            progress: &line,
            now: options.now,
            actor: options.actor,
        };
        match self.driver.execute(step, &context) {
            Ok(outcome) if outcome.changed => StepOutcome::Changed,
            Ok(_) => StepOutcome::Unchanged,
            Err(Error::Cancelled) => StepOutcome::Skipped,
            Err(error) => {
                let (chain, help) = (error_chain(&error), error.help());
                StepOutcome::Failed(failure(self.plan, step, chain, error.field(), help))
            }
        }
    }

    /// All that comes after a step that failed.
    fn block(&self, board: &mut Board, failed: usize) {
        let by = self.plan.steps[failed].id;
        let mut open = self.next[failed].clone();
        while let Some(at) = open.pop() {
            let step = &self.plan.steps[at];
            if board.outcomes.contains_key(&step.id) {
                continue;
            }
            let outcome = StepOutcome::Blocked { by };
            (self.options.progress)(&Progress::End(step, &outcome));
            board.outcomes.insert(step.id, outcome);
            board.release(&self.next_at_end[at]);
            open.extend(&self.next[at]);
        }
    }
}

fn since_ms(options: &ApplyOptions<'_>, begun: Instant) -> u64 {
    let passed = (options.clock)().saturating_duration_since(begun);
    u64::try_from(passed.as_millis()).unwrap_or(u64::MAX)
}

/// What has changed is in force, and a crash of the machine may undo its record: the next apply has to write it again.
fn fail_changed(outcomes: &mut BTreeMap<StepId, StepOutcome>, failure: &Failure) {
    for outcome in outcomes.values_mut().filter(|outcome| **outcome == StepOutcome::Changed) {
        *outcome = StepOutcome::Failed(failure.clone());
    }
}
