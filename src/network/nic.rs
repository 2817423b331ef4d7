//! A container's nic: a veth pair whose peer is made inside the container's network namespace.
//!
//! The caller gives the host end's name, fresh for each incarnation (`address::host_nic_name`).

use super::Effect;
use super::address::{Mac, Mark};
use super::bridge::delete_link;
use super::inside;
use super::links::{Link, LinkKind, Links};
use super::netlink::{Netlink, NetlinkError};
use ipnet::IpNet;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd};

/// What the host's end of a nic hangs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Uplink {
    /// A port of the bridge of that name.
    Bridge { name: String },
    /// Nothing: the host routes to it.
    PointToPoint {
        /// What the host routes to it. Addresses of the host on it are the host's own business.
        routes: BTreeSet<IpNet>,
    },
}

/// What a nic should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NicSpec {
    /// On the host; at most 15 bytes.
    pub host_name: String,
    pub mark: Mark,
    /// Inside the container.
    pub name: String,
    pub mac: Mac,
    /// Bytes; none: the kernel's 1500.
    pub mtu: Option<u32>,
    pub uplink: Uplink,
    /// Inside, with their prefixes; others are removed, IPv6 link-local ones apart.
    pub addresses: BTreeSet<IpNet>,
    /// Default routes inside, one a family at most.
    pub gateways: Vec<IpAddr>,
}

/// Why a nic could not be attached or detached.
#[derive(Debug, thiserror::Error)]
pub enum NicError {
    #[error("link {host_name} exists and is not ours ({what})")]
    Foreign { host_name: String, what: String },
    #[error("nic {name}: bridge {bridge} does not exist")]
    NoBridge { name: String, bridge: String },
    #[error("nic {name}: the container already has another link of that name")]
    NameTaken { name: String },
    #[error("nic {name}: its end {link} is gone")]
    Vanished { name: String, link: String },
    #[error("nic {name}")]
    Netlink {
        name: String,
        #[source]
        source: NetlinkError,
    },
}

/// Makes the nic, or brings it to what `spec` says. `netns` is a descriptor of the container's /proc/PID/ns/net.
///
/// A host end of ours whose peer is not in that namespace under that name is removed and made afresh. A crash at any
/// point leaves what the next call completes.
pub fn attach(spec: &NicSpec, netns: BorrowedFd<'_>) -> Result<Effect, NicError> {
    let failed = |source| NicError::Netlink { name: spec.name.clone(), source };
    let mut host = Netlink::open().map_err(failed)?;
    let mut inner = Netlink::open_in(netns).map_err(failed)?;
    let mut links = host_links(&mut host, spec).map_err(failed)?;
    let mut peers = Links::read(&mut inner).map_err(failed)?;
    let mut effect = Effect::Unchanged;
    if !is_paired(spec, &links, &peers)? {
        if let Some(stale) = links.get(&spec.host_name) {
            delete_link(&mut host, stale.index).map_err(failed)?;
        }
        create(&mut host, spec, &links, netns)?;
        links = host_links(&mut host, spec).map_err(failed)?;
        peers = Links::read(&mut inner).map_err(failed)?;
        effect = Effect::Changed;
    }
    let gone = |link: &str| NicError::Vanished { name: spec.name.clone(), link: link.to_owned() };
    let link = links.get(&spec.host_name).ok_or_else(|| gone(&spec.host_name))?;
    let peer = peers.get(&spec.name).ok_or_else(|| gone(&spec.name))?;
    effect = effect.and(set_host_end(&mut host, spec, &links, link)?);
    Ok(effect.and(set_inner_end(&mut inner, spec, peer).map_err(failed)?))
}

/// The host's links that a nic has to do with. Addresses are only needed where the host has its own on the nic.
fn host_links(host: &mut Netlink, spec: &NicSpec) -> Result<Links, NetlinkError> {
    match &spec.uplink {
        Uplink::Bridge { name } => Links::read_named(host, &[&spec.host_name, name]),
        Uplink::PointToPoint { .. } => Links::read(host),
    }
}

/// Removes the nic by its host end (the peer goes with it); for hot-unplug, since a container's death removes it too.
pub fn detach(host_name: &str, mark: &Mark) -> Result<Effect, NicError> {
    let failed = |source| NicError::Netlink { name: host_name.to_owned(), source };
    let mut host = Netlink::open().map_err(failed)?;
    let links = Links::read_named(&mut host, &[host_name]).map_err(failed)?;
    let Some(link) = links.get(host_name) else { return Ok(Effect::Unchanged) };
    if link.kind != LinkKind::Veth || !link.bears(mark) {
        return Err(foreign(link));
    }
    delete_link(&mut host, link.index).map_err(failed)
}

