//! `daemon` and `apply --watch`: the same loop, with and without the socket.

use super::exit::Exit;
use super::failure::Usage;
use super::interrupt;
use super::manifests::FromArgs;
use super::session::Session;
use crate::daemon::wiring::Bay;
use crate::daemon::{follow, serve};
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Follow these manifests: a file or a folder. Without: only serve, and heal what was declared
    #[arg(short, long = "file", value_name = "PATH")]
    file: Vec<PathBuf>,
}

pub fn run(session: &Session, args: &Args) -> anyhow::Result<Exit> {
    refuse_stdin(&args.file)?;
    session.places.check()?;
    let holder = format!("pid {}, bayplan daemon", std::process::id());
    let lock = session.places.lock(&holder, session.wait)?;
    let bay = Arc::new(Bay::open(session.places.clone())?);
    serve::run(&bay, &args.file, session.actor("daemon"), interrupt::flag())?;
    drop(lock);
    Ok(Exit::Done)
}

/// `apply --watch`
pub fn watch(session: &Session, from: &FromArgs) -> anyhow::Result<Exit> {
    refuse_stdin(&from.file)?;
    session.places.check()?;
    let holder = format!("pid {}, bayplan apply --watch", std::process::id());
    let lock = session.places.lock(&holder, session.wait)?;
    let bay = Arc::new(Bay::open(session.places.clone())?);
    follow::run(&bay, &from.file, session.actor("apply --watch"), interrupt::flag())?;
    drop(lock);
    Ok(Exit::Done)
}

fn refuse_stdin(paths: &[PathBuf]) -> Result<(), Usage> {
    if paths.iter().any(|path| path == Path::new("-")) {
        return Err(Usage("standard input cannot be followed: give a file or a folder".to_owned()));
    }
    Ok(())
}
