//! What this version supports: one line of documentation, type, default and change class for each name.

use super::value::ValueType;
use super::{Entry, Support};
use crate::model::step::Class;

const U32_MAX: i64 = u32::MAX as i64;

const BOOL: ValueType = ValueType::Bool;
const TEXT: ValueType = ValueType::Text;
const MTU: ValueType = ValueType::Integer { min: 68, max: 65535 };

const fn entry(
    name: &'static str,
    value: ValueType,
    default: Option<&'static str>,
    class: Class,
    about: &'static str,
) -> Entry {
    Entry { name, value, default, class, about, support: Support::Supported }
}

/// Instance keys; a name that ends in `.*` stands for all below it.
pub const INSTANCE: [Entry; 39] = [
    entry(
        "boot.autostart",
        BOOL,
        None,
        Class::Deferred,
        "Start with the host; `state` decides in any case while Bayplan manages it. Absent: as it was when the host went down.",
    ),
    entry(
        "boot.autostart.delay",
        ValueType::Integer { min: 0, max: 86_400 },
        Some("0"),
        Class::Deferred,
        "Seconds to wait after it before the next container starts.",
    ),
    entry(
        "boot.autostart.priority",
        ValueType::Integer { min: i32::MIN as i64, max: i32::MAX as i64 },
        Some("0"),
        Class::Deferred,
        "Containers with a higher number start first.",
    ),
    entry(
        "environment.*",
        TEXT,
        None,
        Class::Live,
        "An environment variable: of init from its next start, of every `exec` at once.",
    ),
    entry(
        "limits.cpu",
        ValueType::Cpus,
        None,
        Class::Live,
        "How many processors, or which ones. A count is balanced over the host's online processors.",
    ),
    entry(
        "limits.cpu.allowance",
        ValueType::CpuAllowance,
        Some("100%"),
        Class::Live,
        "How much of them: a share under contention (`50%`), or a hard quota in each period (`25ms/100ms`).",
    ),
    entry(
        "limits.kernel.as",
        ValueType::Rlimit,
        None,
        Class::Deferred,
        "RLIMIT_AS: bytes of address space of a process; taken at the next start.",
    ),
    entry(
        "limits.kernel.core",
        ValueType::Rlimit,
        None,
        Class::Deferred,
        "RLIMIT_CORE: bytes of a core file; taken at the next start.",
    ),
    entry(
        "limits.kernel.cpu",
        ValueType::Rlimit,
        None,
        Class::Deferred,
        "RLIMIT_CPU: seconds of processor time of a process; taken at the next start.",
    ),
    entry(
        "limits.kernel.data",
        ValueType::Rlimit,
        None,
        Class::Deferred,
        "RLIMIT_DATA: bytes of a process's data; taken at the next start.",
    ),
    entry(
        "limits.kernel.fsize",
        ValueType::Rlimit,
        None,
        Class::Deferred,
        "RLIMIT_FSIZE: bytes of a file that a process writes; taken at the next start.",
    ),
    entry(
        "limits.kernel.locks",
        ValueType::Rlimit,
        None,
        Class::Deferred,
        "RLIMIT_LOCKS: file locks of a process; taken at the next start.",
    ),
    entry(
        "limits.kernel.memlock",
        ValueType::Rlimit,
        None,
        Class::Deferred,
        "RLIMIT_MEMLOCK: bytes of locked memory of a process; taken at the next start.",
    ),
    entry(
        "limits.kernel.msgqueue",
        ValueType::Rlimit,
        None,
        Class::Deferred,
        "RLIMIT_MSGQUEUE: bytes of a user's POSIX message queues; taken at the next start.",
    ),
    entry(
        "limits.kernel.nice",
        ValueType::Rlimit,
        None,
        Class::Deferred,
        "RLIMIT_NICE: the ceiling of a process's nice value, as 20 - nice; taken at the next start.",
    ),
    entry(
        "limits.kernel.nofile",
        ValueType::Rlimit,
        None,
        Class::Deferred,
        "RLIMIT_NOFILE: open files of a process; taken at the next start.",
    ),
    entry(
        "limits.kernel.nproc",
        ValueType::Rlimit,
        None,
        Class::Deferred,
        "RLIMIT_NPROC: processes of a user; taken at the next start.",
    ),
    entry(
        "limits.kernel.rss",
        ValueType::Rlimit,
        None,
        Class::Deferred,
        "RLIMIT_RSS: bytes of resident memory; Linux does not enforce it; taken at the next start.",
    ),
    entry(
        "limits.kernel.rtprio",
        ValueType::Rlimit,
        None,
        Class::Deferred,
        "RLIMIT_RTPRIO: the highest real-time priority; taken at the next start.",
    ),
    entry(
        "limits.kernel.rttime",
        ValueType::Rlimit,
        None,
        Class::Deferred,
        "RLIMIT_RTTIME: microseconds of real-time work without a blocking call; taken at the next start.",
    ),
    entry(
        "limits.kernel.sigpending",
        ValueType::Rlimit,
        None,
        Class::Deferred,
        "RLIMIT_SIGPENDING: a user's queued signals; taken at the next start.",
    ),
    entry(
        "limits.kernel.stack",
        ValueType::Rlimit,
        None,
        Class::Deferred,
        "RLIMIT_STACK: bytes of a process's stack; taken at the next start.",
    ),
    entry(
        "limits.memory",
        ValueType::Memory,
        None,
        Class::Live,
        "The most memory: a size, or a percentage of the host's.",
    ),
    entry(
        "limits.memory.enforce",
        ValueType::Choice(&["hard", "soft"]),
        Some("hard"),
        Class::Live,
        "`hard`: never more than `limits.memory`. `soft`: more while the host has memory to spare.",
    ),
    entry(
        "limits.processes",
        ValueType::Integer { min: 1, max: 4_194_304 },
        None,
        Class::Live,
        "The most processes and threads.",
    ),
    entry(
        "linux.sysctl.*",
        TEXT,
        None,
        Class::Restart,
        "A kernel parameter of the container's own namespaces (`linux.sysctl.net.ipv4.ip_forward`); one of the whole \
         host is refused.",
    ),
    entry(
        "raw.idmap",
        ValueType::RawIdmap,
        None,
        Class::Restart,
        "Ids of the host that stand for themselves inside: lines `both|uid|gid HOST INSIDE`, each an id or a range.",
    ),
    entry(
        "security.idmap.base",
        ValueType::Integer { min: 1, max: U32_MAX - 1 },
        None,
        Class::Restart,
        "The first host id of the container's range. Absent: Bayplan chooses.",
    ),
    entry(
        "security.idmap.isolated",
        BOOL,
        Some("false"),
        Class::Restart,
        "An id range that no other container shares.",
    ),
    entry(
        "security.idmap.size",
        ValueType::Integer { min: 1, max: U32_MAX - 1 },
        None,
        Class::Restart,
        "How many ids the container has. Absent: 65536 when isolated, else all of the host's range.",
    ),
    entry("security.nesting", BOOL, Some("false"), Class::Restart, "Allow containers inside the container."),
    entry(
        "security.privileged",
        BOOL,
        Some("false"),
        Class::Restart,
        "No user namespace: root inside is root of the host. Keep it for what needs it.",
    ),
    entry(
        "security.protection.delete",
        BOOL,
        Some("false"),
        Class::Live,
        "Refuse every plan that would delete or park it: by prune, by `delete`, by the end of an ephemeral run.",
    ),
    entry(
        "security.protection.shift",
        BOOL,
        Some("false"),
        Class::Live,
        "Never shift the ids of its root on disk. That is so in any case: Bayplan shifts by idmapped mounts alone.",
    ),
    entry(
        "security.protection.start",
        BOOL,
        Some("false"),
        Class::Live,
        "Refuse every plan that would start or restart it; one that runs goes on.",
    ),
    entry("user.*", TEXT, None, Class::Live, "Anything; Bayplan stores it and does not look at it."),
    entry(
        "user.network-config",
        TEXT,
        None,
        Class::Live,
        "LXD's old name of cloud-init.network-config; stored, as all of `user.*`.",
    ),
    entry(
        "user.user-data",
        TEXT,
        None,
        Class::Live,
        "LXD's old name of cloud-init.user-data; stored, as all of `user.*`.",
    ),
    entry(
        "user.vendor-data",
        TEXT,
        None,
        Class::Live,
        "LXD's old name of cloud-init.vendor-data; stored, as all of `user.*`.",
    ),
];

