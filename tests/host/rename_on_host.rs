//! Other names of networks and pools, while real containers run on them.

use crate::daemon::Daemon;
use crate::product::{Product, Said, eventually};
use bayplan::driver::rename;
use bayplan::model::key::Key;
use bayplan::store::Records;
use bayplan::store::files::FileRecords;
use std::process::Command;
use std::time::Duration;

/// The site's network and pool under these names (`NAME` or `NAME, renamedFrom: FORMER`), with containers `a` and `b`.
fn site(product: &Product, network: &str, pool: &str) -> String {
    let bare = |name: &str| name.split(',').next().unwrap().to_owned();
    let text = product.base().replace(&product.bridge(), &bare(network)).replace(
        &format!("kind: Network\nmetadata: {{name: {}}}", bare(network)),
        &format!("kind: Network\nmetadata: {{name: {network}}}"),
    );
    let mut text = text.replace("pool: default", &format!("pool: {}", bare(pool)));
    text += &format!("---\nkind: StoragePool\nmetadata: {{name: {pool}}}\nspec: {{driver: dir}}\n");
    for (name, host) in [("a", 21), ("b", 22)] {
        let address = product.address(host);
        let spec = format!("persist: [/srv/kept], devices: {{eth0: {{ipv4.address: {address}}}}}");
        text += &Product::container(name, &spec);
    }
    text
}

struct Names {
    network: [String; 2],
    pool: [&'static str; 2],
}

impl Names {
    fn of(product: &Product) -> Names {
        let bridge = product.bridge();
        Names { network: [bridge.clone(), format!("{bridge}b")], pool: ["slow", "fast"] }
    }

