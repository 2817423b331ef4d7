//! What makes a container itself, chosen once: uuid, id range, MAC addresses, leases.
//!
//! Pure: from machine id, names, what is taken, and a seed. Ranges and addresses start at a hash of the names and
//! go on to the next free one, so that the same container gets the same ones on the same machine.

use super::spans::Spans;
use crate::model::finding::{Finding, Severity};
use crate::model::key::Key;
use crate::model::object::Container;
use crate::model::observed::{Host, IdSpan};
use crate::model::record::Identity;
use crate::model::step::BridgeNetwork;
use crate::model::typed::{self, AddressChoice, IdmapSettings, NicLink};
use ipnet::Ipv4Net;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use uuid::Uuid;

/// Ids of a container that says nothing else.
pub const DEFAULT_ID_COUNT: u32 = 65_536;

/// Networks by name.
pub type Networks = BTreeMap<String, BridgeNetwork>;

/// Gives out what is free.
pub struct Allocator<'a> {
    host: &'a Host,
    seed: [u8; 16],
    ids: Spans,
    /// How many identities have a range that begins here.
    holders: BTreeMap<u32, usize>,
    shared_base: Option<u32>,
    macs: BTreeSet<String>,
    addresses: BTreeSet<IpAddr>,
    /// Given by manifests: a lease that is one of them makes way.
    declared: BTreeSet<IpAddr>,
}

