//! Containers of this Bayplan's pools and run folder that belong to no site.

use super::join::Joined;
use super::world::World;
use crate::model::desired::Desired;
use crate::model::finding::{Finding, Severity};
use crate::model::key::{Key, Kind};
use crate::model::object::{Spec, Unmanaged};
use crate::model::observed::Observed;
use crate::model::record::Owner;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// One that no site owns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnmanagedContainer {
    /// Its key; of one that nobody knows the name of, its uuid.
    pub name: String,
    pub running: bool,
    /// In words: why it belongs to nobody.
    pub why: String,
}

/// All of them, in the order of names.
pub fn containers(
    world: &World<'_>,
    observed: &Observed,
    joined: &Joined<'_>,
    external: Option<&BTreeSet<Key>>,
) -> Vec<UnmanagedContainer> {
    let named = joined.containers.iter().filter_map(|(key, view)| {
        let running = view.run.is_some();
        let unmanaged = |why: String| UnmanagedContainer { name: key.to_string(), running, why };
        let is_known = world.targets.contains_key(key)
            || world.leaving.contains_key(key)
            || external.is_some_and(|external| external.contains(key));
        match view.record {
            _ if is_known => None,
            None => view.root.map(|root| unmanaged(no_record(&root.identity.owner))),
            Some(record) if record.parked.is_some() || record.retiring => None,
            Some(record) if record.owner == Owner::Api => {
                Some(unmanaged("it was made through the API".to_owned()))
            }
            Some(_) => None,
        }
    });
    let strays = joined.strays.iter().map(|uuid| {
        let facts = observed.containers.get(uuid);
        let running = facts.is_some_and(|facts| facts.run.is_some());
        let key = facts.and_then(|facts| facts.root.as_ref()).map(|root| &root.identity.key);
        let why = match key {
            Some(key) => format!("a second root of {key}"),
            None => "it has neither record nor root".to_owned(),
        };
        UnmanagedContainer { name: uuid.to_string(), running, why }
    });
    named.chain(strays).collect()
}

/// Of a root whose record was forgotten, or lost.
fn no_record(former: &Owner) -> String {
    format!("it has no record; it was last of {former}")
}

/// What the load's site says about them.
pub fn policy(desired: &Desired) -> Unmanaged {
    let mut sites = desired.objects.iter().filter(|(key, _)| key.kind == Kind::Site);
    sites
        .find_map(|(_, object)| match &object.spec {
            Spec::Site(site) => Some(site.unmanaged),
            _ => None,
        })
        .unwrap_or_default()
}

/// The findings of a site that is to have the host alone.
pub fn findings(desired: &Desired, unmanaged: &[UnmanagedContainer]) -> Vec<Finding> {
    let site = Key::site(&desired.site);
    let origins = desired.origins.get(&site);
    let origin = origins.and_then(|origins| origins.get("unmanaged").or_else(|| origins.get("")));
    let place = origin.and_then(|origin| origin.place.clone());
    let finding = |container: &UnmanagedContainer| Finding {
        severity: Severity::Error,
        code: "unmanaged",
        place: place.clone(),
        key: Some(site.clone()),
        message: format!("{} belongs to no site: {}", container.name, container.why),
        help: Some(format!(
            "declare it, or remove it with `bayplan delete {}`; `unmanaged: report` only lists such containers",
            container.name
        )),
    };
    unmanaged.iter().map(finding).collect()
}
