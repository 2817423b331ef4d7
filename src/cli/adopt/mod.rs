//! `adopt`: what was changed on the host by hand goes into the user's own manifests; nothing is written unless the plan
//! of what would be written has nothing left to do for the adopted objects. `desk` finds out what that is.

mod desk;

use super::connection::{Connection, Shown as Match};
use super::exit::Exit;
use super::failure::Usage;
use super::interrupt;
use super::key::parse_key;
use super::manifests::{FromArgs, Shown};
use super::output::{Format, complain};
use super::progress::Display;
use super::session::Session;
use crate::api::error::{Failure, FailureKind};
use crate::api::types::{OUTPUT_VERSION, PlanRequest};
use crate::daemon::operations::adopt::{self, Difference, Into, NotAdopted};
use crate::model::key::Key;
use crate::source::{self, STDIN};
use crate::spec::SourceText;
use desk::{Desk, request};
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

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
    if !args.write || adoption.is_empty() {
        return adoption.tell(session, args.write);
    }
    adoption.write()?;
    let told = adoption.tell(session, args.write)?;
    let recorded = PlanRequest { only: adoption.keys(), ..request(session, &adoption.after) };
    Ok(match record(session, &connection, &recorded)? {
        Exit::Done => told,
        other => other,
    })
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

    fn tell(&self, session: &Session, written: bool) -> anyhow::Result<Exit> {
        let out = if written { session.out.even_unread() } else { session.out };
        let patch: String = self.changes().map(|(old, new)| patch(old, new)).collect();
        match out.format {
            Format::Patch => out.raw(patch.as_bytes())?,
            _ => out.text(&format!("{patch}{}", self.summary(written)))?,
        }
        let files = self.changes().map(|(_, new)| new.path.as_str()).collect();
        let (values, documents) = (&self.values[..], &self.documents);
        let not_adopted = &self.not[..];
        out.json(&AdoptJson { version: OUTPUT_VERSION, values, documents, files, not_adopted, written })?;
        if self.not.is_empty() {
            return Ok(Exit::Done);
        }
        complain(&format!("not adopted:{}", lines(&self.not)));
        Ok(Exit::Incomplete)
    }

    fn summary(&self, written: bool) -> String {
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
            (false, true) => format!("adopted {}", what.join(", ")),
            (false, false) => format!("{} to adopt; --write writes them", what.join(", ")),
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
fn lines(not: &[NotAdopted]) -> String {
    not.iter().map(|not| format!("\n  {not}")).collect()
}

/// As `git apply` takes it.
fn patch(old: Option<&SourceText>, new: &SourceText) -> String {
    let name: PathBuf = Path::new(&new.path)
        .components()
        .filter(|part| matches!(part, std::path::Component::Normal(_)))
        .collect();
    let (before, from) = match old {
        Some(old) => (old.text.as_str(), format!("a/{}", name.display())),
        None => ("", "/dev/null".to_owned()),
    };
    let diff = similar::TextDiff::from_lines(before, new.text.as_str());
    diff.unified_diff().context_radius(3).header(&from, &format!("b/{}", name.display())).to_string()
}

/// The records learn what is declared now, so that the next plan is empty. A daemon that follows these manifests does
/// that by itself.
fn record(session: &Session, connection: &Connection, request: &PlanRequest) -> anyhow::Result<Exit> {
    let plan = connection.plan(request)?;
    if !plan.steps.iter().all(adopt::is_record) {
        session
            .out
            .progress("what the adopted objects need has changes of its own; `bayplan apply` records all");
        return Ok(Exit::Done);
    }
    if plan.is_empty() {
        return Ok(Exit::Done);
    }
    let display = Display::new(session.out, plan.steps.len());
    let outcome =
        connection.apply(request, &plan, Match::MayMove, interrupt::flag(), &|line| display.show(&line));
    display.end();
    match outcome {
        Ok(report) if report.is_done() => Ok(Exit::Done),
        Ok(_) => Ok(Exit::Incomplete),
        Err(failure) if failure.kind == FailureKind::Refused => Ok(Exit::Done),
        Err(failure) => Err(failure.into()),
    }
}