impl<'a> Allocator<'a> {
    pub fn new(host: &'a Host, seed: [u8; 16]) -> Allocator<'a> {
        let mut ids = Spans::default();
        for span in &host.ids_taken {
            ids.take(*span);
        }
        Allocator {
            host,
            seed,
            ids,
            holders: BTreeMap::new(),
            shared_base: None,
            macs: BTreeSet::new(),
            addresses: BTreeSet::new(),
            declared: BTreeSet::new(),
        }
    }

    /// An identity that exists: what it has is taken. The containers without isolation share one range.
    pub fn reserve(&mut self, identity: &Identity, container: Option<&Container>) {
        let isolated = container.is_none_or(|container| {
            let settings = typed::idmap(&container.config);
            settings.isolated || settings.base.is_some()
        });
        if identity.id_count > 0 {
            self.ids.take(IdSpan { first: identity.id_base, count: identity.id_count });
            *self.holders.entry(identity.id_base).or_default() += 1;
            if !isolated && identity.id_count == DEFAULT_ID_COUNT {
                self.shared_base =
                    Some(self.shared_base.map_or(identity.id_base, |base| base.min(identity.id_base)));
            }
        }
        self.macs.extend(identity.macs.values().cloned());
        self.addresses.extend(identity.leases.values());
    }

    /// Addresses that a container declares itself.
    pub fn reserve_declared(&mut self, container: &Container) {
        for (_, nic) in typed::nics(&container.devices) {
            if let AddressChoice::Fixed(address) = nic.ipv4 {
                self.addresses.insert(IpAddr::V4(address));
                self.declared.insert(IpAddr::V4(address));
            }
            self.macs.extend(nic.mac);
        }
    }

    /// Completes what `existing` has; what is no longer needed is left out.
    pub fn identity(
        &mut self,
        key: &Key,
        container: &Container,
        networks: &Networks,
        existing: Option<&Identity>,
    ) -> Result<Identity, Finding> {
        let settings = typed::idmap(&container.config);
        let (id_base, id_count) = self.ids(key, &settings, existing)?;
        let mut identity = Identity {
            uuid: existing.map_or_else(|| self.uuid(key), |identity| identity.uuid),
            id_base,
            id_count,
            macs: BTreeMap::new(),
            leases: BTreeMap::new(),
        };
        for (device, nic) in typed::nics(&container.devices) {
            if nic.mac.is_none() {
                let known = existing.and_then(|identity| identity.macs.get(device)).cloned();
                let mac = known.unwrap_or_else(|| self.mac(key, device));
                identity.macs.insert(device.to_owned(), mac);
            }
            let NicLink::Network(network) = &nic.link else { continue };
            let subnet = networks.get(network).and_then(|network| network.ipv4);
            if let (AddressChoice::Auto, Some(subnet)) = (nic.ipv4, subnet) {
                let known = existing.and_then(|identity| identity.leases.get(device)).copied();
                let lease = self.lease(key, device, subnet, known)?;
                identity.leases.insert(device.to_owned(), lease);
            }
        }
        Ok(identity)
    }

    fn uuid(&self, key: &Key) -> Uuid {
        let digest = hash(&[&self.seed, key.to_string().as_bytes()]);
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    fn ids(
        &mut self,
        key: &Key,
        settings: &IdmapSettings,
        existing: Option<&Identity>,
    ) -> Result<(u32, u32), Finding> {
        if settings.privileged {
            return Ok((0, 0));
        }
        let count = settings.size.unwrap_or(DEFAULT_ID_COUNT);
        if let Some(base) = settings.base {
            return Ok((base, count));
        }
        let known = existing.filter(|identity| identity.id_count == count);
        if !settings.isolated {
            return self.shared(key, count, known);
        }
        if let Some(identity) = known {
            let holders = self.holders.entry(identity.id_base).or_default();
            if *holders <= 1 && Some(identity.id_base) != self.shared_base {
                return Ok((identity.id_base, count));
            }
            // It lets go of it: the last one of those that shared a range may keep it.
            *holders = holders.saturating_sub(1);
        }
        // The shared range keeps its place in front, whether or not a container uses it yet.
        let shared = self.shared_first(key)?;
        self.ids.take(IdSpan { first: shared, count: DEFAULT_ID_COUNT });
        let base = self.free_ids(key, count)?;
        self.ids.take(IdSpan { first: base, count });
        Ok((base, count))
    }

    fn shared(&mut self, key: &Key, count: u32, known: Option<&Identity>) -> Result<(u32, u32), Finding> {
        if let Some(identity) = known
            && (self.shared_base.is_none() || self.shared_base == Some(identity.id_base))
        {
            return Ok((identity.id_base, count));
        }
        let base = self.shared_first(key)?;
        self.ids.take(IdSpan { first: base, count: DEFAULT_ID_COUNT });
        Ok((base, count))
    }

    /// The first id of the range that containers without isolation share.
    fn shared_first(&mut self, key: &Key) -> Result<u32, Finding> {
        if let Some(base) = self.shared_base {
            return Ok(base);
        }
        let found = self.host.id_ranges.iter().find_map(|range| self.first_free(*range, DEFAULT_ID_COUNT, 0));
        let base = found.ok_or_else(|| no_ids(key, DEFAULT_ID_COUNT))?;
        self.shared_base = Some(base);
        Ok(base)
    }

    fn free_ids(&self, key: &Key, count: u32) -> Result<u32, Finding> {
        let start = number(&[self.host.machine_id.as_bytes(), key.to_string().as_bytes()]);
        let found = self.host.id_ranges.iter().find_map(|range| self.first_free(*range, count, start));
        found.ok_or_else(|| no_ids(key, count))
    }

    /// The first free block of `count` ids in `range`, from the block that `start` falls on, around once.
    fn first_free(&self, range: IdSpan, count: u32, start: u64) -> Option<u32> {
        let blocks = u64::from(range.count) / u64::from(count.max(1));
        let start = start.checked_rem(blocks)?;
        (0..blocks).map(|step| (start + step) % blocks).find_map(|block| {
            let first = u32::try_from(u64::from(range.first) + block * u64::from(count)).ok()?;
            self.ids.is_free(IdSpan { first, count }).then_some(first)
        })
    }

    /// A locally administered address: 02 and five bytes of a hash.
    fn mac(&mut self, key: &Key, device: &str) -> String {
        let mut attempt = 0_u32;
        loop {
            let digest = hash(&[
                self.host.machine_id.as_bytes(),
                key.to_string().as_bytes(),
                device.as_bytes(),
                &attempt.to_be_bytes(),
            ]);
            let tail: Vec<String> = digest.iter().take(5).map(|byte| format!("{byte:02x}")).collect();
            let mac = format!("02:{}", tail.join(":"));
            if self.macs.insert(mac.clone()) {
                return mac;
            }
            attempt += 1;
        }
    }

    fn lease(
        &mut self,
        key: &Key,
        device: &str,
        subnet: Ipv4Net,
        known: Option<IpAddr>,
    ) -> Result<IpAddr, Finding> {
        if let Some(IpAddr::V4(address)) = known
            && subnet.trunc().contains(&address)
            && address != subnet.addr()
            && !self.declared.contains(&IpAddr::V4(address))
        {
            return Ok(IpAddr::V4(address));
        }
        let first = u64::from(u32::from(subnet.network())) + 1;
        let count = u64::from(u32::from(subnet.broadcast())).saturating_sub(first);
        let start = number(&[key.to_string().as_bytes(), device.as_bytes()]);
        let found = (0..count).map(|step| first + (start + step) % count).find_map(|number| {
            let address = Ipv4Addr::from(u32::try_from(number).ok()?);
            (address != subnet.addr() && !self.addresses.contains(&IpAddr::V4(address))).then_some(address)
        });
        let address = IpAddr::V4(found.ok_or_else(|| no_address(key, device, subnet))?);
        self.addresses.insert(address);
        Ok(address)
    }
}

fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut sha = Sha256::new();
    for part in parts {
        sha.update((part.len() as u64).to_be_bytes());
        sha.update(part);
    }
    sha.finalize().into()
}

fn number(parts: &[&[u8]]) -> u64 {
    let digest = hash(parts);
    digest.iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

fn no_ids(key: &Key, count: u32) -> Finding {
    Finding {
        severity: Severity::Error,
        code: "no-free-ids",
        place: None,
        key: Some(key.clone()),
        message: format!("{key} needs {count} host ids, and root's ranges have no such free block"),
        help: Some("widen root's line in /etc/subuid and /etc/subgid".to_owned()),
    }
}

fn no_address(key: &Key, device: &str, subnet: Ipv4Net) -> Finding {
    Finding {
        severity: Severity::Error,
        code: "no-free-address",
        place: None,
        key: Some(key.clone()),
        message: format!("{key} needs an address for {device}, and {} has none free", subnet.trunc()),
        help: Some("use a larger subnet for the network".to_owned()),
    }
}
