//! Everything that one incarnation of a container is started with. Starting, rebooting and (later) restoring a
//! checkpoint are three uses of one spec; the runtime adds no choice of its own to it.

use crate::model::id_map::IdMap;
use crate::model::run::Rlimit;
use crate::runtime::cgroup::limits::Limits;
use linux::device_filter;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use uuid::Uuid;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StartSpec {
    /// `records::VERSION`.
    pub version: u32,
    pub boot_id: String,
    /// Counts the starts of this container; cgroup and veth names hold it.
    pub incarnation: u64,
    pub uuid: Uuid,
    pub name: String,
    pub hostname: String,
    /// Program and arguments; empty: the first init found in the rootfs.
    pub init: Vec<String>,
    /// Added to (and stronger than) PATH, TERM, HOME and `container`.
    pub environment: BTreeMap<String, String>,
    /// More variables come by a descriptor, in no file: `secrets::seal`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_secrets: bool,
    pub confinement: Confinement,
    /// Containers inside: no masks that keep proc and sysfs from being mounted again.
    pub nesting: bool,
    /// Relative to every hierarchy's root: `cgroup::container_path`.
    pub cgroup: String,
    /// `cgroup::monitor_path`.
    pub monitor_cgroup: String,
    pub limits: Limits,
    /// By the names of LXD's `limits.kernel.*`: `nofile`, `nproc`, …
    pub rlimits: BTreeMap<String, Rlimit>,
    /// By dotted name: `net.ipv4.ip_forward`.
    pub sysctls: BTreeMap<String, String>,
    /// In this order; each takes the next of the mount fds handed over with the spec.
    pub binds: Vec<Bind>,
    /// Beyond the usual ones.
    pub devices: Vec<DeviceNode>,
    pub masked_paths: Vec<String>,
    pub readonly_paths: Vec<String>,
    /// A compiled filter (`seccomp::cached`); none: no filter.
    pub seccomp_filter: Option<PathBuf>,
    /// console.log and its one predecessor together stay below this.
    pub console_log_bytes: u64,
    /// For a clean stop; none: by the init that runs.
    pub stop_signal: Option<i32>,
    /// What the monitor runs after a reboot from inside while no controller is attached.
    pub on_reboot: Vec<String>,
    /// A checkpoint to restore instead of running init.
    pub checkpoint: Option<PathBuf>,
}

/// Whose root the container's root is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Confinement {
    /// An own user namespace.
    Namespaced { id_map: IdMap },
    /// Root inside is root on the host.
    Privileged,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Bind {
    /// Absolute, inside; made when it is missing.
    pub target: String,
    pub readonly: bool,
}

/// A device that the container has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeviceNode {
    /// Below /dev: `net/tun`.
    pub path: String,
    pub kind: DeviceKind,
    pub major: u32,
    pub minor: u32,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DeviceKind {
    Block,
    Character,
}

impl StartSpec {
    /// The map of a namespaced container.
    pub fn id_map(&self) -> Option<&IdMap> {
        match &self.confinement {
            Confinement::Namespaced { id_map } => Some(id_map),
            Confinement::Privileged => None,
        }
    }

    /// Host uid and gid of root inside.
    pub fn root_ids(&self) -> (u32, u32) {
        root_ids(self.id_map())
    }

    /// Whether somebody inside is the host's root to the kernel: its owner's files and parameters are open to that uid
    /// without any capability.
    pub fn has_host_root(&self) -> bool {
        self.id_map().is_none_or(|map| map.inside_uid(0).is_some())
    }

    /// What may be opened: the usual devices and the spec's own.
    pub fn device_rules(&self) -> Vec<device_filter::Rule> {
        let own = self.devices.iter().map(|node| device_filter::Rule {
            kind: match node.kind {
                DeviceKind::Block => device_filter::Kind::Block,
                DeviceKind::Character => device_filter::Kind::Character,
            },
            major: Some(node.major),
            minor: Some(node.minor),
            access: device_filter::READ | device_filter::WRITE | device_filter::MAKE,
        });
        crate::runtime::devices::usual_rules().into_iter().chain(own).collect()
    }
}

/// Host uid and gid that root inside stands for; without a map the host's root.
pub fn root_ids(id_map: Option<&IdMap>) -> (u32, u32) {
    let Some(map) = id_map else { return (0, 0) };
    (map.host_uid(0).unwrap_or(0), map.host_gid(0).unwrap_or(0))
}
