//! `console`: the container's own terminal, that of its init.

use super::connection::Connection;
use super::exit::Exit;
use super::key::parse_key;
use super::session::Session;
use super::terminal::{self, Detach, Ended, Far, Raw};
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
    let far = Far { stream: console.stream(), over: None, resize: &resize };
    let ended = terminal::pump(&far, Detach::OnPrefixQ)?;
    drop(raw);
    session.out.progress(match ended {
        Ended::Detached => "detached",
        Ended::Input => "detached: standard input has ended",
        Ended::Far => "detached: the console has ended",
    });
    Ok(Exit::Done)
}
