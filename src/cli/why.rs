//! `why`: an object and each of its values, with the lines and layers that they come from.

use super::connection::Connection;
use super::exit::Exit;
use super::key::parse_key;
use super::manifests::{FromArgs, Shown};
use super::output::stdout_width;
use super::session::Session;
use crate::api::types::WhyRequest;
use crate::model::key::Key;
use crate::model::origin::Place;
use crate::reconcile::why::text::text;
use crate::spec::diagnostic;

/// Before what is said of a value.
const INDENT: usize = 15;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The object
    #[arg(value_name = "KEY", value_parser = parse_key)]
    key: Key,
    /// One value, or all below it: limits.memory, devices.eth0, state
    #[arg(value_name = "FIELD")]
    field: Option<String>,
    #[command(flatten)]
    from: FromArgs,
}

/// Without `-f` what was last declared is asked, not a `site.yaml` that happens to lie here.
pub fn run(session: &Session, args: &Args) -> anyhow::Result<Exit> {
    let shown = if args.from.file.is_empty() { Shown::default() } else { args.from.read()? };
    let manifests = (!args.from.file.is_empty()).then(|| shown.manifests());
    let (key, field) = (args.key.clone(), args.field.clone());
    let request = WhyRequest { key, field, manifests, actor: session.actor("why") };
    let explanation = Connection::reader(session)?.why(&request).map_err(|failure| shown.tell(failure))?;
    let columns = stdout_width().map(|columns| columns.saturating_sub(INDENT));
    let excerpt = |place: &Place| diagnostic::excerpt_line(place, &shown.texts, columns);
    session.out.text(&text(&explanation, &excerpt))?;
    session.out.json(&explanation)?;
    Ok(Exit::Done)
}
