//! Normalised config texts as typed values.
//!
//! Input is what `spec` put into [`Config`]: valid, in its normal form, explicit defaults absent. So nothing here
//! can be wrong: an absent key reads as its default, and so does a text that spec would have refused.

use super::id_map::IdRange;
use super::object::{Config, Device, DeviceType, Devices};
use super::run::{CpuAllowance, CpuLimit, Disk, Limits, MemoryEnforce, MemoryLimit, Rlimit};
use super::size::Size;
use super::step::BridgeNetwork;
use ipnet::{Ipv4Net, Ipv6Net};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::str::FromStr;

/// The part of `limits.*` that the cgroup enforces. `host_memory` (bytes) is what a percentage is of.
pub fn limits(config: &Config, host_memory: u64) -> Limits {
    Limits {
        cpus: text(config, "limits.cpu").and_then(cpu_limit),
        cpu_allowance: text(config, "limits.cpu.allowance").and_then(cpu_allowance),
        memory: text(config, "limits.memory")
            .and_then(|value| memory_bytes(value, host_memory))
            .map(|bytes| MemoryLimit { bytes, enforce: memory_enforce(config) }),
        processes: parsed(config, "limits.processes"),
    }
}

/// `limits.kernel.NAME` → limit.
pub fn rlimits(config: &Config) -> BTreeMap<String, Rlimit> {
    below(config, "limits.kernel.")
        .filter_map(|(name, value)| Some((name.to_owned(), rlimit(value)?)))
        .collect()
}

/// `linux.sysctl.NAME` → value.
pub fn sysctls(config: &Config) -> BTreeMap<String, String> {
    below(config, "linux.sysctl.").map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// `environment.NAME` → value.
pub fn environment(config: &Config) -> BTreeMap<String, String> {
    below(config, "environment.").map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// `security.privileged`, `security.idmap.*` and `raw.idmap`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IdmapSettings {
    pub privileged: bool,
    pub isolated: bool,
    /// The first host id that is asked for.
    pub base: Option<u32>,
    /// How many ids.
    pub size: Option<u32>,
    /// Single ids and ranges that pass through, in the order of the text.
    pub raw: Vec<RawIdmap>,
}

/// One line of `raw.idmap`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawIdmap {
    pub ids: RawIds,
    pub range: IdRange,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RawIds {
    Both,
    Uid,
    Gid,
}

pub fn idmap(config: &Config) -> IdmapSettings {
    IdmapSettings {
        privileged: flag(config, "security.privileged"),
        isolated: flag(config, "security.idmap.isolated"),
        base: parsed(config, "security.idmap.base"),
        size: parsed(config, "security.idmap.size"),
        raw: text(config, "raw.idmap").map(raw_idmap).unwrap_or_default(),
    }
}

/// `security.nesting`.
pub fn nesting(config: &Config) -> bool {
    flag(config, "security.nesting")
}

/// `security.protection.delete`.
pub fn protected_from_delete(config: &Config) -> bool {
    flag(config, "security.protection.delete")
}

/// `security.protection.start`.
pub fn protected_from_start(config: &Config) -> bool {
    flag(config, "security.protection.start")
}

/// `boot.autostart*`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Autostart {
    /// None: as it was when the host went down.
    pub enabled: Option<bool>,
    /// Seconds to wait after it before the next one starts.
    pub delay_seconds: u64,
    /// Higher ones start first.
    pub priority: i64,
}

pub fn autostart(config: &Config) -> Autostart {
    Autostart {
        enabled: text(config, "boot.autostart").map(|value| value == "true"),
        delay_seconds: parsed(config, "boot.autostart.delay").unwrap_or(0),
        priority: parsed(config, "boot.autostart.priority").unwrap_or(0),
    }
}

/// The options of a nic device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NicOptions {
    pub link: NicLink,
    /// The interface's name inside; none: `eth0`, `eth1`, … in device order.
    pub name: Option<String>,
    /// Lower case with colons; none: from the identity.
    pub mac: Option<String>,
    pub mtu: Option<u32>,
    /// The host end's name.
    pub host_name: Option<String>,
    pub ipv4: AddressChoice<Ipv4Addr>,
    pub ipv6: AddressChoice<Ipv6Addr>,
    /// False: `ipv4.gateway: none`, no default route over it.
    pub ipv4_gateway: bool,
    pub ipv6_gateway: bool,
    pub ipv4_routes: Vec<Ipv4Net>,
    pub ipv6_routes: Vec<Ipv6Net>,
}

