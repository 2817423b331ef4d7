//! `plan --watch`: the plan again whenever the manifests change or the host does, until Ctrl-C. Changes nothing.
//!
//! ```text
//! look ─► the manifests as they are now ─ planned ──────────────────────► shown, if they or what it does changed
//!   ▲             └─ broken: said once ─► the last good ones, planned ──┘       │
//!   └───────────────── manifests edited, or some time has passed ◄──────────────┘
//! ```

use super::Args;
use crate::api::error::{Failure, FailureKind};
use crate::cli::connection::Connection;
use crate::cli::daemon::followed;
use crate::cli::exit::Exit;
use crate::cli::failure::{self, Usage};
use crate::cli::interrupt;
use crate::cli::manifests::Shown;
use crate::cli::output::{Format, complain};
use crate::cli::session::Session;
use crate::daemon::follow::QUIET;
use crate::daemon::manifests::Watch;
use crate::daemon::operations::plan::digest;
use crate::daemon::shared::Event;
use crate::reconcile::plan::{Broken, Hold, Plan};
use crate::spec::SourceText;
use jiff::Timestamp;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Between two looks at a host that tells of nothing.
const LOOK: Duration = Duration::from_secs(2);

/// Between two looks at the flag that Ctrl-C sets.
const CANCEL_POLL: Duration = Duration::from_millis(100);

pub fn run(session: &Session, args: &Args) -> anyhow::Result<Exit> {
    if !matches!(session.out.format, Format::Text | Format::Json) {
        return Err(Usage("`plan --watch` has -o text and -o json".to_owned()).into());
    }
    let paths = followed(&args.from)?;
    let paths = paths.iter().map(std::path::absolute).collect::<Result<Vec<PathBuf>, _>>()?;
    let (sender, events) = channel();
    let mut watch = Watch::new(paths, sender);
    let mut watched = Watched { session, args, good: None, seen: None, problem: None };
    while !interrupt::flag().load(Ordering::Relaxed) {
        watched.look()?;
        if wait(&events) {
            watch.renew();
        }
    }
    Ok(Exit::Done)
}

/// Until the next look is due; answers whether manifests were touched.
fn wait(events: &Receiver<Event>) -> bool {
    let (mut until, mut touched) = (Instant::now() + LOOK, false);
    while !interrupt::flag().load(Ordering::Relaxed) {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        if events.recv_timeout(left.min(CANCEL_POLL)).is_ok() {
            (until, touched) = (until.min(Instant::now() + QUIET), true);
        }
    }
    touched
}

struct Watched<'a> {
    session: &'a Session,
    args: &'a Args,
    /// The manifests that were planned last.
    good: Option<Shown>,
    /// What was shown last.
    seen: Option<Seen>,
    /// What was said last, while it is so.
    problem: Option<Failure>,
}

/// What two plans share that need not be shown both.
#[derive(PartialEq)]
struct Seen {
    texts: Vec<SourceText>,
    digest: String,
    holds: Vec<Hold>,
    broken: Vec<Broken>,
}

impl Watched<'_> {
    fn look(&mut self) -> anyhow::Result<()> {
        let now = match self.args.from.read() {
            Ok(shown) => {
                self.plan(&shown).map(|plan| (plan, shown.clone())).map_err(|failure| (failure, shown))
            }
            Err(failure) => Err((failure, Shown::default())),
        };
        match now {
            Ok((plan, shown)) => {
                if self.problem.take().is_some() {
                    // What is whole again is shown, be it as before.
                    self.seen = None;
                }
                self.good = Some(shown.clone());
                self.show(&plan, &shown)
            }
            // Nobody waits for what cannot even begin.
            Err((failure, shown)) if self.good.is_none() && failure.kind != FailureKind::Findings => {
                Err(shown.tell(failure))
            }
            Err((failure, shown)) => {
                self.say(failure, &shown);
                let Some(good) = self.good.clone() else { return Ok(()) };
                // Where the host cannot be looked at, that is said already.
                self.plan(&good).map_or(Ok(()), |plan| self.show(&plan, &good))
            }
        }
    }

    /// Another connection each time: a daemon may come and go.
    fn plan(&self, shown: &Shown) -> Result<Plan, Failure> {
        Connection::reader(self.session)?.plan(&super::request(self.session, self.args, shown))
    }

    fn show(&mut self, plan: &Plan, shown: &Shown) -> anyhow::Result<()> {
        let (holds, broken) = (plan.holds.clone(), plan.broken.clone());
        let seen = Seen { texts: shown.texts.clone(), digest: digest(plan), holds, broken };
        let why = match &self.seen {
            Some(before) if *before == seen => return Ok(()),
            None => "as it is now",
            Some(before) if before.texts != seen.texts => "the manifests changed",
            Some(_) => "the host changed",
        };
        self.seen = Some(seen);
        self.session.out.text(&time_line(why))?;
        super::show(self.session, plan, shown)
    }

    /// Once, as long as it is so.
    fn say(&mut self, failure: Failure, shown: &Shown) {
        if self.problem.as_ref() == Some(&failure) {
            return;
        }
        self.problem = Some(failure.clone());
        complain(&time_line(match self.good {
            None => "no plan yet",
            Some(_) => "the last good manifests are planned on",
        }));
        failure::show(self.session, &shown.tell(failure));
    }
}

fn time_line(why: &str) -> String {
    format!("--- {:.0}: {why}", Timestamp::now())
}
