//! Each supported config key and device option is in force, read back from the kernel.

use crate::product::{Product, skipped};
use std::fs;
use std::process::Command;

#[test]
fn limits_environment_and_ids_are_in_force_inside() {
    let product = Product::new();
    let a = "config: {environment.COLOUR: blue, limits.cpu: 0-0, limits.cpu.allowance: 25ms/100ms, \
             limits.memory: 64MiB, limits.processes: 100, limits.kernel.nofile: 512:1024, \
             linux.sysctl.net.ipv4.ip_forward: \"1\", user.note: hello}";
    product.declare(&(product.base() + &Product::container("a", a)));
    product.apply().expect(0);

    assert_eq!(product.inside("a", "echo $COLOUR"), "blue");
    let pid = product.pid("a");
    let environment = fs::read_to_string(format!("/proc/{pid}/environ")).unwrap();
    assert!(environment.split('\0').any(|word| word == "COLOUR=blue"), "init has it too: {environment:?}");
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    assert!(status.lines().any(|line| line.split_whitespace().eq(["Cpus_allowed_list:", "0"])), "{status}");
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let open_files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert!(open_files.split_whitespace().skip(3).take(2).eq(["512", "1024"]), "{open_files}");
    assert_eq!(product.inside("a", "cat /proc/sys/net/ipv4/ip_forward"), "1");
    assert_eq!(product.inside("a", "ulimit -n"), "512");
    let map = product.inside("a", "cat /proc/self/uid_map");
    let words: Vec<&str> = map.split_whitespace().collect();
    assert_eq!((words[0], words[2]), ("0", "65536"));
    assert_ne!(words[1], "0", "root inside is not root outside");
    assert_eq!(limit(&product, "a", "memory", "memory.limit_in_bytes", "memory.max"), (64 << 20).to_string());
    assert_eq!(limit(&product, "a", "pids", "pids.max", "pids.max"), "100");
    let quota = limit(&product, "a", "cpu", "cpu.cfs_quota_us", "cpu.max");
    assert!(quota == "25000" || quota == "25000 100000", "{quota}");
}

#[test]
fn a_limit_edited_in_the_manifest_changes_live() {
    let product = Product::new();
    product.declare(&(product.base() + &Product::container("a", "config: {limits.memory: 64MiB}")));
    product.apply().expect(0);
    let pid = product.pid("a");
    product.declare(&(product.base() + &Product::container("a", "config: {limits.memory: 128MiB}")));
    let plan = product.plan().expect(2);
    assert!(plan.out.contains("limits.memory") && plan.out.contains("128MiB"), "{}", plan.out);
    product.apply().expect(0);
    assert_eq!(product.pid("a"), pid);
    assert_eq!(
        limit(&product, "a", "memory", "memory.limit_in_bytes", "memory.max"),
        (128 << 20).to_string()
    );
    product.declare(&(product.base() + &Product::container("a", "config: {}")));
    product.apply().expect(0);
    assert_eq!(product.pid("a"), pid);
    let unlimited = limit(&product, "a", "memory", "memory.limit_in_bytes", "memory.max");
    assert!(unlimited == "max" || unlimited.parse::<u64>().unwrap() > 1 << 60, "{unlimited}");
    product.plan().expect(0);
}

#[test]
fn a_restart_change_waits_until_it_is_allowed() {
    let product = Product::new();
    product.declare(&(product.base() + &Product::container("a", "config: {}")));
    product.apply().expect(0);
    let pid = product.pid("a");
    product.declare(&(product.base() + &Product::container("a", "config: {security.nesting: true}")));
    let plan = product.plan().expect(2);
    assert!(plan.out.contains("pending: restart"), "{}", plan.out);
    product.apply().expect(0);
    assert_eq!(product.pid("a"), pid, "pending: not restarted");
    product.plan().expect(0);
    let manifest = product.manifest();
    product.run(&["apply", "-f", &manifest.to_string_lossy(), "--yes", "--allow", "restart"]).expect(0);
    assert_ne!(product.pid("a"), pid);
    product.plan().expect(0);
}

