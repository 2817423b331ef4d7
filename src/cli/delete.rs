//! `delete`: removes objects from the host; manifests are not needed.

use super::allow::Allow;
use super::change::{self, Change};
use super::connection::Shown as Match;
use super::exit::Exit;
use super::failure::Usage;
use super::key::parse_key;
use super::manifests::{FromArgs, Shown};
use super::question::Consent;
use super::session::Session;
use crate::api::types::{GoalRequest, PlanRequest};
use crate::model::key::Key;
use crate::reconcile::goal::DeletionApproval;
use crate::reconcile::plan::Plan;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The objects to remove
    #[arg(value_name = "KEY", value_parser = parse_key)]
    keys: Vec<Key>,
    /// Everything that Bayplan has made on this host
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    from: FromArgs,
    /// Lifts the guard of --all and -f; with a number, up to so many objects
    #[arg(long, value_name = "delete[=N]", value_parser = deletion)]
    allow: Option<Allow>,
    /// Put containers out of service instead, and keep them for their site's grace: `undelete` brings them back
    #[arg(long, conflicts_with_all = ["all", "file"])]
    park: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

pub fn run(session: &Session, args: &Args) -> anyhow::Result<Exit> {
    let (goal, shown) = goal(args)?;
    let request = PlanRequest::new(goal, session.actor("delete"));
    let consent = Consent::new(args.yes.into());
    let guard = |plan: &Plan| guard(args, plan);
    change::run(
        session,
        Change {
            verb: "delete",
            request,
            consent,
            excerpts: shown,
            matching: Match::MustMatch,
            guard: &guard,
        },
    )
}

fn goal(args: &Args) -> anyhow::Result<(GoalRequest, Shown)> {
    match (args.keys.as_slice(), args.all, args.from.file.is_empty()) {
        ([_, ..], false, true) if args.park => Ok((GoalRequest::Park(args.keys.clone()), Shown::default())),
        ([_, ..], false, true) => Ok((GoalRequest::Delete(args.keys.clone()), Shown::default())),
        ([], true, true) => Ok((GoalRequest::DeleteAll, Shown::default())),
        ([], false, false) => {
            let shown = args.from.read()?;
            Ok((GoalRequest::DeleteDeclared(shown.manifests()), shown))
        }
        _ => {
            Err(Usage("name what to delete: KEY…, or --all, or -f PATH, and only one of them".to_owned())
                .into())
        }
    }
}

/// Named keys are their own approval, up to the number that `delete=N` gives; --all and -f need it said.
fn guard(args: &Args, plan: &Plan) -> Option<String> {
    let count = plan.objects.values().filter(|change| change.after.is_none()).count();
    match Allow::deletions(&Vec::from_iter(args.allow)) {
        DeletionApproval::AtMost(most) if count > most => Some(format!(
            "{count} objects would be deleted, {most} are allowed; --allow delete={count} lifts this"
        )),
        DeletionApproval::AtMost(_) | DeletionApproval::Any => None,
        _ if args.keys.is_empty() => {
            Some(format!("{count} objects would be deleted; --allow delete={count} lifts this"))
        }
        _ => None,
    }
}

fn deletion(text: &str) -> Result<Allow, String> {
    match text.parse()? {
        Allow::Restart => Err("write `delete` or `delete=N`".to_owned()),
        allow => Ok(allow),
    }
}
