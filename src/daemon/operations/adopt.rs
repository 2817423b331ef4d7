//! `adopt`: what was changed on the host by hand → edits of the manifests that declare it. Decides, and touches nothing:
//! the command asks for plans and writes.
//!
//! ```text
//! plan ─ drift ─► differences ─► where each value is written ─► edited texts ─► plan again: only records are left
//! ```

use crate::model::key::{Key, Kind};
use crate::model::origin::{FieldOrigins, Layer, Origin, Place};
use crate::model::step::{Action, Cause, Reason, Step};
use crate::reconcile::plan::Plan;
use crate::reconcile::render::step_words;
use crate::spec::SourceText;
use crate::spec::edit;
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

/// A value that the host has and the manifests do not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    pub key: Key,
    pub field: String,
    /// In the words of manifests; None: it has none.
    pub value: Option<String>,
}

/// What cannot be adopted, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}{}{field}: {why}", if .field.is_empty() { "" } else { " " })]
pub struct NotAdopted {
    pub key: Key,
    pub field: String,
    pub why: String,
}

/// The drift of these objects (of all, if there are none) as values; an object's drift is adopted whole or not at all.
pub fn differences(plan: &Plan, keys: &BTreeSet<Key>) -> Result<Vec<Difference>, Vec<NotAdopted>> {
    let (mut differences, mut not) = (vec![], vec![]);
    let is_wanted = |key: &Key| keys.is_empty() || keys.contains(key);
    let steps = plan.steps.iter().filter(|step| is_wanted(&step.key));
    let reasons = steps.flat_map(|step: &Step| step.reasons.iter().map(|reason| (&step.key, reason)));
    for (key, reason) in
        reasons.filter(|(_, reason)| matches!(reason.cause, Cause::Drift | Cause::ChangeAndDrift))
    {
        let field = reason.field.clone();
        match value(key.kind, reason) {
            Ok(value) => differences.push(Difference { key: key.clone(), field, value }),
            Err(why) => not.push(NotAdopted { key: key.clone(), field, why }),
        }
    }
    for broken in plan.broken.iter().filter(|broken| is_wanted(&broken.key)) {
        let why = broken.message.clone();
        not.push(NotAdopted { key: broken.key.clone(), field: String::new(), why });
    }
    differences.sort_by(|a, b| (&a.key, &a.field).cmp(&(&b.key, &b.field)));
    differences.dedup();
    not.dedup();
    if not.is_empty() { Ok(differences) } else { Err(not) }
}

/// What the host has as a manifest's value.
fn value(kind: Kind, reason: &Reason) -> Result<Option<String>, String> {
    let field = reason.field.as_str();
    let is_limit = kind == Kind::Container && field.starts_with("config.limits.");
    let is_mode = file_of_mode(field).is_some();
    if is_limit || (kind == Kind::Container && (field == "state" || is_mode)) {
        return Ok(reason.from.clone());
    }
    if kind == Kind::Network && field.starts_with("config.") {
        return Err("a bridge is set up as a whole, with its rules; change the manifest and apply".to_owned());
    }
    let note = reason.note.as_ref().map_or(String::new(), |note| format!("{note}; "));
    Err(format!("{note}a manifest cannot say that; `bayplan apply` repairs it"))
}

/// The profiles that differences are written into.
pub fn profiles(plan: &Plan, differences: &[Difference], into: Into) -> BTreeSet<Key> {
    let origin = |difference: &Difference| {
        let origins = &plan.objects.get(&difference.key)?.origins;
        origin(origins, &difference.field).filter(|origin| goes_into_profile(origin, &difference.field, into))
    };
    let name = |origin: &Origin| match &origin.layer {
        Layer::Profile(name) => Some(Key::profile(name)),
        _ => None,
    };
    differences.iter().filter_map(origin).filter_map(name).collect()
}

/// The origin of a field; a file has one for all that is said of it.
fn origin<'o>(origins: &'o FieldOrigins, field: &str) -> Option<&'o Origin> {
    match file_of_mode(field) {
        Some(path) => origins.get(&format!("files.{path}")),
        None => origins.get(field),
    }
}

fn file_of_mode(field: &str) -> Option<&str> {
    field.strip_prefix("files.").and_then(|field| field.strip_suffix(".mode"))
}

/// A file's mode is written where the file is: alone it would be no file.
fn goes_into_profile(origin: &Origin, field: &str, into: Into) -> bool {
    let is_profile = matches!(origin.layer, Layer::Profile(_)) && !origin.unset;
    is_profile && (into == Into::Profile || file_of_mode(field).is_some())
}

