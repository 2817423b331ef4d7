//! `adopt`: what was changed on the host by hand → edits of the manifests that declare it. Decides, and touches nothing:
//! the command asks for plans and writes.
//!
//! ```text
//! plan ─ drift ─► differences ─► where each value is written ─► edited texts ─► plan again: only records are left
//! ```
//!
//! | file | what |
//! | --- | --- |
//! | `value` | a drift → the value that a manifest would say |
//! | `spot` | a difference → where it is written, and the edited texts |

pub mod spot;
pub mod value;

use crate::model::key::Key;
use crate::model::step::{Action, Cause, Class, Reason, Step};
use crate::reconcile::drift::Drift;
use crate::reconcile::plan::Plan;
use crate::reconcile::render::step_words;
use crate::spec::edit::New;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Where a value goes that a profile gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Into {
    /// The container's own document: its profile's other containers stay as they are.
    Container,
    /// The profile: every container that takes it from there has it.
    Profile,
}

/// What a field is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// There is none.
    Null,
    Scalar(String),
    /// A device that there is none of.
    NoDevice,
}

/// What takes a device away that a weaker layer gives.
const NO_DEVICE: &str = "{type: none}";

impl Value {
    fn as_new(&self) -> New<'_> {
        match self {
            Value::Null => New::Null,
            Value::Scalar(text) => New::Scalar(text),
            Value::NoDevice => New::Flow(NO_DEVICE),
        }
    }

    fn words(&self) -> &str {
        match self {
            Value::Null => "none",
            Value::Scalar(text) => text,
            Value::NoDevice => NO_DEVICE,
        }
    }

    /// Whether there is nothing where the manifests declare something.
    fn is_absence(&self) -> bool {
        matches!(self, Value::Null | Value::NoDevice)
    }
}

impl Serialize for Value {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Null => serializer.serialize_none(),
            Value::Scalar(_) | Value::NoDevice => serializer.serialize_str(self.words()),
        }
    }
}

/// A value that the host has and the manifests do not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    pub key: Key,
    pub field: String,
    /// In the words of manifests.
    pub value: Value,
}

impl Difference {
    fn refused(&self, why: String) -> NotAdopted {
        NotAdopted { key: self.key.clone(), field: self.field.clone(), why }
    }
}

/// What cannot be adopted, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
#[error("{key}{}{field}: {why}", if .field.is_empty() { "" } else { " " })]
pub struct NotAdopted {
    pub key: Key,
    pub field: String,
    pub why: String,
}

/// What files inside hold; else why it is no text that could be written. By container and path.
pub type FileTexts = BTreeMap<(Key, String), Result<String, String>>;

/// The drift of these objects (of all, if there are none) as values, and what of it is none. An object's drift is adopted
/// whole or not at all.
pub fn differences(
    plan: &Plan,
    keys: &BTreeSet<Key>,
    texts: &FileTexts,
) -> (Vec<Difference>, Vec<NotAdopted>) {
    let (mut differences, mut not) = (vec![], vec![]);
    for (step, reason) in drifted(plan, keys) {
        match value::values(plan, step, reason, texts) {
            Ok(values) => {
                let of = |(field, value)| Difference { key: step.key.clone(), field, value };
                differences.extend(values.into_iter().map(of));
            }
            Err(why) => not.push(NotAdopted { key: step.key.clone(), field: reason.field.clone(), why }),
        }
    }
    for broken in plan.broken.iter().filter(|broken| is_wanted(keys, &broken.key)) {
        let why = broken.message.clone();
        not.push(NotAdopted { key: broken.key.clone(), field: String::new(), why });
    }
    differences.sort_by(|a, b| (&a.key, &a.field).cmp(&(&b.key, &b.field)));
    differences.dedup();
    not.dedup();
    (differences, not)
}

