//! Where differences are written: in which text, document and field; and the texts with them.

use super::value::{content as content_of, device, device_option, file_part};
use super::{Difference, Into, NotAdopted, Value};
use crate::model::content::{Content, SourceFile};
use crate::model::key::Key;
use crate::model::origin::{FieldOrigins, Layer, Origin, Place};
use crate::reconcile::plan::Plan;
use crate::reconcile::render::values::in_a_line;
use crate::spec::edit;
use crate::spec::fill;
use crate::spec::{SourceText, TextRole};
use std::collections::{BTreeMap, BTreeSet};

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

/// The origin of a field; a file has one for all that is said of it, a device that of its type.
fn origin<'o>(origins: &'o FieldOrigins, field: &str) -> Option<&'o Origin> {
    match (file_part(field), device(field)) {
        (Some((path, _)), _) => origins.get(&format!("files.{path}")),
        // Of the whole device, else of one option.
        (None, Some(name)) => origins.get(&format!("devices.{name}.type")).or_else(|| origins.get(field)),
        (None, None) => origins.get(field),
    }
}

/// What is said of a file is written where the file is: alone it would be no file.
fn goes_into_profile(origin: &Origin, field: &str, into: Into) -> bool {
    let is_profile = matches!(origin.layer, Layer::Profile(_)) && !origin.unset;
    is_profile && (into == Into::Profile || file_part(field).is_some())
}

/// What is written at each spot.
type Edits<'d> = BTreeMap<Spot, Vec<&'d Difference>>;

/// The texts with every difference written where its value comes from.
pub fn edited(
    texts: &[SourceText],
    plan: &Plan,
    differences: &[Difference],
    into: Into,
) -> Result<Vec<SourceText>, Vec<NotAdopted>> {
    let (edits, mut not) = edits(texts, plan, differences, into);
    let mut texts = texts.to_vec();
    // Single values first and from the end: they move no line, and no place before them.
    let values = edits.iter().rev().filter(|(spot, _)| matches!(spot, Spot::Value { .. }));
    let fields = edits.iter().filter(|(spot, _)| !matches!(spot, Spot::Value { .. }));
    for (spot, difference) in values.chain(fields).filter_map(|(spot, all)| Some((spot, *all.first()?))) {
        let text = &mut texts[spot.file()];
        match apply(&text.text, spot, &difference.value, is_alone(plan, difference)) {
            Ok(new) => text.text = new,
            Err(error) => not.push(difference.refused(format!("{}: {error}", text.path))),
        }
    }
    if not.is_empty() { Ok(texts) } else { Err(not) }
}

/// The differences in groups that share no line: each can be written without the others. And those that cannot be
/// written at all, with whatever would be written with them.
pub fn groups(
    texts: &[SourceText],
    plan: &Plan,
    differences: &[Difference],
    into: Into,
) -> (Vec<Vec<Difference>>, Vec<NotAdopted>) {
    let (edits, not) = edits(texts, plan, differences, into);
    let mut groups: Vec<BTreeSet<&Key>> = vec![];
    let singles = differences.iter().map(|difference| BTreeSet::from([&difference.key]));
    let shared = edits.values().map(|all| all.iter().map(|difference| &difference.key).collect());
    for mut group in singles.chain(shared) {
        let apart = |other: &BTreeSet<&Key>| other.is_disjoint(&group);
        let (others, mut joined): (Vec<_>, Vec<_>) = groups.into_iter().partition(apart);
        joined.iter_mut().for_each(|other| group.append(other));
        groups = others;
        groups.push(group);
    }
    groups.retain(|group| !not.iter().any(|not| group.contains(&not.key)));
    groups.sort();
    let of = |group: &BTreeSet<&Key>| {
        differences.iter().filter(|difference| group.contains(&difference.key)).cloned().collect()
    };
    (groups.iter().map(of).collect(), not)
}

fn edits<'d>(
    texts: &[SourceText],
    plan: &Plan,
    differences: &'d [Difference],
    into: Into,
) -> (Edits<'d>, Vec<NotAdopted>) {
    let (mut edits, mut not) = (Edits::new(), vec![]);
    for difference in differences {
        let origins = plan.objects.get(&difference.key).map(|change| &change.origins);
        let found = origins.ok_or_else(|| "it is not in these manifests".to_owned());
        let spot = match source_of(plan, difference) {
            Some(file) => source(texts, file),
            None => found.and_then(|origins| spot(texts, origins, (plan, difference), into)),
        };
        match spot {
            Ok(spot) => edits.entry(spot).or_default().push(difference),
            Err(why) => not.push(difference.refused(why)),
        }
    }
    for all in edits.values() {
        let Some((one, other)) =
            all.first().and_then(|one| Some((one, all.iter().find(|other| other.value != one.value)?)))
        else {
            continue;
        };
        not.push(other.refused(format!(
            "one line declares it for both, and they do not agree: {} has {}, {} has {}",
            one.key,
            in_a_line(one.value.words()),
            other.key,
            in_a_line(other.value.words())
        )));
    }
    (edits, not)
}

