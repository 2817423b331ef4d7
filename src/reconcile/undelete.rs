//! Parked objects come back, and with them what they need.

use super::deletions::error;
use super::goal::PlanOptions;
use super::world::{World, no_such, recorded, recorded_target};
use crate::model::key::{Key, Kind};
use crate::model::object::{Object, Spec};
use crate::model::observed::Observed;
use crate::model::references::references;
use crate::model::typed::{self, AddressChoice, NicLink};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

pub fn undelete<'a>(
    world: &mut World<'a>,
    keys: &BTreeSet<Key>,
    observed: &'a Observed,
    options: &PlanOptions,
) {
    let mut open = vec![];
    for key in keys {
        match observed.records.get(key) {
            None => world.findings.push(no_such(key, observed.records.keys())),
            Some(record) if record.parked.is_none() || record.retiring => {
                let message = format!("{key} is not parked");
                world.findings.push(error(
                    "not-parked",
                    key,
                    message,
                    "`bayplan get --parked` lists what is",
                ));
            }
            Some(_) => open.push(key.clone()),
        }
    }
    while let Some(next) = open.pop() {
        let Some(record) = observed.records.get(&next) else { continue };
        let parked = record.parked.is_some();
        let Some(mut target) = recorded_target(record, options) else { continue };
        if world.targets.contains_key(&next) || (!parked && next.kind == Kind::Container) {
            continue;
        }
        if parked {
            target.undeleted = true;
            target.verb = true;
            open.extend(references(target.object));
            world.findings.extend(address_taken(&next, target.object, observed));
        }
        world.targets.insert(next, target);
    }
}

/// Its own addresses may have been given away while it was parked.
fn address_taken(key: &Key, object: &Object, observed: &Observed) -> Option<crate::model::finding::Finding> {
    let own = addresses(object);
    let others = observed.records.iter().filter(|(other, record)| *other != key && record.parked.is_none());
    others.filter_map(|(other, record)| Some((other, recorded(record)?))).find_map(|(other, object)| {
        let (network, address) = addresses(object).intersection(&own).next()?.clone();
        let message = format!("{key} has the address {address} on {network}, and {other} has it now");
        Some(error("address-taken", key, message, &format!("give {other} another address first")))
    })
}

fn addresses(object: &Object) -> BTreeSet<(String, Ipv4Addr)> {
    let Spec::Container(container) = &object.spec else { return BTreeSet::new() };
    let nics = typed::nics(&container.devices).into_iter();
    nics.filter_map(|(_, nic)| match (nic.link, nic.ipv4) {
        (NicLink::Network(network), AddressChoice::Fixed(address)) => Some((network, address)),
        _ => None,
    })
    .collect()
}
