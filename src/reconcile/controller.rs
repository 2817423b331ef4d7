//! When to look again: the loop of the daemon and of `apply --watch`, without its waiting.

use super::apply::{ApplyOptions, apply};
use super::goal::{Goal, PlanOptions};
use super::plan::Plan;
use super::queue::Queue;
use super::report::{Report, StepOutcome};
use super::{Error, plan_on, refuse_guarded};
use crate::driver::{Driver, Scope};
use crate::model::key::Key;
use crate::model::observed::Observed;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;

/// Decides when to look, and keeps what failed for a later try. It never waits: the caller sleeps until
/// [`Controller::next_wakeup`] or until something happens.
#[derive(Debug)]
pub struct Controller {
    queue: Queue,
    debounce: SignedDuration,
    period: SignedDuration,
    next_full: Timestamp,
}

impl Controller {
    /// A full pass is due at once, then each `period`; marked keys are due `debounce` after the mark.
    pub fn new(now: Timestamp, debounce: SignedDuration, period: SignedDuration) -> Controller {
        Controller { queue: Queue::default(), debounce, period, next_full: now }
    }

    /// Something happened to these objects (an init ended, a manifest changed).
    pub fn mark_dirty(&mut self, keys: impl IntoIterator<Item = Key>, now: Timestamp) {
        let at = later(now, self.debounce);
        for key in keys {
            self.queue.mark(key, at);
        }
    }

    /// A full pass is due now.
    pub fn mark_all(&mut self, now: Timestamp) {
        self.next_full = self.next_full.min(now);
    }

    /// When the next pass is due.
    pub fn next_wakeup(&self, now: Timestamp) -> Timestamp {
        self.queue.next_due().map_or(self.next_full, |due| due.min(self.next_full)).max(now)
    }

    /// One pass, if one is due: full, or for the keys that are due. What failed is due again after its backoff.
    pub fn pass(
        &mut self,
        driver: &dyn Driver,
        goal: &Goal<'_>,
        plan_options: &PlanOptions,
        apply_options: &ApplyOptions<'_>,
    ) -> Result<Option<(Plan, Report)>, Error> {
        let now = plan_options.now;
        let due = self.queue.take_due(now);
        let full = self.next_full <= now;
        if !full && due.is_empty() {
            return Ok(None);
        }
        let observed = match driver.observe(&Scope::All) {
            Ok(observed) => observed,
            Err(error) => {
                due.into_iter().for_each(|key| self.queue.failed(key, now));
                return Err(Error::Observe(error));
            }
        };
        // A key that the goal does not know (kept, forgotten, another site's) is nobody's business here.
        let (due, unknown): (Vec<Key>, Vec<Key>) =
            due.into_iter().partition(|key| full || knows(goal, &observed, key));
        unknown.iter().for_each(|key| self.queue.succeeded(key));
        if !full && due.is_empty() {
            return Ok(None);
        }
        let mut options = plan_options.clone();
        if full {
            self.next_full = later(now, self.period);
        } else {
            options.only = due.iter().cloned().collect();
        }
        let plan = match plan_on(driver, goal, &observed, &options) {
            Ok(plan) => plan,
            Err(error) => {
                due.into_iter().for_each(|key| self.queue.failed(key, now));
                return Err(error);
            }
        };
        refuse_guarded(&plan)?;
        let report = apply(driver, &plan, apply_options);
        self.learn(&due, &report, now);
        Ok(Some((plan, report)))
    }

    fn learn(&mut self, looked_at: &[Key], report: &Report, now: Timestamp) {
        let failed: BTreeSet<&Key> = report
            .steps
            .iter()
            .filter(|step| matches!(step.outcome, StepOutcome::Failed { .. }))
            .map(|step| &step.key)
            .collect();
        let done = report.steps.iter().map(|step| &step.key).chain(looked_at);
        for key in done.filter(|key| !failed.contains(key)) {
            self.queue.succeeded(key);
        }
        for key in failed {
            self.queue.failed(key.clone(), now);
        }
    }
}

fn later(now: Timestamp, wait: SignedDuration) -> Timestamp {
    now.checked_add(wait).unwrap_or(Timestamp::MAX)
}

/// Whether `--only KEY` makes sense for the goal.
fn knows(goal: &Goal<'_>, observed: &Observed, key: &Key) -> bool {
    match goal {
        Goal::Site(desired) => desired.objects.contains_key(key),
        _ => observed.records.get(key).is_some_and(|record| !record.retiring && record.parked.is_none()),
    }
}
