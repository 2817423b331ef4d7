//! `apply`: brings the host to what the manifests say.

use super::allow::Allow;
use super::change::{self, Change};
use super::connection::Shown as Match;
use super::exit::Exit;
use super::manifests::{FromArgs, Shown};
use super::only::OnlyArgs;
use super::question::Consent;
use super::saved_plan;
use super::session::Session;
use crate::api::error::Failure;
use crate::api::saved::SavedPlan;
use crate::api::types::{Approval, GoalRequest, PlanRequest};
use crate::daemon::operations::saved::refuse_other_state;
use crate::reconcile::goal::DeletionApproval;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    from: FromArgs,
    #[command(flatten)]
    only: OnlyArgs,
    /// Approve what else would wait or be stopped: restart, replace, delete, delete=N (at most N objects)
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    allow: Vec<Allow>,
    /// Take objects from the site that owns them
    #[arg(long)]
    take_ownership: bool,
    /// Carry out a plan that `plan --out` saved; refused where the host has moved since
    #[arg(long, value_name = "FILE", conflicts_with_all = ["file", "only", "take_ownership", "watch"])]
    plan: Option<PathBuf>,
    /// Stay, and keep the host at what the manifests say; without a question
    #[arg(long, conflicts_with_all = ["only", "allow"])]
    watch: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

pub fn run(session: &Session, args: &Args) -> anyhow::Result<Exit> {
    if args.watch {
        return super::daemon::watch(session, &args.from);
    }
    let (request, shown) = match &args.plan {
        Some(file) => saved(session, args, file)?,
        None => asked(session, args)?,
    };
    let guard = |_: &_| None;
    let change = Change {
        verb: "apply",
        request,
        consent: Consent::new(args.yes.into()),
        excerpts: shown,
        matching: Match::MustMatch,
        guard: &guard,
    };
    change::run(session, change)
}

fn asked(session: &Session, args: &Args) -> Result<(PlanRequest, Shown), Failure> {
    let shown = args.from.read()?;
    let deletions = match Allow::deletions(&args.allow) {
        // The plan shows what would go, and the answer to its question is about that too.
        DeletionApproval::None if Consent::new(args.yes.into()) == Consent::Ask => {
            DeletionApproval::Confirmed
        }
        said => said,
    };
    let request = PlanRequest {
        only: args.only.keys(),
        only_like: args.only.patterns(),
        approval: Allow::approval(&args.allow),
        deletions,
        take_ownership: args.take_ownership,
        ..PlanRequest::new(GoalRequest::Site(shown.manifests()), session.actor("apply"))
    };
    Ok((request, shown))
}

/// What was approved when the plan was made stays approved; more can be approved now.
fn saved(session: &Session, args: &Args, file: &Path) -> Result<(PlanRequest, Shown), Failure> {
    let plan = saved_plan::read(file)?;
    let shown = Shown { texts: plan.manifests().texts() };
    let SavedPlan { request, basis, .. } = plan;
    // Before the lock is taken, which makes the state folder.
    refuse_other_state(&basis.home, &session.places)?;
    let (before, now) = (request.approval, Allow::approval(&args.allow));
    let approval = Approval::new(before.restarts() || now.restarts(), before.replaces() || now.replaces());
    let deletions = match Allow::deletions(&args.allow) {
        DeletionApproval::None => request.deletions,
        said => said,
    };
    let basis = Some(Box::new(basis));
    Ok((PlanRequest { approval, deletions, actor: session.actor("apply"), basis, ..request }, shown))
}
