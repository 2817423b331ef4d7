//! The command line: parse → run → exit code. One file a verb; `output` is the only place that prints.
//!
//! | file | what |
//! | --- | --- |
//! | `args` | the command line's form |
//! | `session` | what every verb has: where, whom to ask, how to print |
//! | `connection` | this process or the daemon: the verbs do not tell them apart |
//! | `change` | plan → show → ask → apply: the flow of every verb that changes something |
//! | `exit`, `failure`, `output`, `question` | exit codes, errors, printing, asking |
//! | the rest | one file a verb |

mod adopt;
mod allow;
mod apply;
mod args;
mod change;
mod completion;
mod connection;
mod console;
mod daemon;
mod delete;
mod describe;
mod doctor;
mod drift;
mod exit;
mod explain;
mod export;
mod failure;
mod fmt;
mod get;
mod graph;
mod heal;
mod holds;
mod init;
mod inside;
mod interrupt;
mod key;
mod logs;
mod man;
mod manifests;
mod only;
mod outcomes;
mod output;
mod plan;
mod power;
mod program;
mod progress;
mod question;
mod render;
mod saved_plan;
mod schema;
mod session;
mod status;
mod table;
mod terminal;
mod undelete;
mod validate;
mod version;
mod why;
mod words;

use args::Command;
use clap::CommandFactory;
use exit::Exit;
pub use man::pages as man_pages;
use session::Session;
use std::ffi::OsString;
use std::process::ExitCode;

/// The form of the command line, for what is held against it (packaging).
pub fn form() -> clap::Command {
    args::Line::command()
}

/// Runs one command line, program name included.
pub fn run(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    let line = match args::parse(words.into_iter().collect()) {
        Ok(line) => line,
        Err(exit) => return exit.into(),
    };
    output::choose_colors(line.global.color);
    let session = Session::new(line.global);
    let exit = dispatch(&session, line.command).unwrap_or_else(|error| failure::show(&session, &error));
    exit.into()
}

fn dispatch(session: &Session, command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Validate(args) => validate::run(session, &args),
        Command::Render(args) => render::run(session, &args),
        Command::Plan(args) => plan::run(session, &args),
        Command::Graph(args) => graph::run(session, &args),
        Command::Apply(args) => apply::run(session, &args),
        Command::Delete(args) => delete::run(session, &args),
        Command::Undelete(args) => undelete::run(session, &args),
        Command::Get(args) => get::run(session, &args),
        Command::Describe(args) => describe::run(session, &args),
        Command::Fmt(args) => fmt::run(session, &args),
        Command::Explain(args) => explain::run(session, &args),
        Command::Init(args) => init::run(session, &args),
        Command::Adopt(args) => adopt::run(session, &args),
        Command::Export(args) => export::run(session, &args),
        Command::Why(args) => why::run(session, &args),
        Command::Drift(args) => drift::run(session, &args),
        Command::Start(args) => power::start(session, &args),
        Command::Stop(args) => power::stop(session, &args),
        Command::Restart(args) => power::restart(session, &args),
        Command::Freeze(args) => power::freeze(session, &args),
        Command::Unfreeze(args) => power::unfreeze(session, &args),
        Command::Hold(args) => power::hold(session, &args),
        Command::Resume(args) => power::resume(session, &args),
        Command::Status(args) => status::run(session, &args),
        Command::Holds(args) => holds::run(session, &args),
        Command::Exec(args) => inside::exec(session, &args),
        Command::Shell(args) => inside::shell(session, &args),
        Command::Console(args) => console::run(session, &args),
        Command::Logs(args) => logs::run(session, &args),
        Command::Daemon(args) => daemon::run(session, &args),
        Command::Doctor(args) => doctor::run(session, &args),
        Command::Heal(args) => heal::run(session, &args),
        Command::PowerOff(args) => power::off(session, &args),
        Command::Schema(args) => schema::run(session, &args),
        Command::Completion(args) => completion::run(session, &args),
        Command::Man(args) => man::run(session, &args),
        Command::Version(args) => version::run(session, &args),
        Command::Other(words) => Ok(args::refuse(&words)),
    }
}
