//! `heal`: one object back to what was last declared. Monitors run it; people use apply.

use super::change::{self, Change};
use super::connection::Shown as Match;
use super::exit::Exit;
use super::key::parse_key;
use super::manifests::Shown;
use super::question::Consent;
use super::session::Session;
use crate::api::types::{GoalRequest, PlanRequest};
use crate::model::key::Key;
use std::collections::BTreeSet;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[arg(value_name = "KEY", value_parser = parse_key)]
    key: Key,
}

pub fn run(session: &Session, args: &Args) -> anyhow::Result<Exit> {
    let request = PlanRequest {
        only: BTreeSet::from([args.key.clone()]),
        ..PlanRequest::new(GoalRequest::Recorded, session.actor("heal"))
    };
    let guard = |_: &_| None;
    let (consent, excerpts, matching) = (Consent::Given, Shown::default(), Match::MayMove);
    change::run(session, Change { verb: "heal", request, consent, excerpts, matching, guard: &guard })
}
