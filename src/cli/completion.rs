//! `completion`: a shell's completion script.

use super::args::Line;
use super::exit::Exit;
use super::session::Session;
use clap::CommandFactory;
use clap_complete::Shell;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub fn run(session: &Session, args: &Args) -> anyhow::Result<Exit> {
    let mut script = vec![];
    clap_complete::generate(args.shell, &mut Line::command(), "bayplan", &mut script);
    session.out.raw(&script)?;
    Ok(Exit::Done)
}
