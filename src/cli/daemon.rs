//! `daemon` and `apply --watch`: the same loop, with and without the socket.

use super::exit::Exit;
use super::failure::Usage;
use super::interrupt;
use super::manifests::FromArgs;
use super::session::Session;
use crate::daemon::follow::Follower;
use crate::daemon::serve;
use crate::daemon::shared::Shared;
use crate::daemon::wiring::Bay;
use crate::source;
use crate::store::lock::Lock;
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
    let (lock, bay, follower) = open(session, "daemon", &args.file)?;
    serve::run(&bay, follower, interrupt::flag())?;
    drop(lock);
    Ok(Exit::Done)
}

/// `apply --watch`
pub fn watch(session: &Session, from: &FromArgs) -> anyhow::Result<Exit> {
    let paths = followed(from)?;
    let (lock, _bay, (follower, _shared)) = open(session, "apply --watch", &paths)?;
    follower.run(interrupt::flag());
    drop(lock);
    Ok(Exit::Done)
}

/// What is followed where nothing else is named.
pub fn followed(from: &FromArgs) -> Result<Vec<PathBuf>, Usage> {
    let paths = match from.file.as_slice() {
        [] => vec![source::default_path()],
        paths => paths.to_vec(),
    };
    refuse_stdin(&paths)?;
    Ok(paths)
}

type Open = (Lock, Arc<Bay>, (Follower, Arc<Shared>));

/// Takes the state folder, and has a loop that follows these paths.
fn open(session: &Session, verb: &str, paths: &[PathBuf]) -> anyhow::Result<Open> {
    session.places.check()?;
    let holder = format!("pid {}, bayplan {verb}", std::process::id());
    let lock = session.places.lock(&holder, session.wait)?;
    serve::begin_log();
    let bay = Arc::new(Bay::open(session.places.clone())?);
    let follower = Follower::open(&bay, paths, session.actor(verb))?;
    Ok((lock, bay, follower))
}

fn refuse_stdin(paths: &[PathBuf]) -> Result<(), Usage> {
    if paths.iter().any(|path| path == Path::new("-")) {
        return Err(Usage("standard input cannot be followed: give a file or a folder".to_owned()));
    }
    Ok(())
}
