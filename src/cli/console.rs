//! `console`: the container's own terminal, that of its init.

use super::connection::Connection;
use super::exit::Exit;
use super::key::parse_key;
use super::session::Session;
use super::terminal::{self, Detach, Far, Raw};
use crate::model::key::Key;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The container
    #[arg(value_name = "KEY", value_parser = parse_key)]
    key: Key,
}

pub fn run(session: &Session, args: &Args) -> anyhow::Result<Exit> {
    let (columns, rows) = terminal::size();
    let console = Connection::reader(session)?.attach_console(&args.key, columns, rows)?;
    session.out.progress("attached; ctrl-a q detaches");
    let raw = Raw::enter()?;
    let resize = |columns, rows| console.resize(columns, rows);
    terminal::pump(&Far { stream: console.stream(), over: None, resize: &resize }, Detach::OnPrefixQ)?;
    drop(raw);
    session.out.progress("detached");
    Ok(Exit::Done)
}