#[test]
fn a_privileged_container_has_no_user_namespace_and_is_still_confined() {
    let product = Product::new();
    product.declare(&(product.base() + &Product::container("a", "config: {security.privileged: true}")));
    product.apply().expect(0);
    let map = product.inside("a", "cat /proc/self/uid_map");
    assert!(map.split_whitespace().eq(["0", "0", "4294967295"]), "{map}");
    let refused = product.run(&["exec", "a", "-T", "--", "mknod", "/root/disk", "b", "254", "0"]);
    let opened = product.run(&["exec", "a", "-T", "--", "sh", "-c", "head -c1 /root/disk"]);
    assert!(refused.status != 0 || opened.status != 0, "a block device of the host was read");
}

#[test]
fn id_maps_are_isolated_and_raw_entries_stand_in_them() {
    let product = Product::new();
    let site = product.base()
        + &Product::container("a", "config: {security.idmap.isolated: true}")
        + &Product::container("b", "config: {security.idmap.isolated: true}")
        + &Product::container("c", "config: {raw.idmap: \"both 1000 1000\"}");
    product.declare(&site);
    let said = product.apply();
    if said.status != 0 && said.out.contains("subuid") {
        panic!("raw.idmap: {}", said.out);
    }
    said.expect(0);
    let base = |name: &str| product.inside(name, "cat /proc/self/uid_map");
    assert_ne!(base("a"), base("b"));
    assert!(base("c").lines().any(|line| line.split_whitespace().eq(["1000", "1000", "1"])), "{}", base("c"));
}

#[test]
fn a_limit_that_the_host_cannot_give_is_a_finding_with_both_values() {
    let product = Product::new();
    product
        .declare(&(product.base() + &Product::container("a", "config: {limits.kernel.nofile: 2000000000}")));
    let said = product.plan().expect(1);
    assert!(said.err.contains("2000000000") && said.err.contains("nofile"), "{}\n{}", said.out, said.err);
    assert!(!product.state().join("records/container/a.json").exists(), "nothing was changed");
}

#[test]
fn kernel_limits_are_raised_above_our_own_or_refused_with_both_values() {
    let product = Product::new();
    let limits = "config: {limits.kernel.nofile: 4096, limits.kernel.nice: 25, limits.kernel.rtprio: 7}";
    product.declare(&(product.base() + &Product::container("a", limits)));
    let apply = product.command(&["apply", "-f", &product.manifest().to_string_lossy(), "--yes"]);
    let mut limited = Command::new("prlimit");
    limited.args(["--nofile=1024:1024", "--nice=0:0", "--rtprio=0:0"]);
    let output = limited.arg(apply.get_program()).args(apply.get_args()).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    if !may_raise_limits() {
        assert_eq!(output.status.code(), Some(1), "{error}");
        for words in ["4096", "1024", "limits.kernel.nice", "limits.kernel.rtprio"] {
            assert!(error.contains(words), "`{words}` is not in\n{error}");
        }
        skipped("this root has no CAP_SYS_RESOURCE: raising limits is tested in the VMs");
        return;
    }
    assert!(output.status.success(), "{error}");
    let of_init = fs::read_to_string(format!("/proc/{}/limits", product.pid("a"))).unwrap();
    for limits in [of_init, product.inside("a", "cat /proc/self/limits")] {
        for (name, value) in [("open files", "4096"), ("nice priority", "25"), ("realtime priority", "7")] {
            let line = limits.lines().find_map(|line| line.strip_prefix(&format!("Max {name}"))).unwrap();
            assert!(line.split_whitespace().take(2).eq([value, value]), "{limits}");
        }
    }
}

/// CAP_SYS_RESOURCE, bit 24 of the effective capabilities.
fn may_raise_limits() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:\t")).unwrap();
    u64::from_str_radix(effective, 16).unwrap() & (1 << 24) != 0
}

