//! Bridges, nics and nftables in network namespaces of their own: nothing is left on the host.

use crate::product::eventually;
use bayplan::network::address::{Mac, Mark};
use bayplan::network::bridge::{self, BridgeError, BridgeSpec};
use bayplan::network::links::Links;
use bayplan::network::nat::{self, TableState};
use bayplan::network::nic::{self, NicError, NicSpec, Uplink};
use bayplan::network::rename::{self, Named};
use bayplan::network::ruleset::{Difference, TableSpec};
use bayplan::network::{Effect, deviation, facts, inside, sysctl};
use nix::sched::{CloneFlags, unshare};
use std::collections::BTreeSet;
use std::fs::File;
use std::os::fd::AsFd;
use std::process::Command;

/// Runs the test on a thread in a fresh network namespace, which stands for the host's.
fn on_a_fresh_host(test: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let run = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).expect("host tests need root");
            test();
        });
        if let Err(panic) = run.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

/// A network namespace that lives as long as its descriptor; stands for a container's.
fn fresh_netns() -> File {
    std::thread::scope(|scope| {
        scope
            .spawn(|| {
                unshare(CloneFlags::CLONE_NEWNET).unwrap();
                File::open("/proc/thread-self/ns/net").unwrap()
            })
            .join()
            .unwrap()
    })
}

fn ip(arguments: &str) {
    let status = Command::new("ip").args(arguments.split(' ')).status().unwrap();
    assert!(status.success(), "ip {arguments}");
}

fn mark(id: &str) -> Mark {
    Mark { tag: "test".into(), id: id.into() }
}

fn bridge_spec() -> BridgeSpec {
    BridgeSpec {
        name: "bay0".into(),
        mark: mark("bay0"),
        mac: Some(Mac([0x00, 0x16, 0x3e, 1, 2, 3])),
        addresses: ["10.66.0.1/24".parse().unwrap(), "fd42:66::1/64".parse().unwrap()].into(),
        mtu: None,
        up: true,
    }
}

fn nic_spec() -> NicSpec {
    NicSpec {
        host_name: "byptest1".into(),
        mark: mark("web-1.eth0"),
        name: "eth0".into(),
        mac: Mac([0x00, 0x16, 0x3e, 9, 9, 9]),
        mtu: Some(1400),
        uplink: Uplink::Bridge { name: "bay0".into() },
        addresses: ["10.66.0.21/24".parse().unwrap(), "fd42:66::21/64".parse().unwrap()].into(),
        gateways: vec!["10.66.0.1".parse().unwrap(), "fd42:66::1".parse().unwrap()],
    }
}

#[test]
fn a_bridge_is_made_kept_and_removed() {
    on_a_fresh_host(|| {
        let spec = bridge_spec();
        assert_eq!(bridge::ensure(&spec).unwrap(), Effect::Changed);
        assert_eq!(bridge::ensure(&spec).unwrap(), Effect::Unchanged);
        let link = Links::observe().unwrap().get("bay0").cloned().unwrap();
        assert_eq!((link.mark(), link.mac, link.up), (Some(mark("bay0")), spec.mac, true));
        assert_eq!(link.addresses, spec.addresses);

        assert!(deviation::of_bridge(&spec, &Links::observe().unwrap()).is_empty());
        ip("addr del 10.66.0.1/24 dev bay0");
        ip("addr add 10.66.9.1/24 dev bay0");
        ip("link set bay0 down");
        assert_eq!(fields(&deviation::of_bridge(&spec, &Links::observe().unwrap())), ["state", "addresses"]);
        assert_eq!(bridge::ensure(&spec).unwrap(), Effect::Changed);
        assert_eq!(bridge::ensure(&spec).unwrap(), Effect::Unchanged);
        assert_eq!(Links::observe().unwrap().get("bay0").unwrap().addresses, spec.addresses);

        let v4_only = BridgeSpec { addresses: ["10.66.0.1/24".parse().unwrap()].into(), ..spec };
        assert_eq!(bridge::ensure(&v4_only).unwrap(), Effect::Changed);
        assert_eq!(sysctl::read("net/ipv6/conf/bay0/disable_ipv6").unwrap(), "1");
        assert_eq!(bridge::remove("bay0", &mark("bay0")).unwrap(), Effect::Changed);
        assert_eq!(bridge::remove("bay0", &mark("bay0")).unwrap(), Effect::Unchanged);
    });
}

