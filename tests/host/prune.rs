//! Safe deletion on real containers: what is no longer declared, parked, brought back, protected, shared.

use crate::daemon::Daemon;
use crate::product::{Product, Said, eventually};
use crate::terminal::{hear, on_terminal};
use std::io::Write;
use std::path::Path;

/// Site `test` with a prune of its own, and these containers.
fn site(product: &Product, prune: &str, containers: &[(&str, &str)]) -> String {
    let base = product.base().replacen("spec: {}", &format!("spec: {{prune: {prune}}}"), 1);
    containers.iter().fold(base, |text, (name, spec)| text + &Product::container(name, spec))
}

const PLAIN: &str = "config: {}";

fn declare(product: &Product, prune: &str, names: &[&str]) {
    let containers: Vec<(&str, &str)> = names.iter().map(|name| (*name, PLAIN)).collect();
    product.declare(&site(product, prune, &containers));
}

/// Applies without a terminal, with this much allowed.
fn allow(product: &Product, words: &str) -> Said {
    product.run(&["apply", "-f", &product.manifest().to_string_lossy(), "--yes", "--allow", words])
}

/// What makes a container itself, as seen from inside and from the host.
fn likeness(product: &Product, name: &str) -> (String, String, String, String) {
    let pid = product.pid(name);
    let map = std::fs::read_to_string(format!("/proc/{pid}/uid_map")).unwrap();
    let address = product.inside(name, "ip -4 -o addr show eth0 | tr -s ' ' | cut -d ' ' -f 4");
    (
        product.inside(name, "cat /sys/class/net/eth0/address"),
        address,
        map,
        product.inside(name, "cat /root/data"),
    )
}

fn ports(product: &Product) -> usize {
    std::fs::read_dir(format!("/sys/class/net/{}/brif", product.bridge())).unwrap().count()
}

fn root(product: &Product, name: &str) -> std::path::PathBuf {
    let uuid = product.container_json(name)["uuid"].as_str().unwrap().to_owned();
    let pool = product.folder().join("state.data/pools/default/containers");
    pool.join(uuid)
}

fn dead(pid: u32) -> bool {
    !Path::new(&format!("/proc/{pid}")).exists()
}

#[test]
fn a_removed_document_waits_is_parked_and_comes_back_as_it_was() {
    let product = Product::new();
    declare(&product, "{}", &["a", "b"]);
    product.apply().expect(0);
    product.inside("b", "echo kept > /root/data");
    let (before, pid) = (likeness(&product, "b"), product.pid("b"));
    declare(&product, "{}", &["a"]);
    // Confirm, and nobody to confirm: it waits, and --yes changes nothing about that.
    let said = product.apply().expect(0);
    assert!(said.out.contains("waits for confirmation"), "{}", said.out);
    product.plan().expect(0);
    assert_eq!(product.pid("b"), pid);
    allow(&product, "delete=1").expect(0);
    assert!(dead(pid) && product.pid("b") == 0);
    assert_eq!(ports(&product), 1, "off its network");
    assert!(root(&product, "b").join("upper").is_dir());
    assert_eq!(product.container_json("b")["state"], "parked");
    let parked = product.run(&["get", "--parked"]).expect(0).out;
    assert!(parked.contains("container/b") && !parked.contains("container/a"), "{parked}");
    product.plan().expect(0);
    product.drift().expect(0);
    let said = product.run(&["start", "b"]).expect(1);
    assert!(said.err.contains("bayplan undelete container/b"), "{}", said.err);
    // By hand, and then by a declaration.
    product.run(&["undelete", "b"]).expect(0);
    assert_eq!(likeness(&product, "b"), before);
    product.plan().expect(0);
    allow(&product, "delete").expect(0);
    assert_ne!(product.pid("b"), 0, "what was undeleted by hand is kept");
    product.run(&["delete", "b", "--park"]).expect(0);
    assert_eq!(product.pid("b"), 0);
    declare(&product, "{}", &["a", "b"]);
    let said = product.plan().expect(2);
    assert!(said.out.contains("+ container/b  undelete"), "{}", said.out);
    product.apply().expect(0);
    assert_eq!(likeness(&product, "b"), before);
    product.plan().expect(0);
    let root = root(&product, "b");
    product.run(&["delete", "b"]).expect(0);
    assert!(!root.exists(), "delete by hand is at once");
}

