//! Drift on the real host: each row is broken by hand, detected with its cause, repaired, and nothing else is touched.

use crate::product::{Product, cgroup_folder, eventually, skipped};
use std::fs;
use std::process::Command;

/// Two containers and a mount; `b` is the bystander that must not notice.
fn site(product: &Product) -> String {
    let shared = product.folder().join("shared");
    fs::create_dir_all(&shared).unwrap();
    fs::write(shared.join("hello"), "from the host").unwrap();
    let a = format!(
        "config: {{limits.memory: 64MiB, limits.processes: 100}}, devices: {{eth0: {{ipv4.address: {}}}, \
         data: {{type: disk, source: {}, path: /srv/data, readonly: true}}, \
         wire: {{type: nic, nictype: p2p, ipv4.routes: {}}}}}, persist: [/var/kept]",
        product.address(10),
        shared.display(),
        routed(product),
    );
    product.base() + &Product::container("a", &a) + &Product::container("b", "config: {limits.processes: 50}")
}

/// What the host routes to `a`'s p2p nic.
fn routed(product: &Product) -> String {
    product.address(0).replacen("10.99.", "10.98.", 1) + "/24"
}

fn ip(arguments: &[&str]) {
    let output = Command::new("ip").args(arguments).output().unwrap();
    assert!(output.status.success(), "ip {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn ip_text(arguments: &[&str]) -> String {
    String::from_utf8(Command::new("ip").args(arguments).output().unwrap().stdout).unwrap()
}

/// The host end of a container's eth0: the link whose index its iflink tells.
fn host_end(product: &Product, name: &str) -> String {
    let index = product.inside(name, "cat /sys/class/net/eth0/iflink");
    let links = ip_text(&["-o", "link"]);
    let line = links.lines().find(|line| line.starts_with(&format!("{index}: "))).expect("a host end");
    line.split(": ").nth(1).unwrap().split('@').next().unwrap().to_owned()
}

fn kill(pid: u32) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid as i32), nix::sys::signal::Signal::SIGKILL)
        .unwrap();
}

fn gone(pid: u32) -> bool {
    !std::path::Path::new(&format!("/proc/{pid}")).exists()
}

struct Row {
    name: &'static str,
    damage: fn(&Product),
    /// Words that the drift report must have.
    cause: &'static [&'static str],
    /// Whether `a` keeps its init.
    keeps_init: bool,
    repaired: fn(&Product),
}