#[test]
fn a_foreign_link_is_neither_taken_nor_removed() {
    on_a_fresh_host(|| {
        ip("link add bay0 type bridge");
        assert!(matches!(bridge::ensure(&bridge_spec()), Err(BridgeError::Foreign { .. })));
        assert!(matches!(bridge::remove("bay0", &mark("bay0")), Err(BridgeError::Foreign { .. })));
        ip("link del bay0");
        bridge::ensure(&bridge_spec()).unwrap();
        ip("link add alien type veth peer name alien2");
        ip("link set alien master bay0");
        assert!(matches!(bridge::remove("bay0", &mark("bay0")), Err(BridgeError::ForeignPorts { .. })));
        assert!(matches!(nic::detach("alien", &mark("x")), Err(NicError::Foreign { .. })));
    });
}

#[test]
fn a_bridge_that_a_crash_left_without_its_alias_is_completed() {
    on_a_fresh_host(|| {
        ip(&format!("link add bay0 group {} type bridge", mark("bay0").group()));
        assert_eq!(bridge::ensure(&bridge_spec()).unwrap(), Effect::Changed);
        assert_eq!(Links::observe().unwrap().get("bay0").unwrap().mark(), Some(mark("bay0")));
    });
}

#[test]
fn a_bridge_gets_another_name_with_all_that_is_on_it() {
    for rename in [rename::rename, rename::rename_while_down] {
        on_a_fresh_host(move || {
            let (from, to) = (named("bay0"), named("lan0"));
            assert_eq!(rename(&from, &to).unwrap(), Effect::Unchanged);
            bridge::ensure(&bridge_spec()).unwrap();
            ip("link set lo up");
            ip("link add port type veth peer name port2");
            ip("link set port master bay0 up");
            ip("link set port2 up");
            ip("addr add fd42:77::1/64 dev bay0 nodad");
            for route in
                ["10.73.9.0/24 dev bay0", "10.73.8.0/24 via 10.66.0.9", "10.73.7.0/24 dev bay0 table 77"]
            {
                ip(&format!("route add {route}"));
            }
            ip("-6 route add fd42:99::/64 via fd42:66::9");
            let all = || {
                let said = |arguments: &str| {
                    let output = Command::new("ip").args(arguments.split(' ')).output().unwrap();
                    String::from_utf8(output.stdout).unwrap().replace("bay0", "NAME").replace("lan0", "NAME")
                };
                let lines = ["route show table all", "-6 route show table all", "-o addr"].map(said).concat();
                let lines =
                    lines.lines().map(|line| line.split(" valid_lft").next().unwrap().trim().to_owned());
                // What the kernel makes itself comes and goes by itself, a moment later.
                lines
                    .filter(|line| !line.contains("fe80") && !line.contains("ff00"))
                    .collect::<BTreeSet<String>>()
            };
            // A local route follows its address a moment later.
            let has_local =
                |address: &str| all().iter().any(|line| line.contains(&format!("local {address} ")));
            eventually(5, "the addresses are in use", || has_local("fd42:66::1") && has_local("fd42:77::1"));
            let (before, index) = (all(), Links::observe().unwrap().get("bay0").unwrap().index);
            assert_eq!(rename(&from, &to).unwrap(), Effect::Changed);
            assert_eq!(rename(&from, &to).unwrap(), Effect::Unchanged);
            let links = Links::observe().unwrap();
            let link = links.get("lan0").unwrap();
            assert_eq!((link.index, link.up, link.mark()), (index, true, Some(mark("lan0"))));
            assert_eq!(link.group, mark("lan0").group());
            assert!(links.get("bay0").is_none() && links.ports(link).any(|port| port.name == "port"));
            eventually(5, "all is as it was", || all() == before);
            ip("link add bay0 type bridge");
            assert!(matches!(rename(&to, &from), Err(BridgeError::Foreign { .. })));
            assert!(Links::observe().unwrap().get("lan0").is_some());
        });
    }
}

fn named(name: &str) -> Named {
    Named { name: name.to_owned(), mark: mark(name) }
}

