//! PURE. MAC addresses, marks of ownership, and names for links on the host.

use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// An Ethernet address; text is `00:16:3e:…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mac(pub [u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// The text is not six pairs of hexadecimal digits with colons between.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a MAC address (six pairs of hexadecimal digits, as 00:16:3e:12:34:56)")]
pub struct MacFault {
    pub text: String,
}

impl FromStr for Mac {
    type Err = MacFault;

    fn from_str(text: &str) -> Result<Mac, MacFault> {
        let fault = || MacFault { text: text.to_owned() };
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts.next().filter(|part| part.len() == 2).ok_or_else(fault)?;
            *byte = u8::from_str_radix(part, 16).map_err(|_| fault())?;
        }
        if parts.next().is_some() { Err(fault()) } else { Ok(Mac(bytes)) }
    }
}

/// Whose a link is: written as its alias (`IFLA_IFALIAS`), `bayplan:TAG:ID`. `tag` is the state folder's, `id` names
/// the network or the nic within it; a tag has no colon.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mark {
    pub tag: String,
    pub id: String,
}

impl Mark {
    /// The mark that an alias holds; none when it is not one of ours.
    pub fn parse(alias: &str) -> Option<Mark> {
        let (tag, id) = alias.strip_prefix("bayplan:")?.split_once(':')?;
        Some(Mark { tag: tag.to_owned(), id: id.to_owned() })
    }

    /// A number for the link's group (`IFLA_GROUP`), which, unlike the alias, the kernel sets in the same call that
    /// makes the link: a link that a crash left without its alias is still known as ours. Never 0, the default group.
    pub fn group(&self) -> u32 {
        let hash = Sha256::digest(self.to_string());
        u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]) | 0x4000_0000
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bayplan:{}:{}", self.tag, self.id)
    }
}

/// The name of a nic's end on the host: 15 bytes (`IFNAMSIZ` less its NUL), fresh for every incarnation, since a
/// killed container's links go away only some time after it.
pub fn host_nic_name(uuid: uuid::Uuid, incarnation: u64, device: &str) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut hasher = Sha256::new();
    hasher.update(uuid.as_bytes());
    hasher.update(incarnation.to_be_bytes());
    hasher.update(device.as_bytes());
    let digits = hasher.finalize();
    let letters = digits.iter().take(12).map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
    "byp".chars().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mac_is_read_as_it_is_written() {
        let mac: Mac = "00:16:3e:0a:FF:01".parse().unwrap();
        assert_eq!(mac.to_string(), "00:16:3e:0a:ff:01");
        for bad in ["", "00:16:3e:0a:ff", "00:16:3e:0a:ff:01:02", "0:16:3e:0a:ff:011", "00-16-3e-0a-ff-01"] {
            assert!(bad.parse::<Mac>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_mark_is_read_as_it_is_written_and_others_are_none() {
        let mark = Mark { tag: "ab12".into(), id: "net/bay0:x".into() };
        assert_eq!(Mark::parse(&mark.to_string()), Some(mark));
        assert_eq!(Mark::parse("uplink to rack 3"), None);
    }

    #[test]
    fn host_names_fit_and_differ_by_device_and_incarnation() {
        let uuid = uuid::Uuid::from_u128(7);
        let name = host_nic_name(uuid, 1, "eth0");
        assert_eq!(name.len(), 15);
        assert_eq!(name, host_nic_name(uuid, 1, "eth0"));
        assert_ne!(name, host_nic_name(uuid, 2, "eth0"));
        assert_ne!(name, host_nic_name(uuid, 1, "eth1"));
    }
}
