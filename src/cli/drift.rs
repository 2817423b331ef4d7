//! `drift`: the host against what was last applied; no manifests are needed.

use super::connection::Connection;
use super::exit::Exit;
use super::session::Session;
use super::table::Table;
use crate::api::types::{GoalRequest, PlanRequest};
use crate::reconcile::drift::{Drift, Row, drift};
use crate::reconcile::render::{outline, unmanaged_lines};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// What counts as exit code 2 [default: drift]
    #[arg(long, value_name = "WHAT", value_enum, value_delimiter = ',')]
    fail_on: Vec<super::plan::FailOn>,
}

pub fn run(session: &Session, args: &Args) -> anyhow::Result<Exit> {
    let request = PlanRequest::new(GoalRequest::Recorded, session.actor("drift"));
    let plan = Connection::reader(session)?.plan(&request)?;
    let drift = drift(&plan);
    session.out.text(&text(&drift, args.fail_on.contains(&super::plan::FailOn::Unmanaged)))?;
    session.out.json(&drift)?;
    session.out.outline(|| outline::drift(&plan, &drift))?;
    Ok(exit(&drift, &args.fail_on))
}

fn exit(drift: &Drift, fail_on: &[super::plan::FailOn]) -> Exit {
    use super::plan::FailOn;
    let holds = |word: &FailOn| match word {
        FailOn::Drift => drift.exit_code() != 0,
        FailOn::Changes => !drift.not_applied.is_empty(),
        FailOn::Pending => !drift.pending.is_empty(),
        FailOn::Unmanaged => !drift.unmanaged.is_empty(),
    };
    let counts = if fail_on.is_empty() { drift.exit_code() != 0 } else { fail_on.iter().any(holds) };
    if counts { Exit::Changes } else { Exit::Done }
}

/// `unmanaged`: whether what no site owns counts, and so is told.
fn text(drift: &Drift, unmanaged: bool) -> String {
    let mut parts = vec![];
    if !drift.rows.is_empty() {
        parts.push(rows(&drift.rows));
    }
    for broken in &drift.broken {
        parts.push(format!("broken: {}: {}\n  {}", broken.key, broken.message, broken.help));
    }
    if !drift.not_applied.is_empty() {
        parts.push(format!(
            "not applied (declared otherwise than last applied):\n{}",
            rows(&drift.not_applied)
        ));
    }
    for pending in &drift.pending {
        parts.push(format!("pending: {} waits for {}", pending.key, pending.waits_for));
    }
    if unmanaged && !drift.unmanaged.is_empty() {
        parts.push(unmanaged_lines(&drift.unmanaged).trim_end().to_owned());
    }
    let count = drift.rows.len() + drift.broken.len();
    parts.push(match count {
        0 => "no drift".to_owned(),
        1 => "1 difference".to_owned(),
        count => format!("{count} differences"),
    });
    parts.join("\n\n")
}

fn rows(rows: &[Row]) -> String {
    let mut table = Table::new(["KEY", "FIELD", "EXPECTED", "FOUND", "CAUSE"]);
    for row in rows {
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
        table.row([
            row.key.to_string(),
            if row.field.is_empty() { "-".to_owned() } else { row.field.clone() },
            text(&row.expected),
            text(&row.found),
            row.cause.clone().unwrap_or_default(),
        ]);
    }
    table.text_or("")
}
