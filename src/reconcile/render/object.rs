//! One object of a plan: what happens to it, why, and its differences.

use super::values::{field_lines, in_a_line};
use super::{TextOptions, class_word, duration_words, line};
use crate::model::key::Key;
use crate::model::object::{Object, Spec};
use crate::model::origin::Origin;
use crate::model::prune::Deletion;
use crate::model::step::{Action, Cause, Class, Reason, Step};
use crate::reconcile::diff::field::texts;
use crate::reconcile::ignore;
use crate::reconcile::plan::{ObjectChange, Plan};
use anstyle::AnsiColor;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// The steps of `key`: they stand together in a plan.
pub fn steps_of<'a>(index: &Index<'a>, key: &Key) -> impl Iterator<Item = &'a Step> + use<'a> {
    index.get(key).copied().unwrap_or_default().iter()
}

/// Each object's steps.
pub type Index<'a> = BTreeMap<&'a Key, &'a [Step]>;

/// Steps by object.
pub fn index(plan: &Plan) -> Index<'_> {
    plan.steps
        .chunk_by(|a, b| a.key == b.key)
        .filter_map(|steps| Some((&steps.first()?.key, steps)))
        .collect()
}

/// What happens to one object, in one sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    Create,
    Change,
    Repair,
    Restart,
    /// A new root takes the old one's place.
    Replace,
    Delete,
    Park,
    /// Forgotten, and left on the host.
    Retain,
    Undelete,
    /// Nothing but a look whether it is ready, for others.
    Wait,
    Record,
}

impl Sign {
    /// Its mark, its colour, and what it says.
    pub fn look(self) -> (&'static str, AnsiColor, &'static str) {
        match self {
            Sign::Create => ("+", AnsiColor::Green, "create"),
            Sign::Change => ("~", AnsiColor::Yellow, "change"),
            Sign::Repair => ("~", AnsiColor::Yellow, "repair"),
            Sign::Restart => ("±", AnsiColor::Magenta, "restart"),
            Sign::Replace => ("±", AnsiColor::Magenta, "replace"),
            Sign::Delete => ("-", AnsiColor::Red, "delete"),
            Sign::Park => ("-", AnsiColor::Red, "park"),
            Sign::Retain => ("-", AnsiColor::Yellow, "forget, and leave on the host"),
            Sign::Undelete => ("+", AnsiColor::Green, "undelete"),
            Sign::Wait => ("~", AnsiColor::Cyan, "wait until ready"),
            Sign::Record => ("~", AnsiColor::Cyan, "record"),
        }
    }
}

/// What happens to an object; None: nothing.
pub fn sign(index: &Index<'_>, key: &Key, change: &ObjectChange) -> Option<Sign> {
    let classes: BTreeSet<Class> = steps_of(index, key).map(|step| step.class).collect();
    let drifted = steps_of(index, key)
        .flat_map(|step| &step.reasons)
        .all(|reason| matches!(reason.cause, Cause::Drift | Cause::Consequence))
        && !steps_of(index, key).any(|step| removes_root(&step.action));
    if classes.is_empty() {
        None
    } else if let Some(way) = change.leaves {
        Some(match way {
            Deletion::Park => Sign::Park,
            Deletion::Delete => Sign::Delete,
            Deletion::Retain => Sign::Retain,
        })
    } else if change.parked.is_some() {
        Some(Sign::Undelete)
    } else if classes.contains(&Class::Delete) {
        Some(Sign::Delete)
    } else if classes.contains(&Class::Create) {
        Some(Sign::Create)
    } else if steps_of(index, key).any(|step| brings_root(&step.action)) {
        Some(Sign::Replace)
    } else if classes.contains(&Class::Restart) {
        Some(Sign::Restart)
    } else if steps_of(index, key).all(|step| matches!(step.action, Action::WaitReady { .. })) {
        Some(Sign::Wait)
    } else if classes == BTreeSet::from([Class::Record]) {
        Some(Sign::Record)
    } else {
        Some(if drifted { Sign::Repair } else { Sign::Change })
    }
}

/// Whether a root goes that was kept beside another.
fn removes_root(action: &Action) -> bool {
    matches!(action, Action::DropRoot { .. })
}

fn brings_root(action: &Action) -> bool {
    matches!(action, Action::SwapRoot { .. } | Action::RestoreRoot { .. })
}