#[test]
fn a_nic_is_attached_healed_and_detached() {
    on_a_fresh_host(|| {
        let container = fresh_netns();
        let (spec, netns) = (nic_spec(), container.as_fd());
        assert!(matches!(nic::attach(&spec, netns), Err(NicError::NoBridge { .. })));
        bridge::ensure(&bridge_spec()).unwrap();
        assert_eq!(nic::attach(&spec, netns).unwrap(), Effect::Changed);
        assert_eq!(nic::attach(&spec, netns).unwrap(), Effect::Unchanged);
        let seen = inside::observe(netns).unwrap();
        let eth0 = seen.links.get("eth0").unwrap();
        assert_eq!((eth0.mac, eth0.mtu, eth0.up), (Some(spec.mac), 1400, true));
        assert_eq!(eth0.addresses, spec.addresses);
        assert_eq!(seen.gateways, spec.gateways.iter().copied().collect());
        let links = Links::observe().unwrap();
        let names: Vec<_> = links.of_tag("test").map(|(_, link)| link.name.as_str()).collect();
        assert_eq!(names, ["bay0", "byptest1"]);
        assert_eq!(links.ports(links.get("bay0").unwrap()).count(), 1);

        ip("link set byptest1 nomaster");
        let off = deviation::of_host_end(&spec, &Links::observe().unwrap());
        assert_eq!((off.len(), off[0].field, off[0].found.as_str()), (1, "bridge", "none"));
        assert_eq!(nic::attach(&spec, netns).unwrap(), Effect::Changed);
        assert!(deviation::of_host_end(&spec, &Links::observe().unwrap()).is_empty());
        assert!(deviation::of_inner_end(&spec, &inside::observe(netns).unwrap()).is_empty());
        ip("link del bay0");
        assert_eq!(fields(&deviation::of_host_end(&spec, &Links::observe().unwrap())), ["bridge"]);
        bridge::ensure(&bridge_spec()).unwrap();
        assert_eq!(nic::attach(&spec, netns).unwrap(), Effect::Changed);
        ip("link del byptest1");
        assert_eq!(fields(&deviation::of_host_end(&spec, &Links::observe().unwrap())), ["link"]);
        assert_eq!(fields(&deviation::of_inner_end(&spec, &inside::observe(netns).unwrap())), ["link"]);
        assert_eq!(nic::attach(&spec, netns).unwrap(), Effect::Changed);
        assert_eq!(nic::attach(&spec, netns).unwrap(), Effect::Unchanged);
        assert_eq!(nic::detach("byptest1", &spec.mark).unwrap(), Effect::Changed);
        assert_eq!(nic::detach("byptest1", &spec.mark).unwrap(), Effect::Unchanged);
        assert!(inside::observe(netns).unwrap().links.get("eth0").is_none());
    });
}

/// Drift made by the container's own root, seen from inside and repaired.
#[test]
fn what_a_container_changes_on_its_nic_is_seen_and_set_back() {
    on_a_fresh_host(|| {
        let container = fresh_netns();
        let (spec, netns) = (nic_spec(), container.as_fd());
        bridge::ensure(&bridge_spec()).unwrap();
        nic::attach(&spec, netns).unwrap();
        let changes = ["addr add 10.66.0.99/24 dev eth0", "route del default", "link set eth0 mtu 1280"];
        let fields_after = [&["addresses"][..], &["addresses", "gateway"], &["mtu", "addresses", "gateway"]];
        for (change, expected) in changes.iter().zip(fields_after) {
            bayplan::network::netlink::in_netns(netns, || ip(change)).unwrap();
            assert_eq!(fields(&deviation::of_inner_end(&spec, &inside::observe(netns).unwrap())), expected);
        }
        assert_eq!(nic::attach(&spec, netns).unwrap(), Effect::Changed);
        assert!(deviation::of_inner_end(&spec, &inside::observe(netns).unwrap()).is_empty());
        assert_eq!(nic::attach(&spec, netns).unwrap(), Effect::Unchanged);
    });
}

fn fields(deviations: &[deviation::Deviation]) -> Vec<&'static str> {
    deviations.iter().map(|deviation| deviation.field).collect()
}

#[test]
fn a_container_reaches_its_gateway_and_another_container() {
    on_a_fresh_host(|| {
        bridge::ensure(&bridge_spec()).unwrap();
        let (first, second) = (fresh_netns(), fresh_netns());
        nic::attach(&nic_spec(), first.as_fd()).unwrap();
        let other = NicSpec {
            host_name: "byptest2".into(),
            mark: mark("web-2.eth0"),
            mac: Mac([0x00, 0x16, 0x3e, 9, 9, 8]),
            addresses: ["10.66.0.22/24".parse().unwrap()].into(),
            ..nic_spec()
        };
        nic::attach(&other, second.as_fd()).unwrap();
        assert_eq!(inside::loopback_up(first.as_fd()).unwrap(), Effect::Changed);
        for target in ["10.66.0.1", "10.66.0.22"] {
            assert!(answers(&first, target), "{target}");
        }
    });
}

/// A datagram to a closed port is answered by ICMP, which shows as "connection refused".
fn answers(netns: &File, target: &str) -> bool {
    bayplan::network::netlink::in_netns(netns.as_fd(), || {
        let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
        socket.set_read_timeout(Some(std::time::Duration::from_secs(3))).unwrap();
        socket.connect((target, 9)).unwrap();
        socket.send(b"?").unwrap();
        let answer = socket.recv(&mut [0; 8]).unwrap_err();
        answer.kind() == std::io::ErrorKind::ConnectionRefused
    })
    .unwrap()
}

