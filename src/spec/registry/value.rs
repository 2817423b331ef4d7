//! The types of config values: what is valid, and the one text for each meaning.

use super::super::names;
use super::lists::{cpu_set, id_maps, networks};
use crate::model::size::Size;
use crate::model::words::{alternatives, did_you_mean};
use ipnet::{Ipv4Net, Ipv6Net};
use std::net::{Ipv4Addr, Ipv6Addr};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    Bool,
    /// A whole number in this range.
    Integer {
        min: i64,
        max: i64,
    },
    Choice(&'static [&'static str]),
    /// Any text.
    Text,
    /// A count, or a set like `0-3,6`.
    Cpus,
    /// `50%` or `25ms/100ms`.
    CpuAllowance,
    /// A size, or a percentage of the host's memory.
    Memory,
    /// `soft:hard`, or one for both; numbers or `unlimited`.
    Rlimit,
    RawIdmap,
    Mac,
    /// The name of a network interface.
    Interface,
    Ipv4,
    Ipv6,
    /// Address and prefix length, or `none`.
    Ipv4Net,
    Ipv6Net,
    Ipv4Nets,
    Ipv6Nets,
    /// Absolute, inside the container.
    InsidePath,
    /// On the host; relative to the manifest's folder.
    HostPath,
    /// The name of an object.
    ObjectName,
}

/// Why a value is not valid: what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadValue {
    pub wanted: String,
    pub help: Option<String>,
}

impl ValueType {
    /// The value's normal form.
    pub fn normalise(self, text: &str) -> Result<String, BadValue> {
        match self {
            ValueType::Bool => boolean(text),
            ValueType::Integer { min, max } => integer(text, min, max),
            ValueType::Choice(words) => choice(text, words),
            ValueType::Text => Ok(text.to_owned()),
            ValueType::Cpus => cpus(text),
            ValueType::CpuAllowance => allowance(text),
            ValueType::Memory => memory(text),
            ValueType::Rlimit => rlimit(text),
            ValueType::RawIdmap => id_maps(text),
            ValueType::Mac => mac(text),
            ValueType::Interface => names::interface(text).map(|()| text.to_owned()),
            ValueType::Ipv4 => address::<Ipv4Addr>(text, "an IPv4 address or none", "10.66.0.21"),
            ValueType::Ipv6 => address::<Ipv6Addr>(text, "an IPv6 address or none", "fd42::21"),
            ValueType::Ipv4Net => ipv4_net(text),
            ValueType::Ipv6Net => ipv6_net(text),
            ValueType::Ipv4Nets => networks::<Ipv4Net>(text, "10.7.0.0/24", |net| net.trunc()),
            ValueType::Ipv6Nets => networks::<Ipv6Net>(text, "fd42:7::/64", |net| net.trunc()),
            ValueType::InsidePath => inside_path(text),
            ValueType::HostPath if text.is_empty() => Err(bad("a path", None)),
            ValueType::HostPath => Ok(text.to_owned()),
            ValueType::ObjectName => names::object(text).map(|()| text.to_owned()),
        }
    }

    /// The type in words, for documentation.
    pub fn describe(self) -> String {
        match self {
            ValueType::Bool => "bool".to_owned(),
            ValueType::Integer { min, max: i64::MAX } => format!("integer, at least {min}"),
            ValueType::Integer { min, max } => format!("integer, {min} to {max}"),
            ValueType::Choice(words) => words.join(" \\| "),
            other => other.form().to_owned(),
        }
    }

    fn form(self) -> &'static str {
        match self {
            ValueType::Cpus => "count (`2`) or set (`0-3,6`; a single one: `3-3`)",
            ValueType::CpuAllowance => "share (`50%`) or quota (`25ms/100ms`)",
            ValueType::Memory => "size (`512MiB`) or percentage (`25%`)",
            ValueType::Rlimit => "`soft:hard` or one value; numbers or `unlimited`",
            ValueType::RawIdmap => "lines `both\\|uid\\|gid HOST INSIDE`",
            ValueType::Mac => "MAC address",
            ValueType::Interface => "interface name, at most 15 characters",
            ValueType::Ipv4 => "IPv4 address or `none`",
            ValueType::Ipv6 => "IPv6 address or `none`",
            ValueType::Ipv4Net => "IPv4 address with prefix length, or `none`",
            ValueType::Ipv6Net => "IPv6 address with prefix length, or `none`",
            ValueType::Ipv4Nets | ValueType::Ipv6Nets => "list of subnets",
            ValueType::InsidePath => "absolute path inside",
            ValueType::HostPath => "path on the host",
            ValueType::ObjectName => "name of an object",
            _ => "text",
        }
    }
}