/// What the host end of a nic is joined to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NicLink {
    /// The bridge of this Network object.
    Network(String),
    /// A bridge of the host that is not ours.
    Parent(String),
    PointToPoint,
}

/// Which address a nic gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressChoice<A> {
    /// One of its network's, where the network has that family.
    Auto,
    None,
    Fixed(A),
}

/// A nic device's options; none for a device of another type.
pub fn nic(device: &Device) -> Option<NicOptions> {
    if device.device_type != DeviceType::Nic {
        return None;
    }
    let options = &device.options;
    Some(NicOptions {
        link: nic_link(options),
        name: owned(options, "name"),
        mac: owned(options, "hwaddr"),
        mtu: parsed(options, "mtu"),
        host_name: owned(options, "host_name"),
        ipv4: address_choice(options, "ipv4.address"),
        ipv6: address_choice(options, "ipv6.address"),
        ipv4_gateway: text(options, "ipv4.gateway") != Some("none"),
        ipv6_gateway: text(options, "ipv6.gateway") != Some("none"),
        ipv4_routes: list(options, "ipv4.routes"),
        ipv6_routes: list(options, "ipv6.routes"),
    })
}

/// Every nic of a container in device order, with its options; `name` is always there: the one that is given, else
/// the lowest `ethN` that no other nic has.
pub fn nics(devices: &Devices) -> Vec<(&str, NicOptions)> {
    let mut nics: Vec<(&str, NicOptions)> =
        devices.iter().filter_map(|(name, device)| Some((name.as_str(), nic(device)?))).collect();
    let mut taken: Vec<String> = nics.iter().filter_map(|(_, options)| options.name.clone()).collect();
    for (device, options) in &mut nics {
        if options.name.is_some() {
            continue;
        }
        let name = free_interface(device, &taken);
        taken.push(name.clone());
        options.name = Some(name);
    }
    nics
}

/// The device's own name where it is `ethN` and free, else the lowest free `ethN`.
fn free_interface(device: &str, taken: &[String]) -> String {
    let is_free = |name: &str| taken.iter().all(|other| other != name);
    let is_eth =
        device.strip_prefix("eth").is_some_and(|number| number.len() < 4 && number.parse::<u32>().is_ok());
    if is_eth && is_free(device) {
        return device.to_owned();
    }
    (0..).map(|index: u32| format!("eth{index}")).find(|name| is_free(name)).unwrap_or_default()
}

/// The pool of the root disk: of the disk device whose path is `/`.
pub fn root_pool(devices: &Devices) -> Option<&str> {
    devices.values().find(|device| is_root(device)).and_then(|device| text(&device.options, "pool"))
}

/// The disks that are bound into the container: all but the root.
pub fn disks(devices: &Devices) -> Vec<Disk> {
    devices
        .iter()
        .filter(|(_, device)| device.device_type == DeviceType::Disk && !is_root(device))
        .map(|(name, device)| disk(name, &device.options))
        .collect()
}

fn is_root(device: &Device) -> bool {
    device.device_type == DeviceType::Disk && text(&device.options, "path") == Some("/")
}

fn disk(name: &str, options: &Config) -> Disk {
    Disk {
        device: name.to_owned(),
        source: PathBuf::from(text(options, "source").unwrap_or_default()),
        path: PathBuf::from(text(options, "path").unwrap_or_default()),
        readonly: flag(options, "readonly"),
        recursive: flag(options, "recursive"),
        shift: flag(options, "shift"),
        required: text(options, "required") != Some("false"),
    }
}

/// A Network object's config as a bridge.
pub fn bridge(name: &str, config: &Config) -> BridgeNetwork {
    BridgeNetwork {
        name: name.to_owned(),
        ipv4: parsed(config, "ipv4.address"),
        ipv6: parsed(config, "ipv6.address"),
        ipv4_nat: flag(config, "ipv4.nat"),
        ipv6_nat: flag(config, "ipv6.nat"),
        mtu: parsed(config, "bridge.mtu"),
        mac: owned(config, "bridge.hwaddr"),
    }
}

/// `limits.cpu`: a count (`2`) or a set (`0-1,3`; a single processor is `3-3`, since `3` is a count).
pub fn cpu_limit(value: &str) -> Option<CpuLimit> {
    if let Ok(count) = value.parse() {
        return Some(CpuLimit::Count(count));
    }
    let ranges: Option<Vec<String>> = value.split(',').map(cpu_range).collect();
    ranges.map(|ranges| CpuLimit::Set(ranges.join(",")))
}

