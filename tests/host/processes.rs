//! The runtime's own processes, as the product starts them: what survives whom.

use crate::product::{Product, eventually, skipped};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const MARK: &str = "BAYPLAN_TEST_MARK";

#[test]
fn an_apply_whose_spawner_is_killed_is_completed_by_the_next() {
    let product = Product::new();
    product.declare(&(product.base() + &Product::container("a", "config: {limits.processes: 100}")));
    let mut killed = 0;
    for wait_ms in [0, 10, 25, 50, 100] {
        let mark = format!("{}-{wait_ms}", product.bridge());
        let mut child = product
            .command(&["apply", "-f", &product.manifest().to_string_lossy(), "--yes"])
            .env(MARK, &mark)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut found = None;
        while found.is_none() && child.try_wait().unwrap().is_none() {
            found = spawner(&mark);
        }
        if let Some(pid) = found {
            std::thread::sleep(Duration::from_millis(wait_ms));
            let pid = nix::unistd::Pid::from_raw(pid);
            killed += u32::from(nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).is_ok());
        }
        child.wait().unwrap();
        product.apply().expect(0);
        product.plan().expect(0);
        assert_eq!(product.inside("a", "echo here"), "here");
        product.run(&["delete", "container/a", "--yes", "--allow", "delete"]).expect(0);
    }
    assert!(killed > 0, "no spawner was found to kill");
}

/// The spawner of the command that was started with this mark: it inherits the command's environment.
fn spawner(mark: &str) -> Option<i32> {
    let wanted = format!("{MARK}={mark}");
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let comm = std::fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        let is_ours = environment.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes());
        if comm.trim() == "bayplan-spawner" && is_ours {
            return entry.file_name().to_str()?.parse().ok();
        }
    }
    None
}

#[test]
fn containers_outlive_the_systemd_service_that_applied_them() {
    if std::fs::read_to_string("/proc/1/comm").unwrap_or_default().trim() != "systemd" {
        skipped("PID 1 is not systemd (it is in the VMs)");
        return;
    }
    let product = Product::new();
    product.declare(&(product.base() + &Product::container("a", "config: {}")));
    let unit = format!("{}.service", product.bridge());
    let command = product.command(&["apply", "-f", &product.manifest().to_string_lossy(), "--yes"]);
    let options = ["--property=Type=oneshot", "--property=RemainAfterExit=yes"];
    let mut run = Command::new("systemd-run");
    run.arg(format!("--unit={unit}")).args(options).arg(command.get_program()).args(command.get_args());
    let said = run.output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let pid = product.pid("a");
    assert_ne!(pid, 0);
    assert!(Command::new("systemctl").args(["stop", &unit]).status().unwrap().success());
    eventually(10, "the service is gone", || {
        !Path::new(&format!("/sys/fs/cgroup/system.slice/{unit}")).exists()
    });
    assert_eq!(product.pid("a"), pid, "the container runs on");
    // An unsupervised container would be a difference.
    product.plan().expect(0);
    assert_eq!(product.inside("a", "echo here"), "here");
}
