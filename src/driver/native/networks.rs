//! Networks and nics: from the model's words to the network room's, and back.

use super::failure::{failed, precondition};
use super::{Layout, rules};
use crate::driver::Error;
use crate::model::key::Key;
use crate::model::object::Spec;
use crate::model::observed::{NetworkFacts, NicFacts};
use crate::model::record::Record;
use crate::model::run::{Nic, NicAttachment};
use crate::model::step::BridgeNetwork;
use crate::model::typed;
use crate::network::address::{Mac, Mark, host_nic_name};
use crate::network::bridge::{self, BridgeError, BridgeSpec};
use crate::network::links::{Link, LinkKind, Links};
use crate::network::nat;
use crate::network::nic::{self, NicError, NicSpec, Uplink};
use crate::network::rename::{self, Named};
use crate::network::ruleset::TableSpec;
use crate::network::{Effect, sysctl};
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};
use uuid::Uuid;

/// Makes a bridge with its rules, or brings it to what is wanted.
pub fn ensure(layout: &Layout, key: &Key, network: &BridgeNetwork) -> Result<bool, Error> {
    let what = format!("{key} could not be made");
    let mut effect = match bridge::ensure(&bridge_spec(layout, key, network)?) {
        Err(BridgeError::Foreign { name, what }) => {
            return Err(precondition(key, format!("no link {name} of others"), what));
        }
        other => other.map_err(|error| failed(&what, error))?,
    };
    if network.ipv4.is_some() {
        effect = effect.and(sysctl::ensure_ipv4_forwarding().map_err(|error| failed(&what, error))?);
    }
    if network.ipv6.is_some() {
        effect = effect.and(sysctl::ensure_ipv6_forwarding().map_err(|error| failed(&what, error))?);
    }
    effect = effect.and(nat::ensure(&table_spec(layout, network)).map_err(|error| failed(&what, error))?);
    Ok(effect == Effect::Changed)
}

/// Removes a bridge without ports, and its rules. A port of a container that does not run any more is none: the
/// kernel takes it away a moment after the container's end. A link of others that has the bridge's name stays.
pub fn remove(
    layout: &Layout,
    key: &Key,
    name: &str,
    runs: &dyn Fn(Uuid) -> Result<bool, Error>,
) -> Result<bool, Error> {
    let what = format!("{key} could not be removed");
    let links = Links::observe().map_err(|error| failed(&what, error))?;
    let ours = links.get(name).filter(|link| link.bears(&bridge_mark(layout, name)));
    for port in ours.into_iter().flat_map(|bridge| links.ports(bridge)) {
        let uuid = port.mark().filter(|mark| mark.tag == layout.tag).and_then(|mark| nic_of(&mark));
        if uuid.map_or(Ok(true), |(uuid, _)| runs(uuid))? {
            return Err(precondition(key, "a bridge without ports", format!("{} is on it", port.name)));
        }
    }
    let rules = nat::remove(&table_name(layout, name)).map_err(|error| failed(&what, error))?;
    let link = match ours {
        Some(_) => bridge::remove(name, &bridge_mark(layout, name)).map_err(|error| failed(&what, error))?,
        None => Effect::Unchanged,
    };
    Ok(rules.and(link) == Effect::Changed)
}

/// The links of a network that is to be renamed, before anything is done: its new name is not another link's.
pub fn refuse_taken(layout: &Layout, from: &Key, to: &Key) -> Result<(), Error> {
    let links = Links::named(&[&from.name, &to.name])
        .map_err(|error| failed(format!("{to}: the host's links cannot be read"), error))?;
    let is_done = |link: &Link| link.bears(&bridge_mark(layout, &to.name)) && links.get(&from.name).is_none();
    match links.get(&to.name) {
        Some(link) if !is_done(link) => {
            Err(precondition(to, format!("no other link {}", to.name), "there is one"))
        }
        _ => Ok(()),
    }
}

/// Gives the bridge its new name, and its rules.
pub fn rename(layout: &Layout, (from, to): (&Key, &Key), record: &Record) -> Result<(), Error> {
    let what = || format!("{from} could not be renamed to {to}");
    let named = |key: &Key| Named { name: key.name.clone(), mark: bridge_mark(layout, &key.name) };
    rename::rename(&named(from), &named(to)).map_err(|error| failed(what(), error))?;
    let established = record.applied.as_ref().map(|applied| &applied.object.spec);
    if let Some(Spec::Network(network)) = established {
        let table = |key: &Key| table_spec(layout, &typed::bridge(&key.name, &network.config));
        nat::rename(&table(from), &table(to)).map_err(|error| failed(what(), error))?;
    }
    Ok(())
}

