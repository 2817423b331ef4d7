//! The generation of the kernel's nftables rules: a number that every transaction in a network namespace raises
//! (nft_gen_id in net/netfilter/nf_tables_api.c). While it stands, no rule has changed.

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER};
use std::io;
use std::os::unix::fs::MetadataExt;

/// Rules as they stood at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Generation {
    /// The network namespace, by its inode.
    pub namespace: u64,
    pub number: u32,
}

/// linux/netfilter/nfnetlink.h and nf_tables.h: subsystem 10, NFT_MSG_NEWGEN and NFT_MSG_GETGEN.
const NEW_GENERATION: u16 = 10 << 8 | 15;
const GET_GENERATION: u16 = 10 << 8 | 16;
const NFTA_GEN_ID: u16 = 1;
/// struct nlmsghdr, and struct nfgenmsg behind it.
const HEADER: usize = 16;
const FAMILY_HEADER: usize = 4;

/// The generation in the caller's network namespace.
pub fn now() -> io::Result<Generation> {
    let namespace = std::fs::metadata("/proc/thread-self/ns/net")?.ino();
    let mut socket = Socket::new(NETLINK_NETFILTER)?;
    socket.bind_auto()?;
    socket.send_to(&request(), &SocketAddr::new(0, 0), 0)?;
    let (answer, _) = socket.recv_from_full()?;
    let number = number(&answer).ok_or(io::ErrorKind::InvalidData)?;
    Ok(Generation { namespace, number })
}

fn request() -> Vec<u8> {
    const NLM_F_REQUEST: u16 = 1;
    let mut message = Vec::with_capacity(HEADER + FAMILY_HEADER);
    message.extend(((HEADER + FAMILY_HEADER) as u32).to_ne_bytes());
    message.extend(GET_GENERATION.to_ne_bytes());
    message.extend(NLM_F_REQUEST.to_ne_bytes());
    message.extend([0; 8 + FAMILY_HEADER]);
    message
}

/// The number in the answer; none: it is another message, or cut.
fn number(answer: &[u8]) -> Option<u32> {
    let short = |at: usize| Some(u16::from_ne_bytes(answer.get(at..at + 2)?.try_into().ok()?));
    if short(4)? != NEW_GENERATION {
        return None;
    }
    let mut at = HEADER + FAMILY_HEADER;
    loop {
        let (length, kind) = (usize::from(short(at)?), short(at + 2)?);
        if kind == NFTA_GEN_ID {
            return Some(u32::from_be_bytes(answer.get(at + 4..at + 8)?.try_into().ok()?));
        }
        at += length.max(4).next_multiple_of(4);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_found_behind_other_attributes() {
        let mut answer = vec![0; HEADER + FAMILY_HEADER];
        answer[4..6].copy_from_slice(&NEW_GENERATION.to_ne_bytes());
        answer.extend(6u16.to_ne_bytes());
        answer.extend(3u16.to_ne_bytes());
        answer.extend([b'x', 0, 0, 0]);
        answer.extend(8u16.to_ne_bytes());
        answer.extend(NFTA_GEN_ID.to_ne_bytes());
        answer.extend(7u32.to_be_bytes());
        assert_eq!(number(&answer), Some(7));
        assert_eq!(number(&answer[..24]), None);
        answer[4] = 2; // NLMSG_ERROR
        answer[5] = 0;
        assert_eq!(number(&answer), None);
    }
}
