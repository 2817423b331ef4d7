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
use super::wiring::Bay;
use crate::api::types::FollowStatus;
use crate::driver::Scope;
use crate::model::content::Contents;
use crate::model::desired::Desired;
use crate::model::key::Key;
use crate::model::object::{Heal, Spec};
use crate::model::observed::Observed;
use crate::reconcile::apply::{ApplyOptions, Progress};
use crate::reconcile::controller::Controller;
use crate::reconcile::goal::{Goal, PlanOptions};
use crate::reconcile::plan::Plan;
use crate::reconcile::report::{Report, StepOutcome, error_chain};
use crate::reconcile::{Error, check, contents, propose, reconcile, render};
use crate::source;
use crate::spec::{SourceText, diagnostic};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long manifests must be quiet before they are read: an editor or git writes several files.
const QUIET: Duration = Duration::from_millis(150);
/// Between two full passes: what nothing tells of (a limit edited, a bridge gone) is seen this late.
const PERIOD: SignedDuration = SignedDuration::from_secs(10);
/// Between two reads of manifests that nothing tells of, as on a file system without inotify.
const READ_AGAIN: Duration = Duration::from_secs(10);
/// An init that ends sooner after its start has failed, rather than been killed.
const SHORT_LIFE: Duration = Duration::from_secs(2);
/// So many short lives in a row are healed at once; each further one waits twice as long as the last.
const PATIENCE: u32 = 5;
/// Between two looks at the flag that Ctrl-C sets.
const CANCEL_POLL: Duration = Duration::from_millis(200);

/// What the loop is told.
pub enum Event {
    /// Something about the manifests may have changed.
    Manifests,
    /// This container's init has ended.
    Ended(Key),
    /// A full pass, now.
    Pass,
}

/// What others may know of the loop, and what keeps it from acting at the same time as they.
pub struct Shared {
    /// Held by whoever changes the host.
    pub writer: Mutex<()>,
    pub followed: Mutex<Followed>,
    /// Tells the loop.
    pub events: Mutex<Option<Sender<Event>>>,
}

/// What is followed, as last loaded well.
#[derive(Default)]
pub struct Followed {
    pub status: Option<FollowStatus>,
    pub texts: Vec<SourceText>,
    pub desired: Option<Desired>,
}

impl Shared {
    pub fn new() -> Arc<Shared> {
        Arc::new(Shared {
            writer: Mutex::new(()),
            followed: Mutex::new(Followed::default()),
            events: Mutex::new(None),
        })
    }

    pub fn writer(&self) -> MutexGuard<'_, ()> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn followed(&self) -> MutexGuard<'_, Followed> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a full pass.
    pub fn ask_for_pass(&self) {
        if let Some(events) = self.events.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            // A loop that has ended makes no more passes.
            let _ = events.send(Event::Pass);
        }
    }
}

/// `apply --watch`: the loop alone.
pub fn run(
    bay: &Arc<Bay>,
    paths: &[PathBuf],
    actor: String,
    cancel: &'static AtomicBool,
) -> anyhow::Result<()> {
    super::serve::begin_log();
    let paths = if paths.is_empty() { vec![default_path()] } else { paths.to_vec() };
    Follower::new(bay, paths, actor, &Shared::new())?.run(cancel);
    Ok(())
}

/// What is read when no path is named.
fn default_path() -> PathBuf {
    let file = PathBuf::from(source::DEFAULT_FILE);
    if file.is_file() { file } else { PathBuf::from(".") }
}

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
    lives: BTreeMap<Key, Life>,
    /// When manifests are to be read.
    read_at: Option<Instant>,
    /// Whether the manifests have changed since the last pass that was done.
    changed: bool,
    /// The contents of files and secrets, as of the last pass.
    contents: Contents,
    /// The drift that was said last, where drift is only reported.
    reported: String,
    /// What waits for a confirmation, as it was said last.
    waiting: String,
}

/// Of one container's inits.
struct Life {
    began: Instant,
    /// How many in a row were short.
    short: u32,
}

