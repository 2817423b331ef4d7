//! A new root in the place of the old one, on real containers: what is kept, what is dropped, what is taken back.

use crate::daemon::Daemon;
use crate::product::{Product, Said, eventually, patient};
use std::path::{Path, PathBuf};

/// A folder with busybox's root file system and a word in it: an image of another content.
fn tree(product: &Product, name: &str, word: &str) -> PathBuf {
    let folder = product.folder().join(name);
    for path in ["bin", "sbin", "etc", "var/lib/app", "root", "proc", "sys", "dev", "run", "tmp"] {
        std::fs::create_dir_all(folder.join(path)).unwrap();
    }
    std::fs::copy("/bin/busybox", folder.join("bin/busybox")).unwrap();
    for applet in ["sh", "cat", "echo", "grep", "test", "ls", "id", "ip", "poweroff", "touch", "stat", "rm"] {
        std::os::unix::fs::symlink("busybox", folder.join("bin").join(applet)).unwrap();
    }
    std::os::unix::fs::symlink("../bin/busybox", folder.join("sbin/init")).unwrap();
    std::fs::write(folder.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\napp:x:33:33:app:/:/bin/sh\n")
        .unwrap();
    std::fs::write(folder.join("etc/group"), "root:x:0:\napp:x:33:\n").unwrap();
    std::fs::write(folder.join("etc/version"), word).unwrap();
    std::fs::write(folder.join("etc/dropped"), "image's").unwrap();
    std::fs::write(folder.join("var/lib/app/first"), "from the image").unwrap();
    std::os::unix::fs::chown(folder.join("var/lib/app"), Some(33), Some(33)).unwrap();
    folder
}

/// The site with its image made from a folder.
fn site(product: &Product, image: &Path, more: &str) -> String {
    let base = product.base().replacen("busybox: {}", &format!("directory: {}", image.display()), 1);
    base + &Product::container("web", &format!("persist: [/var/lib/app], {more}"))
}

fn apply(product: &Product, allow: &str) -> Said {
    product.run(&["apply", "-f", &product.manifest().to_string_lossy(), "--yes", "--allow", allow])
}

/// What makes it itself.
fn likeness(product: &Product) -> (String, String, String) {
    let map = std::fs::read_to_string(format!("/proc/{}/uid_map", product.pid("web"))).unwrap();
    let address = product.inside("web", "ip -4 -o addr show eth0");
    let address = address.split_whitespace().find(|word| word.contains('/')).unwrap_or_default().to_owned();
    (product.inside("web", "cat /sys/class/net/eth0/address"), address, map)
}

const REPLACE: &str =
    "update: {image: replace, keepReplaced: 1h}, ready: {exec: [grep, -q, good, /etc/version], timeout: 1s}";

#[test]
fn an_image_with_another_name_and_the_same_content_stops_nothing() {
    let product = Product::new();
    let (one, two) = (tree(&product, "one", "good 1"), tree(&product, "two", "good 1"));
    product.declare(&site(&product, &one, REPLACE));
    product.apply().expect(0);
    let (pid, before) = (product.pid("web"), likeness(&product));
    // Another folder with the same in it, under another name.
    let moved = site(&product, &two, REPLACE).replace("busybox", "mini");
    product.declare(&moved);
    apply(&product, "replace,delete").expect(0);
    assert_eq!((product.pid("web"), likeness(&product)), (pid, before));
    product.plan().expect(0);
    product.run(&["get", "image/mini"]).expect(0);
    product.run(&["get", "image/busybox"]).expect(1);
}

#[test]
fn a_container_is_replaced_without_the_loss_of_what_it_persists() {
    let product = Product::new();
    let kept = patient(5);
    let declared = REPLACE.replace("1h", &format!("{}s", kept.as_secs()));
    let (one, two) = (tree(&product, "one", "good 1"), tree(&product, "two", "good 2"));
    product.declare(&site(&product, &one, &declared));
    product.apply().expect(0);
    assert_eq!(product.inside("web", "cat /var/lib/app/first; stat -c %u /var/lib/app"), "from the image33");
    product.inside("web", "echo kept > /var/lib/app/data; echo lost > /root/lost; rm /etc/dropped");
    let before = likeness(&product);
    let pid = product.pid("web");
    product.declare(&site(&product, &two, &declared));
    // It waits for approval; the plan counts what would be dropped.
    let said = product.apply().expect(0);
    assert!(
        said.out.contains("drops 2 files written or removed inside: /etc/dropped, /root/lost"),
        "{}",
        said.out
    );
    assert!(said.out.contains("waits for update.restart is ask"), "{}", said.out);
    assert_eq!(product.pid("web"), pid);
    let said = product.plan().expect(0);
    assert!(said.out.contains("pending: replace"), "{}", said.out);
    apply(&product, "replace").expect(0);
    assert_eq!(product.inside("web", "cat /etc/version; cat /var/lib/app/data"), "good 2kept");
    assert_eq!(product.inside("web", "cat /etc/dropped; ls /root"), "image's");
    assert_eq!(likeness(&product), before);
    product.plan().expect(0);
    // The former root is kept for its time.
    std::thread::sleep(kept);
    let said = product.plan().expect(2);
    assert!(said.out.contains("it was kept until"), "{}", said.out);
    product.apply().expect(0);
    product.plan().expect(0);
    product.drift().expect(0);
    product.run(&["restart", "web"]).expect(0);
    assert_eq!(product.inside("web", "cat /var/lib/app/data"), "kept");
    product.run(&["delete", "web"]).expect(0);
}

#[test]
fn a_new_root_that_is_not_ready_is_rolled_back_at_once() {
    let product = Product::new();
    let (one, bad) = (tree(&product, "one", "good 1"), tree(&product, "bad", "broken"));
    product.declare(&site(&product, &one, REPLACE));
    product.apply().expect(0);
    product.inside("web", "echo kept > /var/lib/app/data; echo own > /root/own");
    let before = likeness(&product);
    product.declare(&site(&product, &bad, REPLACE));
    let said = apply(&product, "replace").expect(3);
    assert!(said.out.contains("rollback of what was not ready"), "{}", said.out);
    assert_eq!(product.inside("web", "cat /etc/version /root/own /var/lib/app/data"), "good 1own\nkept");
    assert_eq!(likeness(&product), before);
    // It is not tried again by itself.
    let said = product.plan().expect(0);
    assert!(said.out.contains("was rolled back"), "{}", said.out);
    let listed = product.run(&["get", "web"]).expect(0).out;
    assert!(listed.contains("Stale"), "{listed}");
}

#[test]
fn the_daemon_replaces_where_the_manifest_allows_it_and_rolls_back() {
    let product = Product::new();
    let (one, bad, two) =
        (tree(&product, "one", "good 1"), tree(&product, "bad", "broken"), tree(&product, "two", "good 2"));
    let allowed = REPLACE.replace("image: replace", "image: replace, restart: allow");
    product.declare(&site(&product, &one, &allowed));
    product.apply().expect(0);
    product.inside("web", "echo own > /root/own");
    let pid = product.pid("web");
    product.declare(&site(&product, &bad, &allowed));
    let _daemon = Daemon::start(&product);
    eventually(40, "the bad root is rolled back", || {
        let said = product.run(&["plan", "-f", &product.manifest().to_string_lossy()]);
        said.status == 0 && said.out.contains("was rolled back")
    });
    assert!(product.pid("web") != pid);
    assert_eq!(product.inside("web", "cat /etc/version /root/own"), "good 1own");
    product.declare(&site(&product, &two, &allowed));
    eventually(40, "another content is taken", || {
        let said = product.run(&["exec", "web", "-T", "--", "cat", "/etc/version"]);
        said.status == 0 && said.out.trim() == "good 2"
    });
}

#[test]
fn a_renamed_container_runs_on_and_ignored_limits_stay() {
    let product = Product::new();
    let spec = "config: {limits.memory: 64MiB}, ignore: [config.limits.memory]";
    product.declare(&(product.base() + &Product::container("front", spec)));
    product.apply().expect(0);
    let (pid, json) = (product.pid("front"), product.container_json("front"));
    let web = Product::container("web-1", "config: {limits.memory: 128MiB}, ignore: [config.limits.memory]");
    product.declare(&(product.base() + &web.replace("{name: web-1}", "{name: web-1, renamedFrom: front}")));
    let said = product.apply().expect(0);
    assert!(said.out.contains("renamed from container/front"), "{}", said.out);
    assert_eq!(product.pid("web-1"), pid);
    let now = product.container_json("web-1");
    assert_eq!((&now["uuid"], &now["addresses"]), (&json["uuid"], &json["addresses"]));
    product.run(&["get", "front"]).expect(1);
    let said = product.plan().expect(0);
    assert!(said.out.contains("hostname: front -> web-1"), "{}", said.out);
    // A reboot from inside, without a daemon, comes back under the new name.
    product.run(&["exec", "web-1", "-T", "--", "reboot"]);
    eventually(20, "it is back", || {
        let now = product.pid("web-1");
        now != 0 && now != pid
    });
    assert_eq!(product.inside("web-1", "hostname"), "web-1");
    product.plan().expect(0);
    product.drift().expect(0);
}

#[test]
fn a_hold_outlives_a_replace() {
    let product = Product::new();
    let (one, two) = (tree(&product, "one", "good 1"), tree(&product, "two", "good 2"));
    product.declare(&site(&product, &one, REPLACE));
    product.apply().expect(0);
    product.inside("web", "echo kept > /var/lib/app/data");
    product.run(&["stop", "web"]).expect(0);

    // Stopped by a hold: the root is replaced, nobody starts it.
    product.declare(&site(&product, &two, REPLACE));
    apply(&product, "replace").expect(0);
    assert_eq!(product.pid("web"), 0, "the hold is kept");
    let holds = product.run(&["holds"]).expect(0).out;
    assert!(holds.contains("container/web"), "{holds}");
    product.plan().expect(0);
    product.run(&["resume", "web"]).expect(0);
    assert_eq!(product.inside("web", "cat /etc/version /var/lib/app/data"), "good 2kept");
    product.plan().expect(0);

    // Frozen by a hold: its root is replaced once the hold has ended.
    product.run(&["freeze", "web"]).expect(0);
    let three = tree(&product, "three", "good 3");
    product.declare(&site(&product, &three, REPLACE));
    let said = apply(&product, "replace").expect(0).out;
    assert!(said.contains("the end of its hold: `bayplan resume container/web`"), "{said}");
    assert_eq!(product.container_json("web")["state"], "frozen");
    assert!(product.run(&["holds"]).expect(0).out.contains("container/web"));
    product.plan().expect(0);
    product.run(&["unfreeze", "web"]).expect(0);
    assert_eq!(product.inside("web", "cat /etc/version"), "good 2");
    apply(&product, "replace").expect(0);
    assert_eq!(product.inside("web", "cat /etc/version /var/lib/app/data"), "good 3kept");
    product.plan().expect(0);
    product.drift().expect(0);
}

#[test]
fn a_persisted_folder_behind_a_link_is_no_drift() {
    let product = Product::new();
    let one = tree(&product, "one", "good 1");
    std::os::unix::fs::symlink("var/lib", one.join("data")).unwrap();
    product.declare(&site(&product, &one, REPLACE).replacen("[/var/lib/app]", "[/data/app]", 1));
    product.apply().expect(0);
    assert_eq!(product.inside("web", "cat /data/app/first"), "from the image");
    product.drift().expect(0);
    product.plan().expect(0);
}
