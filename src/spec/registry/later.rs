//! Names that LXD and Incus know and this version refuses by name. Taken from Incus 7.3 and LXD 6.9; a closing `!`
//! marks what they change live. `tests/it/registry.rs` holds these lists against `tests/it/reference-keys.txt`.

const VIRTUAL_MACHINES: &str = "it is for virtual machines, which Bayplan does not run";
const CLUSTERS: &str = "it is for clusters; Bayplan runs one host";

/// Names that share one reason for not being supported.
pub struct Group {
    /// None: not supported yet.
    pub reason: Option<&'static str>,
    pub names: &'static str,
}

pub const INSTANCE: [Group; 5] = [
    Group {
        reason: None,
        names: "boot.autorestart boot.host_shutdown_action! boot.host_shutdown_timeout! boot.stop.priority \
     cloud-init.network-config cloud-init.ssh-keys.KEYNAME cloud-init.user-data \
     cloud-init.vendor-data limits.cpu.nodes! limits.cpu.priority! limits.disk.priority! \
     limits.hugepages.1GB! limits.hugepages.1MB! limits.hugepages.2MB! limits.hugepages.64KB! \
     limits.memory.oom_priority! limits.memory.swap! limits.memory.swap.priority! \
     linux.kernel_modules! linux.kernel_modules.load migration.incremental.memory! \
     migration.incremental.memory.goal! migration.incremental.memory.iterations! migration.stateful \
     nvidia.driver.capabilities nvidia.require.cuda nvidia.require.driver nvidia.runtime oci.cwd \
     oci.dns.domain oci.dns.nameservers oci.dns.search oci.entrypoint oci.gid oci.uid raw.apparmor! \
     raw.seccomp security.bpffs.delegate_attachs security.bpffs.delegate_cmds \
     security.bpffs.delegate_maps security.bpffs.delegate_progs security.bpffs.path \
     security.delegate_bpf security.delegate_bpf.attach_types security.delegate_bpf.cmd_types \
     security.delegate_bpf.map_types security.delegate_bpf.prog_types security.devlxd \
     security.devlxd.images! security.devlxd.management.volumes! security.guestapi \
     security.guestapi.images security.selinux.domain security.selinux.label_rootfs \
     security.selinux.level security.selinux.type security.syscalls.allow security.syscalls.deny \
     security.syscalls.deny_compat security.syscalls.deny_default security.syscalls.intercept.bpf \
     security.syscalls.intercept.bpf.devices security.syscalls.intercept.mknod \
     security.syscalls.intercept.mount security.syscalls.intercept.mount.allowed! \
     security.syscalls.intercept.mount.fuse! security.syscalls.intercept.mount.shift! \
     security.syscalls.intercept.sched_setscheduler security.syscalls.intercept.setxattr \
     security.syscalls.intercept.sysinfo snapshots.expiry snapshots.expiry.manual snapshots.pattern \
     snapshots.schedule snapshots.schedule.stopped systemd.credential-binary.*! systemd.credential.*! \
     ubuntu_pro.guest_attach",
    },
    Group {
        reason: Some(VIRTUAL_MACHINES),
        names: "agent.nic_config boot.debug_edk2 boot.mode limits.cpu.pin_strategy limits.max_bus_ports \
     limits.memory.hotplug! limits.memory.hugepages raw.qemu raw.qemu.conf raw.qemu.qmp.early \
     raw.qemu.qmp.post-start raw.qemu.qmp.pre-start raw.qemu.scriptlet security.agent.metrics \
     security.csm security.iommu security.secureboot security.sev security.sev.policy.es \
     security.sev.session.data security.sev.session.dh smbios11.*!",
    },
    Group { reason: Some(CLUSTERS), names: "cluster.evacuate placement.group!" },
    Group {
        reason: Some("it is LXD's own record; Bayplan keeps its records itself"),
        names: "volatile.<name>.apply_quota volatile.<name>.bus volatile.<name>.ceph_rbd \
     volatile.<name>.devlxd.owner volatile.<name>.host_name volatile.<name>.hwaddr \
     volatile.<name>.io.bus volatile.<name>.last_state.created volatile.<name>.last_state.hwaddr \
     volatile.<name>.last_state.ip_addresses volatile.<name>.last_state.mtu \
     volatile.<name>.last_state.pci.driver volatile.<name>.last_state.pci.parent \
     volatile.<name>.last_state.pci.slot.name volatile.<name>.last_state.usb.bus \
     volatile.<name>.last_state.usb.device volatile.<name>.last_state.vdpa.name \
     volatile.<name>.last_state.vf.hwaddr volatile.<name>.last_state.vf.id \
     volatile.<name>.last_state.vf.parent volatile.<name>.last_state.vf.spoofcheck \
     volatile.<name>.last_state.vf.trusted volatile.<name>.last_state.vf.vlan \
     volatile.<name>.mig.uuid volatile.<name>.name volatile.<name>.vgpu.uuid volatile.apply_nvram \
     volatile.apply_template volatile.attached_volumes volatile.base_image volatile.bus.mode \
     volatile.cloud-init.instance-id volatile.cloud_init.instance-id volatile.cluster.group \
     volatile.container.oci volatile.cpu.nodes volatile.evacuate.origin volatile.idmap.base \
     volatile.idmap.current volatile.idmap.next volatile.last_state.agent volatile.last_state.idmap \
     volatile.last_state.power volatile.last_state.ready volatile.rebalance.last_move volatile.uuid \
     volatile.uuid.generation volatile.vm.boot_state volatile.vm.needs_reset \
     volatile.vm.rtc_adjustment volatile.vm.rtc_offset volatile.vsock_id",
    },
    Group { reason: Some("it is for liblxc, which Bayplan does not use"), names: "raw.lxc" },
];

