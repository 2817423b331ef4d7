//! A link's addresses, its routes, and how a nic looks inside a container; each through a socket that is bound to the
//! namespace in question.

use super::Effect;
use super::links::{Link, Links};
use super::netlink::{Netlink, NetlinkError};
use ipnet::IpNet;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage, AddressScope};
use netlink_packet_route::link::{LinkFlags, LinkMessage};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::BorrowedFd;

/// The links of a container and its default gateways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inside {
    pub links: Links,
    pub gateways: BTreeSet<IpAddr>,
}

/// Observes a container's network from inside its namespace.
pub fn observe(netns: BorrowedFd<'_>) -> Result<Inside, NetlinkError> {
    let mut netlink = Netlink::open_in(netns)?;
    Ok(Inside { links: Links::read(&mut netlink)?, gateways: gateways(&mut netlink)? })
}

/// Brings `lo` of a fresh namespace up.
pub fn loopback_up(netns: BorrowedFd<'_>) -> Result<Effect, NetlinkError> {
    let mut netlink = Netlink::open_in(netns)?;
    let links = Links::read(&mut netlink)?;
    match links.get("lo") {
        Some(link) => set_up(&mut netlink, link),
        None => Ok(Effect::Unchanged),
    }
}

pub(super) fn set_up(netlink: &mut Netlink, link: &Link) -> Result<Effect, NetlinkError> {
    if link.up {
        return Ok(Effect::Unchanged);
    }
    let mut message = LinkMessage::default();
    message.header.index = link.index;
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
    netlink.request(&format!("bring {} up", link.name), RouteNetlinkMessage::SetLink(message), 0)?;
    Ok(Effect::Changed)
}

/// Makes the link's addresses exactly `wanted`; IPv6 link-local ones are left alone.
pub(super) fn set_addresses(
    netlink: &mut Netlink,
    link: &Link,
    wanted: &BTreeSet<IpNet>,
) -> Result<Effect, NetlinkError> {
    let mut effect = Effect::Unchanged;
    for surplus in link.addresses.difference(wanted) {
        let message = RouteNetlinkMessage::DelAddress(address_message(link.index, *surplus));
        match netlink.request(&format!("remove {surplus} from {}", link.name), message, 0) {
            // Gone meanwhile: switching IPv6 off takes its addresses too.
            Err(error) if error.errno() == Some(libc::EADDRNOTAVAIL) => {}
            other => other?,
        }
        effect = Effect::Changed;
    }
    for missing in wanted.difference(&link.addresses) {
        let message = RouteNetlinkMessage::NewAddress(address_message(link.index, *missing));
        netlink.request(&format!("add {missing} to {}", link.name), message, NLM_F_CREATE | NLM_F_EXCL)?;
        effect = Effect::Changed;
    }
    Ok(effect)
}

/// Sets the default routes: one a family. A gateway outside the link's own subnets is taken as on the link.
pub(super) fn set_gateways(
    netlink: &mut Netlink,
    index: u32,
    addresses: &BTreeSet<IpNet>,
    wanted: &[IpAddr],
) -> Result<Effect, NetlinkError> {
    let present = gateways(netlink)?;
    let mut effect = Effect::Unchanged;
    for gateway in wanted.iter().filter(|gateway| !present.contains(gateway)) {
        let mut message = route_message(index, family(*gateway), 0);
        message.header.scope = RouteScope::Universe;
        message.attributes.push(RouteAttribute::Gateway(route_address(*gateway)));
        if !addresses.iter().any(|address| address.contains(gateway)) {
            message.header.flags = RouteFlags::Onlink;
        }
        let request = RouteNetlinkMessage::NewRoute(message);
        netlink.request(&format!("route by {gateway}"), request, NLM_F_CREATE | NLM_F_REPLACE)?;
        effect = Effect::Changed;
    }
    Ok(effect)
}

