//! `holds`: what verbs hold against the declared state, and until when.

use super::connection::Connection;
use super::exit::Exit;
use super::session::Session;
use super::table::Table;
use super::words::power;
use crate::model::record::HoldReason;

#[derive(Debug, clap::Args)]
pub struct Args {}

pub fn run(session: &Session, _args: &Args) -> anyhow::Result<Exit> {
    let listing = Connection::reader(session)?.holds()?;
    let mut table = Table::new(["KEY", "DECLARED", "HELD", "BY", "UNTIL", "REASON"]);
    for hold in &listing.holds {
        let until = hold.until.map_or("the next apply".to_owned(), |until| format!("{until:.0}"));
        let (declared, held) = (power(hold.declared), power(hold.held));
        let reason = hold.reason.as_ref().map(HoldReason::to_string).unwrap_or_default();
        table.row([
            hold.key.to_string(),
            declared.to_owned(),
            held.to_owned(),
            hold.by.clone(),
            until,
            reason,
        ]);
    }
    session.out.text(&table.text_or("no holds"))?;
    session.out.json(&listing)?;
    Ok(Exit::Done)
}
