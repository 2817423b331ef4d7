//! Turns of restarts: how a plan goes through them, and where a report says that they stopped.

use super::sets::few;
use super::{TextOptions, line};
use crate::model::key::Key;
use crate::reconcile::plan::Plan;
use crate::reconcile::report::{Report, RolloutStop};
use crate::reconcile::rollout::Turns;
use anstyle::AnsiColor;
use std::collections::BTreeSet;
use std::fmt::Write;

pub fn turns_text(text: &mut String, plan: &Plan) {
    for turns in &plan.rollouts {
        let _ = writeln!(text, "  rollout of {}: {}", turns.owner, words(turns).join("; "));
    }
}

fn words(turns: &Turns) -> Vec<String> {
    let mut words = vec![];
    if !turns.unready.is_empty() {
        let names: Vec<&Key> = turns.unready.iter().collect();
        words.push(format!("first {} must be ready, restarted by an earlier apply", few(&names)));
    }
    let (count, at_once) = (turns.count(), turns.at_once.min(turns.count()));
    let containers = if count == 1 { "container" } else { "containers" };
    let names: Vec<&Key> = turns.turns.iter().flatten().collect();
    words.push(format!("{count} {containers}, {at_once} at a time: {}", few(&names)));
    let next = if turns.rollout.wait_ready { "ready" } else { "started" };
    words.push(format!("each {next} before the next"));
    let failure =
        if turns.rollout.stop_on_failure { "a failure stops it" } else { "a failure does not stop it" };
    words.push(failure.to_owned());
    words
}

/// The containers that a stopped rollout left alone: one line tells of them all.
pub fn left(report: &Report) -> BTreeSet<&Key> {
    report.rollouts.iter().flat_map(|stop| &stop.left).collect()
}

pub fn stops_text(text: &mut String, report: &Report, options: TextOptions) {
    for stop in &report.rollouts {
        stop_text(text, stop, options);
    }
}

fn stop_text(text: &mut String, stop: &RolloutStop, options: TextOptions) {
    let names = |keys: &[Key]| few(&keys.iter().collect::<Vec<_>>());
    let (owner, left, total) = (&stop.owner, stop.left.len(), stop.total);
    let at = if stop.at.is_empty() { String::new() } else { format!(" at {}", names(&stop.at)) };
    let head = format!(
        "rollout of {owner} stopped{at}: {left} of {total} are left as they were: {}",
        names(&stop.left)
    );
    line(text, options, AnsiColor::Red, &head);
    let _ = writeln!(
        text,
        "    to go on: mend what failed, or the manifest, and apply again, with the same --allow; the others follow once it \
         is ready"
    );
}
