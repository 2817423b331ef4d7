//! What leaves a site: one line an intent, with its number; and what is kept, parked, or in the way.

use super::sets::{few, in_order, removed};
use super::{TextOptions, line, loss};
use crate::model::key::{Key, Kind};
use crate::model::prune::Deletion;
use crate::reconcile::intent::Intent;
use crate::reconcile::plan::Plan;
use anstyle::AnsiColor;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// So many names stand in a line; JSON has all.
const NAMES: usize = 8;

/// The keys that intents tell of.
pub fn keys(plan: &Plan) -> BTreeSet<&Key> {
    plan.prune.iter().flat_map(|intent| &intent.keys).collect()
}

pub fn intents_text(text: &mut String, plan: &Plan, options: TextOptions) {
    for intent in &plan.prune {
        let mark = if intent.waits { '±' } else { '-' };
        let colour = if intent.waits { AnsiColor::Magenta } else { AnsiColor::Red };
        line(text, options, colour, &format!("{mark} prune  {}", intent_words(intent)));
        let _ = writeln!(text, "    site {} no longer declares {}", intent.site, pronoun(intent));
        for key in &intent.keys {
            for words in loss::words(plan, key) {
                let _ = writeln!(text, "    {key} {words}");
            }
        }
    }
    let waiting: usize = plan.prune.iter().filter(|intent| intent.waits).map(|intent| intent.count).sum();
    if waiting > 0 {
        let _ =
            writeln!(text, "    waits for confirmation: a yes on the terminal, or --allow delete={waiting}");
    }
}

fn intent_words(intent: &Intent) -> String {
    let names: Vec<&str> = intent.keys.iter().take(NAMES).map(|key| key.name.as_str()).collect();
    let more = intent.count - names.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let until = intent.until.map_or(String::new(), |until| {
        format!("; until {until:.0} `bayplan undelete` brings {} back", pronoun(intent))
    });
    let left = if intent.way == Deletion::Retain { "; left on the host, and forgotten" } else { "" };
    let (way, count, noun) = (intent.way.word(), intent.count, noun(intent.kind, intent.count));
    let set = intent.set.as_ref().map_or(String::new(), |set| format!(" of {set}"));
    format!("{way} {count} {noun}{set}: {}{more}{left}{until}", names.join(", "))
}

fn pronoun(intent: &Intent) -> &'static str {
    if intent.count == 1 { "it" } else { "them" }
}

fn noun(kind: Kind, count: usize) -> String {
    let noun = match kind {
        Kind::StoragePool => "storage pool",
        kind => kind.slug(),
    };
    if count == 1 { noun.to_owned() } else { format!("{noun}s") }
}

pub fn kept_text(text: &mut String, plan: &Plan) {
    let told = removed(plan);
    for key in plan.kept.iter().filter(|key| !told.contains(key)) {
        let why = plan.kept_because.get(key).map_or(String::new(), |why| format!(": {why}"));
        let _ = writeln!(text, "  {key}  kept, not declared{why} (`bayplan delete {key}` removes it)");
    }
    parked_text(text, plan);
}

/// Many that were parked together stand in one line.
fn parked_text(text: &mut String, plan: &Plan) {
    let mut by_time: BTreeMap<Timestamp, Vec<&Key>> = BTreeMap::new();
    for (key, until) in plan.parked.iter().filter(|(key, _)| key.kind == Kind::Container) {
        by_time.entry(*until).or_default().push(key);
    }
    for (until, keys) in by_time {
        let keys = in_order(keys);
        if keys.len() > NAMES {
            let (count, names) = (keys.len(), few(&keys));
            let help = "`bayplan get --parked` lists them, `bayplan undelete KEY` brings one back";
            let _ = writeln!(text, "  {count} containers parked until {until:.0}: {names} ({help})");
            continue;
        }
        for key in keys {
            let _ =
                writeln!(text, "  {key}  parked until {until:.0} (`bayplan undelete {key}` brings it back)");
        }
    }
}

pub fn guards_text(text: &mut String, plan: &Plan, options: TextOptions) {
    for guard in &plan.guards {
        line(text, options, AnsiColor::Red, &format!("! {} stops apply: {}", guard.name, guard.words()));
    }
}

/// `parks it`.
pub fn way_words(way: Deletion) -> &'static str {
    match way {
        Deletion::Park => "parks it",
        Deletion::Delete => "deletes it",
        Deletion::Retain => "forgets it, and leaves it on the host",
    }
}
