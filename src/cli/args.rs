//! The form of the command line. What is not in it is a usage error: exit 64.

use super::exit::Exit;
use super::output::{Color, Format, complain};
use super::{
    adopt, completion, console, daemon, delete, describe, doctor, drift, explain, export, fmt, get, graph,
    heal, holds, init, inside, logs, man, plan, power, render, schema, validate, version, why,
};
use crate::model::words::did_you_mean;
use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory, Parser, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;

/// Verbs of the language that a later version brings.
const LATER: [&str; 17] = [
    "pin", "history", "rollback", "suspend", "events", "sync", "observe", "file", "image", "remote",
    "snapshot", "volume", "network", "copy", "move", "migrate", "publish",
];

/// The declarative controller for Linux system containers.
#[derive(Debug, Parser)]
#[command(name = "bayplan", version, subcommand_required = true, max_term_width = 110)]
#[command(
    after_help = "Exit codes: docs/exit-codes.md. A bare name is a container: `web-1` = `container/web-1`."
)]
pub struct Line {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Debug, clap::Args)]
pub struct Global {
    /// Where records and the daemon's socket are
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "BAYPLAN_STATE_DIR",
        default_value = "/var/lib/bayplan"
    )]
    pub state_dir: PathBuf,
    /// Where roots and images are [default: the state folder's path with .data behind it]
    #[arg(long, global = true, value_name = "DIR", env = "BAYPLAN_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// The host to work on: this machine, or a modelled one (no root needed)
    #[arg(long, global = true, value_enum, default_value_t, env = "BAYPLAN_DRIVER")]
    pub driver: DriverArg,
    /// render, validate: the Host document to render for (a daemon elsewhere is not supported yet)
    #[arg(long, global = true, value_name = "NAME")]
    pub host: Option<String>,
    /// The form of the result
    #[arg(short, long, global = true, value_enum, default_value_t)]
    pub output: Format,
    /// No progress, only results and errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t)]
    pub color: Color,
    /// How long to wait for another writer
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 0)]
    pub wait: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum DriverArg {
    #[default]
    Native,
    Memory,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check manifests without looking at the host
    Validate(validate::Args),
    /// Print the manifests as they are for one host, every value resolved; the host is not looked at
    Render(render::Args),
    /// Write a first site for this host
    Init(init::Args),
    /// Lay manifests out canonically; comments, order and quotes stay
    Fmt(fmt::Args),
    /// Show what a field of the language means: type, default, what a change costs
    Explain(explain::Args),
    /// Show what apply would do; changes nothing
    Plan(plan::Args),
    /// Draw what a plan does, and who waits for whom: text, JSON, dot or SVG
    Graph(graph::Args),
    /// Bring the host to what the manifests say
    Apply(super::apply::Args),
    /// Remove objects from the host
    Delete(delete::Args),
    /// Bring a parked object back
    Undelete(super::undelete::Args),
    /// List objects as they stand
    Get(get::Args),
    /// Show one object with the origin of every value
    Describe(describe::Args),
    /// Show why an object and each of its values is as it is: lines, layers, the host's value, what is planned
    Why(why::Args),
    /// Take what was changed on the host by hand into your own manifests; comments, order and quotes stay
    Adopt(adopt::Args),
    /// Print what was last declared as a minimal site
    Export(export::Args),
    /// Compare the host with what was last applied; needs no manifests
    Drift(drift::Args),
    /// Start a container
    Start(power::PlainArgs),
    /// Stop a container; one that is declared running is held stopped
    Stop(power::StopArgs),
    /// Stop and start a container; also takes what waits for a restart
    Restart(power::RestartArgs),
    /// Freeze a container's processes; one that is declared running is held frozen
    Freeze(power::PlainArgs),
    /// Let a frozen container go on
    Unfreeze(power::PlainArgs),
    /// Hold a container as it is, or in a state, whatever is declared
    Hold(power::HoldKeysArgs),
    /// End a container's hold
    Resume(power::KeysArgs),
    /// Show how the whole host stands, on one screen: daemon, objects, drift, what waits, holds
    Status(super::status::Args),
    /// List the holds in force
    Holds(holds::Args),
    /// Run a command in a container; its status is the exit code
    Exec(inside::ExecArgs),
    /// Open a root shell in a container
    Shell(inside::ShellArgs),
    /// Attach to a container's console; ctrl-a q detaches
    Console(console::Args),
    /// Show what a container's console has shown
    Logs(logs::Args),
    /// Keep the host at what the manifests say, and serve other commands
    Daemon(daemon::Args),
    /// Show what this host has for containers, and what it lacks
    Doctor(doctor::Args),
    /// Bring one object back to what was last declared (a monitor runs this after a reboot from inside)
    #[command(hide = true)]
    Heal(heal::Args),
    /// Stop all containers as before the host goes down: nothing is held (bayplan-containers.service runs this)
    #[command(hide = true)]
    PowerOff(power::OffArgs),
    /// Print the JSON Schema of a kind, or of all
    Schema(schema::Args),
    /// Print a shell's completion script
    Completion(completion::Args),
    /// Print a manual page, or write all of them into a folder
    Man(man::Args),
    /// Print the version
    Version(version::Args),
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

/// Parses; what cannot be parsed is already complained about.
pub fn parse(words: Vec<OsString>) -> Result<Line, Exit> {
    let line = Line::try_parse_from(&words).map_err(|error| {
        let exit = show(&error);
        if let Some(meant) = with_separator(&words, &error) {
            complain(&format!("\ntip: the program and its arguments come after `--`: {meant}"));
        }
        exit
    })?;
    let is_pure = matches!(line.command, Command::Validate(_) | Command::Render(_));
    if let Some(host) = line.global.host.as_ref().filter(|_| !is_pure) {
        complain(&format!("error: --host {host} is not supported yet; without it the local daemon is used"));
        return Err(Exit::Usage);
    }
    match unfit(line.global.output, &line.command) {
        None => Ok(line),
        Some(message) => {
            complain(&format!("error: {message}; use text or json"));
            Err(Exit::Usage)
        }
    }
}

/// Why a command has no result in that form.
fn unfit(format: Format, command: &Command) -> Option<&'static str> {
    let fits = match format {
        Format::Text | Format::Json => true,
        Format::Yaml => matches!(command, Command::Render(_) | Command::Export(_)),
        Format::Patch => matches!(command, Command::Adopt(_)),
        Format::Dot | Format::Svg => matches!(command, Command::Graph(_)),
        Format::Markdown | Format::Junit | Format::Sarif => {
            matches!(command, Command::Validate(_) | Command::Plan(_) | Command::Apply(_) | Command::Drift(_))
        }
    };
    let message = match format {
        Format::Yaml => "`-o yaml` is for `render` and `export`",
        Format::Patch => "`-o patch` is for `adopt`",
        Format::Dot | Format::Svg => "`-o dot` and `-o svg` are for `graph`",
        _ => "`-o markdown`, `junit` and `sarif` are for `validate`, `plan`, `apply` and `drift`",
    };
    (!fits).then_some(message)
}

