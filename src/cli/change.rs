//! Every verb that changes something: plan → show → ask → apply → report.
//!
//! ```text
//! plan ──► nothing to do ──► 0;  3 where something is broken
//!   ├────► a guard ────────► 4
//!   ├────► no, or Ctrl-C ──► 4
//!   └────► apply ──► 0 | 3;  moved since it was shown ──► plan again;  a new root not ready ──► rollback's plan, 3
//! ```

use super::connection::{Connection, Shown as Match};
use super::exit::Exit;
use super::interrupt;
use super::manifests::Shown;
use super::outcomes;
use super::output::{Chatter, Output, complain};
use super::progress::Display;
use super::question::{self, Consent};
use super::session::Session;
use crate::api::error::FailureKind;
use crate::api::types::{Approval, GoalRequest, OUTPUT_VERSION, PlanRequest};
use crate::model::key::Key;
use crate::model::step::Class;
use crate::reconcile::plan::Plan;
use crate::reconcile::render::outline::{self, Outline};
use crate::reconcile::render::{self, TextOptions};
use crate::reconcile::report::{Report, StepOutcome};
use crate::reconcile::rollback;
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

/// How often a plan is made anew because the host moved.
const ATTEMPTS: u32 = 5;

/// Colours are always written; the output takes them away where they do not belong.
pub const SHOWN: TextOptions = TextOptions { colour: true, steps: false };

/// What a verb wants.
pub struct Change<'a> {
    /// The verb, for others who come to a locked state folder, and for records.
    pub verb: &'a str,
    pub request: PlanRequest,
    pub consent: Consent,
    /// The texts that findings point into.
    pub excerpts: Shown,
    pub matching: Match,
    /// Why the plan must not be carried out.
    pub guard: &'a dyn Fn(&Plan) -> Option<String>,
}

#[derive(Serialize)]
struct ChangeJson {
    version: u32,
    plan: serde_json::Value,
    report: Option<Report>,
    /// Plan and report of the rollback, where a new root was not ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    rollback: Option<serde_json::Value>,
}

impl ChangeJson {
    fn new(plan: &Plan, report: Option<Report>) -> ChangeJson {
        ChangeJson { version: OUTPUT_VERSION, plan: render::plan_json(plan), report, rollback: None }
    }
}

/// Carries a change out and says how it went.
pub fn run(session: &Session, mut change: Change<'_>) -> anyhow::Result<Exit> {
    let cancel = interrupt::flag();
    let out = session.out.even_unread();
    let connection = Connection::writer(session, change.verb)?;
    if change.request.goal.may_start() {
        connection.wake()?;
    }
    for _ in 0..ATTEMPTS {
        let plan = connection.plan(&change.request).map_err(|failure| change.excerpts.tell(failure))?;
        out.text(&render::plan_text(&plan, SHOWN))?;
        if let Some(guard) = plan.guards.first() {
            finish(out, &plan, None)?;
            complain(&format!("stopped: {}; nothing was changed", guard.words()));
            return Ok(Exit::Declined);
        }
        if plan.is_empty() && waiting(&change, &plan) == Approval::None {
            finish(out, &plan, None)?;
            return Ok(standing(&plan));
        }
        if let Some(reason) = (change.guard)(&plan) {
            finish(out, &plan, None)?;
            complain(&format!("stopped: {reason}; nothing was changed"));
            return Ok(Exit::Declined);
        }
        match ask(&change, &plan, cancel) {
            Answer::Yes => {}
            Answer::AlsoWaiting(approval) => {
                change.request.approval = approval;
                continue;
            }
            Answer::No => {
                finish(out, &plan, None)?;
                complain("declined; nothing was changed");
                return Ok(Exit::Declined);
            }
        }
        if plan.is_empty() {
            finish(out, &plan, None)?;
            return Ok(standing(&plan));
        }
        let display = Display::new(out, plan.steps.len());
        let progress = |line| display.show(&line);
        let applied = connection.apply(&change.request, &plan, change.matching, cancel, &progress);
        display.end();
        match applied {
            Err(failure) if failure.kind == FailureKind::Moved => out.progress(&failure.message),
            Err(failure) => return Err(change.excerpts.tell(failure)),
            Ok(report) => {
                if out.chatter == Chatter::Progress {
                    out.text(&outcomes::table(&plan, &report))?;
                }
                out.text(&render::report_text(&report, SHOWN))?;
                let exit = exit(&plan, &report);
                let back = rollback::due(&plan, &report);
                let taken_back = match back.is_empty() {
                    true => None,
                    false => Some(take_back(out, &connection, &change, (back, cancel))?),
                };
                out.outline(|| outline::report(&plan, &report))?;
                let json = ChangeJson { rollback: taken_back, ..ChangeJson::new(&plan, Some(report)) };
                out.json(&json)?;
                return Ok(exit);
            }
        }
    }
    anyhow::bail!("the host changed again and again while the plan was shown; try again")
}

