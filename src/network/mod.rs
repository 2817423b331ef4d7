//! The host's networks: bridges, nics of containers, our own nftables tables, addresses.
//!
//! ```text
//! pure     address (MACs, ownership marks, names)   ipam   ruleset (JSON for nft)   deviation
//! effects  netlink ◄── links (one dump) ◄── bridge, nic, rename   nat ──► nft        sysctl   resolver   facts
//!          service (a connection inside) ◄── http
//! ```
//!
//! Decides nothing: what should be is an argument. Never touches a link or table that does not bear our mark.

pub mod address;
pub mod bridge;
pub mod deviation;
pub mod facts;
pub mod generation;
pub mod http;
pub mod inside;
pub mod ipam;
pub mod links;
pub mod nat;
pub mod netlink;
pub mod nic;
pub mod rename;
pub mod resolver;
pub mod ruleset;
pub mod service;
pub mod sysctl;

/// What an effect did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Changed,
    Unchanged,
}

impl Effect {
    /// Changed when either is.
    pub fn and(self, other: Effect) -> Effect {
        if self == Effect::Changed { self } else { other }
    }
}
