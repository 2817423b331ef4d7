//! `adopt`: what was changed on the host by hand goes into the user's own manifests; nothing is written unless the plan
//! of what would be written has nothing left to do for the adopted objects. `desk` finds out what that is.

mod desk;
mod patch;

use super::connection::{Connection, Shown as Match};
use super::exit::Exit;
use super::failure::Usage;
use super::interrupt;
use super::key::parse_key;
use super::manifests::{FromArgs, Shown};
use super::output::{Format, Output, complain};
use super::progress;
use super::session::Session;
use crate::api::error::{Failure, FailureKind};
use crate::api::types::{GoalRequest, OUTPUT_VERSION, PlanRequest};
use crate::daemon::operations::adopt::{self, Difference, Into, NotAdopted};
use crate::model::key::Key;
use crate::reconcile::drift::drift;
use crate::reconcile::render::values::harmless;
use crate::source::{self, STDIN};
use crate::spec::SourceText;
use desk::{Desk, request};
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::path::Path;
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// These objects; one that is on the host and in no manifest is written out [default: all that drifted]
    #[arg(value_name = "KEY", value_parser = parse_key)]
    keys: Vec<Key>,
    #[command(flatten)]
    from: FromArgs,
    /// Write the manifests; without it only the difference is shown
    #[arg(long)]
    write: bool,
    /// Where a value goes that a profile gives
    #[arg(long, value_enum, default_value_t)]
    into: IntoArg,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum IntoArg {
    /// Into the container's own document; its profile's other containers stay as they are
    #[default]
    Container,
    /// Into the profile; every container that takes it from there has it
    Profile,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AdoptJson<'a> {
    version: u32,
    values: &'a [Difference],
    /// Objects that got a document of their own.
    documents: &'a BTreeSet<Key>,
    files: Vec<&'a str>,
    /// What is left as it is in the manifests, and why.
    not_adopted: &'a [NotAdopted],
    written: bool,
    /// After writing: what the next plan and drift still have.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    left: &'a [String],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    Yes,
    No,
}

/// The manifests before and after.
struct Adoption {
    before: Shown,
    after: Vec<SourceText>,
    values: Vec<Difference>,
    documents: BTreeSet<Key>,
    /// Written for what takes its values from them.
    profiles: BTreeSet<Key>,
    /// What cannot be adopted, where everything was to be.
    not: Vec<NotAdopted>,
}

pub fn run(session: &Session, args: &Args) -> anyhow::Result<Exit> {
    let before = args.from.read()?;
    if args.write && before.texts.iter().any(|text| text.path == STDIN) {
        return Err(Usage("standard input cannot be written; name the manifests".to_owned()).into());
    }
    let connection = match args.write {
        true => Connection::writer(session, "adopt")?,
        false => Connection::reader(session)?,
    };
    let desk = Desk::new(session, &connection, before, args.into())?;
    let adoption = match args.keys.is_empty() {
        true => desk.all()?,
        false => desk.named(&args.keys, &args.from)?,
    };
    let out = if args.write { session.out.even_unread() } else { session.out };
    if !args.write || adoption.is_empty() {
        return adoption.tell(out, Written::No, &[]);
    }
    adoption.write()?;
    let whole = request(session, &adoption.after);
    let recorded = record(session, &connection, &PlanRequest { only: adoption.keys(), ..whole.clone() });
    let left = recorded.and_then(|()| adoption.left(&connection, &whole));
    let told = adoption.tell(out, Written::Yes, left.as_deref().unwrap_or_default())?;
    left?;
    Ok(told)
}

impl Args {
    fn into(&self) -> Into {
        match self.into {
            IntoArg::Container => Into::Container,
            IntoArg::Profile => Into::Profile,
        }
    }
}

impl Adoption {
    fn new(before: Shown) -> Adoption {
        let after = before.texts.clone();
        let (documents, profiles) = (BTreeSet::new(), BTreeSet::new());
        Adoption { before, after, values: vec![], documents, profiles, not: vec![] }
    }

    fn keys(&self) -> BTreeSet<Key> {
        let others = self.documents.iter().chain(&self.profiles);
        self.values.iter().map(|value| &value.key).chain(others).cloned().collect()
    }

    fn is_empty(&self) -> bool {
        self.values.is_empty() && self.documents.is_empty()
    }

    /// Each text that changes: what it was (None: it is new), and what it is to be.
    fn changes(&self) -> impl Iterator<Item = (Option<&SourceText>, &SourceText)> {
        self.after.iter().enumerate().filter_map(|(at, new)| {
            let old = self.before.texts.get(at);
            (old.map(|old| &old.text) != Some(&new.text)).then_some((old, new))
        })
    }