/// An object with its reasons and differences.
pub fn object_text(
    text: &mut String,
    index: &Index<'_>,
    (key, change): (&Key, &ObjectChange),
    sign: Sign,
    options: TextOptions,
) {
    let (mark, colour, word) = sign.look();
    let downtime: u64 = steps_of(index, key).map(|step| step.downtime_ms).sum();
    let downtime = if downtime > 0 {
        format!(", about {} without service", duration_words(downtime))
    } else {
        String::new()
    };
    let place = place(change, "").map_or(String::new(), |place| format!("  ({place})"));
    line(text, options, colour, &format!("{mark} {key}  {word}{downtime}{place}"));
    let asked = steps_of(index, key).flat_map(|step| &step.reasons).all(|reason| reason.cause == Cause::Verb);
    if sign != Sign::Create && !(sign == Sign::Delete && asked) {
        let mut shown = BTreeSet::new();
        for step in steps_of(index, key) {
            for reason in &step.reasons {
                let words = reason_text(reason, change, step.class);
                if shown.insert(words.clone()) {
                    let _ = writeln!(text, "    {words}");
                }
            }
        }
    }
    diff_text(text, key, change, sign, options);
}

/// One reason in a line, with the line of the manifest.
pub fn reason_text(reason: &Reason, change: &ObjectChange, class: Class) -> String {
    let mut words = reason_words(reason, class);
    if reason.cause != Cause::Drift
        && !reason.field.is_empty()
        && let Some(place) = place(change, &reason.field)
    {
        let _ = write!(words, "  ({place})");
    }
    words
}

/// One reason in a line.
pub fn reason_words(reason: &Reason, class: Class) -> String {
    let cause = match reason.cause {
        Cause::Change => "change",
        Cause::Drift => "drift",
        Cause::ChangeAndDrift => "change and drift",
        Cause::Verb => "asked",
        Cause::Consequence => "follows",
    };
    let mut words = format!("{cause} [{}]", class_word(class));
    if !reason.field.is_empty() {
        let _ = write!(words, " {}", reason.field);
    }
    if reason.from.is_some() || reason.to.is_some() {
        let shown = |value: &Option<String>| value.as_deref().map_or_else(|| "none".to_owned(), in_a_line);
        let _ = write!(words, ": {} -> {}", shown(&reason.from), shown(&reason.to));
    }
    if let Some(note) = &reason.note {
        let _ = write!(words, ": {note}");
    }
    words
}

/// `file:line` of a field, as [`written`] finds it.
fn place(change: &ObjectChange, field: &str) -> Option<String> {
    let origin = written(change, field)?;
    let place = origin.place.as_ref()?;
    Some(format!("{}:{}{}", place.file, place.line, origin.filled_from()))
}

/// Where a field was written, or the nearest field above it that has a place, at last the object.
pub fn written<'a>(change: &'a ObjectChange, field: &str) -> Option<&'a Origin> {
    let mut path = field;
    loop {
        if let Some(origin) = change.origins.get(path)
            && origin.place.is_some()
        {
            return Some(origin);
        }
        if path.is_empty() {
            return None;
        }
        path = path.rsplit_once('.').map_or("", |(above, _)| above);
    }
}

fn diff_text(text: &mut String, key: &Key, change: &ObjectChange, sign: Sign, options: TextOptions) {
    for row in diff_lines(key, change, sign) {
        match row.chars().next() {
            Some('+') => line(text, options, AnsiColor::Green, &format!("    {row}")),
            Some('-') => line(text, options, AnsiColor::Red, &format!("    {row}")),
            _ => {
                let _ = writeln!(text, "    {row}");
            }
        }
    }
}

/// A unified diff of an object as declared; nothing where only the host drifted.
pub fn diff_lines(key: &Key, change: &ObjectChange, sign: Sign) -> Vec<String> {
    let (before, after) = (lines_of(change.before.as_ref()), lines_of(to_be(change, sign).as_ref()));
    if before == after || change.leaves.is_some() {
        return vec![];
    }
    if sign == Sign::Create {
        return after.lines().map(|added| format!("+ {added}")).collect();
    }
    let diff = similar::TextDiff::from_lines(before.as_str(), after.as_str());
    let unified = diff
        .unified_diff()
        .context_radius(1)
        .header(&format!("applied {key}"), &format!("declared {key}"))
        .to_string();
    unified.lines().map(str::to_owned).collect()
}

/// As it will be: what it ignores stays as it was, but for a new root, which gets all.
fn to_be(change: &ObjectChange, sign: Sign) -> Option<Object> {
    let mut after = change.after.clone()?;
    if let (Spec::Container(container), false) = (&mut after.spec, sign == Sign::Replace) {
        **container = ignore::effective(container, change.before.as_ref());
    }
    Some(after)
}

/// An object as lines: field path and value.
fn lines_of(object: Option<&Object>) -> String {
    let Some(object) = object else { return String::new() };
    texts(object).iter().map(|(path, value)| field_lines(path, value)).collect()
}
