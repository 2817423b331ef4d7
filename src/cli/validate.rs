//! `validate`: manifests alone; the host is not looked at. All hosts of the load are checked.

use super::exit::Exit;
use super::manifests::PureArgs;
use super::session::Session;
use crate::api::types::OUTPUT_VERSION;
use crate::model::desired::Desired;
use crate::model::finding::Finding;
use crate::reconcile::render::outline::{self, Outline};
use crate::spec::Loaded;
use serde::Serialize;
use std::collections::BTreeSet;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    manifests: PureArgs,
}

#[derive(Serialize)]
struct ValidateJson<'a> {
    version: u32,
    site: &'a str,
    /// Of all hosts, each once.
    objects: usize,
    hosts: Vec<HostJson<'a>>,
    warnings: &'a [Finding],
}

#[derive(Serialize)]
struct HostJson<'a> {
    name: &'a str,
    objects: usize,
}

pub fn run(session: &Session, args: &Args) -> anyhow::Result<Exit> {
    let loaded = args.manifests.load(session.host.as_deref())?;
    let all: BTreeSet<_> = loaded.hosts.iter().flat_map(|load| objects(&load.desired)).collect();
    let site = loaded.hosts.first().map_or("default", |load| load.desired.site.as_str());
    let hosts: Vec<HostJson> = loaded.hosts.iter().filter_map(host).collect();
    let mut text = format!("valid: site {site}, {}", count(all.len()));
    for host in &hosts {
        text.push_str(&format!("\n  host {}: {}", host.name, count(host.objects)));
    }
    session.out.text(&text)?;
    let warnings = &loaded.warnings;
    session.out.json(&ValidateJson { version: OUTPUT_VERSION, site, objects: all.len(), hosts, warnings })?;
    session.out.outline(|| Outline {
        site: Some(site.to_owned()),
        ..outline::findings("validate", all.into_iter(), warnings)
    })?;
    Ok(Exit::Done)
}

fn objects(desired: &Desired) -> impl Iterator<Item = &crate::model::key::Key> {
    desired.objects.keys().filter(|key| !desired.builtin.contains(key))
}

fn host(load: &Loaded) -> Option<HostJson<'_>> {
    let host = load.host.as_ref()?;
    Some(HostJson { name: &host.name, objects: objects(&load.desired).count() })
}

fn count(objects: usize) -> String {
    if objects == 1 { "1 object".to_owned() } else { format!("{objects} objects") }
}
