//! `external: true`: what must be there, and is never changed from here.

use super::join::Joined;
use super::world::World;
use crate::model::desired::Desired;
use crate::model::finding::{Finding, Severity};
use crate::model::key::{Key, Kind};
use crate::model::observed::Observed;

/// A finding for each that is not there.
pub fn check(world: &mut World<'_>, desired: &Desired, observed: &Observed, joined: &Joined<'_>) {
    for key in desired.external.iter().filter(|key| !is_there(key, observed, joined)) {
        let origin = desired.origins.get(key).and_then(|origins| origins.get(""));
        world.findings.push(Finding {
            severity: Severity::Error,
            code: "missing-external",
            place: origin.and_then(|origin| origin.place.clone()),
            key: Some(key.clone()),
            message: format!("{key} is external, and is not there"),
            help: Some(help(key)),
        });
    }
}

fn help(key: &Key) -> String {
    let elsewhere = "apply the site that declares it first";
    match key.kind {
        Kind::Network => format!("{elsewhere}, or make the link {} on the host", key.name),
        _ => elsewhere.to_owned(),
    }
}

/// As another owner's object, or as a thing of the host.
fn is_there(key: &Key, observed: &Observed, joined: &Joined<'_>) -> bool {
    let record = observed.records.get(key);
    if record.is_some_and(|record| !record.retiring && record.parked.is_none()) {
        return true;
    }
    match key.kind {
        Kind::Network => record.is_none() && observed.networks.contains_key(&key.name),
        Kind::StoragePool => record.is_none() && observed.pools.contains_key(&key.name),
        Kind::Container => record.is_none() && joined.view(key).root.is_some(),
        Kind::Site | Kind::Host | Kind::Image | Kind::Secret | Kind::Profile | Kind::ContainerSet => false,
    }
}
