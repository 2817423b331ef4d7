//! The daemon: it follows a manifest, heals at once, and containers never notice when it goes.

use crate::product::{Product, eventually};
use std::process::Child;

/// A daemon that follows the test's manifest; ended when dropped.
struct Daemon(Child);

impl Daemon {
    fn start(product: &Product) -> Daemon {
        let manifest = product.manifest();
        let child = product.spawn(&["daemon", "-f", &manifest.to_string_lossy()]);
        let daemon = Daemon(child);
        eventually(20, "the daemon answers", || product.state().join("unix.socket").exists());
        daemon
    }

    /// As a crash does.
    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let pid = nix::unistd::Pid::from_raw(self.0.id() as i32);
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        let _ = self.0.wait();
    }
}

fn site(product: &Product, limit: u32) -> String {
    product.base() + &Product::container("a", &format!("config: {{limits.processes: {limit}}}"))
}

fn runs(product: &Product) -> bool {
    let said = product.run(&["get", "container/a", "-o", "json"]);
    said.status == 0 && product.pid("a") != 0
}

#[test]
fn the_daemon_converges_follows_and_heals_and_may_be_killed() {
    let product = Product::new();
    product.declare(&site(&product, 100));
    let daemon = Daemon::start(&product);
    eventually(30, "the container runs", || runs(&product));

    let pid = product.pid("a");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid as i32), nix::sys::signal::Signal::SIGKILL)
        .unwrap();
    eventually(10, "it runs again", || runs(&product) && product.pid("a") != pid);

    let pid = product.pid("a");
    product.declare(&site(&product, 77));
    eventually(15, "the new limit is in force", || {
        let folder = product.cgroup_folder("a", "pids");
        folder.ancestors().any(|folder| {
            std::fs::read_to_string(folder.join("pids.max")).is_ok_and(|text| text.trim() == "77")
        })
    });
    assert_eq!(product.pid("a"), pid);

    product.declare("kind: nonsense\n");
    std::thread::sleep(std::time::Duration::from_millis(600));
    assert_eq!(product.pid("a"), pid, "a broken load keeps the last good one");
    product.declare(&site(&product, 77));

    assert_eq!(product.inside("a", "hostname"), "a", "exec through the daemon");
    product.run(&["exec", "a", "-T", "--", "sh", "-c", "exit 9"]).expect(9);
    product.apply().expect(0);
    product.run(&["stop", "a", "--force"]).expect(0);
    assert_eq!(product.pid("a"), 0, "a hold through the daemon");
    product.run(&["resume", "a"]).expect(0);
    eventually(10, "it runs again", || runs(&product));

    let pid = product.pid("a");
    daemon.kill();
    assert_eq!(product.inside("a", "hostname"), "a", "without the daemon");
    let daemon = Daemon::start(&product);
    eventually(10, "the new daemon answers", || product.run(&["get"]).status == 0);
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(product.pid("a"), pid, "the container never noticed");
    drop(daemon);
    assert_eq!(product.inside("a", "hostname"), "a", "after the daemon's orderly end");
}

#[test]
fn an_apply_of_another_text_of_the_site_that_the_daemon_follows_is_refused() {
    let product = Product::new();
    product.declare(&site(&product, 100));
    let _daemon = Daemon::start(&product);
    eventually(30, "the container runs", || runs(&product));
    let other = product.folder().join("other.yaml");
    std::fs::write(&other, site(&product, 55)).unwrap();
    let said = product.run(&["apply", "-f", &other.to_string_lossy(), "--yes"]).expect(1);
    assert!(said.err.contains("follows"), "{}", said.err);
}
