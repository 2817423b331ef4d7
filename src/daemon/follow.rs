//! The loop of the daemon and of `apply --watch`.
//!
//! ```text
//! manifests change ─► (quiet for 150 ms) ─► load ──► good: full pass ──► broken: keep the last good one, say so
//! an init ends ─────► pass for that key at once
//! ten seconds pass ─► read again, full pass
//! ```
//!
//! Restarts are never approved here; a site with `heal: report` has its drift said, and only its changes applied.

use super::inits::Inits;
use super::manifests::Watch;
use super::operations::load;
use super::reporting;
use super::shared::{Event, Shared};
use super::wiring::Bay;
use crate::api::types::FollowStatus;
use crate::driver::Scope;
use crate::model::desired::Desired;
use crate::model::key::Key;
use crate::model::observed::Observed;
use crate::model::step::Action;
use crate::reconcile::apply::{ApplyOptions, Progress, WORKERS, apply};
use crate::reconcile::controller::{Controller, Pass};
use crate::reconcile::goal::{Goal, PlanOptions};
use crate::reconcile::plan::{self, Plan};
use crate::reconcile::report::{Report, StepOutcome, error_chain};
use crate::reconcile::{Error, check, looked_up, reconcile, refuse_guarded, render, rollback};
use crate::source;
use crate::spec::{SourceText, diagnostic};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How long manifests must be quiet before they are read: an editor or git writes several files.
pub const QUIET: Duration = Duration::from_millis(150);
/// Between two full passes: what nothing tells of (a limit edited, a bridge gone) is seen this late.
const PERIOD: SignedDuration = SignedDuration::from_secs(10);
/// Between two reads of manifests that nothing tells of, as on a file system without inotify.
const READ_AGAIN: Duration = Duration::from_secs(10);
/// Between two looks at the flag that Ctrl-C sets.
const CANCEL_POLL: Duration = Duration::from_millis(200);

/// The loop's state.
pub struct Follower {
    bay: Arc<Bay>,
    /// Empty: what was last declared is healed.
    paths: Vec<PathBuf>,
    actor: String,
    shared: Arc<Shared>,
    controller: Controller,
    events: Receiver<Event>,
    watch: Option<Watch>,
    inits: Inits,
    /// When manifests are to be read.
    read_at: Option<Instant>,
    /// The drift that was said last, where drift is only reported.
    reported: BTreeSet<String>,
    /// What waits for a confirmation, as it was said last.
    waiting: String,
    /// Sites that want their drift reported only, by the records as last seen.
    recorded_reporting: Option<BTreeSet<String>>,
    /// Whether a pass has applied the manifests as they are now.
    is_applied: bool,
}

impl Follower {
    /// A loop that has read its manifests once, and what it shares: whoever asks what is followed is never too early.
    /// No paths: what was last declared is healed.
    pub fn open(bay: &Arc<Bay>, paths: &[PathBuf], actor: String) -> anyhow::Result<(Follower, Arc<Shared>)> {
        let (sender, events) = channel();
        let shared = Shared::new();
        shared.tell_through(sender.clone());
        let paths = paths.iter().map(std::path::absolute).collect::<Result<Vec<_>, _>>()?;
        if let Some(path) = paths.first() {
            shared.followed().status = Some(FollowStatus { path: path.clone(), ..FollowStatus::default() });
        }
        let watch = (!paths.is_empty()).then(|| Watch::new(paths.clone(), sender.clone()));
        let mut follower = Follower {
            bay: Arc::clone(bay),
            read_at: watch.is_some().then(|| Instant::now() + READ_AGAIN),
            paths,
            actor,
            shared: Arc::clone(&shared),
            controller: Controller::new(Timestamp::now(), SignedDuration::ZERO, PERIOD),
            events,
            watch,
            inits: Inits::new(sender)?,
            reported: BTreeSet::new(),
            waiting: String::new(),
            recorded_reporting: None,
            is_applied: false,
        };
        if follower.watch.is_some() {
            follower.read();
        }
        Ok((follower, shared))
    }

