//! Images through the product: what is lost comes back, and never as something else.

use crate::product::Product;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

fn lose(product: &Product) {
    let images: PathBuf = product.folder().join("state.data/images");
    for entry in fs::read_dir(&images).unwrap().flatten() {
        if !entry.file_name().to_string_lossy().starts_with('.') {
            fs::remove_dir_all(entry.path()).unwrap();
        }
    }
}

/// A folder with a tiny system, made from the host's busybox.
fn folder_image(product: &Product) -> String {
    let root = product.folder().join("tree");
    for folder in ["bin", "sbin", "etc", "proc", "sys", "dev", "tmp", "root", "run", "usr/bin"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    let busybox = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|path| fs::exists(path).unwrap());
    fs::copy(busybox.unwrap(), root.join("bin/busybox")).unwrap();
    for name in ["sh", "cat", "sleep", "hostname", "poweroff"] {
        std::os::unix::fs::symlink("busybox", root.join("bin").join(name)).unwrap();
    }
    std::os::unix::fs::symlink("../bin/busybox", root.join("sbin/init")).unwrap();
    fs::write(root.join("etc/inittab"), "::sysinit:/bin/sh -c :\n").unwrap();
    fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n").unwrap();
    format!(
        "---\napiVersion: bayplan/v1\nkind: Image\nmetadata: {{name: tree}}\nspec: {{source: {{directory: {}}}}}\n\
         ---\napiVersion: bayplan/v1\nkind: Container\nmetadata: {{name: t}}\nspec: {{image: tree, profiles: [net]}}\n",
        root.display()
    )
}

#[test]
fn a_lost_image_is_made_anew_when_its_source_gives_the_same() {
    let product = Product::new();
    product.declare(&(product.base() + &Product::container("a", "config: {}")));
    product.apply().expect(0);
    product.inside("a", "echo kept > /root/data");
    product.run(&["stop", "a", "--force"]).expect(0);
    lose(&product);
    let drift = product.drift().expect(2);
    assert!(drift.out.contains("image/busybox"), "{}", drift.out);
    product.apply().expect(0);
    product.run(&["resume", "a"]).expect(0);
    assert_eq!(product.inside("a", "cat /root/data"), "kept");
    product.plan().expect(0);
}

#[test]
fn a_container_that_ran_while_its_image_was_lost_is_reported_until_it_is_restarted_by_hand() {
    let product = Product::new();
    product.declare(&(product.base() + &Product::container("a", "config: {}")));
    product.apply().expect(0);
    product.inside("a", "echo kept > /root/data");
    let init = product.pid("a");
    lose(&product);
    product.drift().expect(2);
    product.apply().expect(3);
    assert_eq!(product.pid("a"), init, "not restarted by itself");
    assert_ne!(product.run(&["exec", "a", "-T", "--", "cat", "/root/data"]).status, 0, "it has no program");
    for said in [product.plan().expect(2), product.drift().expect(2)] {
        assert!(said.out.contains("lost while it ran"), "{}", said.out);
        assert!(said.out.contains("bayplan restart a"), "{}", said.out);
    }
    assert!(product.run(&["get", "a"]).expect(0).out.contains("Broken"));
    product.run(&["restart", "a"]).expect(0);
    assert_eq!(product.inside("a", "cat /root/data"), "kept");
    product.plan().expect(0);
}

#[test]
fn another_content_is_never_put_under_an_existing_root() {
    let product = Product::new();
    let folder = folder_image(&product);
    product.declare(&(product.base() + &folder));
    product.apply().expect(0);
    assert_eq!(product.inside("t", "hostname"), "t");
    product.run(&["stop", "t", "--force"]).expect(0);
    product.run(&["resume", "t"]).expect(0);
    product.run(&["stop", "t", "--force"]).expect(0);
    lose(&product);
    fs::write(product.folder().join("tree/etc/changed"), "another content").unwrap();
    let said = product.apply();
    assert_ne!(said.status, 0, "{}\n{}", said.out, said.err);
    assert_eq!(product.pid("t"), 0, "not started on another content");
    fs::remove_file(product.folder().join("tree/etc/changed")).unwrap();
    product.apply().expect(0);
    product.run(&["resume", "t"]).expect(0);
    assert_eq!(product.inside("t", "hostname"), "t");
}

#[test]
fn links_and_devices_of_a_folder_image_lead_nowhere() {
    let product = Product::new();
    let folder = folder_image(&product);
    let root = product.folder().join("tree");
    std::os::unix::fs::symlink("/etc/shadow", root.join("etc/outside")).unwrap();
    assert!(
        Command::new("mknod").arg(root.join("etc/disk")).args(["b", "254", "0"]).status().unwrap().success()
    );
    product.declare(&(product.base() + &folder));
    product.apply().expect(0);
    product.run(&["exec", "t", "-T", "--", "cat", "/etc/outside"]).expect(1);
    product.run(&["exec", "t", "-T", "--", "cat", "/etc/disk"]).expect(1);
}