/// Whether what is absent is declared in one layer alone: where its line goes, nothing else comes in its place.
fn is_alone(plan: &Plan, difference: &Difference) -> bool {
    let Some(origins) = plan.objects.get(&difference.key).map(|change| &change.origins) else { return false };
    let field = difference.field.as_str();
    let below =
        |path: &str| path.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    let own = origins.get("").map(|origin| &origin.layer);
    let mut parts = origins.iter().filter(|(path, _)| below(path)).peekable();
    difference.value.is_absence()
        && parts.peek().is_some()
        && parts.all(|(_, origin)| Some(&origin.layer) == own && origin.overrides.is_empty() && !origin.unset)
}

fn apply(text: &str, spot: &Spot, value: &Value, is_alone: bool) -> Result<String, edit::Unedited> {
    // A text that has `${` in it would be filled.
    let escaped = match value {
        Value::Scalar(text) => Value::Scalar(fill::escape(text)),
        other => other.clone(),
    };
    match spot {
        Spot::Source { .. } => Ok(value.words().to_owned()),
        Spot::Text { .. } => Ok(escaped.words().to_owned()),
        Spot::Field { document, path, .. } => {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            let removed = is_alone.then(|| edit::remove::remove(text, *document, &path).ok()).flatten();
            if let Some(removed) = removed {
                return Ok(removed);
            }
            edit::set(text, *document, &path, escaped.as_new())
        }
        Spot::Value { place, .. } => {
            let new = if *value == Value::Null { "null" } else { value.words() };
            edit::replace(text, place, new)
        }
    }
}

/// Where a value is to be written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Spot {
    /// In the n-th document of a text.
    Field { file: usize, document: usize, path: Vec<String> },
    /// A value that a placeholder stands for.
    Value { file: usize, place: Place },
    /// A template, whole.
    Text { file: usize },
    /// The file of a `source`, whole.
    Source { file: usize },
}

impl Spot {
    fn file(&self) -> usize {
        match self {
            Spot::Field { file, .. }
            | Spot::Value { file, .. }
            | Spot::Text { file }
            | Spot::Source { file } => *file,
        }
    }
}

fn spot(
    texts: &[SourceText],
    origins: &FieldOrigins,
    (plan, difference): (&Plan, &Difference),
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
    let words = match (file_part(field), device_option(plan, &difference.key, field), field.split_once('.')) {
        (Some((file, part)), ..) => vec!["files", file, part],
        (None, Some((device, option)), _) => vec!["devices", device, option],
        (None, None, Some((first, rest))) => vec![first, rest],
        (None, None, None) => vec![field],
    };
    path.extend(words.into_iter().map(str::to_owned));
    if let (Some((_, "content")), Some(origin)) = (file_part(field), origin) {
        return content(texts, origin, (file, document, path));
    }
    let words: Vec<&str> = path.iter().map(String::as_str).collect();
    let written = edit::written(&texts[file].text, document, &words).unwrap_or_default();
    if !written.contains("${") {
        return Ok(Spot::Field { file, document, path });
    }
    match origin.filter(|origin| origin.layer == home.layer) {
        Some(origin) => placeholder(texts, origin, &written),
        None => Err("its value is made of placeholders; change it by hand".to_owned()),
    }
}

/// The file beside the manifests that holds what differs.
fn source_of<'p>(plan: &'p Plan, difference: &Difference) -> Option<&'p SourceFile> {
    let (path, "content") = file_part(&difference.field)? else { return None };
    match content_of(plan, &difference.key, path)? {
        Content::File(file) => Some(file),
        _ => None,
    }
}

/// It is written whole, if it is nothing else to these manifests.
fn source(texts: &[SourceText], file: &SourceFile) -> Result<Spot, String> {
    let whole = file.root.join(&file.path);
    match texts.iter().position(|text| text.file() == whole).map(|at| (at, &texts[at])) {
        Some((file, SourceText { role: TextRole::Source(_), .. })) => Ok(Spot::Source { file }),
        Some((_, SourceText { role: TextRole::Unread(_), text: why, .. })) => Err(why.clone()),
        Some((_, other)) => {
            Err(format!("its source {} is more than that here; change it by hand", other.path))
        }
        None => Err(format!("its source {} was not read", whole.display())),
    }
}

/// A content is written in the manifest, or is a template's.
fn content(
    texts: &[SourceText],
    origin: &Origin,
    (file, document, mut path): (usize, usize, Vec<String>),
) -> Result<Spot, String> {
    let words: Vec<&str> = path.iter().map(String::as_str).collect();
    if let Some(written) = edit::written(&texts[file].text, document, &words) {
        return match written.contains("${") {
            true => Err("its content has placeholders; change it by hand".to_owned()),
            false => Ok(Spot::Field { file, document, path }),
        };
    }
    path.pop();
    path.push("template".to_owned());
    let words: Vec<&str> = path.iter().map(String::as_str).collect();
    let name = edit::written(&texts[file].text, document, &words).ok_or("its content is not found there")?;
    let is_template = |text: &SourceText| matches!(text.role, TextRole::Template(_));
    // What a template is filled from begins with itself.
    let place = origin.filled.first().ok_or("its template was not read")?;
    let at = texts.iter().position(|text| is_template(text) && *text.path == *place.file);
    match at {
        Some(at) if !texts[at].text.contains("${") => Ok(Spot::Text { file: at }),
        Some(_) => Err(format!("template {name} has placeholders; change it by hand")),
        None => Err(format!("template {name} is not among these texts")),
    }
}

/// A value that is one placeholder is written where the placeholder's value is.
fn placeholder(texts: &[SourceText], origin: &Origin, written: &str) -> Result<Spot, String> {
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
