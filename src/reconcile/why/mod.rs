//! Why an object is as it is: each value with the line and the layer that gave it, what it hides, what was last
//! applied, what the host has, and what a plan does about it. Pure; `text` shows it to people.

pub mod observed;
pub mod standing;
pub mod text;

use super::diff::field::texts;
use super::join::join;
use super::plan::{Pending, Plan};
use super::render::step_words;
use super::world::recorded;
use crate::model::desired::Desired;
use crate::model::key::Key;
use crate::model::object::{Object, Spec};
use crate::model::observed::Observed;
use crate::model::origin::{Elsewhere, FieldOrigins, Layer, Origin};
use crate::model::record::Record;
use crate::model::step::{Cause, Class, Reason, Step};
use serde::{Deserialize, Serialize};
use standing::Standing;
use std::collections::{BTreeMap, BTreeSet};

/// The version of the JSON.
pub const WHY_VERSION: u32 = 1;

/// One object, explained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    pub version: u32,
    pub key: Key,
    /// `site edge`, `system`; None: nobody's yet.
    pub owner: Option<String>,
    /// Of the apply that set what is declared; None: nothing of it was applied yet.
    pub generation: Option<u64>,
    /// Why it is there, or is not, and what is going on with it.
    pub standing: Vec<Standing>,
    /// What a plan does to it as a whole.
    pub changes: Vec<Change>,
    /// Each value by field path, those too that are taken away.
    pub values: Vec<Value>,
}

/// One value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Value {
    /// `config.limits.memory`
    pub field: String,
    /// As it is in effect; None: there is none, or it is the same as the default.
    pub value: Option<String>,
    /// Where it comes from, and what it hides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// What steps last established.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<String>,
    /// What the host has; None: it is kept in records alone, or cannot be read back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<String>,
    /// It is neither compared nor written (`ignore`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ignored: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
}

/// What a plan does, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    pub class: Class,
    pub cause: Cause,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The step that does it, in words; None: it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// What lifts it, where it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
}

/// What is asked about, and all that is known of it.
pub struct Subject<'a> {
    pub key: &'a Key,
    /// Of the object at least, for the goal that is asked about.
    pub plan: &'a Plan,
    pub observed: &'a Observed,
    /// What manifests declare; None: the records alone are asked.
    pub desired: Option<&'a Desired>,
    /// The manifests have it for other hosts only.
    pub elsewhere: Option<&'a Elsewhere>,
}

impl<'a> Subject<'a> {
    fn record(&self) -> Option<&'a Record> {
        self.observed.records.get(self.key)
    }

    /// As declared; of what manifests no longer declare, as last declared.
    fn object(&self) -> Option<&'a Object> {
        let declared = self.desired.and_then(|desired| desired.objects.get(self.key));
        declared.or_else(|| self.record().and_then(recorded))
    }

    fn origins(&self) -> Option<&'a FieldOrigins> {
        let declared = self.desired.and_then(|desired| desired.origins.get(self.key));
        declared.or_else(|| self.record().map(|record| &record.origins))
    }
}

/// None: nothing is known of such an object.
pub fn explain(subject: &Subject<'_>) -> Option<Explanation> {
    let is_external = subject.desired.is_some_and(|desired| desired.external.contains(subject.key));
    if subject.object().is_none() && subject.elsewhere.is_none() && !is_external {
        return None;
    }
    let (changes, by_field) = changes(subject);
    Some(Explanation {
        version: WHY_VERSION,
        key: subject.key.clone(),
        owner: subject.record().map(|record| record.owner.to_string()),
        generation: subject.record().map(|record| record.generation),
        standing: standing::standing(subject),
        changes,
        values: values(subject, by_field),
    })
}

/// Fields whose parts have defaults of their own: one that nobody wrote is not of the line of those beside it.
const WITH_DEFAULTS: [&str; 4] = ["ready", "update", "prune", "rollout"];

/// Fields that objects have whether or not somebody wrote them.
const OPTIONAL: [&str; 2] = ["heal", "type"];

/// The origin of a field: its own, else that of the nearest field around it; the object's own counts where it is built
/// in as a whole.
pub fn origin_of(origins: &FieldOrigins, field: &str) -> Option<Origin> {
    if WITH_DEFAULTS.iter().any(|whole| field.strip_prefix(whole).is_some_and(|part| part.starts_with('.'))) {
        return origins.get(field).cloned().or_else(|| Some(Origin::new(None, Layer::Default)));
    }
    if !origins.contains_key(field) && is_default_of_file(origins, field) {
        return Some(Origin::new(None, Layer::Default));
    }
    if let Some(origin) = origins.get(&format!("metadata.{field}")) {
        return Some(origin.clone());
    }
    let mut path = field;
    loop {
        if let Some(origin) = origins.get(path) {
            return Some(origin.clone());
        }
        match path.rfind(['.', '[']) {
            Some(end) => path = &path[..end],
            None => break,
        }
    }
    // A list that no line begins is of the line of its first item: `dependsOn` by `restartWith`.
    if let Some(origin) = origins.get(&format!("{field}[0]")) {
        return Some(origin.clone());
    }
    match OPTIONAL.contains(&field) {
        true => Some(Origin::new(None, Layer::Default)),
        false => origins.get("").filter(|origin| origin.layer == Layer::Default).cloned(),
    }
}

