//! When to look again: the loop of the daemon and of `apply --watch`, without its waiting.

use super::apply::{ApplyOptions, apply};
use super::goal::{Goal, PlanOptions};
use super::near::is_near;
use super::needs::around;
use super::plan::Plan;
use super::queue::Queue;
use super::report::{Report, StepOutcome};
use super::{Error, plan_on, refuse_guarded};
use crate::driver::{Driver, Scope};
use crate::model::key::Key;
use crate::model::observed::Observed;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;

/// Between two tries to look at a host that cannot be looked at.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(1);

/// What one pass did.
#[derive(Debug)]
pub struct Pass {
    pub plan: Plan,
    pub report: Report,
    /// What it looked at.
    pub scope: Scope,
}

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
    ) -> Result<Option<Pass>, Error> {
        let now = plan_options.now;
        let due = self.queue.take_due(now);
        let full = self.next_full <= now;
        let decided = match full {
            true => self.decide_all(driver, goal, plan_options).map(Some),
            false if due.is_empty() => return Ok(None),
            false => decide(driver, goal, plan_options, &due),
        };
        let (plan, scope) = match decided {
            Ok(Some(decided)) => decided,
            Ok(None) => {
                due.iter().for_each(|key| self.queue.succeeded(key));
                return Ok(None);
            }
            Err(error) => {
                due.into_iter().for_each(|key| self.queue.failed(key, now));
                return Err(error);
            }
        };
        if let Err(guarded) = refuse_guarded(&plan) {
            // What is to be deleted waits for a word; these do not. A pass for them alone asks for no deletion.
            due.into_iter().for_each(|key| self.queue.mark(key, now));
            return Err(guarded);
        }
        let report = apply(driver, &plan, apply_options);
        self.learn(&due, &report, now);
        Ok(Some(Pass { plan, report, scope }))
    }

    /// The next one is due after the period, or soon where the host cannot be looked at.
    fn decide_all(
        &mut self,
        driver: &dyn Driver,
        goal: &Goal<'_>,
        options: &PlanOptions,
    ) -> Result<(Plan, Scope), Error> {
        self.next_full = later(options.now, self.period.min(LOOK_AGAIN));
        let observed = driver.observe(&Scope::All).map_err(Error::Observe)?;
        self.next_full = later(options.now, self.period);
        Ok((plan_on(driver, goal, &observed, options)?, Scope::All))
    }

    fn learn(&mut self, looked_at: &[Key], report: &Report, now: Timestamp) {
        let failed: BTreeSet<&Key> = report
            .steps
            .iter()
            .filter(|step| matches!(step.outcome, StepOutcome::Failed(_)))
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

/// The plan for the marked keys, made on a look at them and at what they need. None: the goal knows none of them (kept,
/// forgotten, another site's), which is nobody's business here.
fn decide(
    driver: &dyn Driver,
    goal: &Goal<'_>,
    options: &PlanOptions,
    due: &[Key],
) -> Result<Option<(Plan, Scope)>, Error> {
    let near = Scope::Keys(around(goal, due));
    let observed = driver.observe(&near).map_err(Error::Observe)?;
    let only: BTreeSet<Key> = due.iter().filter(|key| knows(goal, &observed, key)).cloned().collect();
    if only.is_empty() {
        return Ok(None);
    }
    let options = PlanOptions { only, ..options.clone() };
    match plan_on(driver, goal, &observed, &options) {
        Ok(plan) if plan.steps.iter().all(is_near) => Ok(Some((plan, near))),
        // What more it wants, or what is wrong, is for a look at everything to say.
        Ok(_) | Err(Error::Plan(_)) => {
            let observed = driver.observe(&Scope::All).map_err(Error::Observe)?;
            Ok(Some((plan_on(driver, goal, &observed, &options)?, Scope::All)))
        }
        Err(error) => Err(error),
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
