//! `init`: a first site, with the schema that editors complete it by. Never writes over anything.

use super::exit::Exit;
use super::session::Session;
use crate::api::error::{Failure, FailureKind};
use crate::api::types::OUTPUT_VERSION;
use crate::daemon::wiring::hostname;
use crate::source::{self, DEFAULT_FILE};
use crate::spec::first_site::{FirstSite, text};
use crate::spec::schema;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// What the schema's file is called; no manifest, so loads pass over it.
const SCHEMA: &str = "bayplan.schema.json";

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where to [default: the current folder]; made if it is not there
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
}

#[derive(Serialize)]
struct InitJson {
    version: u32,
    files: Vec<PathBuf>,
}

pub fn run(session: &Session, args: &Args) -> anyhow::Result<Exit> {
    let (site, schema_file) = (args.folder.join(DEFAULT_FILE), args.folder.join(SCHEMA));
    if let Some(there) = manifests(&args.folder).or_else(|| schema_file.exists().then(|| schema_file.clone()))
    {
        let message = format!("{} is there already; init writes over nothing", there.display());
        return Err(Failure::new(FailureKind::Refused, message).into());
    }
    let host = hostname();
    let manifest = text(&FirstSite { host: host.as_deref(), schema: SCHEMA });
    let (_, schema) = schema::all()
        .into_iter()
        .find(|(name, _)| name == "manifest.json")
        .ok_or_else(|| anyhow::anyhow!("there is no schema of a manifest"))?;
    let failed = |error: source::Error| Failure::from_error(FailureKind::Host, &error);
    source::create_folder(&args.folder).map_err(failed)?;
    source::create(&schema_file, &schema).map_err(failed)?;
    source::create(&site, &manifest).map_err(failed)?;
    let out = session.out.even_unread();
    out.text(&format!("{}\n{}", site.display(), schema_file.display()))?;
    out.json(&InitJson { version: OUTPUT_VERSION, files: vec![site, schema_file] })?;
    Ok(Exit::Done)
}

/// A manifest of the folder, if it has one: another beside it might declare the same objects.
fn manifests(folder: &Path) -> Option<PathBuf> {
    source::read(Some(folder)).ok()?.first().map(|text| PathBuf::from(&text.path))
}