/// Sets routes to these networks straight over the link.
pub(super) fn set_link_routes(
    netlink: &mut Netlink,
    index: u32,
    wanted: &BTreeSet<IpNet>,
) -> Result<Effect, NetlinkError> {
    if wanted.is_empty() {
        return Ok(Effect::Unchanged);
    }
    let present = link_routes(netlink)?.remove(&index).unwrap_or_default();
    let mut effect = Effect::Unchanged;
    for destination in wanted.difference(&present) {
        let mut message = route_message(index, family(destination.addr()), destination.prefix_len());
        message.header.scope = RouteScope::Link;
        message.attributes.push(RouteAttribute::Destination(route_address(destination.network())));
        let request = RouteNetlinkMessage::NewRoute(message);
        netlink.request(&format!("route {destination} to it"), request, NLM_F_CREATE | NLM_F_REPLACE)?;
        effect = Effect::Changed;
    }
    Ok(effect)
}

/// Index of a link → the networks that the main table routes straight over it.
pub(super) fn link_routes(netlink: &mut Netlink) -> Result<BTreeMap<u32, BTreeSet<IpNet>>, NetlinkError> {
    let mut found: BTreeMap<u32, BTreeSet<IpNet>> = BTreeMap::new();
    for message in netlink.dump("list the routes", RouteNetlinkMessage::GetRoute(RouteMessage::default()))? {
        let RouteNetlinkMessage::NewRoute(message) = message else { continue };
        let header = &message.header;
        if header.kind != RouteType::Unicast || header.table != RouteHeader::RT_TABLE_MAIN {
            continue;
        }
        let (mut link, mut network, mut is_direct) = (None, None, true);
        for attribute in &message.attributes {
            match attribute {
                RouteAttribute::Oif(index) => link = Some(*index),
                RouteAttribute::Destination(RouteAddress::Inet(address)) => {
                    network = Some(IpAddr::V4(*address))
                }
                RouteAttribute::Destination(RouteAddress::Inet6(address)) => {
                    network = Some(IpAddr::V6(*address))
                }
                RouteAttribute::Gateway(_) | RouteAttribute::Via(_) => is_direct = false,
                _ => {}
            }
        }
        let network = network.and_then(|address| IpNet::new(address, header.destination_prefix_length).ok());
        if let (Some(link), Some(network), true) = (link, network, is_direct) {
            found.entry(link).or_default().insert(network);
        }
    }
    Ok(found)
}

fn gateways(netlink: &mut Netlink) -> Result<BTreeSet<IpAddr>, NetlinkError> {
    let mut found = BTreeSet::new();
    for message in netlink.dump("list the routes", RouteNetlinkMessage::GetRoute(RouteMessage::default()))? {
        let RouteNetlinkMessage::NewRoute(message) = message else { continue };
        if message.header.destination_prefix_length != 0 || message.header.kind != RouteType::Unicast {
            continue;
        }
        for attribute in &message.attributes {
            match attribute {
                RouteAttribute::Gateway(RouteAddress::Inet(address)) => found.insert(IpAddr::V4(*address)),
                RouteAttribute::Gateway(RouteAddress::Inet6(address)) => found.insert(IpAddr::V6(*address)),
                _ => continue,
            };
        }
    }
    Ok(found)
}

fn address_message(index: u32, address: IpNet) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.index = index;
    message.header.prefix_len = address.prefix_len();
    message.header.scope = AddressScope::Universe;
    message.header.family = family(address.addr());
    message.attributes.push(AddressAttribute::Address(address.addr()));
    match address {
        IpNet::V4(net) => {
            message.attributes.push(AddressAttribute::Local(address.addr()));
            if net.prefix_len() < 31 && net.broadcast() != Ipv4Addr::BROADCAST {
                message.attributes.push(AddressAttribute::Broadcast(net.broadcast()));
            }
        }
        // Usable at once: the address is allocated, so nobody else has it.
        IpNet::V6(_) => message.header.flags = AddressHeaderFlags::Nodad,
    }
    message
}

fn route_message(index: u32, family: AddressFamily, prefix_len: u8) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family;
    message.header.destination_prefix_length = prefix_len;
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.protocol = RouteProtocol::Static;
    message.header.kind = RouteType::Unicast;
    message.attributes.push(RouteAttribute::Oif(index));
    message
}

fn family(address: IpAddr) -> AddressFamily {
    match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}

fn route_address(address: IpAddr) -> RouteAddress {
    match address {
        IpAddr::V4(address) => RouteAddress::Inet(address),
        IpAddr::V6(address) => RouteAddress::Inet6(address),
    }
}