#[test]
fn disks_are_bound_hot_plugged_and_read_only() {
    let product = Product::new();
    let shared = product.folder().join("shared");
    fs::create_dir(&shared).unwrap();
    fs::write(shared.join("hello"), "from the host").unwrap();
    product.declare(&(product.base() + &Product::container("a", "config: {}")));
    product.apply().expect(0);
    let pid = product.pid("a");
    let disk = format!(
        "devices: {{data: {{type: disk, source: {}, path: /srv/data, readonly: true}}}}",
        shared.display()
    );
    product.declare(&(product.base() + &Product::container("a", &disk)));
    product.apply().expect(0);
    assert_eq!(product.pid("a"), pid, "hot-plugged");
    assert_eq!(product.inside("a", "cat /srv/data/hello"), "from the host");
    product.run(&["exec", "a", "-T", "--", "touch", "/srv/data/x"]).expect(1);
    product.declare(&(product.base() + &Product::container("a", "config: {}")));
    product.apply().expect(0);
    assert_eq!(product.pid("a"), pid);
    product.run(&["exec", "a", "-T", "--", "test", "-e", "/srv/data/hello"]).expect(1);
}

#[test]
fn a_disk_behind_a_link_is_no_drift_and_is_taken_out_again() {
    let product = Product::new();
    let shared = product.folder().join("shared");
    fs::create_dir(&shared).unwrap();
    product.declare(&(product.base() + &Product::container("a", "config: {}")));
    product.apply().expect(0);
    product.inside("a", "mkdir -p /place && ln -s place /link");
    let pid = product.pid("a");
    let mounted = || {
        let table = fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap();
        table.lines().filter(|line| line.contains(" /place")).count()
    };
    for path in ["/link/data", "/link"] {
        let disk = format!("devices: {{data: {{type: disk, source: {}, path: {path}}}}}", shared.display());
        product.declare(&(product.base() + &Product::container("a", &disk)));
        product.apply().expect(0);
        product.plan().expect(0);
        product.drift().expect(0);
        assert_eq!(mounted(), 1);
    }
    product.inside("a", "umount /place");
    product.drift().expect(2);
    product.apply().expect(0);
    assert_eq!(mounted(), 1);
    product.declare(&(product.base() + &Product::container("a", "config: {}")));
    product.apply().expect(0);
    assert_eq!((product.pid("a"), mounted()), (pid, 0));
}

#[test]
fn a_nic_is_hot_plugged_and_removed() {
    let product = Product::new();
    product.declare(&(product.base() + &Product::container("a", "config: {}")));
    product.apply().expect(0);
    let pid = product.pid("a");
    let second = format!(
        "devices: {{eth1: {{type: nic, network: {}, ipv4.address: {}}}}}",
        product.bridge(),
        product.address(77)
    );
    product.declare(&(product.base() + &Product::container("a", &second)));
    product.apply().expect(0);
    assert!(product.inside("a", "ip -4 addr show eth1").contains(&product.address(77)));
    product.declare(&(product.base() + &Product::container("a", "devices: {eth0: {type: none}}")));
    product.apply().expect(0);
    assert_eq!(product.inside("a", "ls /sys/class/net"), "lo");
    assert_eq!(product.pid("a"), pid);
}

/// The first limit above init's cgroup that is not the root's own default, by its v1 or v2 name.
#[track_caller]
fn limit(product: &Product, container: &str, controller: &str, v1: &str, v2: &str) -> String {
    let mut folder = product.cgroup_folder(container, controller);
    let mut last = String::new();
    while folder.starts_with("/sys/fs/cgroup") {
        for name in [v1, v2] {
            if let Ok(text) = fs::read_to_string(folder.join(name)) {
                last = text.trim().to_owned();
                let default = last == "max" || last == "max 100000" || last == "-1";
                let huge = last.parse::<u64>().is_ok_and(|value| value >= 1 << 60);
                if !default && !huge {
                    return last;
                }
            }
        }
        if !folder.pop() {
            break;
        }
    }
    last
}
