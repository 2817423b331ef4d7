//! Subnets, addresses, MACs, interface names and folders across all objects: no two of one.

use super::Resolution;
use super::references::mark;
use crate::model::key::Key;
use crate::model::object::{Device, Network, Object, Spec};
use crate::model::subnet::misfit;
use crate::model::typed::{self, AddressChoice, NicLink, NicOptions};
use crate::spec::report::{Report, Wrong};
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

pub fn check(resolution: &Resolution, report: &mut Report) {
    let in_order = in_order(resolution);
    subnets(resolution, &in_order, report);
    pools(resolution, &in_order, report);
    let mut taken = Taken::default();
    for (key, object) in &resolution.desired.objects {
        report.key = Some(key.clone());
        if let Spec::Network(network) = &object.spec {
            taken.gateways(key, network);
        }
    }
    for (key, object) in in_order {
        report.key = Some(key.clone());
        if let Spec::Container(container) = &object.spec {
            for (name, device) in &container.devices {
                if let Some(nic) = typed::nic(device) {
                    let at = At { resolution, key, device: name };
                    addresses(&at, &nic, device, &mut taken, report);
                    host_side(&at, &nic, &mut taken, report);
                }
            }
        }
    }
    report.key = None;
}

/// What is in use, by whom.
#[derive(Default)]
struct Taken {
    addresses: BTreeMap<IpAddr, String>,
    /// (network or parent, MAC).
    macs: BTreeMap<(String, String), String>,
    interfaces: BTreeMap<String, String>,
}

impl Taken {
    fn gateways(&mut self, key: &Key, network: &Network) {
        let bridge = typed::bridge(&key.name, &network.config);
        for net in nets(&bridge) {
            self.addresses.insert(net.addr(), format!("{key} itself, the gateway"));
        }
        self.interfaces.insert(key.name.clone(), key.to_string());
    }
}

/// A nic in its place.
struct At<'r> {
    resolution: &'r Resolution<'r>,
    key: &'r Key,
    device: &'r str,
}

impl At<'_> {
    fn error(&self, option: &str, wrong: Wrong, report: &mut Report) {
        let mark = mark(self.resolution, self.key, &format!("devices.{}.{option}", self.device), report);
        report.error(mark, wrong);
    }

    fn user(&self) -> String {
        format!("{} ({})", self.key, self.device)
    }
}

fn nets(bridge: &crate::model::step::BridgeNetwork) -> Vec<IpNet> {
    let ipv4 = bridge.ipv4.map(IpNet::V4);
    ipv4.into_iter().chain(bridge.ipv6.map(IpNet::V6)).collect()
}

/// The objects in the order of the texts, so that the later of two is the one that is wrong; built-ins first.
fn in_order<'r>(resolution: &'r Resolution) -> Vec<(&'r Key, &'r Object)> {
    let mut objects: Vec<_> = resolution.desired.objects.iter().collect();
    objects.sort_by_cached_key(|(key, _)| resolution.documents.get(key).map(|document| document.mark));
    objects
}

fn subnets(resolution: &Resolution, in_order: &[(&Key, &Object)], report: &mut Report) {
    let mut seen: Vec<(IpNet, &Key)> = vec![];
    for (key, object) in in_order.iter().copied() {
        let Spec::Network(network) = &object.spec else { continue };
        for net in nets(&typed::bridge(&key.name, &network.config)) {
            let overlap = seen
                .iter()
                .find(|(other, _)| other.contains(&net.network()) || net.contains(&other.network()));
            if let Some((other, first)) = overlap {
                report.key = Some(key.clone());
                let message = format!("subnet {} overlaps {} of {first}", net.trunc(), other.trunc());
                let help = match resolution.desired.builtin.contains(*first) {
                    true => format!(
                        "{first} is built in and in use: choose another subnet, or declare it yourself"
                    ),
                    false => "choose another subnet".to_owned(),
                };
                let field = if net.addr().is_ipv4() { "config.ipv4.address" } else { "config.ipv6.address" };
                let mark = mark(resolution, key, field, report);
                report.error(mark, Wrong::new("subnet-overlap", message).help(help));
            }
            seen.push((net, key));
        }
    }
}