pub fn bad(wanted: impl Into<String>, help: Option<String>) -> BadValue {
    BadValue { wanted: wanted.into(), help }
}

/// LXD's set of bools (its `shared.IsTrue` and `IsFalse`).
fn boolean(text: &str) -> Result<String, BadValue> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok("true".to_owned()),
        "false" | "0" | "no" | "off" => Ok("false".to_owned()),
        _ => Err(bad("true or false", None)),
    }
}

fn integer(text: &str, min: i64, max: i64) -> Result<String, BadValue> {
    match text.parse::<i64>() {
        Ok(number) if (min..=max).contains(&number) => Ok(number.to_string()),
        _ if max == i64::MAX => Err(bad(format!("a whole number, at least {min}"), None)),
        _ => Err(bad(format!("a whole number from {min} to {max}"), None)),
    }
}

fn choice(text: &str, words: &[&'static str]) -> Result<String, BadValue> {
    if words.contains(&text) {
        return Ok(text.to_owned());
    }
    let help = did_you_mean(text, words.iter().copied());
    Err(bad(alternatives(words.iter().copied()), help))
}

fn cpus(text: &str) -> Result<String, BadValue> {
    let text = text.trim();
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return match text.parse::<u32>() {
            Ok(0) => Err(bad(
                "a number of processors or a set of them",
                Some("a container needs one; for processor 0 write `0-0`".to_owned()),
            )),
            Ok(count) => Ok(count.to_string()),
            Err(_) => Err(bad("a number of processors", None)),
        };
    }
    cpu_set(text)
}

fn allowance(text: &str) -> Result<String, BadValue> {
    let wrong = || bad("a share like `50%` or a quota like `25ms/100ms`", None);
    if let Some(percent) = text.strip_suffix('%') {
        return match percent.trim().parse::<u32>() {
            Ok(percent @ 1..=100) => Ok(format!("{percent}%")),
            _ => Err(bad(
                "a share from 1% to 100%",
                Some("more than one processor's time is a quota: `200ms/100ms`".to_owned()),
            )),
        };
    }
    let (quota, period) = text.split_once('/').ok_or_else(wrong)?;
    let milliseconds =
        |part: &str| part.trim().strip_suffix("ms").and_then(|number| number.trim().parse::<u64>().ok());
    match (milliseconds(quota), milliseconds(period)) {
        // The kernel takes periods of 1 ms to 1 s, and quotas of 1 ms at least (Documentation/scheduler/sched-bwc).
        (Some(quota @ 1..=1_000_000), Some(period @ 1..=1000)) => Ok(format!("{quota}ms/{period}ms")),
        (Some(_), Some(_)) => Err(bad("a quota of at least 1ms in a period of 1ms to 1000ms", None)),
        _ => Err(wrong()),
    }
}

fn memory(text: &str) -> Result<String, BadValue> {
    if let Some(percent) = text.strip_suffix('%') {
        return match percent.trim().parse::<u32>() {
            Ok(percent @ 1..=100) => Ok(format!("{percent}%")),
            _ => Err(bad("a percentage from 1% to 100%", None)),
        };
    }
    match text.parse::<Size>() {
        Ok(Size(0)) => Err(bad("more than 0 bytes", Some("leave the key out for no limit".to_owned()))),
        Ok(size) => Ok(size.to_string()),
        Err(_) => Err(bad("a size like `512MiB` or a percentage like `25%`", size_fix(text))),
    }
}

/// A fix for the customary short units: `512M`, `2g`, `1Gi`.
fn size_fix(text: &str) -> Option<String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.get(digits.len()..)?.to_ascii_lowercase();
    let fixed = match unit.as_str() {
        "k" | "ki" | "kib" => "KiB",
        "m" | "mi" | "mib" => "MiB",
        "g" | "gi" | "gib" => "GiB",
        "t" | "ti" | "tib" => "TiB",
        "kb" => "kB",
        "mb" => "MB",
        "gb" => "GB",
        _ => return None,
    };
    digits.trim().parse::<u64>().ok().map(|number| format!("did you mean `{number}{fixed}`?"))
}