/// One part of a set in the kernel's form: `3-3` is `3`.
fn cpu_range(part: &str) -> Option<String> {
    let (first, last) = part.split_once('-').unwrap_or((part, part));
    let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
    Some(if first == last { first.to_string() } else { format!("{first}-{last}") })
}

/// `limits.cpu.allowance`: `50%` or `25ms/100ms`.
pub fn cpu_allowance(value: &str) -> Option<CpuAllowance> {
    if let Some(percent) = value.strip_suffix('%') {
        return Some(CpuAllowance::Share { percent: percent.parse().ok()? });
    }
    let (quota, period) = value.split_once('/')?;
    Some(CpuAllowance::Quota { quota_us: milliseconds(quota)?, period_us: milliseconds(period)? })
}

fn milliseconds(value: &str) -> Option<u64> {
    value.strip_suffix("ms")?.parse::<u64>().ok()?.checked_mul(1000)
}

/// `limits.memory`: a size, or a percentage of the host's memory.
pub fn memory_bytes(value: &str, host_memory: u64) -> Option<u64> {
    match value.strip_suffix('%') {
        Some(percent) => {
            let percent: u64 = percent.parse().ok()?;
            Some(host_memory / 100 * percent + host_memory % 100 * percent / 100)
        }
        None => Size::from_str(value).ok().map(|size| size.0),
    }
}

fn memory_enforce(config: &Config) -> MemoryEnforce {
    match text(config, "limits.memory.enforce") {
        Some("soft") => MemoryEnforce::Soft,
        _ => MemoryEnforce::Hard,
    }
}

/// `soft:hard`, or one value for both; `unlimited` is none.
pub fn rlimit(value: &str) -> Option<Rlimit> {
    let (soft, hard) = value.split_once(':').unwrap_or((value, value));
    Some(Rlimit { soft: rlimit_bound(soft)?, hard: rlimit_bound(hard)? })
}

fn rlimit_bound(value: &str) -> Option<Option<u64>> {
    match value {
        "unlimited" => Some(None),
        number => number.parse().ok().map(Some),
    }
}

/// The lines of `raw.idmap`: `both|uid|gid HOST INSIDE`, each an id or a range `a-b`.
pub fn raw_idmap(value: &str) -> Vec<RawIdmap> {
    value.lines().filter_map(raw_idmap_line).collect()
}

fn raw_idmap_line(line: &str) -> Option<RawIdmap> {
    let mut words = line.split_whitespace();
    let ids = match words.next()? {
        "both" => RawIds::Both,
        "uid" => RawIds::Uid,
        "gid" => RawIds::Gid,
        _ => return None,
    };
    let (outside, count) = id_span(words.next()?)?;
    let (inside, inside_count) = id_span(words.next()?)?;
    if words.next().is_some() || inside_count != count {
        return None;
    }
    Some(RawIdmap { ids, range: IdRange { inside, outside, count } })
}

/// `1000` or `1000-1009` as first and count.
fn id_span(word: &str) -> Option<(u32, u32)> {
    let (first, last) = word.split_once('-').unwrap_or((word, word));
    let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
    Some((first, last.checked_sub(first)?.checked_add(1)?))
}

fn nic_link(options: &Config) -> NicLink {
    match (text(options, "network"), text(options, "parent")) {
        (Some(network), _) => NicLink::Network(network.to_owned()),
        (None, Some(parent)) => NicLink::Parent(parent.to_owned()),
        (None, None) => NicLink::PointToPoint,
    }
}

fn address_choice<A: FromStr>(options: &Config, key: &str) -> AddressChoice<A> {
    match text(options, key) {
        None => AddressChoice::Auto,
        Some(value) => value.parse().map_or(AddressChoice::None, AddressChoice::Fixed),
    }
}

fn text<'a>(config: &'a Config, key: &str) -> Option<&'a str> {
    config.get(key).map(String::as_str)
}

fn owned(config: &Config, key: &str) -> Option<String> {
    config.get(key).cloned()
}

fn flag(config: &Config, key: &str) -> bool {
    text(config, key) == Some("true")
}

fn parsed<T: FromStr>(config: &Config, key: &str) -> Option<T> {
    text(config, key).and_then(|value| value.parse().ok())
}

fn list<T: FromStr>(config: &Config, key: &str) -> Vec<T> {
    text(config, key).unwrap_or_default().split(',').filter_map(|item| item.trim().parse().ok()).collect()
}

/// The keys that start with `prefix`, without it.
fn below<'a>(config: &'a Config, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    config
        .range(prefix.to_owned()..)
        .map_while(move |(key, value)| Some((key.strip_prefix(prefix)?, value.as_str())))
}
