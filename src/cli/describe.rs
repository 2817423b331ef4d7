//! `describe`: one object, each value with the line that it comes from.

use super::connection::Connection;
use super::exit::Exit;
use super::key::parse_key;
use super::session::Session;
use super::table::Table;
use super::words;
use crate::api::types::{ContainerStatus, Description, FieldStatus};
use crate::model::key::Key;
use crate::model::origin::Origin;
use crate::reconcile::render::values::in_a_line;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The object
    #[arg(value_name = "KEY", value_parser = parse_key)]
    key: Key,
}

pub fn run(session: &Session, args: &Args) -> anyhow::Result<Exit> {
    let description = Connection::reader(session)?.describe(&args.key)?;
    session.out.text(&text(&description))?;
    session.out.json(&description)?;
    Ok(Exit::Done)
}

fn text(description: &Description) -> String {
    let status = &description.status;
    let mut lines = vec![
        format!("{}", status.key),
        format!("  state       {}", status.state),
        format!("  owner       {}", status.owner),
        format!("  generation  {}", status.generation),
    ];
    let mut line = |name: &str, value: String| lines.push(format!("  {name:<10}  {value}"));
    if let Some(actor) = &description.actor {
        line("written by", actor.clone());
    }
    if !description.description.is_empty() {
        line("about", in_a_line(&description.description));
    }
    if !description.labels.is_empty() {
        let labels: Vec<String> =
            description.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        line("labels", labels.join(", "));
    }
    if let Some(fingerprint) = &status.fingerprint {
        line("content", fingerprint.clone());
    }
    if let Some(container) = &status.container {
        container_lines(container, &mut line);
    }
    for condition in &status.conditions {
        lines.push(format!("  ! {}: {}", condition.condition_type, condition.message));
    }
    let mut table = Table::new(["FIELD", "VALUE", "APPLIED", "FROM"]);
    for field in &description.fields {
        table.row(row(field));
    }
    format!("{}\n\n{}", lines.join("\n"), table.text_or("no fields"))
}

fn container_lines(container: &ContainerStatus, line: &mut impl FnMut(&str, String)) {
    if let Some(pid) = container.pid {
        line("pid", format!("{pid} (incarnation {})", container.incarnation.unwrap_or_default()));
    }
    if let Some(uuid) = container.uuid {
        line("uuid", uuid.to_string());
    }
    for address in &container.addresses {
        line("address", format!("{} ({})", address.address, address.device));
    }
    if let Some(usage) = &container.usage {
        let memory = words::bytes(usage.memory);
        line(
            "usage",
            format!(
                "{memory} of memory, {} processes, {} ms of cpu",
                usage.processes,
                usage.cpu_ns / 1_000_000
            ),
        );
    }
    if let Some(remakes) = container.remakes {
        line("remade", format!("{remakes} times, complete each time (ephemeral)"));
    }
    if let Some(replaced) = &container.replaced {
        let content: String = replaced.fingerprint.chars().take(12).collect();
        let unproven = if replaced.proven { "" } else { ", and comes back if the new one is not ready" };
        line(
            "replaced",
            format!("{content} of {}, kept until {:.0}{unproven}", replaced.image, replaced.until),
        );
    }
    if let Some(exit) = &container.last_exit {
        let status = exit.status.map(|status| format!(", status {status}")).unwrap_or_default();
        line("last exit", format!("{:?}{status}, at {:.0}", exit.cause, exit.at));
    }
}

fn row(field: &FieldStatus) -> [String; 4] {
    let shown = |value: &Option<String>| value.as_deref().map_or_else(|| "-".to_owned(), in_a_line);
    let applied = if field.applied == field.desired { String::new() } else { shown(&field.applied) };
    [
        field.field.clone(),
        shown(&field.desired),
        applied,
        field.origin.as_ref().map(origin).unwrap_or_default(),
    ]
}

fn origin(origin: &Origin) -> String {
    match &origin.place {
        Some(place) => format!("{}:{} ({}){}", place.file, place.line, origin.layer, origin.filled_from()),
        None => origin.layer.to_string(),
    }
}
