//! What links a network namespace has: one dump of links, one of addresses, made plain. Only reads.

use super::address::{Mac, Mark};
use super::inside;
use super::netlink::{Netlink, NetlinkError};
use ipnet::IpNet;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressMessage, AddressScope};
use netlink_packet_route::link::{InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkMessage};
use std::collections::{BTreeMap, BTreeSet};

/// A link's type, as far as we care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkKind {
    Bridge,
    Veth,
    Other,
}

/// One link, as its namespace sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub name: String,
    pub index: u32,
    pub kind: LinkKind,
    pub alias: Option<String>,
    /// `IFLA_GROUP`; see [`Mark::group`].
    pub group: u32,
    pub mac: Option<Mac>,
    /// Bytes.
    pub mtu: u32,
    pub up: bool,
    /// The bridge that it is a port of, by index.
    pub master: Option<u32>,
    /// A veth's other end: its index in its own namespace.
    pub peer: Option<u32>,
    /// All but IPv6 link-local ones.
    pub addresses: BTreeSet<IpNet>,
}

impl Link {
    /// The mark in its alias.
    pub fn mark(&self) -> Option<Mark> {
        self.alias.as_deref().and_then(Mark::parse)
    }

    /// Whether it bears the mark: by its alias, or, cut short while it was made, by its group.
    pub fn bears(&self, mark: &Mark) -> bool {
        match &self.alias {
            Some(alias) => *alias == mark.to_string(),
            None => self.group == mark.group(),
        }
    }
}

/// All links of one namespace, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Links {
    pub by_name: BTreeMap<String, Link>,
}

impl Links {
    /// The host's links, as of now.
    pub fn observe() -> Result<Links, NetlinkError> {
        Links::read(&mut Netlink::open()?)
    }

    /// What the host routes straight over each link, by index: one dump of routes.
    pub fn observe_routes() -> Result<BTreeMap<u32, BTreeSet<IpNet>>, NetlinkError> {
        inside::link_routes(&mut Netlink::open()?)
    }

    /// Those of the host's links that have these names, without their addresses: what it costs does not grow with the
    /// host's links.
    pub fn named(names: &[&str]) -> Result<Links, NetlinkError> {
        match names {
            [] => Ok(Links::default()),
            names => Links::read_named(&mut Netlink::open()?, names),
        }
    }

    /// As [`Links::named`], in the namespace that the socket is bound to.
    pub fn read_named(netlink: &mut Netlink, names: &[&str]) -> Result<Links, NetlinkError> {
        let mut links = Links::default();
        for name in names {
            let mut request = LinkMessage::default();
            request.attributes.push(LinkAttribute::IfName((*name).to_owned()));
            match netlink.get("look at a link", RouteNetlinkMessage::GetLink(request)) {
                Err(error) if error.errno() == Some(libc::ENODEV) => {}
                Err(error) => return Err(error),
                Ok(Some(RouteNetlinkMessage::NewLink(message))) => {
                    drop(links.by_name.insert((*name).to_owned(), link(&message)));
                }
                Ok(_) => {}
            }
        }
        Ok(links)
    }

    /// The links of the namespace that the socket is bound to.
    pub fn read(netlink: &mut Netlink) -> Result<Links, NetlinkError> {
        let mut by_index = BTreeMap::new();
        let request = RouteNetlinkMessage::GetLink(LinkMessage::default());
        for message in netlink.dump("list the links", request)? {
            if let RouteNetlinkMessage::NewLink(message) = message {
                by_index.insert(message.header.index, link(&message));
            }
        }
        let request = RouteNetlinkMessage::GetAddress(AddressMessage::default());
        for message in netlink.dump("list the addresses", request)? {
            if let RouteNetlinkMessage::NewAddress(message) = message
                && let Some(link) = by_index.get_mut(&message.header.index)
            {
                link.addresses.extend(address(&message));
            }
        }
        Ok(Links { by_name: by_index.into_values().map(|link| (link.name.clone(), link)).collect() })
    }

    /// The link of that name.
    pub fn get(&self, name: &str) -> Option<&Link> {
        self.by_name.get(name)
    }

    /// The link of that index.
    pub fn by_index(&self, index: u32) -> Option<&Link> {
        self.by_name.values().find(|link| link.index == index)
    }

    /// The links that are ports of a bridge.
    pub fn ports(&self, bridge: &Link) -> impl Iterator<Item = &Link> {
        let master = bridge.index;
        self.by_name.values().filter(move |link| link.master == Some(master))
    }

    /// All links whose mark has this tag.
    pub fn of_tag<'a>(&'a self, tag: &'a str) -> impl Iterator<Item = (Mark, &'a Link)> {
        self.by_name
            .values()
            .filter_map(|link| link.mark().map(|mark| (mark, link)))
            .filter(move |(mark, _)| mark.tag == tag)
    }
}

fn link(message: &LinkMessage) -> Link {
    let mut link = Link {
        name: String::new(),
        index: message.header.index,
        kind: LinkKind::Other,
        alias: None,
        group: 0,
        mac: None,
        mtu: 0,
        up: message.header.flags.contains(LinkFlags::Up),
        master: None,
        peer: None,
        addresses: BTreeSet::new(),
    };
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name.clone_from(name),
            LinkAttribute::IfAlias(alias) if !alias.is_empty() => link.alias = Some(alias.clone()),
            LinkAttribute::Group(group) => link.group = *group,
            LinkAttribute::Address(bytes) => link.mac = bytes.as_slice().try_into().ok().map(Mac),
            LinkAttribute::Mtu(mtu) => link.mtu = *mtu,
            LinkAttribute::Controller(index) => link.master = Some(*index).filter(|index| *index != 0),
            LinkAttribute::Link(index) => link.peer = Some(*index),
            LinkAttribute::LinkInfo(infos) => link.kind = kind(infos),
            _ => {}
        }
    }
    link
}

fn kind(infos: &[LinkInfo]) -> LinkKind {
    for info in infos {
        match info {
            LinkInfo::Kind(InfoKind::Bridge) => return LinkKind::Bridge,
            LinkInfo::Kind(InfoKind::Veth) => return LinkKind::Veth,
            _ => {}
        }
    }
    LinkKind::Other
}

/// `IFA_LOCAL` where there is one: on a point-to-point link `IFA_ADDRESS` is the other side's (rtnetlink(7)).
fn address(message: &AddressMessage) -> Option<IpNet> {
    if message.header.scope == AddressScope::Link {
        return None;
    }
    let mut found = None;
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(address) => found = Some(*address),
            AddressAttribute::Address(address) => found = found.or(Some(*address)),
            _ => {}
        }
    }
    IpNet::new(found?, message.header.prefix_len).ok()
}
