//! `get`: objects as they stand.

use super::connection::Connection;
use super::exit::Exit;
use super::failure::Usage;
use super::key::parse_key;
use super::session::Session;
use super::table::Table;
use super::words;
use crate::api::types::ObjectStatus;
use crate::daemon::operations::listing::Selection;
use crate::model::key::Kind;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A kind (`container`, `networks`) or a key (`web-1`, `image/debian`) [default: all]
    #[arg(value_name = "KIND|KEY")]
    what: Option<String>,
    /// What is out of service, and until when it is kept
    #[arg(long, conflicts_with = "what")]
    parked: bool,
}

pub fn run(session: &Session, args: &Args) -> anyhow::Result<Exit> {
    let selection = if args.parked { Selection::Parked } else { selection(args.what.as_deref())? };
    let listing = Connection::reader(session)?.list(&selection)?;
    if args.parked {
        session.out.text(&parked_text(&listing.objects))?;
        session.out.json(&listing)?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(["KEY", "STATE", "PID", "ADDRESSES", "MEMORY", "OWNER", "CONDITIONS"]);
    for object in &listing.objects {
        table.row(row(object));
    }
    session.out.text(&table.text_or("no objects"))?;
    session.out.json(&listing)?;
    Ok(Exit::Done)
}

fn parked_text(objects: &[ObjectStatus]) -> String {
    let mut table = Table::new(["KEY", "PARKED", "UNTIL", "BY", "OWNER"]);
    for object in objects {
        let Some(parked) = &object.parked else { continue };
        table.row([
            object.key.to_string(),
            format!("{:.0}", parked.at),
            format!("{:.0}", parked.until),
            parked.by.clone(),
            object.owner.clone(),
        ]);
    }
    table.text_or("nothing is parked")
}

/// A word that names a kind is one; else it is a container's name.
fn selection(what: Option<&str>) -> Result<Selection, Usage> {
    let Some(what) = what else { return Ok(Selection::All) };
    match Kind::from_word(what) {
        Some(kind) if !what.contains('/') => Ok(Selection::Kind(kind)),
        _ => parse_key(what).map(Selection::Key).map_err(|error| Usage(error.to_string())),
    }
}

fn row(object: &ObjectStatus) -> [String; 7] {
    let container = object.container.as_ref();
    let addresses: Vec<&str> = container
        .iter()
        .flat_map(|container| &container.addresses)
        .map(|address| address.address.as_str())
        .chain(object.addresses.iter().map(String::as_str))
        .collect();
    let conditions: Vec<&str> =
        object.conditions.iter().map(|condition| condition.condition_type.as_str()).collect();
    [
        object.key.to_string(),
        object.state.clone(),
        container.and_then(|container| container.pid).map(|pid| pid.to_string()).unwrap_or_default(),
        addresses.join(","),
        container
            .and_then(|container| container.usage.as_ref())
            .map(|usage| words::bytes(usage.memory))
            .unwrap_or_default(),
        object.owner.clone(),
        conditions.join(","),
    ]
}
