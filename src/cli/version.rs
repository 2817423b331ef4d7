//! `version`

use super::exit::Exit;
use super::session::Session;
use crate::api::types::OUTPUT_VERSION;
use serde::Serialize;

#[derive(Debug, clap::Args)]
pub struct Args {}

#[derive(Serialize)]
struct VersionJson {
    version: u32,
    bayplan: &'static str,
}

pub fn run(session: &Session, _args: &Args) -> anyhow::Result<Exit> {
    let bayplan = env!("CARGO_PKG_VERSION");
    session.out.text(&format!("bayplan {bayplan}"))?;
    session.out.json(&VersionJson { version: OUTPUT_VERSION, bayplan })?;
    Ok(Exit::Done)
}
