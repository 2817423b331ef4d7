//! Addresses that containers declare, against networks and containers that another load declares. Within one load the
//! loader has looked already.

use super::check::Findings;
use super::identities::container_of;
use super::identity::Networks;
use super::join::Joined;
use super::world::World;
use crate::model::finding::Finding;
use crate::model::key::Key;
use crate::model::observed::Observed;
use crate::model::subnet::misfit;
use crate::model::typed::{self, AddressChoice, NicLink, NicOptions};
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Addresses outside their network, of a network that has none, or of somebody else.
pub fn check(
    world: &World<'_>,
    observed: &Observed,
    joined: &Joined<'_>,
    networks: &Networks,
) -> Vec<Finding> {
    let taken = taken(world, observed, joined);
    let mut list = vec![];
    for (key, target) in &world.targets {
        let Some(container) = container_of(target.object) else { continue };
        let mut findings = Findings::new(key, target);
        for (device, nic) in typed::nics(&container.devices) {
            for (option, address) in fixed(&nic) {
                let field = format!("devices.{device}.{option}");
                let verdict = outside(&nic, address, networks).or_else(|| held(&nic, address, &taken));
                if let Some((code, message, help)) = verdict {
                    findings.error(code, &field, message, &help);
                }
            }
        }
        list.extend(findings.list);
    }
    list
}

type Verdict = (&'static str, String, String);

/// The addresses that a nic says itself, each with its option.
fn fixed(nic: &NicOptions) -> impl Iterator<Item = (&'static str, IpAddr)> + use<> {
    let ipv4 = match nic.ipv4 {
        AddressChoice::Fixed(address) => Some(("ipv4.address", IpAddr::V4(address))),
        AddressChoice::Auto | AddressChoice::None => None,
    };
    let ipv6 = match nic.ipv6 {
        AddressChoice::Fixed(address) => Some(("ipv6.address", IpAddr::V6(address))),
        AddressChoice::Auto | AddressChoice::None => None,
    };
    ipv4.into_iter().chain(ipv6)
}

fn outside(nic: &NicOptions, address: IpAddr, networks: &Networks) -> Option<Verdict> {
    let name = match &nic.link {
        NicLink::Network(name) | NicLink::Parent(name) => name,
        NicLink::PointToPoint => return None,
    };
    let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
    let Some(network) = networks.get(name) else {
        let message = format!(
            "{address} is on {name}, a bridge of the host, whose subnet and router Bayplan does not know"
        );
        let help = "leave it out, and let the container ask that network's DHCP server; or use a network of Bayplan's";
        return Some(("address-outside", message, help.to_owned()));
    };
    let subnet = match address {
        IpAddr::V4(_) => network.ipv4.map(IpNet::V4),
        IpAddr::V6(_) => network.ipv6.map(IpNet::V6),
    };
    let Some(subnet) = subnet else {
        let message = format!("network `{name}` has no {family} address");
        return Some(("address-outside", message, "leave it out, or give the network one".to_owned()));
    };
    if subnet.addr() == address {
        let message = format!("{address} is network `{name}`'s own, its containers' gateway");
        return Some(("duplicate-address", message, "choose another address".to_owned()));
    }
    misfit(name, subnet, address).map(|(message, help)| ("address-outside", message, help))
}

fn held(nic: &NicOptions, address: IpAddr, taken: &Taken) -> Option<Verdict> {
    let NicLink::Network(name) = &nic.link else { return None };
    let Holder { words, goes } = taken.get(&(name.clone(), address))?;
    let (more, help) = match goes {
        true => (
            ", which is no longer declared and waits for a confirmation",
            "confirm that it goes (a yes to `apply`, or --allow delete), or choose another address",
        ),
        false => ("", "choose another address"),
    };
    Some(("duplicate-address", format!("{address} is in use by {words}{more}"), help.to_owned()))
}

struct Holder {
    /// `container/x of site edge (eth0)`.
    words: String,
    /// It is no longer declared, and waits for a confirmation.
    goes: bool,
}

/// Who has an address on a network.
type Taken = BTreeMap<(String, IpAddr), Holder>;

/// Of containers in service that this plan is not about. A lease of one that it is about makes way.
fn taken(world: &World<'_>, observed: &Observed, joined: &Joined<'_>) -> Taken {
    let in_service = |key: &Key| {
        observed.records.get(key).is_some_and(|record| !record.retiring && record.parked.is_none())
    };
    let stays =
        |key: &Key| !world.targets.contains_key(key) && !world.leaving.contains_key(key) && in_service(key);
    let mut taken = Taken::new();
    for (key, object) in world.objects.iter().filter(|(key, _)| stays(key)) {
        let owner = observed.records.get(key).map_or(String::new(), |record| format!(" of {}", record.owner));
        let Some(container) = container_of(object) else { continue };
        let leases = joined.view(key).identity().map(|identity| &identity.leases);
        for (device, nic) in typed::nics(&container.devices) {
            let NicLink::Network(name) = &nic.link else { continue };
            let lease = leases.and_then(|leases| leases.get(device));
            for address in fixed(&nic).map(|(_, address)| address).chain(lease.copied()) {
                let goes = world.waiting.contains_key(key);
                taken.insert(
                    (name.clone(), address),
                    Holder { words: format!("{key}{owner} ({device})"), goes },
                );
            }
        }
    }
    taken
}