const ROWS: &[Row] = &[
    Row {
        name: "init killed",
        damage: |product| {
            let pid = product.pid("a");
            kill(pid);
            eventually(10, "init ends", || gone(pid));
        },
        cause: &["container/a", "state", "killed"],
        keeps_init: false,
        repaired: |product| assert_eq!(product.inside("a", "hostname"), "a"),
    },
    Row {
        name: "stopped from inside",
        damage: |product| {
            let pid = product.pid("a");
            product.run(&["exec", "a", "-T", "--", "poweroff"]);
            eventually(20, "init ends", || gone(pid));
        },
        cause: &["container/a", "state"],
        keeps_init: false,
        repaired: |product| assert_eq!(product.inside("a", "hostname"), "a"),
    },
    Row {
        name: "cgroup limit edited",
        damage: |product| {
            let folder = product.cgroup_folder("a", "pids");
            let file = limit_file(&folder, "pids.max");
            fs::write(file, "77").unwrap();
        },
        cause: &["container/a", "limits.processes", "77"],
        keeps_init: true,
        repaired: |product| {
            let file = limit_file(&product.cgroup_folder("a", "pids"), "pids.max");
            assert_eq!(fs::read_to_string(file).unwrap().trim(), "100");
        },
    },
    Row {
        name: "init moved out of its cgroup and the cgroup removed",
        damage: |product| {
            let pid = product.pid("a");
            let folder = cgroup_folder(pid, "pids");
            let parent = std::path::Path::new("/sys/fs/cgroup/pids");
            let root = if parent.is_dir() { parent } else { std::path::Path::new("/sys/fs/cgroup") };
            for member in fs::read_to_string(folder.join("cgroup.procs")).unwrap().lines() {
                fs::write(root.join("cgroup.procs"), member).unwrap();
            }
            remove_groups(&folder);
        },
        cause: &["container/a", "cgroup"],
        keeps_init: true,
        repaired: |product| {
            let file = limit_file(&product.cgroup_folder("a", "pids"), "pids.max");
            assert_eq!(fs::read_to_string(file).unwrap().trim(), "100");
        },
    },
    Row {
        name: "route to a p2p nic removed",
        damage: |product| {
            ip(&["route", "del", &routed(product)]);
            assert_eq!(ip_text(&["route", "show", &routed(product)]), "");
        },
        cause: &["container/a", "wire", "the host does not route 10.98."],
        keeps_init: true,
        repaired: |product| {
            let route = ip_text(&["route", "show", &routed(product)]);
            assert!(route.contains(" dev "), "{route}");
        },
    },
    Row {
        name: "nic removed",
        damage: |product| ip(&["link", "del", &host_end(product, "a")]),
        cause: &["container/a", "eth0"],
        keeps_init: true,
        repaired: |product| {
            let addresses = product.inside("a", "ip -4 addr show eth0");
            assert!(addresses.contains(&product.address(10)), "{addresses}");
            product.inside("a", &format!("ping -c 1 -W 2 {}", product.address(1)));
        },
    },
    Row {
        name: "nic off its bridge",
        damage: |product| ip(&["link", "set", &host_end(product, "a"), "nomaster"]),
        cause: &["container/a", "eth0"],
        keeps_init: true,
        repaired: |product| {
            let link = ip_text(&["-o", "link", "show", &host_end(product, "a")]);
            assert!(link.contains(&format!("master {}", product.bridge())), "{link}");
        },
    },
    Row {
        name: "bridge address changed",
        damage: |product| {
            let (bridge, address) = (product.bridge(), format!("{}/24", product.address(1)));
            ip(&["addr", "del", &address, "dev", &bridge]);
            ip(&["addr", "add", &format!("{}/24", product.address(2)), "dev", &bridge]);
        },
        cause: &["network/", "ipv4.address"],
        keeps_init: true,
        repaired: |product| {
            let addresses = ip_text(&["-4", "-o", "addr", "show", "dev", &product.bridge()]);
            assert!(addresses.contains(&format!("{}/24", product.address(1))), "{addresses}");
            assert!(!addresses.contains(&format!("{}/24", product.address(2))), "{addresses}");
        },
    },
    Row {
        name: "bridge MTU changed, though none is declared",
        damage: |product| ip(&["link", "set", &product.bridge(), "mtu", "1400"]),
        cause: &["network/", "bridge.mtu", "1400", "1500"],
        keeps_init: true,
        repaired: |product| {
            let link = ip_text(&["-o", "link", "show", &product.bridge()]);
            assert!(link.contains(" mtu 1500 "), "{link}");
        },
    },
    Row {
        name: "bridge deleted",
        damage: |product| ip(&["link", "del", &product.bridge()]),
        cause: &["network/"],
        keeps_init: true,
        repaired: |product| {
            product.inside("a", &format!("ping -c 1 -W 2 {}", product.address(1)));
            product.inside("b", &format!("ping -c 1 -W 2 {}", product.address(10)));
        },
    },
    Row {
        name: "nft table flushed",
        damage: |product| {
            for table in tables_with(&product.address(0)) {
                let words: Vec<&str> = table.split(' ').collect();
                assert!(
                    Command::new("nft").args(["flush", "table"]).args(&words).status().unwrap().success()
                );
            }
        },
        cause: &["network/"],
        keeps_init: true,
        repaired: |product| {
            assert!(!tables_with(&product.address(0)).is_empty(), "the rules are there again");
        },
    },
    Row {
        name: "bind unmounted inside",
        damage: |product| {
            let pid = product.pid("a").to_string();
            let status =
                Command::new("nsenter").args(["-t", &pid, "-m", "umount", "/srv/data"]).status().unwrap();
            assert!(status.success());
        },
        cause: &["container/a", "data"],
        keeps_init: true,
        repaired: |product| assert_eq!(product.inside("a", "cat /srv/data/hello"), "from the host"),
    },
    Row {
        name: "persisted folder unmounted inside",
        damage: |product| {
            product.inside("a", "echo kept > /var/kept/own");
            let pid = product.pid("a").to_string();
            let status =
                Command::new("nsenter").args(["-t", &pid, "-m", "umount", "/var/kept"]).status().unwrap();
            assert!(status.success());
            product.inside("a", "echo astray > /var/kept/own");
        },
        cause: &["container/a", "persist", "/var/kept is unmounted inside"],
        keeps_init: true,
        repaired: |product| assert_eq!(product.inside("a", "cat /var/kept/own"), "kept"),
    },
    Row {
        name: "monitor killed",
        damage: |product| {
            let init = product.pid("a");
            let stat = fs::read_to_string(format!("/proc/{init}/stat")).unwrap();
            let parent: u32 =
                stat.rsplit(')').next().unwrap().split_whitespace().nth(1).unwrap().parse().unwrap();
            kill(parent);
            eventually(10, "the monitor ends", || gone(parent));
        },
        cause: &["container/a", "monitor"],
        keeps_init: true,
        repaired: |product| assert_eq!(product.inside("a", "hostname"), "a"),
    },
];

/// The limit stands at init's cgroup or, where it was delegated, at one above it.
fn limit_file(folder: &std::path::Path, name: &str) -> std::path::PathBuf {
    let mut folder = folder.to_owned();
    loop {
        let file = folder.join(name);
        if fs::read_to_string(&file).is_ok_and(|text| text.trim() != "max") {
            return file;
        }
        assert!(folder.pop(), "no {name} above");
    }
}