/// Our bridges, and every other link that is not ours: a network must not take its name.
pub fn observe(
    layout: &Layout,
    links: &Links,
    records: &BTreeMap<Key, Record>,
    wanted: &dyn Fn(&Key) -> bool,
) -> Result<BTreeMap<String, NetworkFacts>, Error> {
    let mut facts = BTreeMap::new();
    for (name, link) in &links.by_name {
        let key = Key::network(name.clone());
        let ours = link.kind == LinkKind::Bridge && link.bears(&bridge_mark(layout, name));
        if !wanted(&key) || link.kind == LinkKind::Veth && link.mark().is_some() {
            continue;
        }
        let declared = records.get(&key).and_then(|record| record.applied.as_ref());
        let network = declared.and_then(|applied| match &applied.object.spec {
            Spec::Network(network) => Some(typed::bridge(name, &network.config)),
            _ => None,
        });
        let network = network.filter(|_| ours);
        facts.insert(
            name.clone(),
            NetworkFacts {
                ours,
                up: link.up,
                mtu: link.mtu,
                port_mtu: network.as_ref().and_then(|_| links.ports(link).map(|port| port.mtu).min()),
                addresses: link.addresses.clone(),
                rules: network.as_ref().map_or(Ok(String::new()), |network| rules(layout, network))?,
                forwarding: network.as_ref().is_some_and(forwards),
            },
        );
    }
    Ok(facts)
}

/// Subnets on the host's links that are not ours.
pub fn foreign_subnets(layout: &Layout, links: &Links) -> Vec<IpNet> {
    let foreign = links.by_name.iter().filter(|(name, link)| {
        **name != "lo" && !link.bears(&bridge_mark(layout, name)) && link.mark().is_none()
    });
    foreign.flat_map(|(_, link)| link.addresses.iter().map(IpNet::trunc)).collect()
}

/// Makes a nic in the net namespace of a container's init, or mends it.
pub fn attach(
    layout: &Layout,
    key: &Key,
    (uuid, incarnation): (Uuid, u64),
    nic: &Nic,
    netns: BorrowedFd<'_>,
) -> Result<bool, Error> {
    let spec = nic_spec(layout, key, (uuid, incarnation), nic)?;
    match nic::attach(&spec, netns) {
        Err(NicError::NoBridge { bridge, .. }) => Err(no_bridge(key, &bridge)),
        other => {
            let what = || format!("{key}: nic {} could not be attached", nic.device);
            Ok(other.map_err(|error| failed(what(), error))? == Effect::Changed)
        }
    }
}

/// Refuses a run whose bridges are not all there.
pub fn refuse_missing_bridges(key: &Key, nics: &[Nic]) -> Result<(), Error> {
    let names: Vec<&str> = nics.iter().filter_map(bridge_of).collect();
    let links = Links::named(&names).map_err(|error| failed("the host's links cannot be read", error))?;
    let missing =
        names.into_iter().find(|bridge| links.get(bridge).is_none_or(|link| link.kind != LinkKind::Bridge));
    missing.map_or(Ok(()), |bridge| Err(no_bridge(key, bridge)))
}

fn bridge_of(nic: &Nic) -> Option<&str> {
    match &nic.attachment {
        NicAttachment::Bridged { bridge } => Some(bridge),
        NicAttachment::PointToPoint => None,
    }
}

fn no_bridge(key: &Key, bridge: &str) -> Error {
    precondition(key, format!("bridge {bridge}"), "there is none")
}

/// Removes a nic by its host end.
pub fn detach(layout: &Layout, key: &Key, uuid: Uuid, device: &str) -> Result<bool, Error> {
    let what = || format!("{key}: nic {device} could not be removed");
    let links = Links::observe().map_err(|error| failed(what(), error))?;
    let mark = nic_mark(layout, uuid, device);
    let Some(link) = links.by_name.values().find(|link| link.bears(&mark)) else { return Ok(false) };
    let effect = nic::detach(&link.name, &mark).map_err(|error| failed(what(), error))?;
    Ok(effect == Effect::Changed)
}

/// The nics of all our containers, by uuid and device: one look at the host's links, and at its routes where a nic
/// is on no bridge.
pub fn nics(layout: &Layout, links: &Links) -> Result<BTreeMap<Uuid, BTreeMap<String, NicFacts>>, Error> {
    let ours: Vec<(Uuid, String, &Link)> = links
        .of_tag(&layout.tag)
        .filter(|(_, link)| link.kind == LinkKind::Veth)
        .filter_map(|(mark, link)| nic_of(&mark).map(|(uuid, device)| (uuid, device, link)))
        .collect();
    let mut routes = match ours.iter().any(|(_, _, link)| link.master.is_none()) {
        true => Links::observe_routes().map_err(|error| failed("the host's routes cannot be read", error))?,
        false => BTreeMap::new(),
    };
    let mut nics: BTreeMap<Uuid, BTreeMap<String, NicFacts>> = BTreeMap::new();
    // Looked for one by one among all links they would take the square of the nics.
    let names: BTreeMap<u32, &String> = links.by_name.values().map(|link| (link.index, &link.name)).collect();
    for (uuid, device, link) in ours {
        let bridge = link.master.and_then(|index| names.get(&index));
        let facts = NicFacts {
            host_name: link.name.clone(),
            bridge: bridge.map(|name| (*name).clone()),
            up: link.up,
            routes: routes.remove(&link.index).unwrap_or_default(),
        };
        nics.entry(uuid).or_default().insert(device, facts);
    }
    Ok(nics)
}

