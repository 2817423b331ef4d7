//! What the host's network can do; `doctor` shows it. Changes nothing.

use super::address::Mark;
use super::nat;
use super::netlink::{Netlink, NetlinkError};
use super::sysctl;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{InfoKind, LinkAttribute, LinkInfo, LinkMessage};
use nix::sched::{CloneFlags, unshare};

/// The host's network, as far as Bayplan needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkFacts {
    /// What `nft --version` says; none: not installed.
    pub nft: Option<String>,
    /// `net.ipv4.ip_forward`; switched on by the first network with NAT.
    pub ipv4_forwarding: bool,
    pub ipv6: bool,
    pub ipv6_forwarding: bool,
    /// Bridged packets pass the host's IP filters (`net.bridge.bridge-nf-call-iptables`).
    pub bridge_netfilter: bool,
    pub bridge: bool,
    pub veth: bool,
}

/// Looks at the host. Bridge and veth are tried in a network namespace of their own, which goes again.
pub fn observe() -> NetworkFacts {
    NetworkFacts {
        nft: nat::version(),
        ipv4_forwarding: sysctl::ipv4_forwarding(),
        ipv6: sysctl::exists("net/ipv6/conf/all/forwarding"),
        ipv6_forwarding: sysctl::ipv6_forwarding(),
        bridge_netfilter: sysctl::is_on("net/bridge/bridge-nf-call-iptables"),
        bridge: can_make(InfoKind::Bridge),
        veth: can_make(InfoKind::Veth),
    }
}

fn can_make(kind: InfoKind) -> bool {
    std::thread::scope(|scope| {
        let attempt = scope.spawn(|| unshare(CloneFlags::CLONE_NEWNET).is_ok() && make(kind).is_ok());
        attempt.join().unwrap_or(false)
    })
}

fn make(kind: InfoKind) -> Result<(), NetlinkError> {
    let mark = Mark { tag: "probe".into(), id: "probe".into() };
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::IfName("probe0".into()));
    message.attributes.push(LinkAttribute::Group(mark.group()));
    message.attributes.push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(kind)]));
    Netlink::open()?.request("probe", RouteNetlinkMessage::NewLink(message), NLM_F_CREATE | NLM_F_EXCL)
}
