//! The examples that are meant for one host, converged on this one: from nothing, to nothing left to do, and away again.

use crate::product::{Product, Said, claim, eventually};
use std::fs;
use std::process::Command;

/// Each has a bridge and a subnet of its own. `site.yaml` takes a whole Debian (`make demo` does it), `files.yaml` takes a
/// credential of systemd's.
const EXAMPLES: [&str; 6] =
    ["addresses.yaml", "ci.yaml", "edge.yaml", "homelab.yaml", "shared-folder/site.yaml", "three-tier.yaml"];

#[test]
fn the_examples_converge_and_go_again() {
    // The names are the examples' own: two runs at once, from two checkouts, would be in each other's way.
    let mut claimed = None;
    eventually(300, "no other run converges the examples", || {
        claimed = claim("examples");
        claimed.is_some()
    });
    for name in EXAMPLES {
        let product = Product::new();
        // A checkout may lie on a file system that takes no id-mapped mounts; the test's folder does not.
        let copied = product.folder().join("manifests");
        let source = format!("{}/examples/manifests", env!("CARGO_MANIFEST_DIR"));
        assert!(Command::new("cp").arg("-r").arg(source).arg(&copied).status().unwrap().success());
        let path = copied.join(name).to_string_lossy().into_owned();
        if name == "edge.yaml" {
            as_edge_berlin(&product, &path);
        }
        let done = |said: Said| assert_eq!(said.status, 0, "{name}: {}{}", said.out, said.err);
        done(product.run(&["apply", "-f", &path, "--yes"]));
        done(product.run(&["plan", "-f", &path]));
        done(product.drift());
        let listing = product.run(&["get", "containers", "-o", "json"]).expect(0).json();
        let containers = listing["objects"].as_array().unwrap();
        assert!(containers.iter().any(|container| container["state"] == "running"), "{name}: {listing}");
        unprotected(&product, &path);
        done(product.run(&["delete", "--all", "--allow", "delete"]));
    }
}

/// Makes this host the first of the example's two, and pins the content that this host's busybox gives: another pin is
/// refused before anything is made.
fn as_edge_berlin(product: &Product, path: &str) {
    let image =
        "apiVersion: bayplan/v1\nkind: Image\nmetadata: {name: busybox}\nspec: {source: {busybox: {}}}\n";
    product.declare(image);
    product.apply().expect(0);
    let listing = product.run(&["get", "image/busybox", "-o", "json"]).expect(0).json();
    let fingerprint = listing["objects"][0]["fingerprint"].as_str().unwrap().to_owned();
    product.run(&["delete", "--all", "--allow", "delete"]).expect(0);
    let machine_id = fs::read_to_string("/etc/machine-id").unwrap();
    let text = fs::read_to_string(path).unwrap();
    let here = text.replace("6d6f64656c6c6564686f737400000001", machine_id.trim());
    assert_ne!(here, text, "edge-berlin's machine id");
    let pin = pinned(&here);
    fs::write(path, here.replace(&pin, &"f".repeat(64))).unwrap();
    let said = product.run(&["apply", "-f", path, "--yes"]).expect(3);
    assert!(said.out.contains(&fingerprint), "what the source gives is told: {}", said.out);
    product.run(&["delete", "--all", "--allow", "delete"]).expect(0);
    fs::write(path, here.replace(&pin, &fingerprint)).unwrap();
}

/// The fingerprint that a manifest pins.
fn pinned(manifest: &str) -> String {
    let (_, rest) = manifest.split_once("fingerprint: ").expect("a pin");
    rest.chars().take_while(char::is_ascii_hexdigit).collect()
}

/// What is protected goes only when its manifest says so no more.
fn unprotected(product: &Product, path: &str) {
    let text = fs::read_to_string(path).unwrap();
    let lifted = text.replace("security.protection.delete: true", "security.protection.delete: false");
    if lifted != text {
        let folder = std::path::Path::new(path).parent().unwrap();
        product.declare(&lifted.replace("source: ./", &format!("source: {}/", folder.display())));
        product.run(&["apply", "-f", &product.manifest().to_string_lossy(), "--yes"]).expect(0);
    }
}
