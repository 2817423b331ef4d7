//! A plan's order as a drawing: its objects in layers, each below what it waits for. As text, for graphviz, and as SVG
//! that needs nothing to be seen. PURE.

use super::object::{index, sign, steps_of};
use super::svg;
use crate::model::key::Key;
use crate::model::step::StepId;
use crate::reconcile::plan::Plan;
use anstyle::AnsiColor;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Objects with steps, and who waits for whom.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Graph {
    /// In the plan's order.
    pub nodes: Vec<Node>,
    /// (before, after), as places in `nodes`; none that others imply.
    pub edges: BTreeSet<(usize, usize)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub key: Key,
    /// `create`, `restart` …
    pub what: &'static str,
    pub colour: AnsiColor,
    /// How many steps it has.
    pub steps: usize,
    /// 0: waits for nothing.
    pub layer: usize,
}

/// The graph of a plan's objects. An object whose steps stand apart in the plan (a restart in a later turn) is one node
/// all the same; an edge that would lead back to an earlier node is left out.
pub fn graph(plan: &Plan) -> Graph {
    let index = index(plan);
    let mut nodes: Vec<Node> = vec![];
    let mut places: BTreeMap<&Key, usize> = BTreeMap::new();
    for step in &plan.steps {
        if places.contains_key(&step.key) {
            continue;
        }
        let sign = plan.objects.get(&step.key).and_then(|change| sign(&index, &step.key, change));
        let (_, colour, what) = sign.map_or(("~", AnsiColor::White, "change"), super::object::Sign::look);
        places.insert(&step.key, nodes.len());
        let steps = steps_of(&index, &step.key).count();
        nodes.push(Node { key: step.key.clone(), what, colour, steps, layer: 0 });
    }
    let owners: BTreeMap<StepId, usize> =
        plan.steps.iter().filter_map(|step| Some((step.id, *places.get(&step.key)?))).collect();
    let mut before: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); nodes.len()];
    for step in &plan.steps {
        let Some(own) = places.get(&step.key) else { continue };
        before[*own].extend(step.after.iter().filter_map(|id| owners.get(id)).filter(|other| *other < own));
    }
    for at in 0..nodes.len() {
        nodes[at].layer = before[at].iter().map(|other| nodes[*other].layer + 1).max().unwrap_or(0);
    }
    let edges = needed(&before);
    Graph { nodes, edges }
}

/// The edges that no way over other nodes replaces.
fn needed(before: &[BTreeSet<usize>]) -> BTreeSet<(usize, usize)> {
    let mut reach: Vec<BTreeSet<usize>> = Vec::with_capacity(before.len());
    let mut edges = BTreeSet::new();
    for (at, direct) in before.iter().enumerate() {
        let over: BTreeSet<usize> = direct.iter().flat_map(|other| &reach[*other]).copied().collect();
        edges.extend(direct.difference(&over).map(|other| (*other, at)));
        reach.push(direct.union(&over).copied().collect());
    }
    edges
}

impl Graph {
    /// The nodes of each layer.
    pub fn layers(&self) -> Vec<Vec<usize>> {
        let depth = self.nodes.iter().map(|node| node.layer + 1).max().unwrap_or(0);
        let mut layers = vec![vec![]; depth];
        for (at, node) in self.nodes.iter().enumerate() {
            layers[node.layer].push(at);
        }
        layers
    }

    /// The keys that a node waits for.
    pub fn before(&self, node: usize) -> Vec<&Key> {
        self.edges
            .iter()
            .filter(|(_, after)| *after == node)
            .map(|(other, _)| &self.nodes[*other].key)
            .collect()
    }
}

/// Lines: each layer's objects with what they wait for.
pub fn text(graph: &Graph) -> String {
    let mut text = String::new();
    for (layer, nodes) in graph.layers().iter().enumerate() {
        for at in nodes {
            let node = &graph.nodes[*at];
            let before: Vec<String> = graph.before(*at).into_iter().map(Key::to_string).collect();
            let after =
                if before.is_empty() { String::new() } else { format!("  after {}", before.join(", ")) };
            let _ = writeln!(text, "{layer:>3}  {}  {}{after}", node.key, label(node));
        }
    }
    if text.is_empty() { "nothing to do\n".to_owned() } else { text }
}

/// `create, 3 steps`.
pub fn label(node: &Node) -> String {
    let steps = if node.steps == 1 { "1 step".to_owned() } else { format!("{} steps", node.steps) };
    format!("{}, {steps}", node.what)
}

/// Graphviz' language.
pub fn dot(graph: &Graph) -> String {
    let mut text = "digraph plan {\n  rankdir=TB;\n  node [shape=box, style=rounded];\n".to_owned();
    for node in &graph.nodes {
        let colour = svg::colour(node.colour);
        // A key has no quote and no backslash in it.
        let _ = writeln!(text, "  \"{}\" [label=\"{0}\\n{}\", color=\"{colour}\"];", node.key, label(node));
    }
    for (before, after) in &graph.edges {
        let _ = writeln!(text, "  \"{}\" -> \"{}\";", graph.nodes[*before].key, graph.nodes[*after].key);
    }
    text.push_str("}\n");
    text
}