#[test]
fn a_point_to_point_nic_is_routed() {
    on_a_fresh_host(|| {
        let container = fresh_netns();
        let spec = NicSpec {
            uplink: Uplink::PointToPoint { routes: ["10.9.0.5/32".parse().unwrap()].into() },
            addresses: ["10.9.0.5/32".parse().unwrap()].into(),
            gateways: vec!["169.254.0.1".parse().unwrap()],
            ..nic_spec()
        };
        assert_eq!(nic::attach(&spec, container.as_fd()).unwrap(), Effect::Changed);
        ip(&format!("addr add 169.254.0.1/32 dev {}", spec.host_name));
        assert_eq!(nic::attach(&spec, container.as_fd()).unwrap(), Effect::Unchanged);
        assert!(answers(&container, "169.254.0.1"));
        ip(&format!("route del 10.9.0.5/32 dev {}", spec.host_name));
        assert_eq!(nic::attach(&spec, container.as_fd()).unwrap(), Effect::Changed);
        assert!(answers(&container, "169.254.0.1"), "the route is back, and the host's own address was left");
    });
}

#[test]
fn a_table_is_made_its_loss_is_seen_and_it_is_removed() {
    on_a_fresh_host(|| {
        let spec = TableSpec {
            table: "bayplan_test_bay0".into(),
            bridge: "bay0".into(),
            masquerade: vec!["10.66.0.1/24".parse().unwrap(), "fd42:66::1/64".parse().unwrap()],
        };
        assert_eq!(nat::observe(&spec).unwrap(), TableState::Absent);
        assert_eq!(nat::ensure(&spec).unwrap(), Effect::Changed);
        assert_eq!(nat::observe(&spec).unwrap(), TableState::Present(Difference::None));
        assert_eq!(nat::ensure(&spec).unwrap(), Effect::Unchanged);
        nft("flush table inet bayplan_test_bay0");
        let flushed = TableState::Present(Difference::Changed { missing: 4, surplus: 0 });
        assert_eq!(nat::observe(&spec).unwrap(), flushed);
        assert_eq!(nat::ensure(&spec).unwrap(), Effect::Changed);
        nft("add table inet other");
        nft("flush ruleset");
        assert_eq!(nat::observe(&spec).unwrap(), TableState::Absent);
        assert_eq!(nat::ensure(&spec).unwrap(), Effect::Changed);
        assert_eq!(nat::tables("bayplan_test_").unwrap(), ["bayplan_test_bay0"]);
        assert_eq!(nat::remove(&spec.table).unwrap(), Effect::Changed);
        assert_eq!(nat::remove(&spec.table).unwrap(), Effect::Unchanged);
    });
}

fn nft(command: &str) {
    let status = Command::new("nft").args(command.split(' ')).status().unwrap();
    assert!(status.success(), "nft {command}");
}

#[test]
fn forwarding_is_switched_on_once() {
    on_a_fresh_host(|| {
        sysctl::ensure("net/ipv4/ip_forward", "0").unwrap();
        assert_eq!(sysctl::ensure_ipv4_forwarding().unwrap(), Effect::Changed);
        assert_eq!(sysctl::ensure_ipv4_forwarding().unwrap(), Effect::Unchanged);
        sysctl::ensure_ipv6_forwarding().unwrap();
        assert_eq!(sysctl::ensure_ipv6_forwarding().unwrap(), Effect::Unchanged);
    });
}

#[test]
fn facts_tell_what_this_host_has() {
    let facts = facts::observe();
    assert!(facts.bridge && facts.veth && facts.nft.is_some(), "{facts:?}");
    assert!(Links::observe().unwrap().get("probe0").is_none());
}

/// Dumps that others disturb are made again; names and indexes of others do no harm.
#[test]
fn many_nics_are_attached_at_once() {
    on_a_fresh_host(|| {
        bridge::ensure(&bridge_spec()).unwrap();
        let host = File::open("/proc/thread-self/ns/net").unwrap();
        let containers: Vec<File> = (0..40).map(|_| fresh_netns()).collect();
        std::thread::scope(|scope| {
            for (worker, share) in containers.chunks(10).enumerate() {
                let host = &host;
                scope.spawn(move || {
                    nix::sched::setns(host, CloneFlags::CLONE_NEWNET).unwrap();
                    for (index, container) in share.iter().enumerate() {
                        let id = worker * 10 + index;
                        let spec = NicSpec {
                            host_name: format!("byptest{id}"),
                            mark: mark(&format!("c{id}.eth0")),
                            mac: Mac([0, 0x16, 0x3e, 0, 0, u8::try_from(id).unwrap()]),
                            addresses: [format!("10.66.0.{}/24", id + 10).parse().unwrap()].into(),
                            ..nic_spec()
                        };
                        assert_eq!(nic::attach(&spec, container.as_fd()).unwrap(), Effect::Changed);
                    }
                });
            }
        });
        let links = Links::observe().unwrap();
        assert_eq!(links.ports(links.get("bay0").unwrap()).count(), 40);
    });
}
