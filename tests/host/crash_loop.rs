//! Inits that end as soon as they begin: the daemon does not spin, says so, and others are healed at once meanwhile.

use crate::daemon::Daemon;
use crate::product::{Product, eventually};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;
use std::time::{Duration, Instant};

/// A site with an image `loops` whose init is this script.
fn site(product: &Product, init: &str, spec: &str) -> String {
    let root = product.folder().join("root");
    for folder in ["bin", "sbin", "proc", "sys", "dev", "etc", "run", "tmp"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    let busybox = Command::new("sh").args(["-c", "command -v busybox"]).output().unwrap().stdout;
    fs::copy(String::from_utf8(busybox).unwrap().trim(), root.join("bin/busybox")).unwrap();
    let _ = symlink("busybox", root.join("bin/sh"));
    fs::write(root.join("sbin/init"), format!("#!/bin/sh\n{init}\n")).unwrap();
    fs::set_permissions(root.join("sbin/init"), fs::Permissions::from_mode(0o755)).unwrap();
    let image = "---\napiVersion: bayplan/v1\nkind: Image\nmetadata: {name: loops}\n\
                 spec: {source: {directory: ./root}}\n";
    let c = Product::container("c", spec).replace("image: busybox", "image: loops");
    product.base() + image + &c + &Product::container("a", "config: {}")
}

fn crash_loop(product: &Product) -> Option<Value> {
    let said = product.run(&["get", "container/c", "-o", "json"]);
    let value = (said.status == 0).then(|| said.json())?;
    let conditions = value["objects"][0]["conditions"].as_array()?.clone();
    conditions.into_iter().find(|condition| condition["type"] == "CrashLoop")
}

/// How many times it was started. While it is being started there is neither a run nor a last end to tell.
fn starts(product: &Product) -> u64 {
    let mut starts = None;
    eventually(10, "its run or its last end is told", || {
        let c = product.container_json("c");
        starts = c["lastExit"]["incarnation"].as_u64().or(c["incarnation"].as_u64());
        starts.is_some()
    });
    starts.unwrap()
}

/// Each edit begins a full pass.
fn poke(product: &Product, text: &str, times: u32) {
    for edit in 0..times {
        product.declare(&format!("# edit {edit}\n{text}"));
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// How many starts there may be within a time, when each waits twice as long as the last: 1 s, 2 s, 4 s … 32 s.
fn most_starts(within: Duration) -> u64 {
    let seconds = within.as_secs();
    u64::from((seconds + 1).min(32).ilog2()) + 2 + seconds / 32
}

#[test]
fn an_init_that_ends_at_once_is_started_less_and_less_often() {
    let product = Product::new();
    let text = site(&product, "exit 3", "config: {}");
    product.declare(&text);
    let _daemon = Daemon::start(&product);
    eventually(60, "the crash loop is told", || crash_loop(&product).is_some());
    let begun = Instant::now();
    let before = starts(&product);
    assert!(before >= 5, "the first starts do not wait: {before}");
    poke(&product, &text, 12);
    let after = starts(&product);
    let most = most_starts(begun.elapsed());
    assert!(after - before <= most, "{} starts while it waits, not {most}", after - before);

    // Not in the moment in which it is started once more.
    eventually(10, "the loop and its last end are described", || {
        let described = product.run(&["describe", "c"]).expect(0).out;
        described.contains("CrashLoop: its init ended") && described.contains("Failed, status 3")
    });
    eventually(10, "the loop is listed", || {
        let table = product.run(&["get", "containers"]).expect(0).out;
        table.lines().any(|line| line.starts_with("container/c") && line.contains("CrashLoop"))
    });
    assert!(Daemon::log(&product).contains("container/c: init ends again and again; it is started in 1 s"));
    eventually(10, "the end is drift", || product.drift().out.contains("init ended with status 3"));

    let a = product.pid("a");
    let pid = nix::unistd::Pid::from_raw(a as i32);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
    eventually(10, "another one is healed", || ![0, a].contains(&product.pid("a")));

    product.declare(&site(&product, "exit 3", "state: stopped"));
    eventually(30, "stopped as declared", || product.plan().status == 0);
    let rested = starts(&product);
    poke(&product, &site(&product, "exit 3", "state: stopped"), 3);
    assert_eq!(starts(&product), rested);
}

#[test]
fn an_ephemeral_container_that_is_complete_is_made_afresh_counted_and_not_without_a_limit() {
    let product = Product::new();
    let once = "ephemeral: true";
    product.declare(&site(&product, "exec /bin/busybox sleep 86400", once));
    let daemon = Daemon::start(&product);
    eventually(30, "it runs", || product.plan().status == 0);
    let remakes = || product.container_json("c")["remakes"].as_u64().unwrap();
    assert_eq!(remakes(), 0);
    let first = product.pid("c");
    product.inside("c", "/bin/busybox touch /tmp/../mark");
    product.run(&["exec", "c", "-T", "--", "/bin/busybox", "poweroff", "-f"]);
    eventually(30, "it is made afresh", || ![0, first].contains(&product.pid("c")));
    assert_eq!(remakes(), 1);
    product.run(&["exec", "c", "-T", "--", "/bin/busybox", "test", "-e", "/mark"]).expect(1);
    assert!(product.run(&["describe", "c"]).expect(0).out.contains("remade      1 times"));
    product.run(&["delete", "container/c", "--yes"]);
    drop(daemon);
    product.run(&["delete", "container/c", "--yes"]).expect(0);
    product.run(&["delete", "image/loops", "--yes"]).expect(0);

    let text = site(&product, "exec /bin/busybox poweroff -f", once);
    product.declare(&text);
    let _daemon = Daemon::start(&product);
    eventually(60, "the limit is reached", || crash_loop(&product).is_some());
    let begun = Instant::now();
    let before = remakes();
    assert!(before >= 4, "the first ones do not wait: {before}");
    poke(&product, &text, 12);
    let after = remakes();
    let most = most_starts(begun.elapsed());
    assert!(after - before <= most, "{} remakes while it waits, not {most}", after - before);
    assert!(after > before, "it is still made afresh, less often");
}