fn forwards(network: &BridgeNetwork) -> bool {
    (network.ipv4.is_none() || sysctl::ipv4_forwarding())
        && (network.ipv6.is_none() || sysctl::ipv6_forwarding())
}

fn rules(layout: &Layout, network: &BridgeNetwork) -> Result<String, Error> {
    let are_intact = rules::are_intact(layout, &table_spec(layout, network))
        .map_err(|error| failed(format!("the rules of network {} cannot be read", network.name), error))?;
    Ok(if are_intact { network.rules_digest() } else { String::new() })
}

fn bridge_spec(layout: &Layout, key: &Key, network: &BridgeNetwork) -> Result<BridgeSpec, Error> {
    Ok(BridgeSpec {
        name: network.name.clone(),
        mark: bridge_mark(layout, &network.name),
        mac: network.mac.as_deref().map(|mac| parse_mac(key, mac)).transpose()?,
        addresses: bridge_addresses(network),
        mtu: network.mtu,
        up: true,
    })
}

fn bridge_addresses(network: &BridgeNetwork) -> BTreeSet<IpNet> {
    let ipv4 = network.ipv4.map(IpNet::V4);
    let ipv6 = network.ipv6.map(IpNet::V6);
    ipv4.into_iter().chain(ipv6).collect()
}

fn table_spec(layout: &Layout, network: &BridgeNetwork) -> TableSpec {
    let ipv4 = network.ipv4.filter(|_| network.ipv4_nat).map(|net| IpNet::V4(net.trunc()));
    let ipv6 = network.ipv6.filter(|_| network.ipv6_nat).map(|net| IpNet::V6(net.trunc()));
    TableSpec {
        table: table_name(layout, &network.name),
        bridge: network.name.clone(),
        masquerade: ipv4.into_iter().chain(ipv6).collect(),
    }
}

fn table_name(layout: &Layout, network: &str) -> String {
    format!("bayplan-{}-{network}", layout.tag)
}

fn bridge_mark(layout: &Layout, name: &str) -> Mark {
    Mark { tag: layout.tag.clone(), id: format!("network:{name}") }
}

fn nic_mark(layout: &Layout, uuid: Uuid, device: &str) -> Mark {
    Mark { tag: layout.tag.clone(), id: format!("nic:{uuid}:{device}") }
}

fn nic_of(mark: &Mark) -> Option<(Uuid, String)> {
    let (uuid, device) = mark.id.strip_prefix("nic:")?.split_once(':')?;
    Some((uuid.parse().ok()?, device.to_owned()))
}

fn nic_spec(
    layout: &Layout,
    key: &Key,
    (uuid, incarnation): (Uuid, u64),
    nic: &Nic,
) -> Result<NicSpec, Error> {
    let fresh = || host_nic_name(uuid, incarnation, &nic.device);
    let addresses: BTreeSet<IpNet> =
        nic.ipv4.map(IpNet::V4).into_iter().chain(nic.ipv6.map(IpNet::V6)).collect();
    let gateways = nic.ipv4_gateway.map(IpAddr::V4).into_iter().chain(nic.ipv6_gateway.map(IpAddr::V6));
    Ok(NicSpec {
        host_name: nic.host_name.clone().unwrap_or_else(fresh),
        mark: nic_mark(layout, uuid, &nic.device),
        name: nic.name.clone(),
        mac: parse_mac(key, &nic.mac)?,
        mtu: nic.mtu,
        uplink: uplink(nic),
        addresses,
        gateways: gateways.collect(),
    })
}

fn uplink(nic: &Nic) -> Uplink {
    match &nic.attachment {
        NicAttachment::Bridged { bridge } => Uplink::Bridge { name: bridge.clone() },
        NicAttachment::PointToPoint => Uplink::PointToPoint { routes: nic.routes() },
    }
}

fn parse_mac(key: &Key, text: &str) -> Result<Mac, Error> {
    text.parse().map_err(|error| failed(format!("{key}"), error))
}

/// A descriptor of a process's net namespace.
pub fn net_namespace(key: &Key, pid: u32) -> Result<std::os::fd::OwnedFd, Error> {
    let file = std::fs::File::open(format!("/proc/{pid}/ns/net"))
        .map_err(|_| precondition(key, "a running init", format!("no process {pid}")))?;
    file.as_fd().try_clone_to_owned().map_err(|error| failed(format!("{key}: its net namespace"), error))
}