    /// `left`: what the next plan and drift still have.
    fn tell(&self, out: Output, written: Written, left: &[String]) -> anyhow::Result<Exit> {
        let folder = std::env::current_dir()?;
        let patch: String = self.changes().map(|(old, new)| patch::patch(old, new, &folder)).collect();
        match out.format {
            Format::Patch => out.raw(patch.as_bytes())?,
            // What programs in containers wrote is no order for a terminal.
            _ => {
                let lines = patch.split_inclusive('\n');
                let shown: String = lines.map(|line| harmless(line.trim_end_matches('\n')) + "\n").collect();
                out.text(&format!("{shown}{}", self.summary(written)))?;
            }
        }
        out.json(&AdoptJson {
            version: OUTPUT_VERSION,
            values: &self.values,
            documents: &self.documents,
            files: self.changes().map(|(_, new)| new.path.as_str()).collect(),
            not_adopted: &self.not,
            written: written == Written::Yes,
            left,
        })?;
        if !self.not.is_empty() {
            complain(&format!("not adopted:{}", lines(&self.not)));
        }
        if !left.is_empty() {
            complain(&format!("still to do, as `bayplan plan` and `bayplan drift` show:{}", lines(left)));
        }
        Ok(if self.not.is_empty() && left.is_empty() { Exit::Done } else { Exit::Incomplete })
    }

    /// What the next plan and drift still have; what was not adopted is told already.
    fn left(&self, connection: &Connection, whole: &PlanRequest) -> Result<Vec<String>, Failure> {
        let recorded = PlanRequest { goal: GoalRequest::Recorded, ..whole.clone() };
        let told: BTreeSet<&Key> = self.not.iter().map(|not| &not.key).collect();
        Ok(adopt::remaining(&connection.plan(whole)?, &drift(&connection.plan(&recorded)?), &told))
    }

    fn summary(&self, written: Written) -> String {
        let count = |count: usize, word: &str| match count {
            1 => format!("1 {word}"),
            count => format!("{count} {word}s"),
        };
        let what: Vec<String> = [(self.values.len(), "value"), (self.documents.len(), "document")]
            .into_iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, word)| count(number, word))
            .collect();
        match (what.is_empty(), written) {
            (true, _) => "nothing to adopt".to_owned(),
            (false, Written::Yes) => format!("adopted {}", what.join(", ")),
            (false, Written::No) => format!("{} to adopt; --write writes them", what.join(", ")),
        }
    }

    fn write(&self) -> Result<(), Failure> {
        for (old, _) in self.changes() {
            let Some(old) = old else { continue };
            if std::fs::read_to_string(&old.path).is_ok_and(|text| text != old.text) {
                let message = format!("{} was changed meanwhile; nothing was written, adopt again", old.path);
                return Err(Failure::new(FailureKind::Moved, message));
            }
        }
        for (old, new) in self.changes() {
            let path = Path::new(&new.path);
            let written = match old {
                Some(_) => source::write(path, &new.text),
                None => source::create(path, &new.text),
            };
            written.map_err(|error| Failure::from_error(FailureKind::Host, &error))?;
        }
        Ok(())
    }
}

/// Each on a line of its own, below a head.
fn lines(all: &[impl Display]) -> String {
    all.iter().map(|one| format!("\n  {one}")).collect()
}

/// The records learn what is declared now, so that the next plan is empty; a daemon that follows these manifests does
/// that by itself. What the adopted objects need may have something else to do: then nothing is recorded.
fn record(session: &Session, connection: &Connection, request: &PlanRequest) -> Result<(), Failure> {
    let plan = connection.plan(request)?;
    if plan.is_empty() || !plan.steps.iter().all(adopt::is_record) {
        return Ok(());
    }
    let display = progress::Display::new(session.out, plan.steps.len());
    let outcome =
        connection.apply(request, &plan, Match::MayMove, interrupt::flag(), &|line| display.show(&line));
    display.end();
    match outcome {
        Err(failure) if failure.kind == FailureKind::Refused => await_follower(connection, request),
        outcome => outcome.map(drop),
    }
}

/// Gives the daemon that follows these manifests its time; what it leaves is told as all that is left.
fn await_follower(connection: &Connection, request: &PlanRequest) -> Result<(), Failure> {
    for _ in 0..FOLLOWED_WITHIN_MS / LOOK_EVERY_MS {
        if connection.plan(request)?.is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(LOOK_EVERY_MS));
    }
    Ok(())
}

const FOLLOWED_WITHIN_MS: u64 = 10_000;
const LOOK_EVERY_MS: u64 = 200;
