//! An explanation for people.

use super::{Change, Explanation, Value};
use crate::model::origin::{Layer, Origin, Overridden, Place};
use crate::model::step::Cause;
use crate::reconcile::render::class_word;
use crate::reconcile::render::values::in_a_line;
use std::fmt::Write;

/// The line of a manifest at a place, where the manifests are at hand.
pub type Excerpt<'e> = &'e dyn Fn(&Place) -> Option<String>;

/// The whole text; ends with a line break.
pub fn text(explanation: &Explanation, excerpt: Excerpt<'_>) -> String {
    let mut text = head(explanation);
    for change in &explanation.changes {
        line(&mut text, "planned", &change_words(change));
    }
    for value in &explanation.values {
        let shown = shown(value).map_or(String::new(), |shown| format!(" {shown}"));
        let _ = write!(text, "\n{}:{shown}\n", value.field);
        self::value(&mut text, value, excerpt);
    }
    text
}

fn head(explanation: &Explanation) -> String {
    let mut text = format!("{}\n", explanation.key);
    for standing in &explanation.standing {
        let place = standing.place.as_ref().map_or(String::new(), |place| format!("  ({place})"));
        let _ = writeln!(text, "    {}{place}", standing.message);
    }
    if let (Some(owner), Some(generation)) = (&explanation.owner, explanation.generation) {
        let _ = writeln!(text, "    owner {owner}, generation {generation}");
    }
    text
}

/// The value itself, on one line; None for what has no value of its own, a device or a bridge's link.
fn shown(value: &Value) -> Option<String> {
    match (&value.value, &value.origin) {
        (Some(value), _) => Some(in_a_line(value)),
        (None, Some(origin)) if origin.unset => Some("not set".to_owned()),
        (None, _) if value.applied.is_some() => Some("none".to_owned()),
        (None, Some(origin)) if origin.place.is_some() && value.field.starts_with("config.") => {
            Some("as the default".to_owned())
        }
        _ => None,
    }
}

fn value(text: &mut String, value: &Value, excerpt: Excerpt<'_>) {
    if let Some(origin) = &value.origin {
        line(text, "from", &origin_words(origin));
        if let Some(written) = origin.place.as_ref().and_then(excerpt) {
            line(text, "", &written);
        }
        for hidden in &origin.overrides {
            line(text, "overrides", &overridden_words(hidden));
        }
    }
    if value.applied != value.value && (value.applied.is_some() || !value.changes.is_empty()) {
        line(text, "applied", &value.applied.as_deref().map_or_else(|| "none".to_owned(), in_a_line));
    }
    if let Some(observed) = &value.observed {
        line(text, "host has", observed);
    }
    if value.ignored {
        line(text, "ignored", "neither compared nor written");
    }
    for change in &value.changes {
        line(text, "planned", &change_words(change));
    }
}

fn line(text: &mut String, name: &str, words: &str) {
    let _ = writeln!(text, "    {name:<9}  {words}");
}

fn origin_words(origin: &Origin) -> String {
    let taken = if origin.unset { ", which takes it away" } else { "" };
    format!("{}{taken}{}", at(origin.place.as_ref(), &origin.layer), origin.filled_from())
}

fn overridden_words(hidden: &Overridden) -> String {
    let value = hidden.value.as_deref().map_or_else(|| "not set".to_owned(), in_a_line);
    format!("{value}  {}", at(hidden.place.as_ref(), &hidden.layer))
}

/// `site.yaml:4:7 (profile web)`.
fn at(place: Option<&Place>, layer: &Layer) -> String {
    match place {
        Some(place) => format!("{place} ({layer})"),
        None => layer.to_string(),
    }
}

fn change_words(change: &Change) -> String {
    let cause = match change.cause {
        Cause::Change => "changed in the manifest",
        Cause::Drift => "drift",
        Cause::ChangeAndDrift => "changed in the manifest, and drift",
        Cause::Verb => "asked for",
        Cause::Consequence => "follows",
    };
    let mut words = format!("{cause} [{}]", class_word(change.class));
    if change.from.is_some() || change.to.is_some() {
        let side = |value: &Option<String>| value.as_deref().map_or_else(|| "none".to_owned(), in_a_line);
        let _ = write!(words, ": {} -> {}", side(&change.from), side(&change.to));
    }
    if let Some(note) = &change.note {
        let _ = write!(words, ": {note}");
    }
    if let Some(step) = &change.step {
        let _ = write!(words, ", by `{step}`");
    }
    if let Some(waits_for) = &change.waits_for {
        let _ = write!(words, "; waits for {waits_for}");
    }
    words
}