pub const DISK: [Entry; 7] = [
    entry(
        "path",
        ValueType::InsidePath,
        None,
        Class::Live,
        "Where it appears inside; `/` is the container's root.",
    ),
    entry(
        "pool",
        ValueType::ObjectName,
        None,
        Class::Live,
        "The storage pool that holds the root (path `/`).",
    ),
    entry("readonly", BOOL, Some("false"), Class::Live, "The container cannot write to it."),
    entry("recursive", BOOL, Some("false"), Class::Live, "With the mounts below the source."),
    entry(
        "required",
        BOOL,
        Some("true"),
        Class::Live,
        "`false`: a missing source is no error, the disk is left out.",
    ),
    entry(
        "shift",
        BOOL,
        Some("false"),
        Class::Live,
        "Ids on the host's disk are the container's ids (an idmapped mount).",
    ),
    entry(
        "source",
        ValueType::HostPath,
        None,
        Class::Live,
        "A folder or file of the host; relative to the manifest's folder.",
    ),
];

const NICTYPE: Entry = entry(
    "nictype",
    ValueType::Choice(&["bridged", "p2p"]),
    None,
    Class::Live,
    "The kind of nic, where `network` does not say it.",
);
const NIC_NAME: Entry = entry(
    "name",
    ValueType::Interface,
    None,
    Class::Live,
    "The interface's name inside. Absent: the device's name if it is ethN, else the next free ethN.",
);
const NIC_HWADDR: Entry = entry(
    "hwaddr",
    ValueType::Mac,
    None,
    Class::Live,
    "Its MAC address. Absent: one that never changes, from machine, container and device.",
);
const NIC_MTU: Entry = entry("mtu", MTU, None, Class::Live, "Its MTU in bytes. Absent: its bridge's.");
const NIC_HOST_NAME: Entry = entry(
    "host_name",
    ValueType::Interface,
    None,
    Class::Live,
    "The host end's name. Absent: a fresh one at each start.",
);
const NIC_IPV4_ROUTES: Entry = entry(
    "ipv4.routes",
    ValueType::Ipv4Nets,
    None,
    Class::Live,
    "Subnets, comma-separated, that the host routes to it.",
);
const NIC_IPV6_ROUTES: Entry = entry(
    "ipv6.routes",
    ValueType::Ipv6Nets,
    None,
    Class::Live,
    "Subnets, comma-separated, that the host routes to it.",
);

