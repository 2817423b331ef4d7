//! `undelete`: a parked object comes back, with the same data, addresses and ids.

use super::change::{self, Change};
use super::connection::Shown as Match;
use super::exit::Exit;
use super::key::parse_key;
use super::manifests::Shown;
use super::question::Consent;
use super::session::Session;
use crate::api::types::{GoalRequest, PlanRequest};
use crate::model::key::Key;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The object, or the ContainerSet whose parked members come back; `bayplan get --parked` lists them
    #[arg(value_name = "KEY", value_parser = parse_key)]
    key: Key,
}

pub fn run(session: &Session, args: &Args) -> anyhow::Result<Exit> {
    let request = PlanRequest::new(GoalRequest::Undelete(args.key.clone()), session.actor("undelete"));
    let guard = |_: &_| None;
    let (consent, excerpts, matching) = (Consent::Given, Shown::default(), Match::MayMove);
    change::run(session, Change { verb: "undelete", request, consent, excerpts, matching, guard: &guard })
}
