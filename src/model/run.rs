//! What the runtime is asked to keep running, with every value typed. The planner makes it from a container, its
//! identity and its networks; the driver only carries it out.

use super::content::{Digest, SecretRef};
use super::id_map::IdMap;
use super::key::Key;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use uuid::Uuid;

/// One container's run: equal values mean that a running incarnation needs no restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContainerRun {
    pub key: Key,
    pub uuid: Uuid,
    /// The pool that holds its root.
    pub pool: String,
    pub hostname: String,
    /// None: privileged, without a user namespace.
    pub id_map: Option<IdMap>,
    /// `security.nesting`.
    pub nesting: bool,
    pub limits: Limits,
    /// `limits.kernel.NAME` → limit; taken at start.
    pub rlimits: BTreeMap<String, Rlimit>,
    /// `linux.sysctl.NAME` → value; taken at start.
    pub sysctls: BTreeMap<String, String>,
    /// `environment.NAME`: init's at start, each exec's at once.
    pub environment: BTreeMap<String, String>,
    /// Variables whose values are secret: where they are, and which value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, SecretUse>,
    pub nics: Vec<Nic>,
    pub disks: Vec<Disk>,
    /// Folders inside that outlive the root.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub persist: BTreeSet<String>,
}

/// A secret that is given to a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretUse {
    pub secret: SecretRef,
    pub digest: Digest,
}

/// What the cgroup enforces; changed live. An absent value is no limit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Limits {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpus: Option<CpuLimit>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_allowance: Option<CpuAllowance>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<MemoryLimit>,
    /// `limits.processes`: the most processes and threads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes: Option<u64>,
}

/// `limits.cpu`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CpuLimit {
    /// That many, balanced over the host's online processors.
    Count(u32),
    /// A set in the kernel's list form, `0-1,3`, sorted and merged.
    Set(String),
}

/// `limits.cpu.allowance`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CpuAllowance {
    /// `50%`: a soft share, in force under contention only.
    Share { percent: u32 },
    /// `25ms/100ms`: a hard quota in each period, in microseconds.
    Quota { quota_us: u64, period_us: u64 },
}

/// `limits.memory` and `limits.memory.enforce`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemoryLimit {
    pub bytes: u64,
    pub enforce: MemoryEnforce,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MemoryEnforce {
    #[default]
    Hard,
    Soft,
}

/// A resource limit of setrlimit(2); None is `unlimited`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rlimit {
    pub soft: Option<u64>,
    pub hard: Option<u64>,
}

/// A network interface of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Nic {
    /// The device's name in the manifest.
    pub device: String,
    /// The interface's name inside.
    pub name: String,
    pub attachment: NicAttachment,
    /// Lower case with colons.
    pub mac: String,
    pub mtu: Option<u32>,
    pub ipv4: Option<Ipv4Net>,
    pub ipv4_gateway: Option<Ipv4Addr>,
    pub ipv6: Option<Ipv6Net>,
    pub ipv6_gateway: Option<Ipv6Addr>,
    /// Networks routed to it from the host (`ipv4.routes`).
    #[serde(default)]
    pub ipv4_routes: Vec<Ipv4Net>,
    #[serde(default)]
    pub ipv6_routes: Vec<Ipv6Net>,
    /// The host end's name, where the manifest fixes it; else fresh at each start.
    pub host_name: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NicAttachment {
    /// A port of this bridge (a managed network's, or one of the host's own by `parent`).
    Bridged { bridge: String },
    /// Host end and container end, nothing else.
    PointToPoint,
}

impl Nic {
    /// Whether it is this one on another bridge, and nothing more.
    pub fn is_moved(&self, other: &Nic) -> bool {
        let are_ports = [self, other].map(|nic| matches!(nic.attachment, NicAttachment::Bridged { .. }));
        are_ports == [true, true]
            && self.attachment != other.attachment
            && *self == Nic { attachment: self.attachment.clone(), ..other.clone() }
    }

    /// What the host is to route to it.
    pub fn routes(&self) -> BTreeSet<IpNet> {
        let ipv4 = self.ipv4_routes.iter().map(|net| IpNet::V4(net.trunc()));
        ipv4.chain(self.ipv6_routes.iter().map(|net| IpNet::V6(net.trunc()))).collect()
    }
}

impl Disk {
    /// Whether it is this one, to be written to as well.
    pub fn is_unlocked_as(&self, other: &Disk) -> bool {
        self.readonly && *other == Disk { readonly: false, ..self.clone() }
    }
}

/// A folder or file of the host inside a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Disk {
    /// The device's name in the manifest.
    pub device: String,
    /// Absolute, on the host.
    pub source: PathBuf,
    /// Absolute, inside.
    pub path: PathBuf,
    pub readonly: bool,
    /// Mounts below the source too.
    pub recursive: bool,
    /// Ids on the host's disk are the container's ids (an idmapped mount).
    pub shift: bool,
    /// False: a missing source is no error.
    pub required: bool,
}
