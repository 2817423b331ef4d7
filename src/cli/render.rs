//! `render`: the manifests as they are for one host; nothing is looked at but the manifests.

use super::exit::Exit;
use super::failure::Usage;
use super::manifests::PureArgs;
use super::output::Format;
use super::session::Session;
use crate::api::types::OUTPUT_VERSION;
use crate::spec::{Loaded, LoadedHosts, canonical, emit};
use serde::Serialize;
use serde_json::Value;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    manifests: PureArgs,
}

#[derive(Serialize)]
struct RenderJson<'a> {
    version: u32,
    site: &'a str,
    host: Option<&'a str>,
    documents: &'a [Value],
}

pub fn run(session: &Session, args: &Args) -> anyhow::Result<Exit> {
    let loaded = only(args.manifests.load(session.host.as_deref())?)?;
    let documents = canonical::documents(&loaded.desired, loaded.host.as_ref());
    if session.out.format == Format::Json {
        let host = loaded.host.as_ref().map(|host| host.name.as_str());
        let site = loaded.desired.site.as_str();
        session.out.json(&RenderJson { version: OUTPUT_VERSION, site, host, documents: &documents })?;
    } else {
        session.out.raw(emit::documents(&documents).as_bytes())?;
    }
    Ok(Exit::Done)
}

/// The load of the only host, or of none in particular.
fn only(loaded: LoadedHosts) -> Result<Loaded, Usage> {
    let LoadedHosts { mut hosts, warnings } = loaded;
    let names: Vec<String> =
        hosts.iter().filter_map(|load| load.host.as_ref()).map(|host| host.name.clone()).collect();
    match hosts.pop() {
        Some(only) if hosts.is_empty() => Ok(Loaded { warnings, ..only }),
        _ => Err(Usage(format!("for which host? add --host NAME: {}", names.join(", ")))),
    }
}