    /// Until `cancel` is set.
    pub fn run(mut self, cancel: &AtomicBool) {
        while !cancel.load(Ordering::Relaxed) {
            if self.read_at.is_some_and(|at| at <= Instant::now()) {
                self.read_at = self.watch.is_some().then(|| Instant::now() + READ_AGAIN);
                self.read();
            }
            let now = Timestamp::now();
            let due = self.shared.lives().take_due(now);
            self.controller.mark_dirty(due, now);
            if self.controller.next_wakeup(Timestamp::now()) <= Timestamp::now() {
                self.pass(cancel);
            }
            match self.events.recv_timeout(self.sleep()) {
                Ok(event) => self.take(event),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn sleep(&self) -> Duration {
        let now = Timestamp::now();
        let until_pass = self.controller.next_wakeup(now).duration_since(now);
        let until_pass = Duration::try_from(until_pass).unwrap_or_default();
        let until_read = self.read_at.map(|at| at.saturating_duration_since(Instant::now()));
        until_pass.min(until_read.unwrap_or(CANCEL_POLL)).min(CANCEL_POLL)
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Manifests => self.read_at = Some(Instant::now() + QUIET),
            Event::Ended(key, at) => self.ended(key, at),
            Event::Pass => self.controller.mark_all(Timestamp::now()),
        }
    }

    /// It is started again at once, unless its inits end as soon as they are started.
    fn ended(&mut self, key: Key, at: Timestamp) {
        let wait = self.shared.lives().ended(&key, at);
        if wait.is_zero() {
            tracing::info!("{key}: init has ended");
            self.controller.mark_dirty([key], at);
        } else {
            tracing::warn!("{key}: init ends again and again; it is started in {} s", wait.as_secs());
        }
    }

    /// Reads the manifests; a broken load leaves the last good one in force.
    fn read(&mut self) {
        if let Some(watch) = &mut self.watch {
            watch.renew();
        }
        let problem = match source::read_all(&self.paths) {
            Err(error) => Err(error_chain(&error).join(": ")),
            Ok(texts) => self.load(texts),
        };
        let mut followed = self.shared.followed();
        let Some(status) = &mut followed.status else { return };
        if let Err(problem) = &problem
            && status.load_problem.as_ref() != Some(problem)
        {
            tracing::error!("the manifests are broken; the last good ones stay in force\n{problem}");
        }
        status.load_problem = problem.err();
    }

    fn load(&mut self, texts: Vec<SourceText>) -> Result<(), String> {
        if self.shared.followed().texts == texts {
            return Ok(());
        }
        let machine = self.bay.machine().map_err(|failure| failure.message)?;
        let loaded = load::load(&texts, &machine)
            .map_err(|failure| diagnostic::render_all(&failure.findings, &texts))?;
        let mut followed = self.shared.followed();
        if let Some(status) = &mut followed.status {
            status.site = Some(loaded.desired.site.clone());
            status.last_load = Some(Timestamp::now());
        }
        tracing::info!("site {}: {} objects", loaded.desired.site, loaded.desired.objects.len());
        followed.texts = texts;
        followed.desired = Some(Arc::new(loaded.desired));
        self.is_applied = false;
        self.controller.mark_all(Timestamp::now());
        Ok(())
    }

    fn pass(&mut self, cancel: &AtomicBool) {
        let shared = Arc::clone(&self.shared);
        let desired = shared.followed().desired.clone();
        let goal = match &desired {
            Some(desired) => Goal::Site(desired),
            None => Goal::Recorded,
        };
        let now = Timestamp::now();
        let mut options = PlanOptions::new(now, uuid::Uuid::new_v4().into_bytes(), &self.actor);
        options.not_before = shared.lives().waiting();
        options.again = self.is_applied;
        if let Some(desired) = &desired {
            options.missing_paths = self.bay.missing(check::paths_to_check(desired));
        }
        let _writing = shared.writer();
        let actor = self.actor.clone();
        let carrying_out = ApplyOptions {
            workers: WORKERS,
            cancel,
            deadline: None,
            progress: &say,
            clock: &Instant::now,
            now,
            actor: &actor,
        };
        let passed = match self.reporting(desired.as_deref()) {
            Ok(sites) if sites.is_empty() => {
                self.controller.pass(self.bay.driver(), &goal, &options, &carrying_out)
            }
            Ok(sites) => self.report(&goal, options.clone(), &carrying_out, &sites).map(Some),
            Err(error) => Err(error),
        };
        if let (Err(Error::Guarded { .. } | Error::Plan(_)), Some(_)) = (&passed, &desired) {
            self.heal(&options, &carrying_out);
        }
        if let Ok(Some(pass)) = &passed {
            self.is_applied = true;
            self.tell_waiting(&pass.plan);
            self.take_back(rollback::due(&pass.plan, &pass.report), &options, &carrying_out);
        }
        self.learn(passed, now);
    }

    /// The sites that want their drift reported only.
    fn reporting(&mut self, desired: Option<&Desired>) -> Result<BTreeSet<String>, Error> {
        if let Some(desired) = desired {
            return Ok(reporting::sites(desired.objects.iter()));
        }
        if let Some(recorded) = &self.recorded_reporting {
            return Ok(recorded.clone());
        }
        let observed = self.bay.driver().observe(&Scope::All).map_err(Error::Observe)?;
        Ok(reporting::recorded_sites(&observed))
    }

    /// Says what drifted in these sites, and carries out all else.
    fn report(
        &mut self,
        goal: &Goal<'_>,
        mut options: PlanOptions,
        carrying_out: &ApplyOptions<'_>,
        sites: &BTreeSet<String>,
    ) -> Result<Pass, Error> {
        let next = carrying_out.now.checked_add(PERIOD).unwrap_or(Timestamp::MAX);
        self.controller = Controller::new(next, SignedDuration::ZERO, PERIOD);
        let driver = self.bay.driver();
        let observed = driver.observe(&Scope::All).map_err(Error::Observe)?;
        options = looked_up(driver, goal, &observed, options).map_err(Error::Observe)?;
        let all = plan::plan(goal, &observed, &options)?;
        refuse_guarded(&all)?;
        let split = reporting::split(&all, goal, &observed, sites);
        for row in split.reported.difference(&self.reported) {
            tracing::warn!("drift, reported only: {row}");
        }
        self.reported = split.reported;
        let plan = if split.to_do.is_empty() {
            Plan { steps: vec![], ..all }
        } else {
            options.only = split.to_do;
            plan::plan(goal, &observed, &options)?
        };
        let report = apply(self.bay.driver(), &plan, carrying_out);
        Ok(Pass { plan, report, scope: Scope::All })
    }

    /// A site that cannot be applied as it is now must not keep what was applied from being healed, or its drift from
    /// being said.
    fn heal(&mut self, options: &PlanOptions, carrying_out: &ApplyOptions<'_>) {
        let goal = Goal::Recorded;
        let healed = match self.reporting(None) {
            Ok(sites) if sites.is_empty() => {
                reconcile(self.bay.driver(), &goal, options, carrying_out).map(drop)
            }
            Ok(sites) => self.report(&goal, options.clone(), carrying_out, &sites).map(drop),
            Err(error) => Err(error),
        };
        if let Err(error) = healed {
            tracing::error!("what was last declared cannot be healed: {}", error_chain(&error).join(": "));
        }
    }

    /// Containers that were not ready with a new root get their former one back.
    fn take_back(&self, keys: BTreeSet<Key>, options: &PlanOptions, apply: &ApplyOptions<'_>) {
        if keys.is_empty() {
            return;
        }
        let names = keys.iter().map(Key::to_string).collect::<Vec<_>>().join(", ");
        tracing::error!("not ready with a new root, and rolled back: {names}");
        if let Err(error) = reconcile(self.bay.driver(), &Goal::Rollback(keys), options, apply) {
            tracing::error!("the rollback failed: {}", error_chain(&error).join(": "));
        }
    }

    /// What prune would take and nobody has confirmed; once, until it changes.
    fn tell_waiting(&mut self, plan: &Plan) {
        let waiting = plan.prune.iter().filter(|intent| intent.waits).flat_map(|intent| &intent.keys);
        let words = waiting.map(|key| key.to_string()).collect::<Vec<_>>().join(", ");
        if !words.is_empty() && words != self.waiting {
            tracing::warn!(
                "no longer declared, and kept until `bayplan apply --allow delete` confirms it: {words}"
            );
            self.waiting = words;
        }
    }

    fn learn(&mut self, passed: Result<Option<Pass>, Error>, now: Timestamp) {
        let problem = match &passed {
            Err(error) => Some(error_chain(error).join(": ")),
            Ok(passed) => passed.as_ref().and_then(|pass| first_failure(&pass.report)),
        };
        let passed = passed.ok().flatten();
        // What a pass for some keys did not look at, it did not change.
        let scope = passed.as_ref().map_or(&Scope::All, |pass| &pass.scope);
        match self.bay.driver().observe(scope) {
            Ok(observed) => {
                if *scope == Scope::All {
                    self.recorded_reporting = Some(reporting::recorded_sites(&observed));
                }
                for key in self.inits.update(&self.bay, &observed, scope) {
                    self.shared.lives().began(key, Timestamp::now());
                }
                let started = passed.map(|pass| started(&pass.plan)).unwrap_or_default();
                self.missed(started, &observed, now);
            }
            // What is not watched is still seen by the next full pass; it must not be far.
            Err(error) => {
                tracing::warn!("{}", error_chain(&error).join(": "));
                let soon = now.checked_add(SignedDuration::from_secs(1)).unwrap_or(Timestamp::MAX);
                self.controller.mark_all(soon);
            }
        }
        self.tell(problem, now);
    }

    /// Those that this pass started and that are gone before anybody could watch them.
    fn missed(&mut self, started: BTreeSet<Key>, observed: &Observed, now: Timestamp) {
        for key in started {
            let identity = observed.records.get(&key).and_then(|record| record.identity.as_ref());
            let facts = identity.and_then(|identity| observed.containers.get(&identity.uuid));
            if facts.is_some_and(|facts| facts.run.is_none()) {
                self.shared.lives().began(key.clone(), now);
                self.ended(key, now);
            }
        }
    }

    fn tell(&self, problem: Option<String>, now: Timestamp) {
        let mut followed = self.shared.followed();
        let Some(status) = &mut followed.status else { return };
        if let Some(problem) = &problem
            && status.pass_problem.as_ref() != Some(problem)
        {
            tracing::error!("the pass failed: {problem}");
        }
        if problem.is_none() {
            status.last_success = Some(now);
        }
        status.pass_problem = problem;
    }
}

fn started(plan: &Plan) -> BTreeSet<Key> {
    let starts = plan.steps.iter().filter(|step| matches!(step.action, Action::Start(_)));
    starts.map(|step| step.key.clone()).collect()
}

fn first_failure(report: &Report) -> Option<String> {
    report.steps.iter().find_map(|step| match &step.outcome {
        StepOutcome::Failed { chain } => Some(format!("{}: {}: {}", step.key, step.what, chain.join(": "))),
        _ => None,
    })
}

fn say(progress: &Progress<'_>) {
    if let Progress::End(step, StepOutcome::Changed) = progress {
        tracing::info!("{}: {}", step.key, render::step_words(&step.action));
    }
}
