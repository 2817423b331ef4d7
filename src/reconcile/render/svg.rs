//! A layered drawing: the nodes of each layer in rows, each near the middle of what it waits for, edges as curves from
//! top to bottom. PURE.

use super::graph::{Graph, label};
use anstyle::AnsiColor;
use std::fmt::Write;

/// In pixels.
const HEIGHT: f64 = 40.0;
/// Of a letter of the font below.
const LETTER: f64 = 7.3;
const PADDING: f64 = 12.0;
const GAP: f64 = 24.0;
/// Between two layers.
const BETWEEN: f64 = 56.0;
/// A layer with more than this gets further rows.
const ROW: f64 = 1600.0;
/// Sweeps that bring nodes below what they wait for; more change little.
const SWEEPS: usize = 4;

#[derive(Debug, Clone, Copy, Default)]
struct Place {
    x: f64,
    y: f64,
    width: f64,
}

/// The whole document.
pub fn svg(graph: &Graph) -> String {
    let places = place(graph);
    let edge = |place: &Place| (place.x + place.width, place.y + HEIGHT);
    let (width, height) =
        places.iter().map(edge).fold((320.0_f64, 40.0_f64), |(width, height), (right, bottom)| {
            (width.max(right), height.max(bottom))
        });
    let (width, height) = (width + GAP, height + GAP);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"monospace\" font-size=\"12\">\n  \
         <defs><marker id=\"arrow\" markerWidth=\"8\" markerHeight=\"8\" refX=\"7\" refY=\"4\" orient=\"auto\">\
         <path d=\"M0,0 L8,4 L0,8 z\" fill=\"#667085\"/></marker></defs>\n  \
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    for (before, after) in &graph.edges {
        curve(&mut text, places[*before], places[*after]);
    }
    for (node, place) in graph.nodes.iter().zip(&places) {
        let (x, y, width) = (place.x, place.y, place.width);
        let middle = x + width / 2.0;
        let colour = colour(node.colour);
        let _ = writeln!(
            text,
            "  <g><rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{HEIGHT}\" rx=\"6\" fill=\"#ffffff\" \
             stroke=\"{colour}\" stroke-width=\"1.5\"/><text x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\" \
             fill=\"#101828\">{}</text><text x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"{colour}\" \
             font-size=\"11\">{}</text></g>",
            y + 16.0,
            escaped(&node.key.to_string()),
            y + 31.0,
            escaped(&label(node))
        );
    }
    if graph.nodes.is_empty() {
        text.push_str("  <text x=\"24\" y=\"36\" fill=\"#101828\">nothing to do</text>\n");
    }
    text.push_str("</svg>\n");
    text
}

/// Rows of nodes; those of a layer in the order of the middles of what they wait for.
fn place(graph: &Graph) -> Vec<Place> {
    let mut places: Vec<Place> = graph
        .nodes
        .iter()
        .map(|node| {
            let letters = node.key.to_string().chars().count().max(label(node).chars().count());
            Place {
                width: f64::from(u16::try_from(letters).unwrap_or(u16::MAX)) * LETTER + 2.0 * PADDING,
                ..Place::default()
            }
        })
        .collect();
    let layers = graph.layers();
    for _ in 0..SWEEPS {
        let mut y = GAP;
        for layer in &layers {
            let mut order: Vec<(f64, usize)> =
                layer.iter().map(|at| (middle_above(graph, *at, &places), *at)).collect();
            order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            for row in rows(order, &places) {
                spread(&row, y, &mut places);
                y += HEIGHT + GAP / 2.0;
            }
            y += BETWEEN - GAP / 2.0;
        }
    }
    let left = places.iter().map(|place| place.x).fold(f64::MAX, f64::min);
    places.iter_mut().for_each(|place| place.x += GAP - left);
    places
}

/// Nodes side by side, on the whole as near as can be to where each wants its middle.
fn spread(row: &[(f64, usize)], y: f64, places: &mut [Place]) {
    let mut free = f64::MIN;
    let mut off = 0.0;
    for (middle, at) in row {
        let wanted = middle - places[*at].width / 2.0;
        let x = wanted.max(free);
        (places[*at].x, places[*at].y) = (x, y);
        free = x + places[*at].width + GAP;
        off += x - wanted;
    }
    let off = off / f64::from(u32::try_from(row.len().max(1)).unwrap_or(u32::MAX));
    row.iter().for_each(|(_, at)| places[*at].x -= off);
}

/// Of what a node waits for; where it waits for nothing, of what waits for it, as placed before.
fn middle_above(graph: &Graph, node: usize, places: &[Place]) -> f64 {
    let above = graph.edges.iter().filter(|(_, after)| *after == node).map(|(before, _)| *before);
    let mut near: Vec<usize> = above.collect();
    if near.is_empty() {
        near = graph.edges.iter().filter(|(before, _)| *before == node).map(|(_, after)| *after).collect();
    }
    let count = near.len();
    if count == 0 {
        return 0.0;
    }
    let sum: f64 = near.into_iter().map(|at| places[at].x + places[at].width / 2.0).sum();
    sum / f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// As many nodes in a row as fit.
fn rows(order: Vec<(f64, usize)>, places: &[Place]) -> Vec<Vec<(f64, usize)>> {
    let mut rows: Vec<Vec<(f64, usize)>> = vec![];
    let mut used = f64::MAX;
    for (middle, at) in order {
        if used + places[at].width > ROW {
            rows.push(vec![]);
            used = 0.0;
        }
        if let Some(row) = rows.last_mut() {
            row.push((middle, at));
        }
        used += places[at].width + GAP;
    }
    rows
}

fn curve(text: &mut String, from: Place, to: Place) {
    let (x1, y1) = (from.x + from.width / 2.0, from.y + HEIGHT);
    let (x2, y2) = (to.x + to.width / 2.0, to.y);
    let bend = (y2 - y1) / 2.0;
    let _ = writeln!(
        text,
        "  <path d=\"M{x1:.1},{y1:.1} C{x1:.1},{:.1} {x2:.1},{:.1} {x2:.1},{y2:.1}\" fill=\"none\" stroke=\"#98a2b3\" \
         marker-end=\"url(#arrow)\"/>",
        y1 + bend,
        y2 - bend
    );
}

/// The colours of plans as text, dark enough for white paper.
pub fn colour(colour: AnsiColor) -> &'static str {
    match colour {
        AnsiColor::Green => "#067647",
        AnsiColor::Yellow => "#b54708",
        AnsiColor::Red => "#b42318",
        AnsiColor::Magenta => "#9f1ab1",
        AnsiColor::Cyan => "#0e7090",
        _ => "#475467",
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
