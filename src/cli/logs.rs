//! `logs`: what a container's console has shown.

use super::exit::Exit;
use super::interrupt;
use super::key::parse_key;
use super::output;
use super::session::Session;
use crate::daemon::wiring::Bay;
use crate::model::key::Key;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Between two looks at a log that is followed.
const POLL: Duration = Duration::from_millis(200);

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The container
    #[arg(value_name = "KEY", value_parser = parse_key)]
    key: Key,
    /// Go on until Ctrl-C
    #[arg(long)]
    follow: bool,
}

pub fn run(session: &Session, args: &Args) -> anyhow::Result<Exit> {
    let bay = Bay::open(session.places.clone())?;
    let (text, mut offset) = bay.console_log(&args.key, 0)?;
    session.out.raw(&text)?;
    if !args.follow {
        return Ok(Exit::Done);
    }
    let cancel = interrupt::flag();
    while !cancel.load(Ordering::Relaxed) {
        std::thread::sleep(POLL);
        if output::nobody_reads() {
            return Ok(Exit::Unread);
        }
        let (text, next) = bay.console_log(&args.key, offset)?;
        session.out.raw(&text)?;
        offset = next;
    }
    Ok(Exit::Done)
}
