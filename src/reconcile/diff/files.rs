//! Files inside a container: written, repaired, removed, and the commands that follow a change.
//!
//! Change: the declared file differs from the written one. Drift: the written one differs from what is there.

use super::container::Walk;
use super::field::Field;
use super::{because, reason};
use crate::model::content::Digest;
use crate::model::object::{Container, ContainerFile, Spec};
use crate::model::observed::FileFacts;
use crate::model::step::{Action, Cause, Class, FileWrite, Reason};
use crate::reconcile::contents;
use std::collections::{BTreeMap, BTreeSet};

/// Whether programs run in the container that could take notice of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    Programs,
    Nobody,
}

/// The steps that bring the files of a container's root to what is declared.
pub fn diff(walk: &mut Walk<'_>, audience: Audience) {
    let declared = walk.desired.files.clone();
    let ignored = |path: &&String| walk.ignores(&Field::File((*path).clone()));
    let left_alone: BTreeSet<String> = declared.keys().filter(ignored).cloned().collect();
    for (path, file) in declared.iter().filter(|(path, _)| !left_alone.contains(*path)) {
        one(walk, path, file, audience);
    }
    if walk.has_fresh_root() {
        return; // it has none of another root's
    }
    // One that its record does not tell of, of a state folder that was lost, is nobody's to remove.
    let written = walk.view.record.into_iter().flat_map(|record| record.files.keys());
    let gone: Vec<String> = written.filter(|path| !declared.contains_key(*path)).cloned().collect();
    for path in gone {
        let field = Field::File(path.clone());
        if walk.ignores(&field) {
            continue;
        }
        let mut reasons = walk.reasons_of(|changed| *changed == field);
        if reasons.is_empty() {
            reasons = vec![because(Cause::Consequence, &format!("files.{path}"), "it is no longer declared")];
        }
        walk.establish(&field);
        let (pool, uuid) = (walk.root_pool(), walk.identity.uuid);
        // What is gone already is only forgotten.
        let is_gone = matches!(facts(walk, &path), Some(FileFacts::Missing));
        let class = if is_gone { Class::Record } else { Class::Live };
        walk.diff.push(Action::RemoveFile { pool, uuid, path }, class, reasons, walk.applied.clone());
    }
}

fn one(walk: &mut Walk<'_>, path: &str, file: &ContainerFile, audience: Audience) {
    let options = walk.scene.options;
    let found = facts(walk, path);
    let written = walk.view.record.and_then(|record| record.files.get(path));
    let written = written.filter(|_| !walk.has_fresh_root()).map(|written| written.digest.clone());
    let digest = match contents::digest(&options.contents, &file.from) {
        Ok(digest) => digest.clone(),
        Err(why) => {
            let stands = written.as_ref().is_some_and(|written| is_as(&found, file, written));
            if !stands {
                let help = "bring it back where it was, or change the manifest".to_owned();
                walk.broken(format!("file {path} cannot be written: {why}"), help);
            }
            return;
        }
    };
    // A parked container's files are not looked at, and it must not start with others than are declared.
    let is_unseen = walk.was_parked() && found.is_none();
    let stands = written.is_some() && !is_unseen && is_as(&found, file, &digest);
    if stands && (found.is_none() || written.as_ref() == Some(&digest)) {
        return;
    }
    let field = Field::File(path.to_owned());
    let mut reasons = walk.reasons_of(|changed| *changed == field);
    match &written {
        Some(written) => {
            let text = |field: &str| format!("files.{path}.{field}");
            let is_said = reasons.iter().any(|reason| reason.field == text("content"));
            if *written != digest && !is_said {
                let (from, to) = (Some(written.short()), Some(digest.short()));
                reasons.push(reason(Cause::Change, &format!("files.{path}"), from, to));
            }
            let before = applied(walk).and_then(|container| container.files.get(path)).unwrap_or(file);
            let drifted = found.iter().filter(|_| !stands);
            reasons.extend(drifted.flat_map(|found| drift(path, before, written, found)));
        }
        None if reasons.is_empty() => {
            let note = match found {
                Some(_) => "its root does not have it",
                None => "no record tells whether its root has it",
            };
            reasons.push(because(Cause::Consequence, &format!("files.{path}"), note));
        }
        None => {}
    }
    if reasons.is_empty() && is_unseen {
        let note = "nobody looked at it while it was parked";
        reasons.push(because(Cause::Consequence, &format!("files.{path}"), note));
    }
    if reasons.is_empty() {
        reasons.push(because(Cause::Drift, &format!("files.{path}"), "it is not as declared"));
    }
    let is_repair = !walk.changed.contains(&field) && !walk.has_fresh_root();
    walk.establish(&field);
    let write = FileWrite {
        path: path.to_owned(),
        from: file.from.clone(),
        digest,
        mode: file.mode.clone(),
        owner: file.owner.clone(),
        group: file.group.clone(),
        settles: audience == Audience::Programs && !file.on_change.is_empty(),
    };
    let class = match walk.has_fresh_root() {
        true if walk.makes_root() => Class::Create,
        true => Class::Replace,
        // A hand was there before: its record alone is to learn of it.
        false if stands => Class::Record,
        false => Class::Live,
    };
    let (pool, uuid) = (walk.root_pool(), walk.identity.uuid);
    let action = Action::WriteFile { pool, uuid, file: Box::new(write) };
    walk.diff.push(action, class, reasons, walk.applied.clone());
    walk.diff.last_is_repair(is_repair);
}

