//! `export`: what was last declared as a minimal site.

use super::connection::Connection;
use super::exit::Exit;
use super::key::parse_key;
use super::output::Format;
use super::session::Session;
use crate::api::types::ExportRequest;
use crate::model::key::Key;
use crate::spec::emit;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// These objects and what they need [default: a whole site]
    #[arg(value_name = "KEY", value_parser = parse_key)]
    keys: Vec<Key>,
    /// Which site, where there are several
    #[arg(long, value_name = "NAME", conflicts_with = "keys")]
    site: Option<String>,
}

pub fn run(session: &Session, args: &Args) -> anyhow::Result<Exit> {
    let keys = args.keys.iter().cloned().collect();
    let request = ExportRequest { keys, site: args.site.clone(), alone: false };
    let export = Connection::reader(session)?.export(&request)?;
    if session.out.format == Format::Json {
        session.out.json(&export)?;
    } else {
        session.out.raw(emit::documents(&export.documents).as_bytes())?;
    }
    Ok(Exit::Done)
}