/// Whether host end and inner end stand and are each other's.
fn is_paired(spec: &NicSpec, links: &Links, peers: &Links) -> Result<bool, NicError> {
    let link = links.get(&spec.host_name);
    if let Some(link) = link.filter(|link| link.kind != LinkKind::Veth || !link.bears(&spec.mark)) {
        return Err(foreign(link));
    }
    let Some(peer) = peers.get(&spec.name) else { return Ok(false) };
    let paired = link.is_some_and(|link| link.peer == Some(peer.index) && peer.peer == Some(link.index));
    if paired { Ok(true) } else { Err(NicError::NameTaken { name: spec.name.clone() }) }
}

fn foreign(link: &Link) -> NicError {
    let what = match &link.alias {
        _ if link.kind != LinkKind::Veth => "it is no veth".to_owned(),
        Some(alias) => format!("its alias is {alias:?}"),
        None => "it has no mark of ours".to_owned(),
    };
    NicError::Foreign { host_name: link.name.clone(), what }
}

/// One request makes both ends, the host's end on its bridge at once.
fn create(host: &mut Netlink, spec: &NicSpec, links: &Links, netns: BorrowedFd<'_>) -> Result<(), NicError> {
    let mut peer = LinkMessage::default();
    peer.attributes.push(LinkAttribute::IfName(spec.name.clone()));
    peer.attributes.push(LinkAttribute::Address(spec.mac.0.to_vec()));
    peer.attributes.push(LinkAttribute::NetNsFd(netns.as_raw_fd()));
    peer.attributes.extend(spec.mtu.map(LinkAttribute::Mtu));
    let mut message = LinkMessage::default();
    // Not so the peer: it is made first, and a veth without its other end does not come up (ENOTCONN).
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
    message.attributes.push(LinkAttribute::IfName(spec.host_name.clone()));
    message.attributes.push(LinkAttribute::Group(spec.mark.group()));
    message.attributes.extend(spec.mtu.map(LinkAttribute::Mtu));
    message.attributes.extend(bridge_index(spec, links)?.map(LinkAttribute::Controller));
    message.attributes.push(LinkAttribute::LinkInfo(vec![
        LinkInfo::Kind(InfoKind::Veth),
        LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
    ]));
    host.request("make the pair", RouteNetlinkMessage::NewLink(message), NLM_F_CREATE | NLM_F_EXCL)
        .map_err(|source| NicError::Netlink { name: spec.name.clone(), source })
}

fn bridge_index(spec: &NicSpec, links: &Links) -> Result<Option<u32>, NicError> {
    let Uplink::Bridge { name } = &spec.uplink else { return Ok(None) };
    match links.get(name) {
        Some(bridge) if bridge.kind == LinkKind::Bridge => Ok(Some(bridge.index)),
        _ => Err(NicError::NoBridge { name: spec.name.clone(), bridge: name.clone() }),
    }
}

fn set_host_end(host: &mut Netlink, spec: &NicSpec, links: &Links, link: &Link) -> Result<Effect, NicError> {
    let failed = |source| NicError::Netlink { name: spec.name.clone(), source };
    let master = bridge_index(spec, links)?;
    let mut message = LinkMessage::default();
    message.header.index = link.index;
    if link.alias.is_none() {
        message.attributes.push(LinkAttribute::IfAlias(spec.mark.to_string()));
    }
    if link.master != master {
        message.attributes.push(LinkAttribute::Controller(master.unwrap_or(0)));
    }
    message.attributes.extend(spec.mtu.filter(|mtu| link.mtu != *mtu).map(LinkAttribute::Mtu));
    if !link.up {
        message.header.flags = LinkFlags::Up;
        message.header.change_mask = LinkFlags::Up;
    }
    let mut effect = Effect::Unchanged;
    if !link.up || !message.attributes.is_empty() {
        host.request("set the host's end", RouteNetlinkMessage::SetLink(message), 0).map_err(failed)?;
        effect = Effect::Changed;
    }
    if let Uplink::PointToPoint { routes } = &spec.uplink {
        effect = effect.and(inside::set_link_routes(host, link.index, routes).map_err(failed)?);
    }
    Ok(effect)
}

/// Up comes before the routes: a route over a link that is down is refused.
fn set_inner_end(inner: &mut Netlink, spec: &NicSpec, peer: &Link) -> Result<Effect, NetlinkError> {
    let mut message = LinkMessage::default();
    message.header.index = peer.index;
    if peer.mac != Some(spec.mac) {
        message.attributes.push(LinkAttribute::Address(spec.mac.0.to_vec()));
    }
    message.attributes.extend(spec.mtu.filter(|mtu| peer.mtu != *mtu).map(LinkAttribute::Mtu));
    let mut effect = Effect::Unchanged;
    if !message.attributes.is_empty() {
        inner.request("set the inner end", RouteNetlinkMessage::SetLink(message), 0)?;
        effect = Effect::Changed;
    }
    effect = effect.and(inside::set_addresses(inner, peer, &spec.addresses)?);
    effect = effect.and(inside::set_up(inner, peer)?);
    Ok(effect.and(inside::set_gateways(inner, peer.index, &spec.addresses, &spec.gateways)?))
}
