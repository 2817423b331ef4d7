//! `apply`: brings the host to what the manifests say.

use super::allow::Allow;
use super::change::{self, Change};
use super::connection::Shown;
use super::exit::Exit;
use super::key::parse_key;
use super::manifests::FromArgs;
use super::question::Consent;
use super::session::Session;
use crate::api::types::{GoalRequest, PlanRequest};
use crate::model::key::Key;
use crate::reconcile::goal::DeletionApproval;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    from: FromArgs,
    /// Only these objects, and what they need
    #[arg(long, value_name = "KEY", value_parser = parse_key, value_delimiter = ',')]
    only: Vec<Key>,
    /// Approve what else would wait or be stopped: restart, replace, delete, delete=N (at most N objects)
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    allow: Vec<Allow>,
    /// Take objects from the site that owns them
    #[arg(long)]
    take_ownership: bool,
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
    let shown = args.from.read()?;
    let consent = Consent::new(args.yes.into());
    let deletions = match Allow::deletions(&args.allow) {
        // The plan shows what would go, and the answer to its question is about that too.
        DeletionApproval::None if consent == Consent::Ask => DeletionApproval::Confirmed,
        said => said,
    };
    let request = PlanRequest {
        only: args.only.iter().cloned().collect(),
        approval: Allow::approval(&args.allow),
        deletions,
        take_ownership: args.take_ownership,
        ..PlanRequest::new(GoalRequest::Site(shown.manifests()), session.actor("apply"))
    };
    let guard = |_: &_| None;
    let change = Change {
        verb: "apply",
        request,
        consent,
        excerpts: shown,
        matching: Shown::MustMatch,
        guard: &guard,
    };
    change::run(session, change)
}
