//! Fixed addresses on networks that other sites have: the load knows neither their subnets nor who else is on them. PURE.

use super::check::Findings;
use super::identity::Networks;
use super::world::{World, recorded};
use crate::model::finding::Finding;
use crate::model::key::{Key, Kind};
use crate::model::object::{Container, Object, Spec};
use crate::model::observed::Observed;
use crate::model::record::{Owner, Record};
use crate::model::step::BridgeNetwork;
use crate::model::typed::{self, AddressChoice, NicLink};
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// By network and address, the container of another owner that has it.
type Taken<'a> = BTreeMap<(String, IpAddr), (&'a Key, &'a Owner)>;

/// A finding for each address that its network does not have, or that another owner's container has.
pub fn check(world: &World<'_>, observed: &Observed, networks: &Networks) -> Vec<Finding> {
    let taken = taken(world, observed);
    let mut list = vec![];
    for (key, target) in &world.targets {
        let Spec::Container(container) = &target.object.spec else { continue };
        let mut findings = Findings::new(key, target);
        for (device, network, address) in fixed(container) {
            let family = if address.is_ipv4() { "ipv4" } else { "ipv6" };
            let field = format!("devices.{device}.{family}.address");
            if let Some(bridge) = networks.get(&network)
                && let Some((message, help)) = outside(bridge, address)
            {
                findings.error("address-outside", &field, message, &help);
            } else if let Some((other, owner)) = taken.get(&(network, address))
                && **owner != target.owner
            {
                let message = format!("{address} is in use by {other} of {owner}");
                findings.error("duplicate-address", &field, message, "choose another address");
            }
        }
        list.extend(findings.list);
    }
    list
}

/// Why a network does not have an address.
fn outside(bridge: &BridgeNetwork, address: IpAddr) -> Option<(String, String)> {
    let (subnet, family): (Option<IpNet>, _) = match address {
        IpAddr::V4(_) => (bridge.ipv4.map(IpNet::V4), "IPv4"),
        IpAddr::V6(_) => (bridge.ipv6.map(IpNet::V6), "IPv6"),
    };
    let Some(subnet) = subnet else {
        let message = format!("network `{}` has no {family} address", bridge.name);
        return Some((message, "remove it, or use another network".to_owned()));
    };
    let (whole, name) = (subnet.trunc(), &bridge.name);
    if !subnet.contains(&address) {
        Some((format!("{address} is outside {whole} of network `{name}`"), format!("choose one of {whole}")))
    } else if address == subnet.addr() {
        Some((
            format!("{address} is in use by network `{name}` itself, the gateway"),
            "choose another".to_owned(),
        ))
    } else {
        None
    }
}

/// Containers in service that this plan neither declares nor takes away.
fn taken<'a>(world: &World<'_>, observed: &'a Observed) -> Taken<'a> {
    let stays = |key: &Key, record: &Record| {
        let is_ours = world.targets.contains_key(key) || world.leaving.contains_key(key);
        key.kind == Kind::Container && !is_ours && record.parked.is_none()
    };
    let mut taken = Taken::new();
    for (key, record) in observed.records.iter().filter(|(key, record)| stays(key, record)) {
        let Some(Object { spec: Spec::Container(container), .. }) = recorded(record) else { continue };
        let leases = record.identity.iter().flat_map(|identity| &identity.leases);
        let leased = leases.filter_map(|(device, address)| {
            let (_, nic) = typed::nics(&container.devices).into_iter().find(|(name, _)| name == device)?;
            let NicLink::Network(network) = nic.link else { return None };
            Some((network, *address))
        });
        let own = fixed(container).into_iter().map(|(_, network, address)| (network, address));
        taken.extend(own.chain(leased).map(|at| (at, (key, &record.owner))));
    }
    taken
}

/// Device, network and address of each fixed address.
fn fixed(container: &Container) -> Vec<(String, String, IpAddr)> {
    let mut all = vec![];
    for (device, nic) in typed::nics(&container.devices) {
        let NicLink::Network(network) = nic.link else { continue };
        if let AddressChoice::Fixed(address) = nic.ipv4 {
            all.push((device.to_owned(), network.clone(), IpAddr::V4(address)));
        }
        if let AddressChoice::Fixed(address) = nic.ipv6 {
            all.push((device.to_owned(), network, IpAddr::V6(address)));
        }
    }
    all
}
