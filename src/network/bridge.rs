//! A managed bridge: made, kept as it should be, removed; only ever one that bears our mark.

use super::Effect;
use super::address::{Mac, Mark};
use super::inside;
use super::links::{Link, LinkKind, Links};
use super::netlink::{Netlink, NetlinkError};
use super::sysctl::{self, SysctlError};
use crate::model::step::kernel_mtu;
use ipnet::IpNet;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkMessage};
use std::collections::BTreeSet;

/// What a bridge should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BridgeSpec {
    /// At most 15 bytes.
    pub name: String,
    pub mark: Mark,
    /// Without one the kernel takes a random one at creation, and keeps it.
    pub mac: Option<Mac>,
    /// The host's addresses on it with their prefixes; others are removed, IPv6 link-local ones apart. With no IPv6
    /// address IPv6 is switched off on the bridge.
    pub addresses: BTreeSet<IpNet>,
    /// Bytes; none: what the kernel gives a bridge whose MTU nobody set.
    pub mtu: Option<u32>,
    pub up: bool,
}

/// Why a bridge could not be made or removed.
#[derive(Debug, thiserror::Error)]
pub enum BridgeError {
    #[error("link {name} exists and is not ours ({what}): choose another name, or remove it by hand")]
    Foreign { name: String, what: String },
    #[error("bridge {name} still has ports that are not ours: {}", ports.join(", "))]
    ForeignPorts { name: String, ports: Vec<String> },
    #[error("bridge {name} was made, and is gone again")]
    Vanished { name: String },
    #[error("bridge {name}")]
    Netlink {
        name: String,
        #[source]
        source: NetlinkError,
    },
    #[error("bridge {name}")]
    Sysctl {
        name: String,
        #[source]
        source: SysctlError,
    },
}

/// Makes the bridge, or brings it to what `spec` says. A crash at any point leaves a bridge that the next call knows
/// as ours and completes.
pub fn ensure(spec: &BridgeSpec) -> Result<Effect, BridgeError> {
    let failed = |source| BridgeError::Netlink { name: spec.name.clone(), source };
    let mut netlink = Netlink::open().map_err(failed)?;
    let links = Links::read(&mut netlink).map_err(failed)?;
    let mut effect = Effect::Unchanged;
    if links.get(&spec.name).is_none() {
        create(&mut netlink, spec).map_err(failed)?;
        effect = Effect::Changed;
    }
    let links = if effect == Effect::Changed { Links::read(&mut netlink).map_err(failed)? } else { links };
    let link = links.get(&spec.name).ok_or_else(|| BridgeError::Vanished { name: spec.name.clone() })?;
    check_ours(link, &spec.mark)?;
    let wants_v6 = spec.addresses.iter().any(|address| matches!(address, IpNet::V6(_)));
    effect = effect.and(set_ipv6(&spec.name, wants_v6)?);
    let mtu = spec.mtu.unwrap_or_else(|| kernel_mtu(links.ports(link).map(|port| port.mtu).min()));
    effect = effect.and(set_link(&mut netlink, spec, link, mtu).map_err(failed)?);
    let addresses = inside::set_addresses(&mut netlink, link, &spec.addresses).map_err(failed)?;
    Ok(effect.and(addresses))
}

/// Removes the bridge if it is there. Ports of ours are released; with foreign ones it is refused.
pub fn remove(name: &str, mark: &Mark) -> Result<Effect, BridgeError> {
    let failed = |source| BridgeError::Netlink { name: name.to_owned(), source };
    let mut netlink = Netlink::open().map_err(failed)?;
    let links = Links::read(&mut netlink).map_err(failed)?;
    let Some(link) = links.get(name) else { return Ok(Effect::Unchanged) };
    check_ours(link, mark)?;
    let ours = |port: &&Link| port.mark().is_some_and(|found| found.tag == mark.tag);
    let ports: Vec<_> = links.ports(link).filter(|port| !ours(port)).map(|port| port.name.clone()).collect();
    if !ports.is_empty() {
        return Err(BridgeError::ForeignPorts { name: name.to_owned(), ports });
    }
    delete_link(&mut netlink, link.index).map_err(failed)
}

/// Removes a link by its index; gone already is unchanged.
pub(super) fn delete_link(netlink: &mut Netlink, index: u32) -> Result<Effect, NetlinkError> {
    let mut message = LinkMessage::default();
    message.header.index = index;
    match netlink.request("remove the link", RouteNetlinkMessage::DelLink(message), 0) {
        Ok(()) => Ok(Effect::Changed),
        Err(error) if error.errno() == Some(libc::ENODEV) => Ok(Effect::Unchanged),
        Err(error) => Err(error),
    }
}

pub(super) fn check_ours(link: &Link, mark: &Mark) -> Result<(), BridgeError> {
    let foreign = |what: String| BridgeError::Foreign { name: link.name.clone(), what };
    if link.kind != LinkKind::Bridge {
        return Err(foreign("it is no bridge".into()));
    }
    if !link.bears(mark) {
        return Err(foreign(match &link.alias {
            Some(alias) => format!("its alias is {alias:?}, ours would be \"{mark}\""),
            None => "it has no mark of ours".into(),
        }));
    }
    Ok(())
}

fn create(netlink: &mut Netlink, spec: &BridgeSpec) -> Result<(), NetlinkError> {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::IfName(spec.name.clone()));
    message.attributes.push(LinkAttribute::Group(spec.mark.group()));
    message.attributes.extend(spec.mac.map(|mac| LinkAttribute::Address(mac.0.to_vec())));
    message.attributes.push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Bridge)]));
    netlink.request("make it", RouteNetlinkMessage::NewLink(message), NLM_F_CREATE | NLM_F_EXCL)
}

/// Alias, address, MTU and state, in one request.
fn set_link(netlink: &mut Netlink, spec: &BridgeSpec, link: &Link, mtu: u32) -> Result<Effect, NetlinkError> {
    let mut message = LinkMessage::default();
    message.header.index = link.index;
    if link.alias.is_none() {
        message.attributes.push(LinkAttribute::IfAlias(spec.mark.to_string()));
    }
    if let Some(mac) = spec.mac.filter(|mac| link.mac != Some(*mac)) {
        message.attributes.push(LinkAttribute::Address(mac.0.to_vec()));
    }
    message.attributes.extend(Some(mtu).filter(|mtu| link.mtu != *mtu).map(LinkAttribute::Mtu));
    if link.up != spec.up {
        message.header.change_mask = LinkFlags::Up;
        message.header.flags = if spec.up { LinkFlags::Up } else { LinkFlags::empty() };
    } else if message.attributes.is_empty() {
        return Ok(Effect::Unchanged);
    }
    netlink.request("set it", RouteNetlinkMessage::SetLink(message), 0)?;
    Ok(Effect::Changed)
}

/// IPv6 on the bridge only where it has an address, and no address from router advertisements of a container.
fn set_ipv6(name: &str, wanted: bool) -> Result<Effect, BridgeError> {
    let failed = |source| BridgeError::Sysctl { name: name.to_owned(), source };
    if !sysctl::exists(&format!("net/ipv6/conf/{name}/disable_ipv6")) {
        return Ok(Effect::Unchanged);
    }
    let switch = if wanted { "0" } else { "1" };
    let mut effect = sysctl::ensure(&format!("net/ipv6/conf/{name}/disable_ipv6"), switch).map_err(failed)?;
    for (key, value) in [("accept_ra", "0"), ("autoconf", "0")] {
        effect = effect.and(sysctl::ensure(&format!("net/ipv6/conf/{name}/{key}"), value).map_err(failed)?);
    }
    Ok(effect)
}