/// What containers never have of a device: the device or its class, the reason, the options (none: all).
const NEVER: [(&str, &str, &[&str]); 7] = [
    ("disk", VIRTUAL_MACHINES, &["boot.priority", "io.bus", "io.cache", "io.threads", "size.state", "wwn"]),
    ("disk", CLUSTERS, &["ceph.cluster_name", "ceph.user_name"]),
    ("gpu/mdev", VIRTUAL_MACHINES, &[]),
    ("gpu/native_context", VIRTUAL_MACHINES, &[]),
    ("gpu/sriov", VIRTUAL_MACHINES, &[]),
    ("nic", VIRTUAL_MACHINES, &["boot.priority", "io.bus"]),
    ("pci", VIRTUAL_MACHINES, &[]),
];

/// Why a device of a container never has an option; None: it may have it one day.
pub fn never(device: &str, option: &str) -> Option<&'static str> {
    let is_of = |whole: &str| device == whole || device.split('/').next() == Some(whole);
    let rules = NEVER.iter().filter(|(whole, ..)| is_of(whole));
    let mut rules = rules.filter(|(.., options)| options.is_empty() || options.contains(&option));
    rules.next().map(|(_, reason, _)| *reason)
}

/// Device type (`nic/NICTYPE`) → the options that are refused; for types that are refused as a whole, all of them.
pub const DEVICES: [(&str, &str); 22] = [
    (
        "disk",
        "attached boot.priority ceph.cluster_name ceph.user_name dependent initial.* io.bus io.cache \
     io.threads limits.max limits.max.burst limits.max.burst.length limits.read limits.read.burst \
     limits.read.burst.length limits.write limits.write.burst limits.write.burst.length propagation \
     raw.mount.options size size.state source.snapshot source.type wwn",
    ),
    ("gpu/mdev", "gputype id mdev pci productid vendorid"),
    ("gpu/mig", "gputype id mig.ci mig.gi mig.uuid pci productid vendorid"),
    ("gpu/native_context", "gputype blob.size id pci productid vendorid"),
    ("gpu/physical", "gputype gid id mode pci productid uid vendorid"),
    ("gpu/sriov", "gputype id pci productid vendorid"),
    ("infiniband", "hwaddr mtu name nictype node_guid parent port_guid"),
    (
        "nic/bridged",
        "attached boot.priority connected io.bus ipv4.routes ipv4.routes.external ipv6.routes \
     ipv6.routes.external limits.egress limits.ingress limits.max limits.priority queue.tx.length security.acls \
     security.acls.default.egress.action security.acls.default.egress.logged \
     security.acls.default.ingress.action security.acls.default.ingress.logged \
     security.ipv4_filtering security.ipv6_filtering security.mac_filtering security.port_isolation \
     vlan vlan.tagged",
    ),
    (
        "nic/ipvlan",
        "nictype attached gvrp hwaddr ipv4.address ipv4.gateway ipv4.host_table ipv6.address ipv6.gateway \
     ipv6.host_table mode mtu name parent vlan",
    ),
    (
        "nic/macvlan",
        "nictype attached boot.priority connected gvrp hwaddr io.bus mode mtu name network parent vlan",
    ),
    (
        "nic/ovn",
        "nictype acceleration acceleration.parent attached boot.priority connected host_name hwaddr io.bus \
     ipv4.address ipv4.address.external ipv4.gateway ipv4.routes ipv4.routes.external ipv6.address \
     ipv6.address.external ipv6.gateway ipv6.routes ipv6.routes.external limits.egress limits.ingress \
     limits.max limits.priority mtu name nested network security.acls \
     security.acls.default.egress.action security.acls.default.egress.logged \
     security.acls.default.ingress.action security.acls.default.ingress.logged security.promiscuous \
     vlan",
    ),
    (
        "nic/p2p",
        "attached boot.priority connected io.bus limits.egress limits.ingress limits.max limits.priority \
     queue.tx.length",
    ),
    ("nic/physical", "nictype attached boot.priority gvrp hwaddr mtu name network parent vlan vlan.tagged"),
    (
        "nic/routed",
        "nictype attached connected gvrp host_name hwaddr io.bus ipv4.address ipv4.gateway ipv4.host_address \
     ipv4.host_table ipv4.host_tables ipv4.neighbor_probe ipv4.routes ipv6.address ipv6.gateway \
     ipv6.host_address ipv6.host_table ipv6.host_tables ipv6.neighbor_probe ipv6.routes limits.egress \
     limits.ingress limits.max limits.priority mtu name parent queue.tx.length vlan vrf",
    ),
    (
        "nic/sriov",
        "nictype attached boot.priority hwaddr mtu name network parent pci productid security.mac_filtering \
     security.trusted vendorid vlan",
    ),
    ("pci", "address firmware"),
    ("proxy", "bind connect gid listen mode nat proxy_protocol security.gid security.uid uid"),
    ("tpm", "path pathrm"),
    ("unix-block", "gid limits.read limits.write major minor mode path required source uid"),
    ("unix-char", "gid limits.read limits.write major minor mode path required source uid"),
    ("unix-hotplug", "gid mode ownership.inherit pci productid required subsystem uid vendorid"),
    ("usb", "attached busnum devnum gid mode productid required serial uid vendorid"),
];

