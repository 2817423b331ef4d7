//! Bad input: a finding with file, line and fix, exit 1, and nothing is changed.

use crate::product::Product;
use std::os::unix::process::CommandExt;

#[track_caller]
fn refused(product: &Product, text: &str, words: &[&str]) {
    product.declare(text);
    for verb in ["plan", "apply"] {
        let said = product.run(&[verb, "-f", &product.manifest().to_string_lossy()]).expect(1);
        for word in words.iter().chain(&["site.yaml:"]) {
            assert!(said.err.contains(word), "{verb}: `{word}` is not in\n{}", said.err);
        }
    }
    assert!(!product.state().join("records").exists(), "nothing was recorded");
    assert!(!product.folder().join("state.data").exists(), "nothing was made");
}

#[test]
fn what_the_host_does_not_have_is_a_finding_with_its_line() {
    let product = Product::new();
    let missing = "devices: {data: {type: disk, source: /no/such/folder, path: /srv/data}}";
    refused(&product, &(product.base() + &Product::container("a", missing)), &["/no/such/folder"]);
    let processors = "config: {limits.cpu: 100-101}";
    refused(&product, &(product.base() + &Product::container("a", processors)), &["limits.cpu"]);
    let files = "config: {limits.kernel.nofile: 2000000000}";
    refused(&product, &(product.base() + &Product::container("a", files)), &["2000000000"]);
}

#[test]
fn what_is_misspelt_is_a_finding_with_the_likely_word() {
    let product = Product::new();
    let typo = "config: {limits.memroy: 1GiB}";
    refused(&product, &(product.base() + &Product::container("a", typo)), &["limits.memory"]);
    let later = "config: {limits.memory.swap: \"false\"}";
    refused(&product, &(product.base() + &Product::container("a", later)), &["not supported yet"]);
}

#[test]
fn a_bridge_of_somebody_else_is_left_alone() {
    let product = Product::new();
    let ip = |arguments: &[&str]| {
        assert!(std::process::Command::new("ip").args(arguments).status().unwrap().success());
    };
    ip(&["link", "add", &product.bridge(), "type", "bridge"]);
    product.declare(&(product.base() + &Product::container("a", "config: {}")));
    let said = product.apply().expect(1);
    assert!(said.err.contains(&product.bridge()), "{}", said.err);
    ip(&["link", "del", &product.bridge()]);
    product.apply().expect(0);
}

#[test]
fn without_root_nothing_is_tried() {
    let product = Product::new();
    product.declare(&product.base());
    // The test's folder is root's own, and so may be the program's: a state folder and a copy that anybody may use.
    let program = product.folder().join("bayplan");
    std::fs::copy(env!("CARGO_BIN_EXE_bayplan"), &program).unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(product.folder(), open).unwrap();
    let output = std::process::Command::new(&program)
        .args(["--state-dir", "/tmp/bayplan-nobody", "plan", "-f"])
        .arg(product.manifest())
        .uid(65534)
        .gid(65534)
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("not root"), "{error}");
    assert!(!std::path::Path::new("/tmp/bayplan-nobody").exists());
}
