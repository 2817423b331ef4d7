//! What the host really has, read back from the kernel and from storage, with the records beside it.

use super::content::Digest;
use super::key::Key;
use super::record::{Record, RootIdentity};
use super::run::{ContainerRun, Limits};
use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// One look at the host. Partial where the scope was partial.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Observed {
    pub host: Host,
    pub records: BTreeMap<Key, Record>,
    /// By fingerprint.
    pub images: BTreeMap<String, ImageFacts>,
    /// By the pool's name.
    pub pools: BTreeMap<String, PoolFacts>,
    /// By the interface's name: our bridges, and any link that bears a name that a record or scope asks for.
    pub networks: BTreeMap<String, NetworkFacts>,
    /// Roots, running inits and exits of this state folder, by uuid; those without a record too.
    pub containers: BTreeMap<Uuid, ContainerFacts>,
}

/// What plans depend on about the machine itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Host {
    /// /etc/machine-id.
    pub machine_id: String,
    pub hostname: String,
    /// Debian's word: `amd64`.
    pub architecture: String,
    /// Online processors.
    pub cpus: u32,
    /// In bytes.
    pub memory: u64,
    pub user_namespaces: bool,
    /// Usable cgroup controllers: cpu, cpuset, memory, pids, devices, freezer.
    pub controllers: BTreeSet<String>,
    /// Ids that containers may have: root's lines in /etc/subuid and /etc/subgid, both at once.
    pub id_ranges: Vec<IdSpan>,
    /// Ids taken by others: LXD, other state folders, running uid_maps that are not ours.
    pub ids_taken: Vec<IdSpan>,
    /// `limits.kernel.` names → the highest hard limit that may be set; None is unlimited. Absent: unlimited.
    pub rlimit_ceilings: BTreeMap<String, Option<u64>>,
    /// Subnets on links that are not ours.
    pub foreign_subnets: Vec<IpNet>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IdSpan {
    pub first: u32,
    pub count: u32,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageFacts {
    /// In bytes.
    pub size: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PoolFacts {
    /// Its folder.
    pub source: String,
    /// Whether something is mounted just there: the folder cannot have another name then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_mount_point: bool,
    /// In bytes.
    pub free: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkFacts {
    /// False: a link of that name that is not ours.
    pub ours: bool,
    pub up: bool,
    pub mtu: u32,
    /// The least of its ports; none: it has no port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port_mtu: Option<u32>,
    pub addresses: BTreeSet<IpNet>,
    /// Whether the kernel's NAT and forward rules are the ones that [`super::step::BridgeNetwork`] asks for: the
    /// digest of what was found, equal to `BridgeNetwork::rules_digest` when intact, empty when there are none.
    pub rules: String,
    /// Whether the host routes between its networks for each address family of the bridge (`net.ipv4.ip_forward`,
    /// `net.ipv6.conf.all.forwarding`): a setting of the whole host, which others turn off.
    pub forwarding: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerFacts {
    pub root: Option<RootFacts>,
    pub run: Option<RunFacts>,
    /// How the last incarnation ended, while none runs.
    pub exit: Option<ExitFacts>,
    /// What is at the paths of its declared and its written files; a path that was not looked at has no entry.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, FileFacts>,
}

/// What is at a path inside a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FileFacts {
    Missing,
    Regular(RegularFile),
    /// Something that is no regular file, in a word: `folder`, `link`.
    Other(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RegularFile {
    pub digest: Digest,
    /// Four octal digits.
    pub mode: String,
    /// The owner's number, and every name that the container's /etc/passwd has for it.
    pub owner: BTreeSet<String>,
    /// The same of the group, by /etc/group.
    pub group: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RootFacts {
    pub pool: String,
    pub identity: RootIdentity,
    /// Whether the image content below it is still in the store.
    pub image_present: bool,
    /// The content of a root that was made to take its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The content of the root whose place it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced: Option<String>,
    /// The folders inside that outlive the root.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub persisted: BTreeSet<String>,
}

impl RootFacts {
    /// The contents that its roots stand on.
    pub fn contents(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.identity.fingerprint).chain(&self.next).chain(&self.replaced)
    }
}

/// Of which root is asked what would be lost with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootQuery {
    pub pool: String,
    pub uuid: Uuid,
    /// Paths inside that are kept, or written anew: they and what is below them do not count.
    pub except: BTreeSet<String>,
}

/// What was written or removed in a root since it was made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dropped {
    /// Files, links and the like; folders do not count.
    pub count: u64,
    /// The first of them, in order.
    pub some: Vec<String>,
}

impl Dropped {
    /// So many are named.
    pub const NAMED: usize = 8;

    /// Counts one more; they come in order.
    pub fn add(&mut self, path: &str) {
        self.count += 1;
        if self.some.len() < Dropped::NAMED {
            self.some.push(path.to_owned());
        }
    }
}

impl RootQuery {
    /// Whether a path does not count.
    pub fn excepts(&self, path: &str) -> bool {
        let below =
            |folder: &String| path.strip_prefix(folder.as_str()).is_some_and(|rest| rest.starts_with('/'));
        self.except.contains(path) || self.except.iter().any(below)
    }
}

/// A live init.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunFacts {
    pub pid: u32,
    pub incarnation: u64,
    /// What this incarnation was asked to be, with later live changes written through.
    pub run: ContainerRun,
    /// Whether its monitor lives.
    pub supervised: bool,
    pub frozen: bool,
    /// Whether init is in its cgroup.
    pub in_cgroup: bool,
    /// Whether the image content below its root was lost while it ran: it lacks those files until it is restarted, even
    /// if the content was made anew.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub root_lost: bool,
    /// As the kernel enforces them now; `CpuLimit::Count` where the set in force is one that the count gives.
    pub limits: Limits,
    /// By device name; a missing device has no entry.
    pub nics: BTreeMap<String, NicFacts>,
    /// Devices whose mount stands inside.
    pub disks: BTreeSet<String>,
    /// Those of them that can be written to, though read-only ones were asked for.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unlocked_disks: BTreeSet<String>,
    /// The folders that outlive its root and stand inside.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub persisted: BTreeSet<String>,
    pub usage: Usage,
}

/// A nic whose both ends exist.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NicFacts {
    pub host_name: String,
    /// The bridge that it is a port of.
    pub bridge: Option<String>,
    pub up: bool,
    /// Of one that is on no bridge: what the host routes to it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub routes: BTreeSet<IpNet>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// In bytes.
    pub memory: u64,
    pub processes: u64,
    /// Processor time in nanoseconds.
    pub cpu_ns: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExitFacts {
    pub incarnation: u64,
    pub cause: ExitCause,
    /// Exit status, or 128 + signal.
    pub status: Option<i32>,
    pub at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExitCause {
    PowerOff,
    Reboot,
    Killed,
    Failed,
    Oom,
    /// The monitor was gone, or the machine restarted.
    Unknown,
}
