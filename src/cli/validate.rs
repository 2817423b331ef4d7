//! `validate`: manifests alone; the host is not looked at.

use super::exit::Exit;
use super::manifests::FromArgs;
use super::output::complain;
use super::session::Session;
use crate::api::types::OUTPUT_VERSION;
use crate::daemon::operations::load;
use crate::model::finding::Finding;
use serde::Serialize;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    from: FromArgs,
    /// The processor to validate for [default: this machine's]
    #[arg(long, value_name = "NAME")]
    architecture: Option<String>,
}

#[derive(Serialize)]
struct ValidateJson<'a> {
    version: u32,
    site: &'a str,
    objects: usize,
    warnings: &'a [Finding],
}

pub fn run(session: &Session, args: &Args) -> anyhow::Result<Exit> {
    let shown = args.from.read()?;
    let architecture = args.architecture.clone().unwrap_or_else(|| load::this_architecture().to_owned());
    let loaded = load::load(&shown.texts, &architecture).map_err(|failure| shown.tell(failure))?;
    if !loaded.warnings.is_empty() {
        complain(&shown.render(&loaded.warnings));
    }
    let desired = &loaded.desired;
    let objects = desired.objects.keys().filter(|key| !desired.builtin.contains(key)).count();
    let word = if objects == 1 { "object" } else { "objects" };
    session.out.text(&format!("valid: site {}, {objects} {word}", desired.site))?;
    let warnings = &loaded.warnings;
    session.out.json(&ValidateJson { version: OUTPUT_VERSION, site: &desired.site, objects, warnings })?;
    Ok(Exit::Done)
}
