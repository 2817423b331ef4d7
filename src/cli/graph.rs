//! `graph`: a plan's objects and who waits for whom, drawn.

use super::connection::Connection;
use super::exit::Exit;
use super::manifests::FromArgs;
use super::only::OnlyArgs;
use super::output::Format;
use super::saved_plan;
use super::session::Session;
use crate::api::types::{GoalRequest, OUTPUT_VERSION, PlanRequest};
use crate::model::key::Key;
use crate::reconcile::plan::Plan;
use crate::reconcile::render::graph::{self, Graph};
use crate::reconcile::render::svg::svg;
use serde::Serialize;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    from: FromArgs,
    #[command(flatten)]
    only: OnlyArgs,
    /// Draw a saved plan; neither manifests nor the host are looked at
    #[arg(long, value_name = "FILE", conflicts_with_all = ["file", "only"])]
    plan: Option<PathBuf>,
}

#[derive(Serialize)]
struct GraphJson<'a> {
    version: u32,
    nodes: Vec<NodeJson<'a>>,
}

#[derive(Serialize)]
struct NodeJson<'a> {
    key: &'a Key,
    what: &'a str,
    steps: usize,
    layer: usize,
    after: Vec<&'a Key>,
}

pub fn run(session: &Session, args: &Args) -> anyhow::Result<Exit> {
    let graph = graph::graph(&plan(session, args)?);
    session.out.text(&graph::text(&graph))?;
    session.out.json(&json(&graph))?;
    match session.out.format {
        Format::Dot => session.out.raw(graph::dot(&graph).as_bytes())?,
        Format::Svg => session.out.raw(svg(&graph).as_bytes())?,
        _ => {}
    }
    Ok(Exit::Done)
}

fn plan(session: &Session, args: &Args) -> anyhow::Result<Plan> {
    if let Some(file) = &args.plan {
        return Ok(saved_plan::read(file)?.plan);
    }
    let shown = args.from.read()?;
    let request = PlanRequest {
        only: args.only.keys(),
        only_like: args.only.patterns(),
        ..PlanRequest::new(GoalRequest::Site(shown.manifests()), session.actor("graph"))
    };
    Connection::reader(session)?.plan(&request).map_err(|failure| shown.tell(failure))
}

fn json(graph: &Graph) -> GraphJson<'_> {
    let nodes = graph.nodes.iter().enumerate().map(|(at, node)| NodeJson {
        key: &node.key,
        what: node.what,
        steps: node.steps,
        layer: node.layer,
        after: graph.before(at),
    });
    GraphJson { version: OUTPUT_VERSION, nodes: nodes.collect() }
}