/// What is at a path; none: it was not looked at.
fn facts(walk: &Walk<'_>, path: &str) -> Option<FileFacts> {
    if walk.has_fresh_root() {
        return Some(FileFacts::Missing);
    }
    walk.scene.observed.containers.get(&walk.identity.uuid)?.files.get(path).cloned()
}

/// What was not looked at counts as it was written.
fn is_as(found: &Option<FileFacts>, file: &ContainerFile, digest: &Digest) -> bool {
    found.as_ref().is_none_or(|found| deviations(found, file, digest).is_empty())
}

/// Everything in which what is there differs from a file: what is there, and what should be.
fn deviations(
    found: &FileFacts,
    file: &ContainerFile,
    digest: &Digest,
) -> Vec<(&'static str, String, String)> {
    let listed = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(" or ");
    let found = match found {
        FileFacts::Missing => return vec![("", "nothing".to_owned(), "a file".to_owned())],
        FileFacts::Other(what) => return vec![("", format!("a {what}"), "a file".to_owned())],
        FileFacts::Regular(found) => found,
    };
    let mut deviations = vec![];
    if found.digest != *digest {
        deviations.push(("content", found.digest.short(), digest.short()));
    }
    if found.mode != file.mode {
        deviations.push(("mode", found.mode.clone(), file.mode.clone()));
    }
    if !found.owner.contains(&file.owner) {
        deviations.push(("owner", listed(&found.owner), file.owner.clone()));
    }
    if !found.group.contains(&file.group) {
        deviations.push(("group", listed(&found.group), file.group.clone()));
    }
    deviations
}

fn drift(path: &str, before: &ContainerFile, written: &Digest, found: &FileFacts) -> Vec<Reason> {
    let told = |(field, from, to): (&str, String, String)| {
        let dot = if field.is_empty() { "" } else { "." };
        reason(Cause::Drift, &format!("files.{path}{dot}{field}"), Some(from), Some(to))
    };
    deviations(found, before, written).into_iter().map(told).collect()
}

fn applied<'a>(walk: &'a Walk<'_>) -> Option<&'a Container> {
    match &walk.applied.as_ref()?.object.spec {
        Spec::Container(container) => Some(container),
        _ => None,
    }
}

/// The commands that follow changes: those of this plan, and those that an earlier one did not come to.
pub fn settle(walk: &mut Walk<'_>) {
    let mut commands: BTreeMap<Vec<String>, Vec<String>> = BTreeMap::new();
    for (path, file) in &walk.desired.files {
        let waits =
            walk.view.record.and_then(|record| record.files.get(path)).is_some_and(|file| file.unsettled);
        let changes = walk.diff.steps.iter().any(|step| {
            let writes = matches!(&step.action, Action::WriteFile { file, .. } if file.path == *path);
            writes && step.class != Class::Record
        });
        if !file.on_change.is_empty() && (waits || changes) {
            commands.entry(file.on_change.clone()).or_default().push(path.clone());
        }
    }
    let uuid = walk.identity.uuid;
    for (command, files) in commands {
        let note =
            |path: &String| because(Cause::Consequence, &format!("files.{path}.onChange"), "it changed");
        let reasons = files.iter().map(note).collect();
        walk.diff.push(Action::RunInside { uuid, command, files }, Class::Live, reasons, None);
        walk.diff.last_is_repair(true);
    }
}