/// Mode, owner or group of a file that says something else. A record of an earlier version has the file's own place alone.
fn is_default_of_file(origins: &FieldOrigins, field: &str) -> bool {
    let Some((file, "mode" | "owner" | "group")) = field.rsplit_once('.') else { return false };
    let written = ["content", "source", "secretRef"].map(|part| format!("{file}.{part}"));
    file.starts_with("files./") && written.iter().any(|part| origins.contains_key(part))
}

fn values(subject: &Subject<'_>, mut changes: BTreeMap<String, Vec<Change>>) -> Vec<Value> {
    let wanted = subject.object().map(texts).unwrap_or_default();
    let applied = subject.record().and_then(|record| record.applied.as_ref());
    let applied = applied.map(|applied| texts(&applied.object)).unwrap_or_default();
    let joined = join(subject.observed);
    let mut observed =
        observed::observed(subject.key, subject.object(), &joined.view(subject.key), subject.observed);
    let empty = FieldOrigins::new();
    let origins = subject.origins().unwrap_or(&empty);
    let written = origins.iter().filter(|(path, origin)| origin.unset || path.starts_with("config."));
    let mut fields: BTreeSet<String> = wanted.keys().chain(applied.keys()).cloned().collect();
    fields.extend(written.map(|(path, _)| path.clone()));
    // The standing says whose member it is.
    fields.remove("memberOf");
    fields.extend(changes.keys().cloned());
    fields.extend(observed.keys().filter(|field| origins.contains_key(*field)).cloned());
    let ignores = match subject.object().map(|object| &object.spec) {
        Some(Spec::Container(container)) => Some(&container.ignore),
        _ => None,
    };
    let value = |field: String| Value {
        ignored: ignores.into_iter().flatten().any(|path| is_below(&field, path)),
        value: wanted.get(&field).cloned(),
        origin: origin_of(origins, &field),
        applied: applied.get(&field).cloned(),
        observed: observed.remove(&field),
        changes: changes.remove(&field).unwrap_or_default(),
        field,
    };
    fields.into_iter().map(value).collect()
}

/// What happens to the object as a whole, and to its fields.
fn changes(subject: &Subject<'_>) -> (Vec<Change>, BTreeMap<String, Vec<Change>>) {
    let (mut whole, mut fields) = (vec![], BTreeMap::<String, Vec<Change>>::new());
    let steps = subject.plan.steps.iter().filter(|step| step.key == *subject.key);
    let planned = steps.flat_map(|step| step.reasons.iter().map(|reason| (reason, planned(step, reason))));
    let waits = subject.plan.pending.iter().filter(|pending| pending.key == *subject.key);
    let waiting =
        waits.flat_map(|pending| pending.reasons.iter().map(|reason| (reason, waiting(pending, reason))));
    for (reason, change) in planned.chain(waiting) {
        let list = match reason.field.as_str() {
            "" => &mut whole,
            field => fields.entry(field.to_owned()).or_default(),
        };
        if !list.contains(&change) {
            list.push(change);
        }
    }
    (whole, fields)
}

/// Whether a field is the one of this path, or stands below it.
fn is_below(field: &str, path: &str) -> bool {
    field.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn planned(step: &Step, reason: &Reason) -> Change {
    Change { step: Some(step_words(&step.action)), ..change(step.class, reason) }
}

fn waiting(pending: &Pending, reason: &Reason) -> Change {
    Change { waits_for: Some(pending.waits_for.clone()), ..change(pending.class, reason) }
}

fn change(class: Class, reason: &Reason) -> Change {
    Change {
        class,
        cause: reason.cause,
        from: reason.from.clone(),
        to: reason.to.clone(),
        note: reason.note.clone(),
        step: None,
        waits_for: None,
    }
}

impl Explanation {
    /// Of a set, which has no values of its own.
    pub fn of_set(key: &Key, standing: Standing) -> Explanation {
        Explanation {
            version: WHY_VERSION,
            key: key.clone(),
            owner: None,
            generation: None,
            standing: vec![standing],
            changes: vec![],
            values: vec![],
        }
    }

    /// With the values alone that `field` names: itself, or all below it; `limits.memory` is `config.limits.memory`.
    /// None: there is no such value.
    pub fn narrowed(&self, field: &str) -> Option<Explanation> {
        let whole = [field.to_owned(), format!("config.{field}")];
        let is_meant = |value: &&Value| whole.iter().any(|path| is_below(&value.field, path));
        let values: Vec<Value> = self.values.iter().filter(is_meant).cloned().collect();
        if values.is_empty() { None } else { Some(Explanation { values, ..self.clone() }) }
    }
}