/// The texts with every difference written where its value comes from.
pub fn edited(
    texts: &[SourceText],
    plan: &Plan,
    differences: &[Difference],
    into: Into,
) -> Result<Vec<SourceText>, Vec<NotAdopted>> {
    let mut not = vec![];
    let mut edits: BTreeMap<Spot, (&Difference, Option<&str>)> = BTreeMap::new();
    for difference in differences {
        let refused =
            |why: String| NotAdopted { key: difference.key.clone(), field: difference.field.clone(), why };
        let origins = plan.objects.get(&difference.key).map(|change| &change.origins);
        let spot = match origins.map(|origins| spot(texts, origins, difference, into)) {
            Some(Ok(spot)) => spot,
            Some(Err(why)) => {
                not.push(refused(why));
                continue;
            }
            None => {
                not.push(refused("it is not in these manifests".to_owned()));
                continue;
            }
        };
        let value = difference.value.as_deref();
        match edits.get(&spot) {
            Some((other, taken)) if *taken != value => {
                let shown = |value: Option<&str>| value.unwrap_or("none").to_owned();
                not.push(refused(format!(
                    "one line declares it for both, and they do not agree: {} has {}, {} has {}",
                    other.key,
                    shown(*taken),
                    difference.key,
                    shown(value)
                )));
            }
            _ => drop(edits.insert(spot, (difference, value))),
        }
    }
    let mut texts = texts.to_vec();
    // Single values first and from the end: they move no line, and no place before them.
    let values = edits.iter().rev().filter(|(spot, _)| matches!(spot, Spot::Value { .. }));
    let fields = edits.iter().filter(|(spot, _)| matches!(spot, Spot::Field { .. }));
    for (spot, (difference, value)) in values.chain(fields) {
        let text = &mut texts[spot.file()];
        match apply(&text.text, spot, *value) {
            Ok(new) => text.text = new,
            Err(error) => {
                let (key, field) = (difference.key.clone(), difference.field.clone());
                not.push(NotAdopted { key, field, why: format!("{}: {error}", text.path) });
            }
        }
    }
    if not.is_empty() { Ok(texts) } else { Err(not) }
}

fn apply(text: &str, spot: &Spot, value: Option<&str>) -> Result<String, edit::Unedited> {
    match spot {
        Spot::Field { document, path, .. } => {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            edit::set(text, *document, &path, value)
        }
        Spot::Value { place, .. } => edit::replace(text, place, value.unwrap_or("null")),
    }
}

/// Where a value is to be written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Spot {
    /// In the n-th document of a text.
    Field { file: usize, document: usize, path: Vec<String> },
    /// A value that a placeholder stands for.
    Value { file: usize, place: Place },
}

impl Spot {
    fn file(&self) -> usize {
        match self {
            Spot::Field { file, .. } | Spot::Value { file, .. } => *file,
        }
    }
}

fn spot(
    texts: &[SourceText],
    origins: &FieldOrigins,
    difference: &Difference,
    into: Into,
) -> Result<Spot, String> {
    let field = difference.field.as_str();
    let own = origins.get("").ok_or("nothing declares it")?;
    let origin = origin(origins, field);
    let home = origin.filter(|origin| goes_into_profile(origin, field, into)).unwrap_or(own);
    let place = home.place.as_ref().ok_or("it is built in; declare it in a manifest first")?;
    let file = file_of(texts, place)?;
    let document = edit::document_at(&texts[file].text, place).ok_or("its document is gone")?;
    let mut path: Vec<String> = vec!["spec".to_owned()];
    if matches!(home.layer, Layer::Set(_)) {
        path.push("template".to_owned());
    }
    path.extend(match (file_of_mode(field), field.split_once('.')) {
        (Some(file), _) => vec!["files".to_owned(), file.to_owned(), "mode".to_owned()],
        (None, Some((first, rest))) => vec![first.to_owned(), rest.to_owned()],
        (None, None) => vec![field.to_owned()],
    });
    let is_here = origin.is_some_and(|origin| origin.layer == home.layer);
    match origin.filter(|origin| is_here && !origin.filled.is_empty()) {
        Some(origin) => placeholder(texts, origin, (file, document, &path)),
        None => Ok(Spot::Field { file, document, path }),
    }
}

/// A value that is one placeholder is written where the placeholder's value is.
fn placeholder(
    texts: &[SourceText],
    origin: &Origin,
    (file, document, path): (usize, usize, &[String]),
) -> Result<Spot, String> {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let written = edit::written(&texts[file].text, document, &path).unwrap_or_default();
    let is_whole = written.starts_with("${") && written.find('}') == Some(written.len() - 1);
    match &origin.filled[..] {
        [place] if is_whole => Ok(Spot::Value { file: file_of(texts, place)?, place: place.clone() }),
        _ => Err(format!("its value is made of placeholders{}; change it by hand", origin.filled_from())),
    }
}

fn file_of(texts: &[SourceText], place: &Place) -> Result<usize, String> {
    texts
        .iter()
        .position(|text| *text.path == *place.file)
        .ok_or_else(|| format!("{} is not among these manifests", place.file))
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
            let values = format!("{} -> {}", side(&reason.from), side(&reason.to));
            let why = format!("{} is left to do ({values})", step_words(&step.action));
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

/// A step that writes down what is there, and changes nothing on the host.
pub fn is_record(step: &Step) -> bool {
    matches!(step.action, Action::PutRecord(_) | Action::Note)
}

/// What a plan does to the objects that are not adopted.
fn words<'p>(plan: &'p Plan, adopted: &BTreeSet<Key>) -> BTreeMap<&'p Key, Vec<(String, &'p [Reason])>> {
    let mut words: BTreeMap<&Key, Vec<(String, &[Reason])>> = BTreeMap::new();
    for step in plan.steps.iter().filter(|step| !adopted.contains(&step.key)) {
        words.entry(&step.key).or_default().push((step_words(&step.action), &step.reasons));
    }
    words
}
