//! PURE. Addresses of a network: allocation that is stable by name, and checks.

use ipnet::IpNet;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What is wrong with an address in a subnet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressFault {
    #[error("{address} is outside {subnet}")]
    Outside { address: IpAddr, subnet: IpNet },
    #[error("{address} is the network's own address of {subnet}")]
    Network { address: IpAddr, subnet: IpNet },
    #[error("{address} is the broadcast address of {subnet}")]
    Broadcast { address: IpAddr, subnet: IpNet },
    #[error("{address} is the gateway of {subnet}")]
    Gateway { address: IpAddr, subnet: IpNet },
}

/// Whether a nic may have `address`; `gateway` is the bridge's own address with its prefix.
pub fn check(gateway: IpNet, address: IpAddr) -> Result<(), AddressFault> {
    let subnet = gateway.trunc();
    if !subnet.contains(&address) {
        return Err(AddressFault::Outside { address, subnet });
    }
    if address == gateway.addr() {
        return Err(AddressFault::Gateway { address, subnet });
    }
    let wide = subnet.max_prefix_len() - subnet.prefix_len() > 1;
    if wide && address == subnet.network() {
        return Err(AddressFault::Network { address, subnet });
    }
    if wide && matches!(subnet, IpNet::V4(_)) && address == subnet.broadcast() {
        return Err(AddressFault::Broadcast { address, subnet });
    }
    Ok(())
}

/// Whether two subnets share an address.
pub fn overlaps(left: IpNet, right: IpNet) -> bool {
    left.contains(&right.network()) || right.contains(&left.network())
}

/// A free address for `name` (a container's key and its nic): the same name gets the same address while it is free,
/// else the next free one. None when the subnet is full.
pub fn allocate(gateway: IpNet, taken: &BTreeSet<IpAddr>, name: &str) -> Option<IpAddr> {
    let host_bits = u32::from(gateway.max_prefix_len() - gateway.prefix_len()).min(64);
    let size = 1u128 << host_bits;
    let hash = Sha256::digest(name.as_bytes());
    let start = u128::from(u64::from_be_bytes([
        hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7],
    ])) % size;
    // Of `taken` + gateway + network + broadcast + 1 distinct addresses one is free.
    let probes = size.min(taken.len() as u128 + 4);
    (0..probes)
        .map(|step| nth(gateway, (start + step) % size))
        .find(|address| !taken.contains(address) && check(gateway, *address).is_ok())
}

fn nth(subnet: IpNet, offset: u128) -> IpAddr {
    match subnet.network() {
        // An offset in an IPv4 subnet is below 2^32.
        IpAddr::V4(network) => IpAddr::V4(Ipv4Addr::from(u32::from(network).wrapping_add(offset as u32))),
        IpAddr::V6(network) => IpAddr::V6(Ipv6Addr::from(u128::from(network).wrapping_add(offset))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    #[test]
    fn an_allocation_is_stable_and_avoids_what_is_taken() {
        let gateway = net("10.66.0.1/24");
        let first = allocate(gateway, &BTreeSet::new(), "web-1/eth0").unwrap();
        assert_eq!(allocate(gateway, &BTreeSet::new(), "web-1/eth0"), Some(first));
        let second = allocate(gateway, &BTreeSet::from([first]), "web-1/eth0").unwrap();
        assert_ne!(first, second);
    }

    #[test]
    fn a_small_subnet_fills_up_and_then_gives_none() {
        let gateway = net("10.0.0.1/29");
        let mut taken = BTreeSet::new();
        for index in 0..5 {
            taken.insert(allocate(gateway, &taken, &format!("c{index}")).unwrap());
        }
        assert_eq!(taken.len(), 5);
        assert_eq!(allocate(gateway, &taken, "one-more"), None);
    }

    #[test]
    fn faults_are_told_apart() {
        let gateway = net("10.66.0.1/24");
        let fault = |text: &str| check(gateway, text.parse().unwrap());
        assert!(matches!(fault("10.67.0.1"), Err(AddressFault::Outside { .. })));
        assert!(matches!(fault("10.66.0.0"), Err(AddressFault::Network { .. })));
        assert!(matches!(fault("10.66.0.255"), Err(AddressFault::Broadcast { .. })));
        assert!(matches!(fault("10.66.0.1"), Err(AddressFault::Gateway { .. })));
        assert!(matches!(fault("fd00::1"), Err(AddressFault::Outside { .. })));
        assert_eq!(fault("10.66.0.21"), Ok(()));
    }

    #[test]
    fn subnets_overlap_when_one_holds_the_other() {
        assert!(overlaps(net("10.66.0.1/24"), net("10.66.0.129/25")));
        assert!(!overlaps(net("10.66.0.1/24"), net("10.66.1.1/24")));
        assert!(!overlaps(net("10.66.0.1/8"), net("fd00::1/8")));
    }

    proptest! {
        #[test]
        fn every_allocation_passes_the_check(name in ".{0,20}", prefix in 8u8..31, seed: u32) {
            let gateway = IpNet::new(IpAddr::V4(Ipv4Addr::from(seed)), prefix).unwrap();
            let address = allocate(gateway, &BTreeSet::new(), &name).unwrap();
            prop_assert_eq!(check(gateway, address), Ok(()));
        }
    }
}
