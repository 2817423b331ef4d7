//! A bridge under another name, with its ports, addresses and routes.
//!
//! Kernels before 6.2 refuse to rename a link that is up (dev_change_name in net/core/dev.c): there it goes down for a
//! moment, and what that takes (IPv6 addresses, routes over it) is put back.

use super::Effect;
use super::address::Mark;
use super::bridge::{BridgeError, check_ours};
use super::inside;
use super::links::{Link, Links};
use super::netlink::{Netlink, NetlinkError};
use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use netlink_packet_route::route::{RouteAttribute, RouteFlags, RouteMessage, RouteProtocol};

/// A bridge's name, and the mark that goes with it.
#[derive(Debug, Clone)]
pub struct Named {
    pub name: String,
    pub mark: Mark,
}

/// Gives the bridge its new name and mark. Unchanged where no link of ours has the former one.
pub fn rename(from: &Named, to: &Named) -> Result<Effect, BridgeError> {
    with_bridge(from, to, |netlink, link| match set_name(netlink, link, to, LinkFlags::empty()) {
        Err(error) if error.errno() == Some(libc::EBUSY) => while_down(netlink, link, to),
        other => other,
    })
}

/// The same as kernels before 6.2 need it.
pub fn rename_while_down(from: &Named, to: &Named) -> Result<Effect, BridgeError> {
    with_bridge(from, to, |netlink, link| while_down(netlink, link, to))
}

fn with_bridge(
    from: &Named,
    to: &Named,
    rename: impl FnOnce(&mut Netlink, &Link) -> Result<(), NetlinkError>,
) -> Result<Effect, BridgeError> {
    let failed = |source| BridgeError::Netlink { name: from.name.clone(), source };
    let mut netlink = Netlink::open().map_err(failed)?;
    let links = Links::read(&mut netlink).map_err(failed)?;
    if let Some(taken) = links.get(&to.name) {
        check_ours(taken, &to.mark)?;
    }
    let Some(link) = links.get(&from.name).filter(|link| link.bears(&from.mark)) else {
        return Ok(Effect::Unchanged);
    };
    rename(&mut netlink, link).map_err(failed)?;
    Ok(Effect::Changed)
}

/// Name and mark by one request: no crash parts them.
fn set_name(netlink: &mut Netlink, link: &Link, to: &Named, up: LinkFlags) -> Result<(), NetlinkError> {
    let mut message = LinkMessage::default();
    message.header.index = link.index;
    message.header.change_mask = up;
    message.header.flags = up;
    message.attributes.push(LinkAttribute::IfName(to.name.clone()));
    message.attributes.push(LinkAttribute::IfAlias(to.mark.to_string()));
    message.attributes.push(LinkAttribute::Group(to.mark.group()));
    netlink.request("rename it", RouteNetlinkMessage::SetLink(message), 0)
}

fn while_down(netlink: &mut Netlink, link: &Link, to: &Named) -> Result<(), NetlinkError> {
    let routes = routes_over(netlink, link)?;
    let mut down = LinkMessage::default();
    down.header.index = link.index;
    down.header.change_mask = LinkFlags::Up;
    netlink.request("set it down", RouteNetlinkMessage::SetLink(down), 0)?;
    let renamed = set_name(netlink, link, to, LinkFlags::Up);
    let name = if renamed.is_ok() { &to.name } else { &link.name };
    let put_back = put_back(netlink, (link, name), routes);
    renamed.and(put_back)
}

/// Addresses, then the routes that they make possible: those by a gateway last.
fn put_back(
    netlink: &mut Netlink,
    (before, name): (&Link, &str),
    mut routes: Vec<RouteMessage>,
) -> Result<(), NetlinkError> {
    let links = Links::read(netlink)?;
    let Some(now) = links.get(name) else { return Ok(()) };
    inside::set_up(netlink, now)?;
    inside::set_addresses(netlink, now, &before.addresses)?;
    let has_gateway = |route: &RouteMessage| {
        route.attributes.iter().any(|it| matches!(it, RouteAttribute::Gateway(_) | RouteAttribute::Via(_)))
    };
    routes.sort_by_key(has_gateway);
    for mut route in routes {
        // What else stands there is the kernel's own remark (`linkdown`).
        route.header.flags &= RouteFlags::Onlink;
        let request = RouteNetlinkMessage::NewRoute(route);
        netlink.request("put a route back", request, NLM_F_CREATE | NLM_F_REPLACE)?;
    }
    Ok(())
}

/// Those that somebody set; the kernel makes its own when the link comes up.
fn routes_over(netlink: &mut Netlink, link: &Link) -> Result<Vec<RouteMessage>, NetlinkError> {
    let all = netlink.dump("list the routes", RouteNetlinkMessage::GetRoute(RouteMessage::default()))?;
    let over = |message| match message {
        RouteNetlinkMessage::NewRoute(route)
            if route.header.protocol != RouteProtocol::Kernel
                && route.attributes.contains(&RouteAttribute::Oif(link.index)) =>
        {
            Some(route)
        }
        _ => None,
    };
    Ok(all.into_iter().filter_map(over).collect())
}
