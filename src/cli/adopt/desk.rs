//! Which edits of the manifests are right: they are made on copies, and the plan of those is asked. Writes nothing.
//!
//! ```text
//! named: all of it, or nothing     all: together ─► not right ─► one group of objects after another, each kept if right
//! ```

use super::{Adoption, lines};
use crate::api::error::{Failure, FailureKind};
use crate::api::types::{ExportRequest, FileRequest, GoalRequest, Manifests, PlanRequest};
use crate::cli::connection::Connection;
use crate::cli::manifests::{FromArgs, Shown};
use crate::cli::session::Session;
use crate::daemon::operations::adopt::{self, Difference, FileTexts, Into, NotAdopted, spot, value};
use crate::daemon::operations::listing::Selection;
use crate::model::key::Key;
use crate::reconcile::plan::Plan;
use crate::source;
use crate::spec::{SourceText, TextRole, edit, emit};
use std::collections::BTreeSet;

/// The manifests as they are, and the plan of them.
pub struct Desk<'a> {
    session: &'a Session,
    connection: &'a Connection,
    before: Shown,
    plan: Plan,
    into: Into,
}

impl<'a> Desk<'a> {
    pub fn new(
        session: &'a Session,
        connection: &'a Connection,
        before: Shown,
        into: Into,
    ) -> anyhow::Result<Desk<'a>> {
        let plan = connection.plan(&request(session, &before.texts));
        let plan = plan.map_err(|failure| before.tell(failure))?;
        let mut desk = Desk { session, connection, before, plan, into };
        desk.read_sources();
        Ok(desk)
    }

    /// The files of `source` that may be edited join the manifests; never one whose content is not to be read.
    fn read_sources(&mut self) {
        let texts = self.file_texts(&self.plan, &BTreeSet::new());
        for file in value::sources(&self.plan, &texts) {
            let whole = file.root.join(&file.path);
            if !self.before.texts.iter().any(|text| text.file() == whole) {
                self.before.texts.push(source::beside_manifests(&self.before.texts, &file));
            }
        }
    }

    fn planned(&self, texts: &[SourceText]) -> Result<Plan, Failure> {
        self.connection.plan(&request(self.session, texts))
    }

    /// Whatever drifted, as far as it can be adopted.
    pub fn all(&self) -> anyhow::Result<Adoption> {
        let (mut values, mut not) = self.differences(&self.plan, &BTreeSet::new());
        values.retain(|value| !not.iter().any(|not| not.key == value.key));
        let (groups, unwritten) = spot::groups(&self.before.texts, &self.plan, &values, self.into);
        not.extend(unwritten);
        let taken = match &groups[..] {
            [] => Adoption::new(self.before.clone()),
            _ => match self.attempt(groups.concat())? {
                Ok(adoption) => adoption,
                Err(_) => self.one_by_one(&groups, &mut not)?,
            },
        };
        if taken.is_empty() && !not.is_empty() {
            return Err(refused(&not).into());
        }
        Ok(Adoption { not, ..taken })
    }

    fn one_by_one(&self, groups: &[Vec<Difference>], not: &mut Vec<NotAdopted>) -> anyhow::Result<Adoption> {
        let mut taken = Adoption::new(self.before.clone());
        for group in groups {
            match self.attempt([&taken.values[..], group].concat())? {
                Ok(adoption) => taken = adoption,
                Err(left) => not.extend(left.into_iter().map(|left| of_group(group, left))),
            }
        }
        Ok(taken)
    }

    /// The edits for these values, if they are right; else what is wrong with them.
    fn attempt(&self, values: Vec<Difference>) -> anyhow::Result<Result<Adoption, Vec<NotAdopted>>> {
        let mut adoption = Adoption::new(self.before.clone());
        if let Err(not) = self.write_into(&mut adoption, &self.plan, values) {
            return Ok(Err(not));
        }
        let keys = adoption.keys();
        let left = match self.planned(&adoption.after) {
            Ok(after) => adopt::left(&self.plan, &after, &keys),
            Err(failure) if failure.kind == FailureKind::Findings => {
                let said: BTreeSet<&str> =
                    failure.findings.iter().map(|finding| finding.message.as_str()).collect();
                let why = said.into_iter().collect::<Vec<_>>().join("; ");
                keys.into_iter()
                    .map(|key| NotAdopted { key, field: String::new(), why: why.clone() })
                    .collect()
            }
            Err(failure) => return Err(failure.into()),
        };
        Ok(if left.is_empty() { Ok(adoption) } else { Err(left) })
    }

    /// These objects, whole or not at all.
    pub fn named(&self, keys: &[Key], from: &FromArgs) -> anyhow::Result<Adoption> {
        let mut wanted = BTreeSet::new();
        for key in keys {
            // Named, so it must be there: a mistyped key is no empty adoption. A set stands for its members.
            let objects = self.connection.list(&Selection::Key(key.clone()))?.objects;
            wanted.extend(objects.into_iter().map(|object| object.key));
        }
        let mut adoption = Adoption::new(self.before.clone());
        self.take(&mut adoption, &self.plan, &wanted)?;
        for key in wanted.iter().filter(|key| is_undeclared(&self.plan, key)) {
            let request =
                ExportRequest { keys: [key.clone()].into(), alone: true, ..ExportRequest::default() };
            let text = emit::documents(&self.connection.export(&request)?.documents);
            add_document(&mut adoption.after, from, key, &text)?;
            adoption.documents.insert(key.clone());
        }
        if adoption.is_empty() {
            return Ok(adoption);
        }
        let mut after = self.planned_anew(&adoption)?;
        if !adoption.documents.is_empty() {
            // What they have by hand is known only now that they are declared.
            let documents = adoption.documents.clone();
            self.take(&mut adoption, &after, &documents)?;
            after = self.planned_anew(&adoption)?;
        }
        let left = adopt::left(&self.plan, &after, &adoption.keys());
        if left.is_empty() { Ok(adoption) } else { Err(refused(&left).into()) }
    }

    fn planned_anew(&self, adoption: &Adoption) -> anyhow::Result<Plan> {
        let shown = Shown { texts: adoption.after.clone() };
        self.planned(&shown.texts).map_err(|failure| shown.tell(failure))
    }

    /// Writes what drifted of these objects into the texts.
    fn take(&self, adoption: &mut Adoption, plan: &Plan, keys: &BTreeSet<Key>) -> Result<(), Failure> {
        if keys.is_empty() {
            return Ok(());
        }
        let (values, not) = self.differences(plan, keys);
        if !not.is_empty() {
            return Err(refused(&not));
        }
        self.write_into(adoption, plan, values).map_err(|not| refused(&not))
    }

    fn write_into(
        &self,
        adoption: &mut Adoption,
        plan: &Plan,
        values: Vec<Difference>,
    ) -> Result<(), Vec<NotAdopted>> {
        adoption.after = spot::edited(&adoption.after, plan, &values, self.into)?;
        adoption.profiles.extend(spot::profiles(plan, &values, self.into));
        adoption.values.extend(values);
        Ok(())
    }

    fn differences(&self, plan: &Plan, keys: &BTreeSet<Key>) -> (Vec<Difference>, Vec<NotAdopted>) {
        adopt::differences(plan, keys, &self.file_texts(plan, keys))
    }

    /// What the files hold that were changed by hand.
    fn file_texts(&self, plan: &Plan, keys: &BTreeSet<Key>) -> FileTexts {
        let read = |(key, path): (Key, String)| {
            let request = FileRequest { key: key.clone(), path: path.clone() };
            let text = self.connection.file_text(&request);
            ((key, path), text.map(|file| file.text).map_err(|failure| failure.message))
        };
        value::wanted_contents(plan, keys).into_iter().map(read).collect()
    }
}

/// For the plan of these manifests.
pub fn request(session: &Session, texts: &[SourceText]) -> PlanRequest {
    PlanRequest::new(GoalRequest::Site(Manifests::new(texts)), session.actor("adopt"))
}

/// What is left to do for another object keeps a group from being adopted, too.
fn of_group(group: &[Difference], left: NotAdopted) -> NotAdopted {
    match group.first() {
        Some(first) if group.iter().all(|value| value.key != left.key) => {
            NotAdopted { key: first.key.clone(), field: String::new(), why: left.to_string() }
        }
        _ => left,
    }
}

fn refused(not: &[NotAdopted]) -> Failure {
    Failure::new(FailureKind::Refused, format!("nothing was written:{}", lines(not)))
}

/// Owned by the site, and in no manifest of it.
fn is_undeclared(plan: &Plan, key: &Key) -> bool {
    let waits = plan.prune.iter().any(|intent| intent.keys.contains(key));
    waits || plan.kept.contains(key)
}

/// A folder of manifests gets a new file, a single manifest another document.
fn add_document(texts: &mut Vec<SourceText>, from: &FromArgs, key: &Key, text: &str) -> Result<(), Failure> {
    let home = from.file.last().cloned().unwrap_or_else(source::default_path);
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
