//! `adopt`: what was changed on the host by hand goes into the user's own manifests; nothing is written unless the plan
//! of what would be written has nothing left to do for the adopted objects.

use super::connection::{Connection, Shown as Match};
use super::exit::Exit;
use super::failure::Usage;
use super::interrupt;
use super::key::parse_key;
use super::manifests::{FromArgs, Shown};
use super::output::Format;
use super::progress::Display;
use super::session::Session;
use crate::api::error::{Failure, FailureKind};
use crate::api::types::{ExportRequest, FileRequest, GoalRequest, Manifests, OUTPUT_VERSION, PlanRequest};
use crate::daemon::operations::adopt::{self, Difference, FileTexts, Into, NotAdopted, spot, value};
use crate::daemon::operations::listing::Selection;
use crate::model::key::Key;
use crate::reconcile::plan::Plan;
use crate::source::{self, STDIN};
use crate::spec::{SourceText, TextRole, edit, emit};
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
struct AdoptJson<'a> {
    version: u32,
    values: &'a [Difference],
    /// Objects that got a document of their own.
    documents: &'a BTreeSet<Key>,
    files: Vec<&'a str>,
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
    let request = |texts: &[SourceText]| {
        PlanRequest::new(GoalRequest::Site(Manifests::new(texts)), session.actor("adopt"))
    };
    let planned = |texts: &[SourceText]| {
        let shown = Shown { texts: texts.to_vec() };
        connection.plan(&request(texts)).map_err(|failure| shown.tell(failure))
    };
    let plan = planned(&before.texts)?;
    let mut adoption = adoption(&connection, args, before, &plan)?;
    if adoption.is_empty() {
        return adoption.tell(session, args.write);
    }
    let mut after = planned(&adoption.after)?;
    if !adoption.documents.is_empty() {
        // What they have by hand is known only now that they are declared.
        let documents = adoption.documents.clone();
        adoption.take(&connection, &after, &documents, args.into())?;
        after = planned(&adoption.after)?;
    }
    let left = adopt::left(&plan, &after, &adoption.keys());
    if !left.is_empty() {
        return Err(refused(&left).into());
    }
    if !args.write {
        return adoption.tell(session, args.write);
    }
    adoption.write()?;
    adoption.tell(session, args.write)?;
    let only = adoption.keys();
    record(session, &connection, &PlanRequest { only, ..request(&adoption.after) })
}

fn adoption(connection: &Connection, args: &Args, before: Shown, plan: &Plan) -> anyhow::Result<Adoption> {
    let mut keys = BTreeSet::new();
    for key in &args.keys {
        // Named, so it must be there: a mistyped key is no empty adoption. A set stands for its members.
        let objects = connection.list(&Selection::Key(key.clone()))?.objects;
        keys.extend(objects.into_iter().map(|object| object.key));
    }
    let documents: BTreeSet<Key> = keys.iter().filter(|key| is_undeclared(plan, key)).cloned().collect();
    let after = before.texts.clone();
    let mut adoption = Adoption { before, after, values: vec![], documents, profiles: BTreeSet::new() };
    adoption.take(connection, plan, &keys, args.into())?;
    for key in &adoption.documents {
        let wanted = ExportRequest { keys: [key.clone()].into(), alone: true, ..ExportRequest::default() };
        let text = emit::documents(&connection.export(&wanted)?.documents);
        add_document(&mut adoption.after, args, key, &text)?;
    }
    Ok(adoption)
}

/// What the files hold that were changed by hand.
fn file_texts(connection: &Connection, plan: &Plan, keys: &BTreeSet<Key>) -> FileTexts {
    let read = |(key, path): (Key, String)| {
        let request = FileRequest { key: key.clone(), path: path.clone() };
        let text = connection.file_text(&request).map(|file| file.text).map_err(|failure| failure.message);
        ((key, path), text)
    };
    value::wanted_contents(plan, keys).into_iter().map(read).collect()
}

/// Owned by the site, and in no manifest of it.
fn is_undeclared(plan: &Plan, key: &Key) -> bool {
    let waits = plan.prune.iter().any(|intent| intent.keys.contains(key));
    waits || plan.kept.contains(key)
}

/// A folder of manifests gets a new file, a single manifest another document.
fn add_document(texts: &mut Vec<SourceText>, args: &Args, key: &Key, text: &str) -> Result<(), Failure> {
    let home = args.from.file.last().cloned().unwrap_or_else(source::default_path);
    if !home.is_dir() {
        if let Some(last) = texts.iter_mut().rfind(|text| text.role == TextRole::Manifest) {
            last.text = edit::append(&last.text, text);
        }
        return Ok(());
    }
    let path = home.join(format!("{}-{}.yaml", key.kind.slug(), key.name));
    if path.exists() {
        let message = format!("{} is there already; move it, or declare {key} by hand", path.display());
        return Err(Failure::new(FailureKind::Refused, message));
    }
    let base = texts.first().map_or_else(|| home.clone(), |text| text.root.clone());
    let shown = path.strip_prefix(".").unwrap_or(&path).display().to_string();
    let (text, root, role) = (text.to_owned(), base.clone(), TextRole::Manifest);
    texts.push(SourceText { path: shown, text, base, root, role });
    Ok(())
}

fn refused(not: &[NotAdopted]) -> Failure {
    let causes: Vec<String> = not.iter().map(|not| format!("\n  {not}")).collect();
    Failure::new(FailureKind::Refused, format!("nothing was written:{}", causes.concat()))
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
    /// Writes what drifted of these objects into the texts.
    fn take(
        &mut self,
        connection: &Connection,
        plan: &Plan,
        keys: &BTreeSet<Key>,
        into: Into,
    ) -> Result<(), Failure> {
        let texts = file_texts(connection, plan, keys);
        let values = adopt::differences(plan, keys, &texts).map_err(|not| refused(&not))?;
        self.after = spot::edited(&self.after, plan, &values, into).map_err(|not| refused(&not))?;
        self.profiles.extend(spot::profiles(plan, &values, into));
        self.values.extend(values);
        Ok(())
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
        out.json(&AdoptJson { version: OUTPUT_VERSION, values, documents, files, written })?;
        Ok(Exit::Done)
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
