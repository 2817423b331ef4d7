//! `apply`: brings the host to what the manifests say.

use super::change::{self, Change};
use super::connection::Shown;
use super::exit::Exit;
use super::key::parse_key;
use super::manifests::FromArgs;
use super::plan::Allow;
use super::question::Consent;
use super::session::Session;
use crate::api::types::{GoalRequest, PlanRequest};
use crate::model::key::Key;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    from: FromArgs,
    /// Only these objects, and what they need
    #[arg(long, value_name = "KEY", value_parser = parse_key, value_delimiter = ',')]
    only: Vec<Key>,
    /// Approve what else would wait
    #[arg(long, value_name = "WHAT", value_enum, value_delimiter = ',')]
    allow: Vec<Allow>,
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
    let request = PlanRequest {
        goal: GoalRequest::Site(shown.manifests()),
        only: args.only.iter().cloned().collect(),
        approval: Allow::approval(&args.allow),
        actor: session.actor("apply"),
    };
    let consent = Consent::new(args.yes.into());
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
