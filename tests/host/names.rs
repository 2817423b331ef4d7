//! Other names and other owners, on real containers: holds go along, and nothing is stopped.

use crate::daemon::Daemon;
use crate::product::{Product, eventually};

fn renamed(name: &str, from: &str, spec: &str) -> String {
    Product::container(name, spec).replace(
        &format!("metadata: {{name: {name}}}"),
        &format!("metadata: {{name: {name}, renamedFrom: {from}}}"),
    )
}

#[test]
fn a_hold_goes_along_with_a_rename_and_ends_as_any_other() {
    let product = Product::new();
    product.declare(&(product.base() + &Product::container("front", "config: {limits.processes: 90}")));
    product.apply().expect(0);
    let uuid = product.container_json("front")["uuid"].clone();
    product.run(&["stop", "front"]).expect(0);

    product.declare(&(product.base() + &renamed("web", "front", "config: {limits.processes: 80}")));
    let said = product.apply().expect(0);
    assert!(said.out.contains("renamed from container/front"), "{}", said.out);
    assert_eq!(product.pid("web"), 0, "the hold is kept");
    assert_eq!(product.container_json("web")["uuid"], uuid);
    let said = product.plan().expect(0);
    assert!(said.out.contains("container/web"), "the plan shows the hold: {}", said.out);
    let holds = product.run(&["holds"]).expect(0).out;
    assert!(holds.contains("container/web") && !holds.contains("container/front"), "{holds}");
    product.apply().expect(0);
    assert_eq!(product.pid("web"), 0);

    product.run(&["resume", "web"]).expect(0);
    assert_ne!(product.pid("web"), 0);
    assert_eq!(product.inside("web", "hostname"), "web");
    product.plan().expect(0);
    product.drift().expect(0);
}

#[test]
fn a_frozen_hold_outlives_a_rename_under_the_daemon() {
    let product = Product::new();
    product.declare(&(product.base() + &Product::container("front", "config: {}")));
    product.apply().expect(0);
    let pid = product.pid("front");
    product.run(&["freeze", "front"]).expect(0);
    let _daemon = Daemon::start(&product);
    product.declare(&(product.base() + &renamed("web", "front", "config: {}")));
    eventually(20, "the daemon renames", || {
        product.run(&["get", "web"]).status == 0 && product.run(&["get", "front"]).status == 1
    });
    assert_eq!(product.pid("web"), pid, "{}", Daemon::log(&product));
    assert_eq!(product.container_json("web")["state"], "frozen");
    product.run(&["unfreeze", "web"]).expect(0);
    assert_eq!(product.container_json("web")["state"], "running");
    assert_eq!(product.pid("web"), pid);
}

#[test]
fn an_object_moves_to_another_site_by_movedfromsite_and_nothing_is_stopped() {
    let product = Product::new();
    let a = Product::container("a", "config: {limits.processes: 90}");
    let b = Product::container("b", "config: {limits.processes: 90}");
    product.declare(&(product.base() + &a + &b));
    product.apply().expect(0);
    let (pid_a, pid_b) = (product.pid("a"), product.pid("b"));
    product.run(&["stop", "b"]).expect(0);

    // Another site declares one of them: refused, with the way out.
    let other = |metadata: &str| {
        format!(
            "apiVersion: bayplan/v1\nkind: Site\nmetadata: {{name: other}}\nspec: {{}}\n---\n\
             kind: Image\nmetadata: {{name: busybox}}\nspec: {{external: true}}\n---\n\
             kind: Network\nmetadata: {{name: {0}}}\nspec: {{external: true}}\n---\n\
             kind: Profile\nmetadata: {{name: own}}\n\
             spec: {{devices: {{eth0: {{type: nic, network: {0}}}, root: {{type: disk, path: /, pool: default}}}}}}\n\
             ---\nkind: Container\nmetadata: {{{metadata}}}\n\
             spec: {{image: busybox, profiles: [own], config: {{limits.processes: 70}}}}\n",
            product.bridge()
        )
    };
    let file = product.folder().join("other.yaml");
    let apply = |text: &str| {
        std::fs::write(&file, text).unwrap();
        product.run(&["apply", "-f", &file.to_string_lossy(), "--yes"])
    };
    let said = apply(&other("name: a")).expect(1);
    assert!(said.err.contains("movedFromSite: test"), "{}", said.err);

    // From the wrong site: refused too.
    apply(&other("name: a, movedFromSite: third")).expect(1);
    apply(&other("name: a, movedFromSite: test")).expect(0);
    assert_eq!(product.pid("a"), pid_a);
    let owner = product.run(&["get", "container/a", "-o", "json"]).expect(0).json();
    assert!(owner["objects"][0]["owner"].to_string().contains("other"), "{owner}");
    assert_eq!(apply(&other("name: a, movedFromSite: test")).expect(0).status, 0, "it may stay");
    assert_eq!(product.pid("a"), pid_a);

    // The former site does without it, and neither prunes it nor takes it back.
    product.plan().expect(1);
    product.declare(&(product.base() + &b));
    product.apply().expect(0);
    product.plan().expect(0);
    assert_eq!(product.pid("a"), pid_a);

    // The whole site under another name: everything goes along, holds too.
    let renamed = (product.base() + &b).replacen("{name: test}", "{name: plant, movedFromSite: test}", 1);
    product.declare(&(product.base() + &b).replacen("{name: test}", "{name: plant}", 1));
    let said = product.apply().expect(1);
    assert!(said.err.contains("movedFromSite: test"), "{}", said.err);
    product.declare(&renamed);
    product.apply().expect(0);
    product.plan().expect(0);
    assert_eq!(product.pid("b"), 0, "its hold is kept");
    product.run(&["resume", "b"]).expect(0);
    assert_ne!(product.pid("b"), 0);
    assert_ne!(product.pid("b"), pid_b);
    assert_eq!(product.pid("a"), pid_a);
    product.drift().expect(0);
}

#[test]
fn members_of_a_renamed_set_and_under_another_key_run_on_with_their_roots() {
    let product = Product::new();
    let site = |metadata: &str, members: &str| {
        product.base()
            + &format!(
                "---\nkind: ContainerSet\nmetadata: {{{metadata}}}\n\
                 spec: {{for: {{{members}}}, template: {{image: busybox, profiles: [net]}}}}\n"
            )
    };
    product.declare(&site("name: cache", "a: {}, b: {}"));
    product.apply().expect(0);
    product.inside("cache-a", "echo one > /root/own");
    product.inside("cache-b", "echo two > /root/own");
    let (a, b) = (product.pid("cache-a"), product.pid("cache-b"));

    product.declare(&site("name: store, renamedFrom: cache", "first: {renamedFrom: a}, b: {}"));
    let said = product.apply().expect(0);
    assert!(said.out.contains("renamed from container/cache-a"), "{}", said.out);
    assert_eq!((product.pid("store-first"), product.pid("store-b")), (a, b));
    assert_eq!(product.inside("store-first", "cat /root/own"), "one");
    assert_eq!(product.inside("store-b", "cat /root/own"), "two");
    product.run(&["get", "cache-a"]).expect(1);
    let plan = product.plan().expect(0);
    assert!(plan.out.contains("hostname: cache-b -> store-b"), "{}", plan.out);
    let manifest = product.manifest();
    product.run(&["apply", "-f", &manifest.to_string_lossy(), "--yes", "--allow", "restart"]).expect(0);
    assert_eq!(product.inside("store-first", "hostname; cat /root/own"), "store-first\none");
    product.plan().expect(0);
    product.drift().expect(0);
}