impl Follower {
    pub fn new(
        bay: &Arc<Bay>,
        paths: Vec<PathBuf>,
        actor: String,
        shared: &Arc<Shared>,
    ) -> anyhow::Result<Follower> {
        let (sender, events) = channel();
        *shared.events.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender.clone());
        let mut absolute = vec![];
        for path in paths {
            absolute.push(std::path::absolute(path)?);
        }
        if let Some(path) = absolute.first() {
            shared.followed().status = Some(FollowStatus { path: path.clone(), ..FollowStatus::default() });
        }
        let watch = (!absolute.is_empty()).then(|| Watch::new(absolute.clone(), sender.clone()));
        Ok(Follower {
            bay: Arc::clone(bay),
            read_at: watch.is_some().then(Instant::now),
            paths: absolute,
            actor,
            shared: Arc::clone(shared),
            controller: Controller::new(Timestamp::now(), SignedDuration::ZERO, PERIOD),
            events,
            watch,
            inits: Inits::new(sender)?,
            lives: BTreeMap::new(),
            changed: true,
            contents: Contents::new(),
            reported: String::new(),
            waiting: String::new(),
        })
    }

    /// Until `cancel` is set.
    pub fn run(mut self, cancel: &AtomicBool) {
        while !cancel.load(Ordering::Relaxed) {
            if self.read_at.is_some_and(|at| at <= Instant::now()) {
                self.read_at = self.watch.is_some().then(|| Instant::now() + READ_AGAIN);
                self.read();
            }
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
            Event::Ended(key) => {
                let wait = self.wait_before_heal(&key);
                match wait {
                    Duration::ZERO => tracing::info!("{key}: init has ended"),
                    _ => tracing::warn!("{key}: init ends again and again; it is started in {wait:?}"),
                }
                let wait = SignedDuration::try_from(wait).unwrap_or(PERIOD);
                let at = Timestamp::now().checked_add(wait).unwrap_or(Timestamp::MAX);
                self.controller.mark_dirty([key], at);
            }
            Event::Pass => self.controller.mark_all(Timestamp::now()),
        }
    }

    /// Zero, unless its inits end as soon as they are started.
    fn wait_before_heal(&mut self, key: &Key) -> Duration {
        let now = Instant::now();
        let life = self.lives.entry(key.clone()).or_insert(Life { began: now, short: 0 });
        let lived = now.duration_since(life.began);
        life.short = if lived < SHORT_LIFE { life.short.saturating_add(1) } else { 0 };
        let doubled = life.short.saturating_sub(PATIENCE).min(6);
        if doubled == 0 { Duration::ZERO } else { Duration::from_secs(1 << (doubled - 1)) }
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
        }
        tracing::info!("site {}: {} objects", loaded.desired.site, loaded.desired.objects.len());
        followed.texts = texts;
        followed.desired = Some(loaded.desired);
        self.changed = true;
        self.controller.mark_all(Timestamp::now());
        Ok(())
    }

    fn pass(&mut self, cancel: &AtomicBool) {
        let desired = self.shared.followed().desired.clone();
        let goal = match &desired {
            Some(desired) => Goal::Site(desired),
            None => Goal::Recorded,
        };
        let now = Timestamp::now();
        let mut options = PlanOptions::new(now, uuid::Uuid::new_v4().into_bytes(), &self.actor);
        if let Some(desired) = &desired {
            options.missing_paths = self.bay.missing(check::paths_to_check(desired));
        }
        self.look_at_contents(&goal);
        let shared = Arc::clone(&self.shared);
        let _writing = shared.writer();
        let only_report = desired.as_ref().is_some_and(only_reports) && !self.changed;
        let result = if only_report {
            self.controller = Controller::new(next_period(now), SignedDuration::ZERO, PERIOD);
            propose(self.bay.driver(), &goal, &options).map(|plan| {
                let drift = match plan.is_empty() {
                    true => String::new(),
                    false => render::plan_text(&plan, render::TextOptions::default()),
                };
                if !drift.is_empty() && drift != self.reported {
                    tracing::warn!("drift, reported only\n{drift}");
                }
                self.reported = drift;
                None
            })
        } else {
            let apply = ApplyOptions {
                workers: std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 8),
                cancel,
                deadline: None,
                progress: &say,
                now,
                actor: &self.actor,
            };
            let passed = self.controller.pass(self.bay.driver(), &goal, &options, &apply);
            if let (Err(Error::Guarded { .. } | Error::Plan(_)), Some(_)) = (&passed, &desired) {
                self.heal(&options, &apply);
            }
            passed.map(|passed| {
                passed.map(|(plan, report)| {
                    self.tell_waiting(&plan);
                    report
                })
            })
        };
        self.learn(result.map_err(|error| error_chain(&error).join(": ")), now);
    }

    /// A secret or a file beside the manifests that has changed is a change of what is declared.
    fn look_at_contents(&mut self, goal: &Goal<'_>) {
        let Goal::Site(_) = goal else { return };
        let wanted = contents::wanted(goal, &Observed::default());
        match self.bay.driver().digests(&wanted) {
            Ok(contents) => {
                self.changed |= contents != self.contents;
                self.contents = contents;
            }
            // The pass itself says it.
            Err(error) => tracing::debug!("{}", error_chain(&error).join(": ")),
        }
    }

    /// A site that cannot be applied as it is now must not keep what was applied from being healed.
    fn heal(&self, options: &PlanOptions, apply: &ApplyOptions<'_>) {
        let options = PlanOptions { only: BTreeSet::new(), ..options.clone() };
        if let Err(error) = reconcile(self.bay.driver(), &Goal::Recorded, &options, apply) {
            tracing::error!("what was last declared cannot be healed: {}", error_chain(&error).join(": "));
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

    fn learn(&mut self, result: Result<Option<Report>, String>, now: Timestamp) {
        let problem = match result {
            Err(problem) => Some(problem),
            Ok(report) => report.as_ref().and_then(first_failure),
        };
        self.changed &= problem.is_some();
        match self.bay.driver().observe(&Scope::All) {
            Ok(observed) => {
                for key in self.inits.update(&self.bay, &observed) {
                    let short = self.lives.get(&key).map_or(0, |life| life.short);
                    self.lives.insert(key, Life { began: Instant::now(), short });
                }
            }
            // What is not watched is still seen by the next full pass; it must not be far.
            Err(error) => {
                tracing::warn!("{}", error_chain(&error).join(": "));
                let soon = now.checked_add(SignedDuration::from_secs(1)).unwrap_or(Timestamp::MAX);
                self.controller.mark_all(soon);
            }
        }
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

fn next_period(now: Timestamp) -> Timestamp {
    now.checked_add(PERIOD).unwrap_or(Timestamp::MAX)
}

fn only_reports(desired: &Desired) -> bool {
    desired
        .objects
        .values()
        .any(|object| matches!(&object.spec, Spec::Site(site) if site.heal == Heal::Report))
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