fn rlimit(text: &str) -> Result<String, BadValue> {
    let wrong = || bad("a number or `unlimited`, or two of them as `soft:hard`", None);
    let bound = |part: &str| match part {
        "unlimited" => Some(u64::MAX),
        number => number.parse::<u64>().ok().filter(|number| *number < u64::MAX),
    };
    let (soft, hard) = text.split_once(':').unwrap_or((text, text));
    let (soft, hard) = (bound(soft).ok_or_else(wrong)?, bound(hard).ok_or_else(wrong)?);
    let show = |value: u64| if value == u64::MAX { "unlimited".to_owned() } else { value.to_string() };
    match soft.cmp(&hard) {
        std::cmp::Ordering::Greater => Err(bad("a soft limit that is not above the hard one", None)),
        std::cmp::Ordering::Equal => Ok(show(soft)),
        std::cmp::Ordering::Less => Ok(format!("{}:{}", show(soft), show(hard))),
    }
}

fn mac(text: &str) -> Result<String, BadValue> {
    let lower = text.to_ascii_lowercase().replace('-', ":");
    let parts: Vec<&str> = lower.split(':').collect();
    let is_mac = parts.len() == 6
        && parts.iter().all(|part| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if !is_mac {
        return Err(bad(
            "a MAC address",
            Some("write six hexadecimal pairs: `00:16:3e:12:34:56`".to_owned()),
        ));
    }
    let first = u8::from_str_radix(parts[0], 16).unwrap_or(1);
    if first & 1 == 1 {
        return Err(bad("a unicast MAC address", Some("the first pair must be even".to_owned())));
    }
    if lower == "00:00:00:00:00:00" {
        return Err(bad("a MAC address that is not all zeros", None));
    }
    Ok(lower)
}

fn address<A: std::str::FromStr + ToString>(
    text: &str,
    wanted: &str,
    example: &str,
) -> Result<String, BadValue> {
    if text == "none" {
        return Ok(text.to_owned());
    }
    text.parse::<A>().map(|address| address.to_string()).map_err(|_| {
        let help = match text.split_once('/') {
            Some((address, _)) => format!("write the address alone: `{address}`"),
            None => format!("for example `{example}`"),
        };
        bad(wanted, Some(help))
    })
}

fn ipv4_net(text: &str) -> Result<String, BadValue> {
    let wanted = "an IPv4 address with a prefix length, or none";
    if text == "none" {
        return Ok(text.to_owned());
    }
    let net: Ipv4Net =
        text.parse().map_err(|_| bad(wanted, Some("for example `10.66.0.1/24`".to_owned())))?;
    if net.prefix_len() > 30 || net.prefix_len() < 8 {
        return Err(bad("a prefix length from 8 to 30", None));
    }
    if net.addr() == net.network() || net.addr() == net.broadcast() {
        let host = net.hosts().next().unwrap_or(net.addr());
        let help = format!("the bridge needs an address of its own in it: `{host}/{}`", net.prefix_len());
        return Err(bad("a host's address, not the subnet's", Some(help)));
    }
    Ok(net.to_string())
}

fn ipv6_net(text: &str) -> Result<String, BadValue> {
    let wanted = "an IPv6 address with a prefix length, or none";
    if text == "none" {
        return Ok(text.to_owned());
    }
    let net: Ipv6Net =
        text.parse().map_err(|_| bad(wanted, Some("for example `fd42:66::1/64`".to_owned())))?;
    if net.prefix_len() > 126 || net.prefix_len() < 16 {
        return Err(bad("a prefix length from 16 to 126", None));
    }
    if net.addr() == net.network() {
        let help = format!(
            "the bridge needs an address of its own in it: `{}1/{}`",
            net.network(),
            net.prefix_len()
        );
        return Err(bad("a host's address, not the subnet's", Some(help)));
    }
    Ok(net.to_string())
}

/// Absolute, without `.`, `..`, doubled or closing slashes.
fn inside_path(text: &str) -> Result<String, BadValue> {
    if !text.starts_with('/') {
        return Err(bad("an absolute path inside the container", Some(format!("write `/{text}`"))));
    }
    let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.contains(&"..") {
        return Err(bad("a path without `..`", None));
    }
    Ok(format!("/{}", parts.join("/")))
}
