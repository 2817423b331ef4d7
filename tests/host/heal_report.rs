//! `heal: report`: the daemon says what drifted and leaves it; what the manifests change is applied.

use crate::daemon::Daemon;
use crate::product::{Product, eventually};

fn site(product: &Product, limit: u32) -> String {
    let base = product.base().replacen("spec: {}", "spec: {heal: report}", 1);
    let config = |limit| format!("config: {{limits.processes: {limit}}}");
    base + &Product::container("a", &config(limit)) + &Product::container("b", &config(limit))
}

fn kill(product: &Product, name: &str) {
    let pid = product.pid(name);
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid as i32), nix::sys::signal::Signal::SIGKILL)
        .unwrap();
    eventually(10, "init ends", || product.pid(name) == 0);
}

fn said(product: &Product, words: &str) {
    eventually(30, words, || Daemon::log(product).lines().any(|line| line.contains(words)));
}

const A_IS_DOWN: &str =
    "drift, reported only: container/a state is stopped, not running: init was killed (signal 9)";

#[test]
fn a_daemon_that_is_started_on_drift_only_reports_it() {
    let product = Product::new();
    product.declare(&site(&product, 100));
    product.apply().expect(0);
    kill(&product, "a");
    let manifest = product.manifest();
    for arguments in [&["daemon", "-f", &manifest.to_string_lossy()][..], &["daemon"]] {
        let daemon = Daemon::run(&product, arguments);
        said(&product, A_IS_DOWN);
        assert_eq!(product.pid("a"), 0, "{arguments:?}");
        assert_eq!(product.drift().status, 2);
        drop(daemon);
    }
}

#[test]
fn drift_is_left_until_its_object_changes_and_others_are_not_touched() {
    let product = Product::new();
    product.declare(&site(&product, 100));
    let _daemon = Daemon::start(&product);
    eventually(30, "the containers run", || product.plan().status == 0);
    let b = product.pid("b");
    kill(&product, "a");
    said(&product, A_IS_DOWN);
    assert_eq!(product.pid("a"), 0);
    kill(&product, "b");
    said(&product, "drift, reported only: container/b");
    assert_ne!(b, 0);

    let changed = site(&product, 100);
    let at = changed.rfind("limits.processes: 100").unwrap();
    product.declare(&(changed[..at].to_owned() + "limits.processes: 90" + &changed[at + 21..]));
    eventually(30, "what changes is applied", || product.pid("b") != 0);
    assert_eq!(product.pid("a"), 0, "what only drifted is left");
    assert_eq!(product.drift().status, 2);
}

#[test]
fn drift_is_said_though_a_guard_keeps_the_site_from_being_applied() {
    let product = Product::new();
    let guarded = "spec: {heal: report, prune: {mode: auto, max: 1}}";
    let base = product.base().replacen("spec: {}", guarded, 1);
    let containers = ["a", "b", "c"].map(|name| Product::container(name, "state: running"));
    product.declare(&(base.clone() + &containers.concat()));
    product.apply().expect(0);
    kill(&product, "a");
    product.declare(&(base + &containers[0]));
    let _daemon = Daemon::start(&product);
    said(&product, "prune.max");
    said(&product, A_IS_DOWN);
    assert_eq!(product.pid("a"), 0, "it is reported only");
    assert_ne!(product.pid("b"), 0, "what the guard is about stays");
}