/// Removes a cgroup and those of ours above it, as far as they are empty.
fn remove_groups(folder: &std::path::Path) {
    fn below(folder: &std::path::Path) {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            if entry.file_type().unwrap().is_dir() {
                below(&entry.path());
            }
        }
        fs::remove_dir(folder).unwrap();
    }
    below(folder);
}

/// `FAMILY NAME` of the tables whose rules name an address.
fn tables_with(address: &str) -> Vec<String> {
    let output = Command::new("nft").args(["list", "tables"]).output().unwrap();
    let list = String::from_utf8(output.stdout).unwrap();
    let tables = list.lines().filter_map(|line| line.strip_prefix("table ")).map(str::trim);
    tables
        .filter(|table| {
            let words: Vec<&str> = table.split(' ').collect();
            let rules = Command::new("nft").args(["list", "table"]).args(&words).output().unwrap().stdout;
            String::from_utf8(rules).unwrap().contains(address)
        })
        .map(str::to_owned)
        .collect()
}

#[test]
fn each_kind_of_drift_is_detected_with_its_cause_and_repaired_alone() {
    let product = Product::new();
    product.declare(&site(&product));
    product.apply().expect(0);
    product.plan().expect(0);
    product.drift().expect(0);
    for row in ROWS {
        eprintln!("row: {}", row.name);
        let (a, b) = (product.pid("a"), product.pid("b"));
        (row.damage)(&product);
        let drift = product.drift().expect(2);
        for word in row.cause {
            assert!(drift.out.contains(word), "{}: `{word}` is not in\n{}", row.name, drift.out);
        }
        product.plan().expect(2);
        product.apply().expect(0);
        (row.repaired)(&product);
        product.plan().expect(0);
        product.drift().expect(0);
        assert_eq!(product.pid("b"), b, "{}: the bystander was touched", row.name);
        assert_eq!(product.pid("a") == a, row.keeps_init, "{}: whether init was kept", row.name);
    }
}

#[test]
fn a_state_folder_lost_while_containers_run_is_adopted_again() {
    let product = Product::new();
    product.declare(&site(&product));
    product.apply().expect(0);
    let (pid, mac) = (product.pid("a"), product.inside("a", "cat /sys/class/net/eth0/address"));
    product.inside("a", "echo kept > /root/data");
    fs::remove_dir_all(product.state()).unwrap();
    product.apply().expect(0);
    assert_eq!(product.pid("a"), pid);
    assert_eq!(product.inside("a", "cat /sys/class/net/eth0/address"), mac);
    product.plan().expect(0);
}

#[test]
fn a_state_folder_lost_while_containers_are_stopped_is_adopted_again() {
    let product = Product::new();
    product.declare(&site(&product));
    product.apply().expect(0);
    let mac = product.inside("a", "cat /sys/class/net/eth0/address");
    let map = product.inside("a", "cat /proc/self/uid_map");
    product.inside("a", "echo kept > /root/data");
    product.run(&["stop", "a", "--force"]).expect(0);
    fs::remove_dir_all(product.state()).unwrap();
    product.apply().expect(0);
    assert_eq!(product.inside("a", "cat /root/data"), "kept");
    assert_eq!(product.inside("a", "cat /sys/class/net/eth0/address"), mac);
    assert_eq!(product.inside("a", "cat /proc/self/uid_map"), map);
    product.plan().expect(0);
}

/// IP forwarding is one setting for the whole host: a network namespace stands for it, so that no other test notices.
#[test]
fn forwarding_turned_off_is_drift() {
    let setting = "/proc/sys/net/ipv4/ip_forward";
    let run = std::thread::spawn(move || {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
        let product = Product::new();
        product.declare(&(product.base() + &Product::container("a", "config: {}")));
        product.apply().expect(0);
        fs::write(setting, "0").unwrap();
        let drift = product.drift().expect(2);
        assert!(drift.out.contains("forwarding") && drift.out.contains("turned off"), "{}", drift.out);
        product.apply().expect(0);
        assert_eq!(fs::read_to_string(setting).unwrap().trim(), "1");
        product.drift().expect(0);
    });
    run.join().unwrap();
}

#[test]
fn an_init_whose_kill_has_not_landed_yet_is_not_taken_for_one_that_runs() {
    let product = Product::new();
    product.declare(&(product.base() + &Product::container("a", "")));
    product.apply().expect(0);
    let pid = product.pid("a");
    let state = cgroup_folder(pid, "freezer").join("freezer.state");
    if !state.exists() {
        return skipped("only the freezer of cgroup v1 holds a killed process back");
    }
    fs::write(&state, "FROZEN").unwrap();
    eventually(10, "the container is frozen", || fs::read_to_string(&state).unwrap().trim() == "FROZEN");
    kill(pid);
    let thaw = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(300));
        fs::write(&state, "THAWED").unwrap();
    });
    let said = product.drift().expect(2);
    thaw.join().unwrap();
    assert!(said.out.contains("init was killed (signal 9)"), "{}", said.out);
}