/// The plan that gives containers back the root that a new one took the place of, and what came of it.
fn take_back(
    out: Output,
    connection: &Connection,
    change: &Change<'_>,
    (keys, cancel): (BTreeSet<Key>, &AtomicBool),
) -> anyhow::Result<serde_json::Value> {
    let request = PlanRequest::new(GoalRequest::Rollback(keys), change.request.actor.clone());
    let plan = connection.plan(&request)?;
    out.text("rollback of what was not ready with its new root:")?;
    out.text(&render::plan_text(&plan, SHOWN))?;
    let display = Display::new(out, plan.steps.len());
    let progress = |line| display.show(&line);
    let applied = connection.apply(&request, &plan, Match::MayMove, cancel, &progress);
    display.end();
    let report = applied?;
    out.text(&render::report_text(&report, SHOWN))?;
    Ok(json!({"plan": render::plan_json(&plan), "report": report}))
}

enum Answer {
    Yes,
    /// What waits is approved too.
    AlsoWaiting(Approval),
    No,
}

fn ask(change: &Change<'_>, plan: &Plan, cancel: &AtomicBool) -> Answer {
    if cancel.load(Ordering::Relaxed) {
        return Answer::No;
    }
    if change.consent == Consent::Given {
        return Answer::Yes;
    }
    let approval = waiting(change, plan);
    let also = match (approval.restarts(), approval.replaces()) {
        (false, false) => None,
        (true, false) => Some("Restart what waits for it, too?"),
        (false, true) => Some("Replace the roots that wait for it, too?"),
        (true, true) => Some("Restart and replace what waits for it, too?"),
    };
    if also.is_some_and(|also| question::ask(also, cancel)) {
        return Answer::AlsoWaiting(approval);
    }
    if plan.is_empty() || question::ask(&question(plan), cancel) { Answer::Yes } else { Answer::No }
}

/// A yes confirms what prune takes, too.
fn question(plan: &Plan) -> String {
    match plan.prune.iter().filter(|intent| !intent.waits).map(|intent| intent.count).sum::<usize>() {
        0 => "Apply?".to_owned(),
        1 => "Apply, and prune 1 object?".to_owned(),
        count => format!("Apply, and prune {count} objects?"),
    }
}

/// What a yes would approve besides the plan.
fn waiting(change: &Change<'_>, plan: &Plan) -> Approval {
    if change.consent != Consent::Ask || change.request.approval != Approval::None {
        return Approval::None;
    }
    let waits = |class| plan.pending.iter().any(|pending| pending.askable && pending.class == class);
    Approval::new(waits(Class::Restart), waits(Class::Replace))
}

/// With nothing to do: what is broken was not brought to its goal.
fn standing(plan: &Plan) -> Exit {
    if plan.broken.is_empty() { Exit::Done } else { Exit::Incomplete }
}

/// Ctrl-C before the first step counts as declined.
fn exit(plan: &Plan, report: &Report) -> Exit {
    let nothing_begun = report.steps.iter().all(|step| step.outcome == StepOutcome::Skipped);
    match report.is_done() {
        true => standing(plan),
        false if nothing_begun => Exit::Declined,
        false => Exit::Incomplete,
    }
}

fn finish(out: Output, plan: &Plan, report: Option<Report>) -> anyhow::Result<()> {
    out.outline(|| match &report {
        None => Outline { verb: "apply", ..outline::plan(plan) },
        Some(report) => outline::report(plan, report),
    })?;
    out.json(&ChangeJson::new(plan, report))
}
