//! Sets whose members come or go: one line each, with numbers and what becomes of whom.

use crate::model::key::Key;
use crate::model::prune::Deletion;
use crate::reconcile::plan::{Plan, SetChange};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

pub fn changes_text(text: &mut String, plan: &Plan) {
    for change in &plan.sets {
        let words = words(plan, change).join("; ");
        let _ = writeln!(text, "  {}: {} -> {}: {words}", change.set, change.before, change.after);
    }
}

/// Those that lines about sets tell of.
pub fn removed(plan: &Plan) -> BTreeSet<&Key> {
    plan.sets.iter().flat_map(|change| &change.removed).collect()
}

/// `20 parked: runner-30 … runner-49`, for each thing that becomes of some.
fn words(plan: &Plan, change: &SetChange) -> Vec<String> {
    let added = change.added.iter().map(|key| (fate_of_added(plan, key), key));
    let removed = change.removed.iter().map(|key| (fate_of_removed(plan, key), key));
    let mut fates: BTreeMap<Fate<'_>, Vec<&Key>> = BTreeMap::new();
    for (fate, key) in added.chain(removed) {
        fates.entry(fate).or_default().push(key);
    }
    let words = fates
        .into_iter()
        .map(|(fate, keys)| format!("{} {}: {}", keys.len(), fate.words(), few(&in_order(keys))));
    words.collect()
}

/// What becomes of a member; in the order in which it is told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Fate<'p> {
    Added,
    Undeleted,
    Goes(Deletion),
    Waits(Deletion),
    Kept(&'p str),
}

impl Fate<'_> {
    fn words(&self) -> String {
        match self {
            Fate::Added => "added".to_owned(),
            Fate::Undeleted => "undeleted".to_owned(),
            Fate::Goes(way) => past(*way).to_owned(),
            Fate::Waits(way) => format!("waiting for confirmation to be {}", past(*way)),
            Fate::Kept("") => "kept, not declared".to_owned(),
            Fate::Kept(why) => format!("kept, not declared ({why})"),
        }
    }
}

fn past(way: Deletion) -> &'static str {
    match way {
        Deletion::Park => "parked",
        Deletion::Delete => "deleted",
        Deletion::Retain => "forgotten and left on the host",
    }
}

fn fate_of_added<'p>(plan: &Plan, key: &Key) -> Fate<'p> {
    let parked = plan.objects.get(key).is_some_and(|change| change.parked.is_some());
    if parked { Fate::Undeleted } else { Fate::Added }
}

fn fate_of_removed<'p>(plan: &'p Plan, key: &Key) -> Fate<'p> {
    if let Some(way) = plan.objects.get(key).and_then(|change| change.leaves) {
        return Fate::Goes(way);
    }
    if let Some(intent) = plan.prune.iter().find(|intent| intent.waits && intent.keys.contains(key)) {
        return Fate::Waits(intent.way);
    }
    Fate::Kept(plan.kept_because.get(key).map_or("", String::as_str))
}

/// As people count them.
pub fn in_order<'k>(keys: impl IntoIterator<Item = &'k Key>) -> Vec<&'k Key> {
    let mut keys: Vec<&Key> = keys.into_iter().collect();
    keys.sort_by(|a, b| a.natural(b));
    keys
}

/// The first and the last of many names, in the order given.
pub fn few(keys: &[&Key]) -> String {
    match keys {
        [first, _, .., last] if keys.len() > 4 => format!("{} … {}", first.name, last.name),
        keys => keys.iter().map(|key| key.name.as_str()).collect::<Vec<_>>().join(", "),
    }
}