#[test]
fn a_smaller_set_parks_members_whose_files_are_put_right_when_they_come_back() {
    let product = Product::new();
    let set = |replicas: usize| {
        let template =
            "template: {image: busybox, profiles: [net], files: {/etc/app.conf: {content: declared}}}";
        let base = product.base().replacen("spec: {}", "spec: {prune: {max: 50%}}", 1);
        let set = format!(
            "kind: ContainerSet\nmetadata: {{name: w}}\nspec: {{replicas: {replicas}, {template}}}\n"
        );
        base + "---\napiVersion: bayplan/v1\n" + &set
    };
    product.declare(&set(3));
    product.apply().expect(0);
    let pids = ["w-1", "w-2"].map(|name| product.pid(name));
    product.declare(&set(1));
    let said = product.apply().expect(0);
    assert!(said.out.contains("3 -> 1: 2 waiting for confirmation to be parked: w-1, w-2"), "{}", said.out);
    assert_eq!(["w-1", "w-2"].map(|name| product.pid(name)), pids);
    let said = allow(&product, "delete=2").expect(0);
    assert!(said.out.contains("3 -> 1: 2 parked: w-1, w-2"), "{}", said.out);
    assert!(pids.into_iter().all(dead) && product.pid("w-0") != 0);
    let file = root(&product, "w-2").join("upper/etc/app.conf");
    std::fs::write(&file, "spoilt").unwrap();
    product.drift().expect(0);
    product.plan().expect(0);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "spoilt", "what is parked is left alone");
    product.run(&["undelete", "containerset/w"]).expect(0);
    assert_eq!(product.inside("w-2", "cat /etc/app.conf"), "declared");
    assert!(product.pid("w-1") != 0);
    product.plan().expect(0);
    product.run(&["delete", "--park", "containerset/w"]).expect(0);
    product.declare(&set(3));
    product.apply().expect(0);
    assert_eq!(product.inside("w-1", "cat /etc/app.conf"), "declared");
    product.plan().expect(0);
}

#[test]
fn auto_prunes_within_its_guards_and_what_is_parked_goes_when_its_time_is_over() {
    let product = Product::new();
    let prune = "{mode: auto, max: 1, grace: 1s}";
    declare(&product, prune, &["a", "b", "c"]);
    product.apply().expect(0);
    let pids = ["a", "b", "c"].map(|name| product.pid(name));
    declare(&product, prune, &["a"]);
    for said in [product.apply(), allow(&product, "delete=1")] {
        let said = said.expect(4);
        assert!(said.err.contains("--allow delete=2"), "{}", said.err);
        assert_eq!(["a", "b", "c"].map(|name| product.pid(name)), pids, "nothing was changed");
    }
    declare(&product, prune, &["a", "b"]);
    product.apply().expect(0);
    let root = root(&product, "c");
    assert!(dead(pids[2]) && root.exists());
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let said = product.plan().expect(2);
    assert!(said.out.contains("its time is over"), "{}", said.out);
    product.apply().expect(0);
    assert!(!root.exists());
    product.run(&["get", "container/c"]).expect(1);
    product.plan().expect(0);
    // An empty load is a mistake, whatever max says.
    product.declare("apiVersion: bayplan/v1\nkind: Site\nmetadata: {name: test}\nspec: {prune: {mode: auto, max: 100%}}\n");
    let said = product.apply().expect(4);
    assert!(said.err.contains("declares no object"), "{}", said.err);
    assert_eq!(["a", "b"].map(|name| product.pid(name)), pids[..2]);
}

#[test]
fn a_yes_on_the_terminal_confirms_and_a_no_changes_nothing() {
    let product = Product::new();
    declare(&product, "{}", &["a", "b"]);
    product.apply().expect(0);
    let pid = product.pid("b");
    declare(&product, "{}", &["a"]);
    for (answer, status) in [("n\n", 4), ("y\n", 0)] {
        let command = product.command(&["apply", "-f", &product.manifest().to_string_lossy()]);
        let (mut terminal, mut child) = on_terminal(&command, 120);
        hear(&mut terminal, "Apply, and prune 1 object? [y/N]");
        terminal.write_all(answer.as_bytes()).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(status));
        assert_eq!(product.pid("b") == pid, status == 4);
    }
    assert_eq!(product.container_json("b")["state"], "parked");
}

