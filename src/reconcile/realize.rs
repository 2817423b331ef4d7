//! A declared container and its identity → what the runtime is asked to run.

use super::identity::Networks;
use crate::model::id_map::{IdMap, IdRange};
use crate::model::key::Key;
use crate::model::object::Container;
use crate::model::record::Identity;
use crate::model::run::{ContainerRun, Nic, NicAttachment, SecretUse};
use crate::model::step::BridgeNetwork;
use crate::model::typed::{self, AddressChoice, NicLink, NicOptions, RawIds};
use ipnet::{Ipv4Net, Ipv6Net};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

/// The run of a container. `host_memory` is what percentages are of.
pub fn run(
    key: &Key,
    container: &Container,
    identity: &Identity,
    networks: &Networks,
    secrets: BTreeMap<String, SecretUse>,
    host_memory: u64,
) -> ContainerRun {
    let config = &container.config;
    ContainerRun {
        key: key.clone(),
        uuid: identity.uuid,
        pool: typed::root_pool(&container.devices).unwrap_or("default").to_owned(),
        hostname: key.name.clone(),
        id_map: id_map(container, identity),
        nesting: typed::nesting(config),
        limits: typed::limits(config, host_memory),
        rlimits: typed::rlimits(config),
        sysctls: typed::sysctls(config),
        environment: typed::environment(config),
        secrets,
        nics: typed::nics(&container.devices)
            .into_iter()
            .map(|(device, options)| nic(device, options, identity, networks))
            .collect(),
        disks: typed::disks(&container.devices),
        persist: container.persist.clone(),
    }
}

/// None: privileged. Lines of `raw.idmap` pass through; the plain range covers what they leave.
fn id_map(container: &Container, identity: &Identity) -> Option<IdMap> {
    let settings = typed::idmap(&container.config);
    if settings.privileged {
        return None;
    }
    let base = IdRange { inside: 0, outside: identity.id_base, count: identity.id_count };
    let through = |ids: RawIds| -> Vec<IdRange> {
        let lines = settings.raw.iter().filter(|line| line.ids == ids || line.ids == RawIds::Both);
        lines.map(|line| line.range).collect()
    };
    Some(IdMap { uids: carve(base, through(RawIds::Uid)), gids: carve(base, through(RawIds::Gid)) })
}

/// `base` with holes where `through` is, and `through` itself.
fn carve(base: IdRange, mut through: Vec<IdRange>) -> Vec<IdRange> {
    through.sort_by_key(|range| range.inside);
    let mut ranges = vec![];
    let mut next = base.inside;
    let end = base.inside.saturating_add(base.count);
    for hole in through {
        if hole.inside > next && next < end {
            let count = hole.inside.min(end) - next;
            ranges.push(IdRange { inside: next, outside: base.outside + (next - base.inside), count });
        }
        ranges.push(hole);
        next = next.max(hole.inside.saturating_add(hole.count));
    }
    if next < end {
        ranges.push(IdRange {
            inside: next,
            outside: base.outside + (next - base.inside),
            count: end - next,
        });
    }
    ranges
}

fn nic(device: &str, options: NicOptions, identity: &Identity, networks: &Networks) -> Nic {
    let network = match &options.link {
        NicLink::Network(name) => networks.get(name),
        NicLink::Parent(_) | NicLink::PointToPoint => None,
    };
    let attachment = match options.link.clone() {
        NicLink::Network(name) | NicLink::Parent(name) => NicAttachment::Bridged { bridge: name },
        NicLink::PointToPoint => NicAttachment::PointToPoint,
    };
    let mac = options.mac.clone().or_else(|| identity.macs.get(device).cloned()).unwrap_or_default();
    let ipv4 = ipv4(device, &options, identity, network);
    let ipv6 = ipv6(&options, &mac, network);
    Nic {
        device: device.to_owned(),
        name: options.name.unwrap_or_else(|| device.to_owned()),
        attachment,
        ipv4,
        ipv4_gateway: ipv4.and_then(|_| network?.ipv4).map(|net| net.addr()).filter(|_| options.ipv4_gateway),
        ipv6,
        ipv6_gateway: ipv6.and_then(|_| network?.ipv6).map(|net| net.addr()).filter(|_| options.ipv6_gateway),
        mac,
        mtu: options.mtu.or_else(|| network.and_then(|network| network.mtu)),
        ipv4_routes: options.ipv4_routes,
        ipv6_routes: options.ipv6_routes,
        host_name: options.host_name,
    }
}

fn ipv4(
    device: &str,
    options: &NicOptions,
    identity: &Identity,
    network: Option<&BridgeNetwork>,
) -> Option<Ipv4Net> {
    let prefix = network.and_then(|network| network.ipv4).map(|net| net.prefix_len());
    match options.ipv4 {
        AddressChoice::None => None,
        AddressChoice::Fixed(address) => Ipv4Net::new(address, prefix.unwrap_or(32)).ok(),
        AddressChoice::Auto => match identity.leases.get(device) {
            Some(IpAddr::V4(address)) => Ipv4Net::new(*address, prefix?).ok(),
            _ => None,
        },
    }
}

/// Where the network has IPv6 and nothing is given: the network's prefix and the MAC's modified EUI-64 (RFC 4291).
fn ipv6(options: &NicOptions, mac: &str, network: Option<&BridgeNetwork>) -> Option<Ipv6Net> {
    let subnet = network.and_then(|network| network.ipv6);
    match options.ipv6 {
        AddressChoice::None => None,
        AddressChoice::Fixed(address) => {
            Ipv6Net::new(address, subnet.map_or(128, |net| net.prefix_len())).ok()
        }
        AddressChoice::Auto => {
            let subnet = subnet.filter(|net| net.prefix_len() <= 64)?;
            let prefix = u128::from(subnet.network());
            Ipv6Net::new(Ipv6Addr::from(prefix | u128::from(eui64(mac)?)), subnet.prefix_len()).ok()
        }
    }
}

fn eui64(mac: &str) -> Option<u64> {
    let bytes: Vec<u8> =
        mac.split(':').map(|byte| u8::from_str_radix(byte, 16)).collect::<Result<_, _>>().ok()?;
    let [a, b, c, d, e, f] = <[u8; 6]>::try_from(bytes).ok()?;
    Some(u64::from_be_bytes([a ^ 2, b, c, 0xff, 0xfe, d, e, f]))
}
