//! The objects' order: what an object refers to or depends on comes first; what goes away goes in reverse.
//!
//! Two ranks keep the step order free of cycles: objects that go down (stopped, deleted) come before the objects that
//! they need and before those that go up; objects that go up come after the objects that they need.

use super::plan::Error;
use crate::model::key::Key;
use petgraph::Direction;
use petgraph::graphmap::DiGraphMap;
use std::collections::{BTreeMap, BTreeSet};

/// Which way an object goes in this plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Stopped or deleted.
    Down,
    Up,
}

/// An order of `objects` and the direct predecessors of each. `needs` lists what each one refers to; keys outside
/// `objects` take no part.
pub struct Order {
    pub keys: Vec<Key>,
    pub before: BTreeMap<Key, BTreeSet<Key>>,
}

/// Orders objects; a cycle is an error with its path. `former` lists the objects that let go of one that leaves: they
/// come before it.
pub fn order(
    needs: &BTreeMap<Key, BTreeSet<Key>>,
    ways: &BTreeMap<Key, Way>,
    former: &BTreeMap<Key, BTreeSet<Key>>,
) -> Result<Order, Error> {
    let mut keys: Vec<&Key> = needs.keys().collect();
    keys.sort_by(|a, b| a.natural(b));
    let number: BTreeMap<&Key, usize> = keys.iter().enumerate().map(|(at, key)| (*key, at)).collect();
    let mut requires = DiGraphMap::<usize, ()>::with_capacity(keys.len(), keys.len());
    for (key, wanted) in needs {
        let Some(from) = number.get(key) else { continue };
        requires.add_node(*from);
        for to in wanted.iter().filter_map(|other| number.get(other)) {
            requires.add_edge(*from, *to, ());
        }
    }
    if let Some(path) = cycle(&requires) {
        return Err(Error::Cycle { path: path.into_iter().map(|at| keys[at].clone()).collect() });
    }
    let mut steps = DiGraphMap::<usize, ()>::with_capacity(keys.len(), requires.edge_count());
    for at in 0..keys.len() {
        steps.add_node(at);
    }
    let way = |at: usize| ways.get(keys[at]).copied().unwrap_or(Way::Up);
    for (dependent, needed, ()) in requires.all_edges() {
        match way(dependent) {
            Way::Down => steps.add_edge(dependent, needed, ()),
            Way::Up => steps.add_edge(needed, dependent, ()),
        };
    }
    for (leaving, users) in former {
        let Some(leaving) = number.get(leaving) else { continue };
        for user in users.iter().filter_map(|user| number.get(user)) {
            steps.add_edge(*user, *leaving, ());
        }
    }
    let sorted = sorted(&steps);
    if sorted.len() < keys.len()
        && let Some(path) = cycle(&steps)
    {
        return Err(Error::Cycle { path: path.into_iter().map(|at| keys[at].clone()).collect() });
    }
    Ok(Order {
        keys: sorted.into_iter().map(|at| keys[at].clone()).collect(),
        before: keys
            .iter()
            .enumerate()
            .map(|(at, key)| {
                let before = steps.neighbors_directed(at, Direction::Incoming);
                ((*key).clone(), before.map(|other| keys[other].clone()).collect())
            })
            .collect(),
    })
}

/// Kahn's order, without what is on a cycle or behind one; among those that are free, the kind's rank and then the name
/// decide, so that plans are stable.
fn sorted(graph: &DiGraphMap<usize, ()>) -> Vec<usize> {
    let mut waiting: BTreeMap<usize, usize> = graph
        .nodes()
        .map(|node| (node, graph.neighbors_directed(node, Direction::Incoming).count()))
        .collect();
    let mut free: BTreeSet<usize> =
        waiting.iter().filter(|(_, count)| **count == 0).map(|(node, _)| *node).collect();
    let mut order = Vec::with_capacity(waiting.len());
    while let Some(node) = free.pop_first() {
        order.push(node);
        for next in graph.neighbors(node) {
            if let Some(count) = waiting.get_mut(&next) {
                *count -= 1;
                if *count == 0 {
                    free.insert(next);
                }
            }
        }
    }
    order
}

/// One cycle, its first node again at the end.
fn cycle(graph: &DiGraphMap<usize, ()>) -> Option<Vec<usize>> {
    let looped = |group: &Vec<usize>| group.len() > 1 || graph.contains_edge(group[0], group[0]);
    let mut groups: Vec<Vec<usize>> = petgraph::algo::tarjan_scc(graph).into_iter().filter(looped).collect();
    groups.iter_mut().for_each(|group| group.sort_unstable());
    groups.sort();
    let group: BTreeSet<usize> = groups.into_iter().next()?.into_iter().collect();
    let mut path = vec![*group.first()?];
    loop {
        let last = *path.last()?;
        // Every node of a strongly connected group has a successor inside it.
        let next = graph.neighbors(last).filter(|next| group.contains(next)).min()?;
        if let Some(at) = path.iter().position(|node| *node == next) {
            path.push(next);
            return Some(path.split_off(at));
        }
        path.push(next);
    }
}
