//! Which addresses of a subnet a container can have.

use ipnet::IpNet;
use std::net::IpAddr;

/// Why no container on the network can have the address, and what to do.
pub fn misfit(network: &str, subnet: IpNet, address: IpAddr) -> Option<(String, String)> {
    if !subnet.contains(&address) {
        let message = format!("{address} is outside {} of network `{network}`", subnet.trunc());
        return Some((message, format!("choose one of {}", subnet.trunc())));
    }
    let is_own = address == subnet.network() || (address.is_ipv4() && address == subnet.broadcast());
    is_own.then(|| (format!("{address} is the subnet's own address, no host's"), "choose another".to_owned()))
}