pub const NIC_BRIDGED: [Entry; 11] = [
    NIC_HOST_NAME,
    NIC_HWADDR,
    entry(
        "ipv4.address",
        ValueType::Ipv4,
        None,
        Class::Live,
        "Its address in the network's subnet. Absent: the next free one. `none`: without.",
    ),
    entry(
        "ipv4.gateway",
        ValueType::Choice(&["auto", "none"]),
        Some("auto"),
        Class::Live,
        "`none`: no default route over it.",
    ),
    entry(
        "ipv6.address",
        ValueType::Ipv6,
        None,
        Class::Live,
        "Its address in the network's subnet. Absent: the next free one. `none`: without.",
    ),
    entry(
        "ipv6.gateway",
        ValueType::Choice(&["auto", "none"]),
        Some("auto"),
        Class::Live,
        "`none`: no default route over it.",
    ),
    NIC_MTU,
    NIC_NAME,
    entry(
        "network",
        ValueType::ObjectName,
        None,
        Class::Live,
        "The Network whose bridge it is joined to; or `nictype: bridged` with `parent`.",
    ),
    NICTYPE,
    entry(
        "parent",
        ValueType::Interface,
        None,
        Class::Live,
        "A bridge of the host that Bayplan does not manage.",
    ),
];

pub const NIC_P2P: [Entry; 7] =
    [NIC_HOST_NAME, NIC_HWADDR, NIC_IPV4_ROUTES, NIC_IPV6_ROUTES, NIC_MTU, NIC_NAME, NICTYPE];

pub const NETWORK: [Entry; 7] = [
    entry("bridge.hwaddr", ValueType::Mac, None, Class::Live, "The bridge's MAC address."),
    entry(
        "bridge.mtu",
        MTU,
        None,
        Class::Live,
        "The bridge's MTU in bytes. Absent: the least of its ports', 1500 without any.",
    ),
    entry(
        "ipv4.address",
        ValueType::Ipv4Net,
        Some("none"),
        Class::Live,
        "The bridge's address and prefix length, its containers' gateway; `none`: no IPv4.",
    ),
    entry(
        "ipv4.nat",
        BOOL,
        Some("false"),
        Class::Live,
        "Containers reach the world under the host's address.",
    ),
    entry(
        "ipv6.address",
        ValueType::Ipv6Net,
        Some("none"),
        Class::Live,
        "The bridge's address and prefix length, its containers' gateway; `none`: no IPv6.",
    ),
    entry(
        "ipv6.nat",
        BOOL,
        Some("false"),
        Class::Live,
        "Containers reach the world under the host's address.",
    ),
    entry("user.*", TEXT, None, Class::Live, "Anything; Bayplan stores it and does not look at it."),
];