/// No pool's folder is another's, or inside it.
fn pools(resolution: &Resolution, in_order: &[(&Key, &Object)], report: &mut Report) {
    let mut seen: Vec<(&Path, &Key)> = vec![];
    for (key, object) in in_order.iter().copied() {
        let Spec::StoragePool(pool) = &object.spec else { continue };
        let Some(source) = pool.source.as_deref() else { continue };
        if let Some((_, first)) =
            seen.iter().find(|(other, _)| other.starts_with(source) || source.starts_with(other))
        {
            report.key = Some(key.clone());
            let message = format!("the folder of {key} is {first}'s, or inside it");
            let mark = mark(resolution, key, "source", report);
            report.error(
                mark,
                Wrong::new("duplicate-path", message).help("give each pool a folder of its own"),
            );
        }
        seen.push((source, key));
    }
}

/// Of a network that is declared elsewhere only this is known: nobody has an address twice.
fn external_addresses(at: &At, nic: &NicOptions, taken: &mut Taken, report: &mut Report) {
    if let AddressChoice::Fixed(address) = nic.ipv4 {
        address_once(at, "ipv4.address", address.into(), taken, report);
    }
    if let AddressChoice::Fixed(address) = nic.ipv6 {
        address_once(at, "ipv6.address", address.into(), taken, report);
    }
}

fn addresses(at: &At, nic: &NicOptions, device: &Device, taken: &mut Taken, report: &mut Report) {
    let NicLink::Network(name) = &nic.link else { return };
    let network = at.resolution.desired.objects.get(&Key::network(name));
    let Some(Object { spec: Spec::Network(network), .. }) = network else {
        external_addresses(at, nic, taken, report);
        return;
    };
    let bridge = typed::bridge(name, &network.config);
    if let AddressChoice::Fixed(address) = nic.ipv4 {
        let net = bridge.ipv4.map(IpNet::V4);
        address_in(at, "ipv4.address", address.into(), name, net, report);
        address_once(at, "ipv4.address", address.into(), taken, report);
    }
    if let AddressChoice::Fixed(address) = nic.ipv6 {
        let net = bridge.ipv6.map(IpNet::V6);
        address_in(at, "ipv6.address", address.into(), name, net, report);
        address_once(at, "ipv6.address", address.into(), taken, report);
    }
    for (option, family, is_there) in
        [("ipv4.gateway", "IPv4", bridge.ipv4.is_some()), ("ipv6.gateway", "IPv6", bridge.ipv6.is_some())]
    {
        if device.options.contains_key(option) && !is_there {
            let wrong = Wrong::new("bad-value", format!("network `{name}` has no {family}"));
            at.error(option, wrong.help(format!("remove `{option}`")), report);
        }
    }
}

fn address_in(
    at: &At,
    option: &str,
    address: IpAddr,
    network: &str,
    net: Option<IpNet>,
    report: &mut Report,
) {
    let Some(net) = net else {
        let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
        let wrong = Wrong::new("address-outside", format!("network `{network}` has no {family} address"));
        return at.error(option, wrong.help(format!("remove it, or give the network `{option}`")), report);
    };
    if let Some((message, help)) = misfit(network, net, address) {
        at.error(option, Wrong::new("address-outside", message).help(help), report);
    }
}

fn address_once(at: &At, option: &str, address: IpAddr, taken: &mut Taken, report: &mut Report) {
    if let Some(first) = taken.addresses.insert(address, at.user()) {
        let wrong = Wrong::new("duplicate-address", format!("{address} is in use by {first}"));
        at.error(option, wrong.help("choose another address"), report);
    }
}

/// MACs on one bridge, and names of interfaces on the host.
fn host_side(at: &At, nic: &NicOptions, taken: &mut Taken, report: &mut Report) {
    let link = match &nic.link {
        NicLink::Network(name) | NicLink::Parent(name) => name.clone(),
        NicLink::PointToPoint => String::new(),
    };
    if let Some(mac) = &nic.mac
        && let Some(first) = taken.macs.insert((link, mac.clone()), at.user())
    {
        let wrong = Wrong::new("duplicate-address", format!("MAC address {mac} is in use by {first}"));
        at.error("hwaddr", wrong.help("choose another, or leave it out"), report);
    }
    if let Some(name) = &nic.host_name
        && let Some(first) = taken.interfaces.insert(name.clone(), at.user())
    {
        let wrong = Wrong::new("duplicate-address", format!("interface name `{name}` is in use by {first}"));
        at.error("host_name", wrong.help("choose another, or leave it out"), report);
    }
}
