//! `dependsOn` must lead to an end.

use super::Resolution;
use super::references::mark;
use crate::model::key::Key;
use crate::model::object::Spec;
use crate::spec::report::{Report, Wrong};
use std::collections::BTreeSet;

/// Reports each cycle once, at the first of its members.
pub fn check(resolution: &Resolution, report: &mut Report) {
    let mut done: BTreeSet<&Key> = BTreeSet::new();
    for start in resolution.desired.objects.keys() {
        walk(start, resolution, &mut done, report);
    }
    report.key = None;
}

/// Depth first, with the path in `stack`: (object, the next of its dependencies to look at).
fn walk<'r>(start: &'r Key, resolution: &'r Resolution, done: &mut BTreeSet<&'r Key>, report: &mut Report) {
    let mut stack: Vec<(&Key, usize)> = vec![(start, 0)];
    while let Some((key, index)) = stack.last_mut() {
        let key = *key;
        let next = depends_on(key, resolution).get(*index);
        *index += 1;
        match next {
            _ if done.contains(key) => drop(stack.pop()),
            None => {
                done.insert(key);
                stack.pop();
            }
            Some(next) => match stack.iter().position(|(other, _)| *other == next) {
                Some(position) => {
                    let cycle: Vec<&Key> = stack[position..].iter().map(|(key, _)| *key).collect();
                    report_cycle(&cycle, resolution, report);
                }
                None => stack.push((next, 0)),
            },
        }
    }
}

fn depends_on<'r>(key: &Key, resolution: &'r Resolution) -> &'r [Key] {
    match resolution.desired.objects.get(key).map(|object| &object.spec) {
        Some(Spec::Container(container)) => &container.depends_on,
        _ => &[],
    }
}

fn report_cycle(cycle: &[&Key], resolution: &Resolution, report: &mut Report) {
    let lowest = cycle.iter().enumerate().min_by_key(|(_, key)| **key).map_or(0, |(index, _)| index);
    let ordered: Vec<&Key> = cycle[lowest..].iter().chain(&cycle[..lowest]).copied().collect();
    let (first, second) = (ordered[0], ordered.get(1).copied().unwrap_or(ordered[0]));
    let path: Vec<String> = ordered.iter().chain([&first]).map(ToString::to_string).collect();
    let index = depends_on(first, resolution).iter().position(|key| key == second).unwrap_or(0);
    let message = format!("dependsOn goes in a circle: {}", path.join(" → "));
    report.key = Some(first.clone());
    let mark = mark(resolution, first, &format!("dependsOn[{index}]"), report);
    report.error(mark, Wrong::new("cycle", message).help("remove one of these dependencies"));
}
