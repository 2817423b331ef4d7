//! Where differences are written: in which text, document and field; and the texts with them.

use super::value::{device, file_part};
use super::{Difference, Into, NotAdopted, Value};
use crate::model::key::Key;
use crate::model::origin::{FieldOrigins, Layer, Origin, Place};
use crate::reconcile::plan::Plan;
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
        (None, Some(name)) => origins.get(&format!("devices.{name}.type")),
        (None, None) => origins.get(field),
    }
}

/// What is said of a file is written where the file is: alone it would be no file.
fn goes_into_profile(origin: &Origin, field: &str, into: Into) -> bool {
    let is_profile = matches!(origin.layer, Layer::Profile(_)) && !origin.unset;
    is_profile && (into == Into::Profile || file_part(field).is_some())
}

/// The texts with every difference written where its value comes from.
pub fn edited(
    texts: &[SourceText],
    plan: &Plan,
    differences: &[Difference],
    into: Into,
) -> Result<Vec<SourceText>, Vec<NotAdopted>> {
    let mut not = vec![];
    let mut edits: BTreeMap<Spot, (&Difference, &Value)> = BTreeMap::new();
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
        let value = &difference.value;
        match edits.get(&spot) {
            Some((other, taken)) if *taken != value => {
                not.push(refused(format!(
                    "one line declares it for both, and they do not agree: {} has {}, {} has {}",
                    other.key,
                    taken.words(),
                    difference.key,
                    value.words()
                )));
            }
            _ => drop(edits.insert(spot, (difference, value))),
        }
    }
    let mut texts = texts.to_vec();
    // Single values first and from the end: they move no line, and no place before them.
    let values = edits.iter().rev().filter(|(spot, _)| matches!(spot, Spot::Value { .. }));
    let fields = edits.iter().filter(|(spot, _)| !matches!(spot, Spot::Value { .. }));
    for (spot, (difference, value)) in values.chain(fields) {
        let text = &mut texts[spot.file()];
        match apply(&text.text, spot, value) {
            Ok(new) => text.text = new,
            Err(error) => {
                let (key, field) = (difference.key.clone(), difference.field.clone());
                not.push(NotAdopted { key, field, why: format!("{}: {error}", text.path) });
            }
        }
    }
    if not.is_empty() { Ok(texts) } else { Err(not) }
}

fn apply(text: &str, spot: &Spot, value: &Value) -> Result<String, edit::Unedited> {
    // A text that has `${` in it would be filled.
    let escaped = match value {
        Value::Scalar(text) => Value::Scalar(fill::escape(text)),
        other => other.clone(),
    };
    match spot {
        Spot::Text { .. } => Ok(escaped.words().to_owned()),
        Spot::Field { document, path, .. } => {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
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
}

impl Spot {
    fn file(&self) -> usize {
        match self {
            Spot::Field { file, .. } | Spot::Value { file, .. } | Spot::Text { file } => *file,
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
    path.extend(match (file_part(field), field.split_once('.')) {
        (Some((file, part)), _) => vec!["files".to_owned(), file.to_owned(), part.to_owned()],
        (None, Some((first, rest))) => vec![first.to_owned(), rest.to_owned()],
        (None, None) => vec![field.to_owned()],
    });
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