    /// The manifest with the names of turn `turn`, each renamed from the one before.
    fn declare(&self, product: &Product, turn: usize) {
        let (now, before) = (turn % 2, (turn + 1) % 2);
        let named = |names: [&str; 2]| match turn {
            0 => names[0].to_owned(),
            _ => format!("{}, renamedFrom: {}", names[now], names[before]),
        };
        let network = named([&self.network[0], &self.network[1]]);
        product.declare(&site(product, &network, &named(self.pool)));
    }
}

fn ip(arguments: &str) -> String {
    let output = Command::new("ip").args(arguments.split(' ')).output().unwrap();
    assert!(output.status.success(), "ip {arguments}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Both containers run under the first names; their inits.
fn running() -> (Product, Names, (u32, u32)) {
    let product = Product::new();
    let names = Names::of(&product);
    names.declare(&product, 0);
    product.apply().expect(0);
    let inits = (product.pid("a"), product.pid("b"));
    (product, names, inits)
}

/// Packets go to and fro: from one container to the other, and to the host.
fn is_connected(product: &Product) {
    for target in [product.address(22), product.address(1)] {
        product.inside("a", &format!("ping -c 1 -W 2 {target}"));
    }
}

#[test]
fn a_network_and_a_pool_are_renamed_under_running_containers_that_never_notice() {
    let (product, names, (a, b)) = running();
    product.inside("a", "echo mine > /srv/kept/own; echo root > /root/own");
    is_connected(&product);
    let link = |name: &str| ip(&format!("-o link show {name}"));
    let index = |name: &str| link(name).split(':').next().unwrap().to_owned();
    let before = index(&names.network[0]);
    // Somebody's own route over the bridge.
    let route = format!("{} via {}", "10.73.250.0/24", product.address(22));
    ip(&format!("route add {route} dev {}", names.network[0]));

    // A connection that is open all the while.
    let script = "sleep 6 | nc -l -p 7000 > /root/heard";
    let mut listener = product.spawn(&["exec", "b", "-T", "--", "sh", "-c", script]);
    let script = format!(
        "sleep 1; for n in 1 2 3 4 5 6 7 8; do echo $n; sleep 0.3; done | nc {} 7000",
        product.address(22)
    );
    let mut talker = product.spawn(&["exec", "a", "-T", "--", "sh", "-c", &script]);
    std::thread::sleep(Duration::from_millis(1800));

    names.declare(&product, 1);
    let said = product.apply().expect(0);
    assert!(said.out.contains("2 to change"), "{}", said.out);
    let [from, to] = &names.network;
    assert!(said.out.contains(&format!("renamed from network/{from}")), "{}", said.out);
    assert_eq!(index(to), before, "it is the same link");
    assert!(link(to).contains("UP"), "{}", link(to));
    assert!(ip("-o link").lines().all(|line| !line.contains(&format!(": {from}:"))));
    assert!(ip("route").contains(&format!("{route} dev {to}")), "{}", ip("route"));
    assert!(talker.wait().unwrap().success());
    listener.wait().unwrap();
    assert_eq!(product.inside("b", "cat /root/heard").split_whitespace().count(), 8, "nothing was lost");
    assert_eq!((product.pid("a"), product.pid("b")), (a, b));
    is_connected(&product);
    let tables =
        String::from_utf8(Command::new("nft").args(["list", "tables"]).output().unwrap().stdout).unwrap();
    let tables: Vec<&str> = tables.lines().filter(|line| line.contains(&names.network[0])).collect();
    assert!(tables.len() == 1 && tables[0].ends_with(&format!("-{}", names.network[1])), "{tables:?}");
    let data = product.folder().join("state.data/pools");
    assert!(data.join("fast/containers").is_dir() && !data.join("slow").exists());
    product.plan().expect(0);
    product.drift().expect(0);

    // What is written now, and a later start, are in the same root.
    product.inside("a", "echo more >> /srv/kept/own; echo more >> /root/own");
    product.run(&["restart", "a"]).expect(0);
    assert_ne!(product.pid("a"), a);
    assert_eq!(product.inside("a", "cat /srv/kept/own /root/own"), "mine\nmore\nroot\nmore");
    is_connected(&product);
    assert_eq!(product.pid("b"), b);
    product.plan().expect(0);
    product.drift().expect(0);
}

#[test]
fn names_that_links_folders_and_other_sites_have_are_refused_and_nothing_is_done() {
    let (product, names, (a, b)) = running();
    let taken = &names.network[1];
    ip(&format!("link add {taken} type bridge"));
    names.declare(&product, 1);
    let said = product.apply();
    ip(&format!("link del {taken}"));
    let said = said.expect(1);
    assert!(said.err.contains(&format!("the host has another link {taken}")), "{}", said.err);

    // A folder that is no pool is seen by the step alone.
    let folder = product.folder().join("state.data/pools/fast");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("else"), "").unwrap();
    let said = product.apply().expect(3);
    assert!(said.err.contains("is there already"), "{}\n{}", said.out, said.err);
    assert_eq!((product.pid("a"), product.pid("b")), (a, b));
    product.run(&["heal", "container/a"]).expect(0);
    std::fs::remove_dir_all(&folder).unwrap();

    let uses = |product: &Product| -> Said {
        let other = "apiVersion: bayplan/v1\nkind: Site\nmetadata: {name: other}\n---\nkind: Image\n\
                     metadata: {name: busybox}\nspec: {external: true}\n---\nkind: StoragePool\n\
                     metadata: {name: slow}\nspec: {external: true}\n---\nkind: Container\nmetadata: {name: c}\n\
                     spec: {image: busybox, profiles: [], state: stopped, \
                     devices: {root: {type: disk, path: /, pool: slow}}}\n";
        let file = product.folder().join("other.yaml");
        std::fs::write(&file, other).unwrap();
        product.run(&["apply", "-f", &file.to_string_lossy(), "--yes"])
    };
    uses(&product).expect(0);
    let said = product.apply().expect(1);
    assert!(said.err.contains("which container/c of site other names, too"), "{}", said.err);
    product.run(&["delete", "container/c", "--yes", "--allow", "delete"]).expect(0);
    product.apply().expect(0);
    assert_eq!((product.pid("a"), product.pid("b")), (a, b));
    is_connected(&product);
    product.plan().expect(0);
}

#[test]
fn a_rename_that_is_killed_at_any_moment_is_finished_by_the_next_apply_or_by_healing() {
    let (product, names, (a, b)) = running();
    product.inside("a", "echo mine > /root/own");
    let manifest = product.manifest();
    for turn in 1..=12 {
        names.declare(&product, turn);
        let mut apply = product.spawn(&["apply", "-f", &manifest.to_string_lossy(), "--yes"]);
        std::thread::sleep(Duration::from_millis(20 + 16 * turn as u64));
        let _ = apply.kill();
        apply.wait().unwrap();
        // A program that the killed one was about to execute still has its lock for a moment.
        if turn % 2 == 0 {
            product.run(&["--wait", "20", "heal", "container/a"]).expect(0);
        }
        let manifest = manifest.to_string_lossy();
        product.run(&["--wait", "20", "apply", "-f", &manifest, "--yes"]).expect(0);
        product.plan().expect(0);
        assert_eq!((product.pid("a"), product.pid("b")), (a, b), "turn {turn}");
        assert_eq!(product.inside("a", "cat /root/own"), "mine");
        is_connected(&product);
    }
    product.drift().expect(0);
}

#[test]
fn a_rename_whose_records_alone_have_moved_is_finished_and_loses_no_root() {
    let (product, names, (a, b)) = running();
    product.inside("a", "echo mine > /root/own");
    let records = FileRecords::new(&product.state());
    for (turn, heals) in [(1, false), (2, true)] {
        names.declare(&product, turn);
        let named =
            |names: [&str; 2], kind: fn(&str) -> Key| (kind(names[(turn + 1) % 2]), kind(names[turn % 2]));
        let network = named([&names.network[0], &names.network[1]], |name| Key::network(name));
        for (from, to) in [network, named(names.pool, |name| Key::pool(name))] {
            let record = records.get(&from).unwrap().unwrap();
            rename::begin(&records, &record, (&from, &to), "test").unwrap();
        }
        if heals {
            product.run(&["heal", "container/a"]).expect(0);
            product.drift().expect(0);
        }
        product.apply().expect(0);
        assert_eq!((product.pid("a"), product.pid("b")), (a, b));
        assert_eq!(product.inside("a", "cat /root/own"), "mine");
        is_connected(&product);
        product.plan().expect(0);
    }
    product.drift().expect(0);
}

#[test]
fn a_daemon_renames_and_a_container_that_reboots_itself_comes_back_under_the_new_names() {
    let (product, names, (a, b)) = running();
    product.inside("a", "echo mine > /root/own");
    let daemon = Daemon::start(&product);
    names.declare(&product, 1);
    // Their records have the new names before all is done.
    eventually(20, "the daemon renames", || {
        product.run(&["get", &format!("network/{}", names.network[1])]).status == 0
            && product.run(&["get", "storagepool/fast"]).status == 0
            && product.plan().status == 0
    });
    assert_eq!((product.pid("a"), product.pid("b")), (a, b), "{}", Daemon::log(&product));
    drop(daemon);
    // Its monitor alone has it started again.
    product.run(&["exec", "a", "-T", "--", "reboot"]);
    eventually(30, "it comes back", || ![0, a].contains(&product.pid("a")));
    eventually(10, "it answers", || {
        product.run(&["exec", "a", "-T", "--", "cat", "/root/own"]).out == "mine\n"
    });
    is_connected(&product);
    product.plan().expect(0);
}
