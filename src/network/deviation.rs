//! PURE. How links as observed deviate from what they should be; what drift and plans show. Empty means that
//! `bridge::ensure` or `nic::attach` would answer unchanged.

use super::bridge::BridgeSpec;
use super::inside::Inside;
use super::links::{Link, LinkKind, Links};
use super::nic::{NicSpec, Uplink};
use ipnet::IpNet;
use std::collections::BTreeSet;

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deviation {
    /// What: `link`, `mac`, `addresses`, `bridge`, `state`, `mtu`, `gateway`.
    pub field: &'static str,
    pub wanted: String,
    pub found: String,
}

/// A bridge's deviations. A foreign link of that name counts as `link`.
pub fn of_bridge(spec: &BridgeSpec, links: &Links) -> Vec<Deviation> {
    let mut found = Vec::new();
    let Some(link) = links.get(&spec.name) else {
        note(&mut found, "link", spec.name.clone(), "missing".to_owned());
        return found;
    };
    if link.kind != LinkKind::Bridge || !link.bears(&spec.mark) {
        note(&mut found, "link", spec.mark.to_string(), "foreign".to_owned());
        return found;
    }
    if let Some(mac) = spec.mac {
        note(&mut found, "mac", mac.to_string(), mac_of(link));
    }
    if let Some(mtu) = spec.mtu {
        note(&mut found, "mtu", mtu.to_string(), link.mtu.to_string());
    }
    note(&mut found, "state", state(spec.up), state(link.up));
    note(&mut found, "addresses", list(&spec.addresses), list(&link.addresses));
    found
}

/// A nic's deviations as the host's end shows them: cheap, one dump of the host for all nics.
pub fn of_host_end(spec: &NicSpec, links: &Links) -> Vec<Deviation> {
    let mut found = Vec::new();
    let Some(link) = links.get(&spec.host_name) else {
        note(&mut found, "link", spec.host_name.clone(), "missing".to_owned());
        return found;
    };
    if link.kind != LinkKind::Veth || !link.bears(&spec.mark) {
        note(&mut found, "link", spec.mark.to_string(), "foreign".to_owned());
        return found;
    }
    let none = || "none".to_owned();
    let wanted = match &spec.uplink {
        Uplink::Bridge { name } => name.clone(),
        Uplink::PointToPoint { .. } => none(),
    };
    let master = link.master.and_then(|index| links.by_index(index));
    note(&mut found, "bridge", wanted, master.map_or_else(none, |bridge| bridge.name.clone()));
    note(&mut found, "state", state(true), state(link.up));
    found
}

/// A nic's deviations as its container shows them.
pub fn of_inner_end(spec: &NicSpec, inside: &Inside) -> Vec<Deviation> {
    let mut found = Vec::new();
    let Some(link) = inside.links.get(&spec.name) else {
        note(&mut found, "link", spec.name.clone(), "missing".to_owned());
        return found;
    };
    note(&mut found, "mac", spec.mac.to_string(), mac_of(link));
    if let Some(mtu) = spec.mtu {
        note(&mut found, "mtu", mtu.to_string(), link.mtu.to_string());
    }
    note(&mut found, "state", state(true), state(link.up));
    note(&mut found, "addresses", list(&spec.addresses), list(&link.addresses));
    for gateway in spec.gateways.iter().filter(|gateway| !inside.gateways.contains(gateway)) {
        note(&mut found, "gateway", gateway.to_string(), "missing".to_owned());
    }
    found
}

fn note(list: &mut Vec<Deviation>, field: &'static str, wanted: String, found: String) {
    if wanted != found {
        list.push(Deviation { field, wanted, found });
    }
}

fn state(is_up: bool) -> String {
    if is_up { "up".to_owned() } else { "down".to_owned() }
}

fn mac_of(link: &Link) -> String {
    link.mac.map(|mac| mac.to_string()).unwrap_or_default()
}

fn list(addresses: &BTreeSet<IpNet>) -> String {
    addresses.iter().map(IpNet::to_string).collect::<Vec<_>>().join(", ")
}