/// A verb that is not there: one of a later version, or none at all.
pub fn refuse(words: &[OsString]) -> Exit {
    let verb = words.first().map(|word| word.to_string_lossy()).unwrap_or_default();
    if LATER.contains(&verb.as_ref()) {
        complain(&format!("error: `bayplan {verb}` is not supported yet; `bayplan help` lists what is"));
        return Exit::Usage;
    }
    let commands = Line::command();
    let names: Vec<&str> = commands
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
        .map(clap::Command::get_name)
        .collect();
    let help = did_you_mean(&verb, names).unwrap_or_else(|| "`bayplan help` lists the commands".to_owned());
    complain(&format!("error: there is no command `{verb}`; {help}"));
    Exit::Usage
}

/// The line with `--` before the word that clap did not know what to make of, if that would be a line.
fn with_separator(words: &[OsString], error: &clap::Error) -> Option<String> {
    let Some(ContextValue::String(unexpected)) = error.get(ContextKind::InvalidArg) else { return None };
    let at = words.iter().position(|word| word == unexpected.as_str())?;
    let (before, after) = words.split_at(at);
    let meant = [before, &[OsString::from("--")], after].concat();
    let command = Line::try_parse_from(&meant).ok()?.command;
    let shown: Vec<_> = meant.iter().skip(1).map(|word| word.to_string_lossy()).collect();
    matches!(command, Command::Exec(_)).then(|| format!("bayplan {}", shown.join(" ")))
}

fn show(error: &clap::Error) -> Exit {
    // Nothing can be done about a closed standard error.
    let _ = error.print();
    if error.use_stderr() { Exit::Usage } else { Exit::Done }
}
