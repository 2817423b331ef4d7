//! Every step of a plan, and all that waits, says why, and `why` tells the line that it comes from.

use super::Case;
use bayplan::model::key::Key;
use bayplan::model::observed::Observed;
use bayplan::model::origin::{Layer, Place};
use bayplan::model::step::{Cause, Reason};
use bayplan::reconcile::why::standing::State;
use bayplan::reconcile::why::{Explanation, Subject, explain};
use std::collections::BTreeMap;

impl Case<'_> {
    pub fn is_explained(&self, observed: &Observed) {
        let mut explanations = BTreeMap::new();
        let steps =
            self.plan.steps.iter().map(|step| (&step.key, &step.reasons, format!("{:?}", step.action)));
        let pending = self.plan.pending.iter();
        let pending = pending.map(|pending| (&pending.key, &pending.reasons, pending.waits_for.clone()));
        for (key, reasons, what) in steps.chain(pending) {
            assert!(!reasons.is_empty() && !what.is_empty(), "{key}: nobody knows why: {what}");
            let explanation = explanations.entry(key).or_insert_with(|| {
                let subject =
                    Subject { key, plan: self.plan, observed, desired: Some(self.desired), elsewhere: None };
                explain(&subject).unwrap_or_else(|| panic!("{key} is not explained"))
            });
            for reason in reasons {
                let is_said = self.reason(key, reason, explanation);
                assert!(
                    is_said.is_ok(),
                    "{key}, {reason:?}: {is_said:?}\n{what:.300}\n{:?}\n{}",
                    explanation.values.iter().find(|value| value.field == reason.field),
                    self.written
                );
            }
        }
        for key in &self.plan.kept {
            assert!(self.plan.kept_because.get(key).is_some_and(|why| !why.is_empty()), "{key}");
        }
    }

    /// The reason says something, `why` has it, and the line that it comes from.
    fn reason(&self, key: &Key, reason: &Reason, explanation: &Explanation) -> Result<(), String> {
        let note = reason.note.as_ref().is_some_and(|note| !note.is_empty());
        if !note && reason.from.is_none() && reason.to.is_none() {
            return Err("it says nothing".to_owned());
        }
        if reason.field.is_empty() {
            let is_told = explanation.changes.iter().any(|change| change.note == reason.note);
            return if is_told {
                self.whole(key, explanation)
            } else {
                Err("`why` does not tell it".to_owned())
            };
        }
        let value = explanation.values.iter().find(|value| value.field == reason.field);
        let Some(value) = value else { return Err("`why` does not have the field".to_owned()) };
        if !value.changes.iter().any(|change| (&change.from, &change.to) == (&reason.from, &reason.to)) {
            return Err("`why` does not tell the change".to_owned());
        }
        let is_declared = matches!(reason.cause, Cause::Change | Cause::ChangeAndDrift)
            && reason.to.is_some()
            && self.desired.objects.contains_key(key);
        match (&value.origin, is_declared) {
            (_, false) => Ok(()),
            (None, true) if reason.field == "hostname" => Ok(()),
            (None, true) => Err("nobody gave the value".to_owned()),
            (Some(origin), true) => match &origin.place {
                Some(place) => {
                    let lines = words(&reason.field).into_iter().map(|word| self.line(place, word));
                    lines.reduce(Result::or).unwrap_or(Ok(()))
                }
                None if origin.layer == Layer::Default => Ok(()),
                None => Err("no line, and no default".to_owned()),
            },
        }
    }

    /// The object as a whole: a line says that it is there, or it is said that none does.
    fn whole(&self, key: &Key, explanation: &Explanation) -> Result<(), String> {
        let standing = &explanation.standing[0];
        match (standing.state, &standing.place) {
            (State::Declared, Some(place)) => self.line(place, "kind: "),
            (State::Member, Some(place)) => {
                // Of a set with keys the key's line, else the set's.
                let last = key.name.rsplit('-').next().unwrap_or_default();
                self.line(place, &format!("{last}: {{")).or_else(|_| self.line(place, "kind: ContainerSet"))
            }
            (State::BuiltIn, None) if self.desired.builtin.contains(key) => Ok(()),
            (State::Undeclared, _) if !self.desired.objects.contains_key(key) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    }

    /// The line is there, and has the word.
    fn line(&self, place: &Place, word: &str) -> Result<(), String> {
        let line = self.written.lines().nth(place.line as usize - 1);
        match line.filter(|_| &*place.file == "site.yaml") {
            None => Err(format!("there is no {place}")),
            Some(line) if line.contains(word) => Ok(()),
            Some(line) => Err(format!("{place} is not about {word}: {line}")),
        }
    }
}

/// The words of which the line of a field has one.
fn words(field: &str) -> Vec<&str> {
    match field.split_once('.') {
        Some(("config", key)) => vec![key],
        Some(("files", path)) => vec![path.split('.').next().unwrap_or_default()],
        Some((_, rest)) => rest.split('.').collect(),
        None => vec![field],
    }
}
