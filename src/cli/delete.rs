//! `delete`: removes objects from the host; manifests are not needed.

use super::change::{self, Change};
use super::connection::Shown as Match;
use super::exit::Exit;
use super::failure::Usage;
use super::key::parse_key;
use super::manifests::{FromArgs, Shown};
use super::question::Consent;
use super::session::Session;
use crate::api::types::{Approval, GoalRequest, PlanRequest};
use crate::model::key::Key;
use crate::reconcile::plan::Plan;
use std::collections::BTreeSet;
use std::str::FromStr;

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
    #[arg(long, value_name = "delete[=N]")]
    allow: Option<AllowDelete>,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

/// `--allow delete` or `--allow delete=N`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct AllowDelete {
    /// None: any number.
    most: Option<usize>,
}

impl FromStr for AllowDelete {
    type Err = String;

    fn from_str(text: &str) -> Result<AllowDelete, String> {
        match text.split_once('=') {
            None if text == "delete" => Ok(AllowDelete { most: None }),
            Some(("delete", number)) => {
                let most = number.parse().map_err(|_| format!("`{number}` is no number; write delete=12"))?;
                Ok(AllowDelete { most: Some(most) })
            }
            _ => Err("write `delete` or `delete=N`".to_owned()),
        }
    }
}

pub fn run(session: &Session, args: &Args) -> anyhow::Result<Exit> {
    let (goal, shown) = goal(args)?;
    let request =
        PlanRequest { goal, only: BTreeSet::new(), approval: Approval::None, actor: session.actor("delete") };
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
    match args.allow {
        Some(AllowDelete { most: None }) => None,
        Some(AllowDelete { most: Some(most) }) if count <= most => None,
        Some(AllowDelete { most: Some(most) }) => Some(format!(
            "{count} objects would be deleted, {most} are allowed; --allow delete={count} lifts this"
        )),
        None if args.keys.is_empty() => {
            Some(format!("{count} objects would be deleted; --allow delete={count} lifts this"))
        }
        None => None,
    }
}
