//! Data that goes for good: what a replace drops, and folders that outlive roots but not their container.

use super::values::in_a_line;
use crate::model::key::Key;
use crate::model::observed::Dropped;
use crate::reconcile::plan::Plan;
use std::fmt::Write;

/// A line for each that a container loses.
pub fn text(text: &mut String, plan: &Plan, key: &Key) {
    for words in words(plan, key) {
        let _ = writeln!(text, "    {words}");
    }
}

/// Whether what it loses is lost by what waits: the steps that it has in the plan lose none of it.
pub fn waits(plan: &Plan, key: &Key) -> bool {
    plan.pending.iter().any(|pending| pending.key == *key)
}

/// What a container loses by a plan, or by what waits in it.
pub fn words(plan: &Plan, key: &Key) -> Vec<String> {
    let dropped = plan.dropped.get(key).filter(|dropped| dropped.count > 0).map(dropped_words);
    let folders = plan.objects.get(key).map(|change| &change.deleted_folders);
    let folders = folders.filter(|folders| !folders.is_empty()).map(|folders| {
        let folders: Vec<String> = folders.iter().map(|folder| in_a_line(folder)).collect();
        format!("deletes what it persists: {}", folders.join(", "))
    });
    dropped.into_iter().chain(folders).collect()
}

fn dropped_words(Dropped { count, some }: &Dropped) -> String {
    let more = count.saturating_sub(some.len() as u64);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let files = if *count == 1 { "file" } else { "files" };
    let some: Vec<String> = some.iter().map(|path| in_a_line(path)).collect();
    format!("drops {count} {files} written or removed inside: {}{more}", some.join(", "))
}
