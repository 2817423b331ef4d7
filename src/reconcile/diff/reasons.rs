//! Why a container's steps are there, in the words of manifests and of people.

use super::container::Walk;
use super::field::{Field, differing_texts};
use super::{because, reason};
use crate::model::object::{Container, Object};
use crate::model::observed::{ExitCause, ExitFacts, RunFacts};
use crate::model::ready::ReadyProbe;
use crate::model::record::Applied;
use crate::model::step::{Cause, Class, Reason};

impl Walk<'_> {
    /// Why it starts.
    pub fn start_reasons(&self) -> Vec<Reason> {
        let mut reasons = vec![];
        match &self.applied {
            _ if self.target.verb => reasons.push(because(Cause::Verb, "state", "asked for")),
            None => reasons.push(because(Cause::Change, "", "new")),
            Some(_) if self.was_parked() => {
                reasons.push(because(Cause::Consequence, "state", "it was parked"));
            }
            Some(_) if self.changed.contains(&Field::State) => {
                reasons.extend(self.reasons_of(|field| *field == Field::State));
            }
            Some(_) => {
                let plain = reason(
                    Cause::Drift,
                    "state",
                    Some("stopped".to_owned()),
                    Some(self.target.power.word().to_owned()),
                );
                let note = match self.view.exit {
                    Some(_) if self.view.was_stopped() => {
                        "stopped by Bayplan, and not started again".to_owned()
                    }
                    Some(exit) => exit_words(exit),
                    None => "it does not run".to_owned(),
                };
                reasons.push(Reason { note: Some(note), ..plain });
            }
        }
        reasons.extend(self.reasons_of(|field| {
            !matches!(field, Field::State) && !field.serves_creation() && field.class() != Class::Record
        }));
        reasons
    }

    /// Why its power state changes from `found`.
    pub fn power_reasons(&self, found: &str) -> Vec<Reason> {
        if self.target.verb {
            return vec![because(Cause::Verb, "state", "asked for")];
        }
        if self.changed.contains(&Field::State) {
            return self.reasons_of(|field| *field == Field::State);
        }
        let wanted = self.target.power.word().to_owned();
        vec![reason(Cause::Drift, "state", Some(found.to_owned()), Some(wanted))]
    }

    /// The reasons of the changed fields that `wanted` picks.
    pub fn reasons_of(&self, wanted: impl Fn(&Field) -> bool) -> Vec<Reason> {
        let fields: Vec<&Field> = self.changed.iter().filter(|field| wanted(field)).collect();
        let of = |reason: &&Reason| fields.iter().any(|field| field.covers(&reason.field));
        self.reasons.iter().filter(of).cloned().collect()
    }
}

/// Reasons for what differs between established and declared.
pub fn change_reasons(before: Option<&Applied>, after: &Object) -> Vec<Reason> {
    let Some(before) = before else { return vec![] };
    differing_texts(&before.object, after)
        .into_iter()
        .map(|(path, from, to)| reason(Cause::Change, &path, from, to))
        .collect()
}

/// Why a running incarnation must be replaced to be as declared; empty: it need not.
pub fn restart_reasons(walk: &Walk<'_>, facts: &RunFacts) -> Vec<Reason> {
    let (running, wanted) = (&facts.run, &walk.run);
    let parts = [
        ("hostname", running.hostname == wanted.hostname),
        ("id map", running.id_map == wanted.id_map),
        ("config.security.nesting", running.nesting == wanted.nesting),
        ("config.linux.sysctl", running.sysctls == wanted.sysctls),
        ("persist", running.persist == wanted.persist),
    ];
    let differing: Vec<&str> = parts.into_iter().filter(|(_, same)| !same).map(|(part, _)| part).collect();
    let mut reasons = match differing.is_empty() {
        true => vec![],
        false => walk.reasons_of(|field| field.class() == Class::Restart),
    };
    if running.hostname != wanted.hostname {
        let (from, to) = (Some(running.hostname.clone()), Some(wanted.hostname.clone()));
        reasons.push(reason(Cause::Change, "hostname", from, to));
    }
    if reasons.is_empty() {
        let note = "differs in what runs from what is declared";
        reasons.extend(differing.into_iter().map(|part| because(Cause::Consequence, part, note)));
    }
    reasons.extend(others_restarted(walk));
    reasons.extend(lost_folders(walk, facts));
    reasons
}

/// Folders that were to outlive the root, and are gone from the pool: a start makes them from what the root has.
fn lost_folders(walk: &Walk<'_>, facts: &RunFacts) -> Vec<Reason> {
    let Some(root) = walk.view.root else { return vec![] };
    let lost =
        facts.run.persist.intersection(&walk.desired.persist).filter(|path| !root.persisted.contains(*path));
    let note = |path: &String| format!("the place of {path} in pool {} is gone", root.pool);
    lost.map(|path| because(Cause::Drift, "persist", note(path))).collect()
}

/// Those that it restarts with, and that are another incarnation than when it started.
fn others_restarted(walk: &Walk<'_>) -> Vec<Reason> {
    let Some(applied) = &walk.applied else { return vec![] };
    let others = walk
        .others
        .iter()
        .filter(|(key, now)| applied.started_with.get(*key).is_some_and(|before| before != *now));
    others.map(|(key, _)| because(Cause::Consequence, "restartWith", format!("{key} is restarted"))).collect()
}

/// What a change that only a record takes is shown as.
pub fn note_class(field: &Field) -> Class {
    match field.class() {
        // Noted where it is another name of the same content alone.
        _ if *field == Field::Image => Class::Record,
        Class::Record => Class::Record,
        Class::Live => Class::Live,
        _ => Class::Deferred,
    }
}

/// Predicted: what a clean stop and a start took in trials; a Debian boots longer than a single process.
pub fn restart_downtime_ms(container: &Container) -> u64 {
    match container.ready.probe {
        ReadyProbe::Alive => 1_000,
        ReadyProbe::Systemd | ReadyProbe::Exec(_) | ReadyProbe::Tcp(_) | ReadyProbe::Http(_) => 10_000,
    }
}

fn exit_words(exit: &ExitFacts) -> String {
    match (exit.cause, exit.status) {
        (ExitCause::PowerOff, _) => "powered off from inside".to_owned(),
        (ExitCause::Reboot, _) => "rebooted from inside".to_owned(),
        (ExitCause::Killed, Some(status)) if status > 128 => {
            format!("init was killed (signal {})", status - 128)
        }
        (ExitCause::Killed, _) => "init was killed".to_owned(),
        (ExitCause::Failed, Some(status)) => format!("init ended with status {status}"),
        (ExitCause::Failed, None) => "init ended".to_owned(),
        (ExitCause::Oom, _) => "init was killed: out of memory".to_owned(),
        (ExitCause::Unknown, _) => "init is gone; how it ended is not known".to_owned(),
    }
}