#[test]
fn protection_from_delete_and_start_refuses_the_plan() {
    let product = Product::new();
    let prune = "{mode: auto, max: 100%}";
    let protected = "config: {security.protection.delete: true}";
    product.declare(&site(&product, prune, &[("a", PLAIN), ("b", protected)]));
    product.apply().expect(0);
    let pids = ["a", "b"].map(|name| product.pid(name));
    product.declare(&site(&product, prune, &[("a", "config: {user.note: new}")]));
    let all = ["delete", "--all", "--allow", "delete", "--yes"];
    let refused = [
        product.apply(),
        allow(&product, "delete"),
        product.run(&["delete", "b"]),
        product.run(&["delete", "b", "--park"]),
        product.run(&all),
    ];
    for said in refused {
        let said = said.expect(1);
        assert!(said.err.contains("container/b is protected by security.protection.delete"), "{}", said.err);
    }
    assert_eq!(["a", "b"].map(|name| product.pid(name)), pids);
    // Unprotected first; protected from start, one that runs goes on, and is not started again.
    let start = "config: {security.protection.start: true}";
    product.declare(&site(&product, prune, &[("a", PLAIN), ("b", start)]));
    product.apply().expect(0);
    assert_eq!(product.pid("b"), pids[1]);
    let said = product.run(&["restart", "b"]).expect(1);
    assert!(said.err.contains("security.protection.start forbids it"), "{}", said.err);
    assert_eq!(product.pid("b"), pids[1]);
}

#[test]
fn what_another_site_uses_stays_and_what_is_retained_is_adopted_again() {
    let product = Product::new();
    let prune = "{mode: auto, max: 100%, empty: allow}";
    declare(&product, prune, &["a"]);
    product.apply().expect(0);
    let other = product.folder().join("other.yaml");
    let external = |kind: &str, name: &str| {
        format!("---\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {{external: true}}\n")
    };
    let text = "apiVersion: bayplan/v1\nkind: Site\nmetadata: {name: other}\n".to_owned()
        + &external("Network", &product.bridge())
        + &external("Image", "busybox")
        + "---\nkind: Container\nmetadata: {name: z, deletion: retain}\n"
        + &format!("spec: {{image: busybox, devices: {{eth0: {{network: {}}}}}}}\n", product.bridge());
    std::fs::write(&other, &text).unwrap();
    let apply_other =
        || product.run(&["apply", "-f", &other.to_string_lossy(), "--yes", "--allow", "delete"]);
    let missing = text.replace(&product.bridge(), "bpnowhere");
    std::fs::write(&other, missing).unwrap();
    let said = apply_other().expect(1);
    assert!(said.err.contains("network/bpnowhere is external, and is not there"), "{}", said.err);
    std::fs::write(&other, &text).unwrap();
    apply_other().expect(0);
    let pid = product.pid("z");
    product.declare(&format!(
        "apiVersion: bayplan/v1\nkind: Site\nmetadata: {{name: test}}\nspec: {{prune: {prune}}}\n"
    ));
    let said = product.apply().expect(0);
    assert!(said.out.contains("kept, not declared: container/z uses it"), "{}", said.out);
    assert_eq!((product.pid("z"), product.pid("a"), ports(&product)), (pid, 0, 1));
    let network = format!("network/{}", product.bridge());
    let said = product.run(&["delete", &network]).expect(1);
    assert!(said.err.contains("is used by"), "{}", said.err);
    // Retained: forgotten, and it runs on; declared again it is the same container.
    let mut without = text.clone();
    without.truncate(text.find("---\nkind: Container").unwrap());
    std::fs::write(&other, without).unwrap();
    product.run(&["apply", "-f", &other.to_string_lossy(), "--yes", "--allow", "delete"]).expect(0);
    assert!(!dead(pid));
    let listed = product.run(&["get"]).expect(0).out;
    assert!(listed.contains("Unrecorded"), "{listed}");
    std::fs::write(&other, &text).unwrap();
    apply_other().expect(0);
    assert_eq!(product.pid("z"), pid);
}

#[test]
fn the_daemon_prunes_expires_and_heals_while_a_guard_stands() {
    let product = Product::new();
    let prune = "{mode: auto, max: 1, grace: 1s}";
    declare(&product, prune, &["a", "b", "c"]);
    let _daemon = Daemon::start(&product);
    let runs = |name: &str| {
        let said = product.run(&["get", &format!("container/{name}")]);
        said.status == 0 && product.pid(name) != 0
    };
    eventually(40, "all run", || ["a", "b", "c"].iter().all(|name| runs(name)));
    let (root, pid) = (root(&product, "c"), product.pid("c"));
    declare(&product, prune, &["a", "b"]);
    eventually(30, "c is parked", || dead(pid));
    eventually(40, "its time is over, and it goes", || !root.exists());
    // Two at once are more than max: none goes, and what dies is still healed.
    declare(&product, prune, &[]);
    std::thread::sleep(std::time::Duration::from_millis(800));
    let pid = product.pid("a");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid as i32), nix::sys::signal::Signal::SIGKILL)
        .unwrap();
    eventually(30, "a runs again", || runs("a") && product.pid("a") != pid);
    assert!(runs("b"));
}