fn drifted<'p>(plan: &'p Plan, keys: &BTreeSet<Key>) -> impl Iterator<Item = (&'p Step, &'p Reason)> {
    let steps = plan.steps.iter().filter(|step| is_wanted(keys, &step.key));
    let reasons = steps.flat_map(|step| step.reasons.iter().map(move |reason| (step, reason)));
    reasons.filter(|(_, reason)| matches!(reason.cause, Cause::Drift | Cause::ChangeAndDrift))
}

fn is_wanted(keys: &BTreeSet<Key>, key: &Key) -> bool {
    keys.is_empty() || keys.contains(key)
}

/// What keeps edits from being right: something is left to do for an adopted object, or another one changes.
pub fn left(before: &Plan, after: &Plan, adopted: &BTreeSet<Key>) -> Vec<NotAdopted> {
    let mut left = vec![];
    let mut say = |key: &Key, field: &str, why: String| {
        left.push(NotAdopted { key: key.clone(), field: field.to_owned(), why });
    };
    for step in after.steps.iter().filter(|step| adopted.contains(&step.key) && !is_record(step)) {
        for reason in &step.reasons {
            let side = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
            let values = match (side(&reason.from), side(&reason.to)) {
                (from, to) if from == to => String::new(),
                (from, to) => format!(" ({from} -> {to})"),
            };
            let why = format!("{} is left to do{values}", step_words(&step.action));
            say(&step.key, &reason.field, why);
        }
    }
    for pending in after.pending.iter().filter(|pending| adopted.contains(&pending.key)) {
        say(&pending.key, "", format!("a change waits for {}", pending.waits_for));
    }
    for key in after.kept.iter().filter(|key| adopted.contains(key)) {
        say(key, "", "it is still not declared".to_owned());
    }
    let (was, is) = (words(before, adopted), words(after, adopted));
    for key in was.keys().chain(is.keys()).collect::<BTreeSet<_>>() {
        if was.get(key) != is.get(key) {
            say(key, "", "it would change too: the same lines declare it".to_owned());
        }
    }
    left.dedup();
    left
}

/// So many objects are named.
const NAMED: usize = 8;

/// What a plan of the written manifests and the drift after it still have, an object a line; those in `told` apart.
pub fn remaining(plan: &Plan, drift: &Drift, told: &BTreeSet<&Key>) -> Vec<String> {
    let mut steps: BTreeMap<&Key, BTreeSet<String>> = BTreeMap::new();
    for step in &plan.steps {
        steps.entry(&step.key).or_default().insert(step_words(&step.action));
    }
    let mut drifted: BTreeMap<&Key, BTreeSet<String>> = BTreeMap::new();
    for row in &drift.rows {
        drifted.entry(&row.key).or_default().insert(format!("drift {}", row.field).trim_end().to_owned());
    }
    for broken in plan.broken.iter().chain(&drift.broken) {
        drifted.entry(&broken.key).or_default().insert(broken.message.clone());
    }
    // What a step does says more than that it differs.
    let mut objects: BTreeMap<&Key, BTreeSet<String>> = drifted.into_iter().chain(steps).collect();
    let line = |(key, words): (&&Key, &BTreeSet<String>)| {
        format!("{key}: {}", words.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
    };
    objects.retain(|key, _| !told.contains(key));
    let mut lines: Vec<String> = objects.iter().take(NAMED).map(line).collect();
    if objects.len() > NAMED {
        lines.push(format!("and {} objects more", objects.len() - NAMED));
    }
    lines
}

/// A step that writes down what is there, and changes nothing on the host.
pub fn is_record(step: &Step) -> bool {
    matches!(step.action, Action::PutRecord(_) | Action::Note) || step.class == Class::Record
}

/// What a plan does to the objects that are not adopted.
fn words<'p>(plan: &'p Plan, adopted: &BTreeSet<Key>) -> BTreeMap<&'p Key, Vec<(String, &'p [Reason])>> {
    let mut words: BTreeMap<&Key, Vec<(String, &[Reason])>> = BTreeMap::new();
    for step in plan.steps.iter().filter(|step| !adopted.contains(&step.key)) {
        words.entry(&step.key).or_default().push((step_words(&step.action), &step.reasons));
    }
    words
}
