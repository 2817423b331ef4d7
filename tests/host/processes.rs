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

/// As an upgrade leaves it: the file is on no mount any more, so that the spawner runs from a sealed copy.
#[test]
fn a_program_that_lies_on_no_mount_runs_containers_too() {
    let product = Product::new();
    product.declare(&(product.base() + &Product::container("a", "config: {security.privileged: true}")));
    let memory = rustix::fs::memfd_create("bayplan", rustix::fs::MemfdFlags::empty()).unwrap();
    let mut memory = std::fs::File::from(memory);
    let mut program = std::fs::File::open(env!("CARGO_BIN_EXE_bayplan")).unwrap();
    std::io::copy(&mut program, &mut memory).unwrap();
    let path = format!("/proc/{}/fd/{}", std::process::id(), std::os::fd::AsRawFd::as_raw_fd(&memory));
    let run = |arguments: &[&str]| {
        let command = product.command(arguments);
        let output = Command::new(&path).args(command.get_args()).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    run(&["apply", "-f", &product.manifest().to_string_lossy(), "--yes"]);
    assert_eq!(run(&["exec", "a", "-T", "--", "hostname"]), "a\n");
    let monitor = parent_of(product.pid("a"));
    let executed = std::fs::read_link(format!("/proc/{monitor}/exe")).unwrap();
    assert!(executed.to_string_lossy().contains("memfd:bayplan"), "{executed:?}");
    let written = std::fs::File::options().write(true).open(format!("/proc/{monitor}/exe"));
    assert!(written.is_err(), "nobody can write what the monitor runs");
}

fn parent_of(pid: u32) -> u32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(") ").unwrap().1.split(' ').nth(1).unwrap().parse().unwrap()
}

/// Waits for a command's end; one that hangs fails the test.
fn ended(mut child: std::process::Child, what: &str) -> i32 {
    let mut status = None;
    eventually(30, what, || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    status.and_then(|status| status.code()).unwrap()
}

#[test]
fn an_exec_into_a_container_that_dies_ends_with_125_or_the_signal() {
    let product = Product::new();
    product.declare(&(product.base() + &Product::container("a", "config: {}")));
    let mut seen = std::collections::BTreeSet::new();
    for wait_ms in [0, 2, 5, 10, 20, 40, 80] {
        product.apply().expect(0);
        let pid = nix::unistd::Pid::from_raw(product.pid("a") as i32);
        let long = product.spawn(&["exec", "a", "-T", "--", "sleep", "86400"]);
        let early: Vec<_> = (0..2).map(|_| product.spawn(&["exec", "a", "-T", "--", "true"])).collect();
        std::thread::sleep(Duration::from_millis(wait_ms));
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
        let late = product.spawn(&["exec", "a", "-T", "--", "true"]);
        let status = ended(long, "the long exec ends with its container");
        assert!([125, 128 + 9].contains(&status), "a long exec killed after {wait_ms} ms: {status}");
        seen.insert(status);
        for short in early.into_iter().chain([late]) {
            let status = ended(short, "a short exec ends");
            assert!([0, 125, 128 + 9].contains(&status), "killed after {wait_ms} ms: {status}");
        }
    }
    assert!(seen.contains(&125), "none came too late: {seen:?}");
}