pub const NETWORK: &str = "bgp.ipv4.instances bgp.ipv4.nexthop bgp.ipv6.instances bgp.ipv6.nexthop bgp.peers.NAME.address \
     bgp.peers.NAME.asn bgp.peers.NAME.holdtime bgp.peers.NAME.interface bgp.peers.NAME.password \
     bridge.driver bridge.external_interfaces bridge.mode bridge.multicast_snooping dns.domain \
     dns.mode dns.nameservers dns.search dns.zone.forward dns.zone.reverse.ipv4 dns.zone.reverse.ipv6 \
     fan.overlay_subnet fan.underlay_subnet ipv4.dhcp ipv4.dhcp.expiry ipv4.dhcp.gateway \
     ipv4.dhcp.ranges ipv4.dhcp.routes ipv4.firewall ipv4.nat.address ipv4.nat.order ipv4.ovn.ranges \
     ipv4.routes ipv4.routing ipv6.dhcp ipv6.dhcp.expiry ipv6.dhcp.ranges ipv6.dhcp.stateful \
     ipv6.firewall ipv6.nat.address ipv6.nat.order ipv6.ovn.ranges ipv6.ra ipv6.routes ipv6.routing \
     raw.dnsmasq security.acls security.acls.default.egress.action \
     security.acls.default.egress.logged security.acls.default.ingress.action \
     security.acls.default.ingress.logged tunnel.NAME.group tunnel.NAME.id tunnel.NAME.interface \
     tunnel.NAME.local tunnel.NAME.port tunnel.NAME.protocol tunnel.NAME.remote tunnel.NAME.ttl";

pub const POOL: &str = "rsync.bwlimit rsync.compression source.recover";
