//! How ids inside a user namespace stand for ids on the host.

use serde::{Deserialize, Serialize};

/// One line of /proc/PID/uid_map (user_namespaces(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IdRange {
    /// First id inside the container.
    pub inside: u32,
    /// First id on the host.
    pub outside: u32,
    /// How many ids.
    pub count: u32,
}

/// The id maps of one container; both lists are sorted by `inside` and do not overlap.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IdMap {
    pub uids: Vec<IdRange>,
    pub gids: Vec<IdRange>,
}

impl IdMap {
    /// The plain map: `count` ids from 0 inside stand for `base`… on the host, users and groups alike.
    pub fn contiguous(base: u32, count: u32) -> IdMap {
        let range = IdRange { inside: 0, outside: base, count };
        IdMap { uids: vec![range], gids: vec![range] }
    }

    /// The host's uid for an uid inside, if it is mapped.
    pub fn host_uid(&self, inside: u32) -> Option<u32> {
        host_id(&self.uids, inside)
    }

    /// The uid inside for one of the host, if it is mapped.
    pub fn inside_uid(&self, outside: u32) -> Option<u32> {
        inside_id(&self.uids, outside)
    }

    /// The gid inside for one of the host, if it is mapped.
    pub fn inside_gid(&self, outside: u32) -> Option<u32> {
        inside_id(&self.gids, outside)
    }

    /// The host's gid for a gid inside, if it is mapped.
    pub fn host_gid(&self, inside: u32) -> Option<u32> {
        host_id(&self.gids, inside)
    }
}

fn inside_id(ranges: &[IdRange], outside: u32) -> Option<u32> {
    let covers = |range: &&IdRange| outside >= range.outside && outside - range.outside < range.count;
    ranges.iter().find(covers).map(|range| range.inside + (outside - range.outside))
}

fn host_id(ranges: &[IdRange], inside: u32) -> Option<u32> {
    ranges
        .iter()
        .find(|range| inside >= range.inside && inside - range.inside < range.count)
        .map(|range| range.outside + (inside - range.inside))
}
