//! Crash safety on the real host: whatever is killed, whenever, the next apply converges and nothing is lost.

use crate::product::{Product, eventually};
use std::time::Duration;

fn site(product: &Product) -> String {
    let mut text = product.base();
    for name in ["a", "b"] {
        text += &Product::container(name, "config: {limits.processes: 100}");
    }
    text
}

#[test]
fn an_apply_that_is_killed_anywhere_is_completed_by_the_next() {
    let product = Product::new();
    product.declare(&site(&product));
    // An apply takes some hundred milliseconds: kills at growing times fall into each of its steps.
    for wait_ms in [0, 5, 10, 20, 30, 40, 55, 70, 90, 110, 140, 180, 240, 320] {
        let manifest = product.manifest();
        let mut child = product.spawn(&["apply", "-f", &manifest.to_string_lossy(), "--yes"]);
        std::thread::sleep(Duration::from_millis(wait_ms));
        child.kill().unwrap();
        child.wait().unwrap();
        product.apply().expect(0);
        product.plan().expect(0);
        assert_eq!(product.inside("a", "hostname"), "a");
        product.run(&["delete", "container/a", "container/b", "--yes", "--allow", "delete"]).expect(0);
    }
}

#[test]
fn the_second_of_two_applies_is_told_who_the_first_is() {
    let product = Product::new();
    product.declare(&site(&product));
    product.apply().expect(0);
    let lock = std::fs::OpenOptions::new().write(true).open(product.state().join("lock")).unwrap();
    std::fs::write(product.state().join("lock"), "pid 4711, bayplan apply -f elsewhere").unwrap();
    let held = nix::fcntl::Flock::lock(lock, nix::fcntl::FlockArg::LockExclusiveNonblock).unwrap();
    product.declare(&product.base());
    product.run(&["delete", "container/a", "--yes", "--allow", "delete"]).expect(5);
    let said = product.run(&["stop", "b"]).expect(5);
    assert!(said.err.contains("4711") && said.err.contains("elsewhere"), "{}", said.err);
    drop(held);
    product.run(&["--wait", "5", "stop", "b"]).expect(0);
}

#[test]
fn after_a_reboot_of_the_machine_what_is_declared_running_runs_again() {
    let product = Product::new();
    product.declare(&site(&product));
    product.apply().expect(0);
    product.inside("a", "echo kept > /root/data");
    for name in ["a", "b"] {
        let pid = product.pid(name);
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let monitor: i32 =
            stat.rsplit(')').next().unwrap().split_whitespace().nth(1).unwrap().parse().unwrap();
        for pid in [monitor, pid as i32] {
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL)
                .unwrap();
        }
        eventually(10, "init ends", || !std::path::Path::new(&format!("/proc/{pid}")).exists());
    }
    let tag = run_folder(&product);
    std::fs::remove_dir_all(&tag).unwrap();
    product.drift().expect(2);
    product.apply().expect(0);
    assert_eq!(product.inside("a", "cat /root/data"), "kept");
    product.plan().expect(0);
}

/// /run/bayplan/TAG of this test's state folder, told by the folders of its containers.
fn run_folder(product: &Product) -> std::path::PathBuf {
    let digest = <sha2::Sha256 as sha2::Digest>::digest(product.state().as_os_str().as_encoded_bytes());
    std::path::Path::new("/run/bayplan").join(hex::encode(&digest[..4]))
}
