//! What is left alone on real containers: ignored fields that somebody sets by hand, power states that are not managed,
//! containers that no site owns.

use crate::daemon::Daemon;
use crate::product::{Product, eventually};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

const IGNORED: &str =
    "ignore: [config.limits.processes, devices.eth0, files./etc/motd, config.security.nesting]";

fn spec(processes: u32, motd: &str, more: &str) -> String {
    format!(
        "config: {{limits.processes: {processes}}}, files: {{/etc/motd: {{content: \"{motd}\\n\"}}}}, {more}"
    )
}

fn site(product: &Product, spec: &str) -> String {
    product.base() + &Product::container("a", spec)
}

/// The file in which the kernel keeps a container's limit of processes: the one that a declared number is found in.
fn limit_file(product: &Product, number: &str) -> PathBuf {
    let folder = product.cgroup_folder("a", "pids");
    let mut files = folder.ancestors().map(|folder| folder.join("pids.max"));
    files.find(|file| fs::read_to_string(file).is_ok_and(|text| text.trim() == number)).expect("a limit")
}

fn host_end(product: &Product) -> String {
    let index = product.inside("a", "cat /sys/class/net/eth0/iflink");
    let links = String::from_utf8(Command::new("ip").args(["-o", "link"]).output().unwrap().stdout).unwrap();
    let line = links.lines().find(|line| line.starts_with(&format!("{index}: "))).expect("a host end");
    line.split(": ").nth(1).unwrap().split('@').next().unwrap().to_owned()
}

#[test]
fn what_is_ignored_and_edited_by_hand_survives_apply_restart_and_the_daemon() {
    let product = Product::new();
    product.declare(&site(&product, &spec(100, "declared", IGNORED)));
    product.apply().expect(0);
    assert_eq!(product.inside("a", "cat /etc/motd"), "declared", "it serves the making");
    let pid = product.pid("a");

    // By hand: a limit in the cgroup, a nic off its bridge, a file.
    let limit = limit_file(&product, "100");
    fs::write(&limit, "77").unwrap();
    let nic = host_end(&product);
    assert!(Command::new("ip").args(["link", "set", &nic, "nomaster"]).status().unwrap().success());
    product.inside("a", "echo mine > /etc/motd; chmod 600 /etc/motd");
    product.drift().expect(0);
    product.plan().expect(0);
    product.apply().expect(0);

    // In the manifest too: nothing of it is a change, what stands beside it is.
    let more = format!("environment: {{COLOUR: red}}, {IGNORED}");
    product.declare(&site(&product, &spec(50, "another", &more)));
    product.apply().expect(0);
    product.plan().expect(0);
    let kept = || {
        assert_eq!(fs::read_to_string(&limit).unwrap().trim(), "77");
        assert_eq!(product.inside("a", "cat /etc/motd; stat -c %a /etc/motd"), "mine\n600");
        let linked = fs::read_link(format!("/sys/class/net/{nic}/master"));
        assert!(linked.is_err(), "it was put back on {linked:?}");
        assert_eq!(product.pid("a"), pid);
    };
    kept();
    assert_eq!(product.inside("a", "echo $COLOUR"), "red");

    let daemon = Daemon::start(&product);
    product.declare(&site(&product, &spec(51, "third", &more.replace("red", "blue"))));
    eventually(20, "the daemon has applied the rest", || product.inside("a", "echo $COLOUR") == "blue");
    kept();
    drop(daemon);

    // Without `ignore` all of it is drift and change at once.
    product.declare(&site(&product, &spec(51, "third", "environment: {COLOUR: blue}")));
    let said = product.plan().expect(2);
    for words in ["limits.processes", "devices.eth0", "files./etc/motd"] {
        assert!(said.out.contains(words), "{words}: {}", said.out);
    }
    product.apply().expect(0);
    product.plan().expect(0);
    product.drift().expect(0);
    assert_eq!(fs::read_to_string(&limit).unwrap().trim(), "51");
    assert_eq!(product.inside("a", "cat /etc/motd; stat -c %a /etc/motd"), "third\n644");
    assert!(fs::read_link(format!("/sys/class/net/{nic}/master")).unwrap().ends_with(product.bridge()));
    assert_eq!(product.pid("a"), pid, "live");
}

#[test]
fn an_ignored_file_and_limit_take_what_was_established_at_a_restart() {
    let product = Product::new();
    product.declare(&site(&product, &spec(100, "declared", IGNORED)));
    product.apply().expect(0);
    fs::write(limit_file(&product, "100"), "77").unwrap();
    product.inside("a", "echo mine > /etc/motd");
    product.declare(&site(&product, &spec(50, "another", IGNORED)));
    product.apply().expect(0);
    product.run(&["restart", "a"]).expect(0);
    // docs/changes.md: the established value, not the one of the hand in the cgroup; a file is the root's and stays.
    limit_file(&product, "100");
    assert_eq!(product.inside("a", "cat /etc/motd"), "mine");
    product.plan().expect(0);
    product.drift().expect(0);
}

#[test]
fn a_power_state_that_is_not_managed_is_left_as_it_is() {
    let product = Product::new();
    product.declare(&site(&product, "state: any"));
    product.apply().expect(0);
    assert_eq!(product.pid("a"), 0, "nobody wants it to run");
    product.run(&["start", "a"]).expect(0);
    let pid = product.pid("a");
    assert_ne!(pid, 0);
    product.plan().expect(0);
    product.declare(&site(&product, "state: any, config: {limits.processes: 60}"));
    product.apply().expect(0);
    assert_eq!(product.pid("a"), pid);
    limit_file(&product, "60");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid as i32), nix::sys::signal::Signal::SIGKILL)
        .unwrap();
    eventually(10, "init ends", || product.pid("a") == 0);
    product.drift().expect(0);
    product.apply().expect(0);
    assert_eq!(product.pid("a"), 0);
}

#[test]
fn a_container_that_no_site_owns_is_left_as_it_is_listed_or_refused() {
    let product = Product::new();
    let base = |policy: &str| {
        product.base().replacen(
            "spec: {}",
            &format!("spec: {{unmanaged: {policy}, prune: {{mode: auto}}}}"),
            1,
        )
    };
    let with_b = Product::container("b", "config: {limits.processes: 40}");
    product.declare(&(base("ignore") + &Product::container("a", "config: {}") + &with_b));
    product.apply().expect(0);
    // Its record is lost: nobody declares it any more, and nobody owns it.
    let pid = product.pid("b");
    let record = product.state().join("records/container");
    let files: Vec<PathBuf> = fs::read_dir(&record).unwrap().map(|entry| entry.unwrap().path()).collect();
    let file = files.iter().find(|file| file.file_stem().is_some_and(|name| name == "b")).expect("a record");
    fs::remove_file(file).unwrap();
    let runs = || assert!(std::path::Path::new(&format!("/proc/{pid}")).exists(), "it was ended");

    product.declare(&(base("ignore") + &Product::container("a", "config: {limits.processes: 30}")));
    let said = product.apply().expect(0);
    assert!(!said.out.contains("container/b"), "{}", said.out);
    product.plan().expect(0);
    product.run(&["plan", "-f", &product.manifest().to_string_lossy(), "--fail-on", "unmanaged"]).expect(2);
    runs();

    product.declare(&(base("report") + &Product::container("a", "config: {limits.processes: 31}")));
    let said = product.apply().expect(0);
    assert!(said.out.contains("container/b") && said.out.contains("no record"), "{}", said.out);
    runs();

    product.declare(&(base("fail") + &Product::container("a", "config: {limits.processes: 32}")));
    let said = product.apply().expect(1);
    assert!(said.err.contains("container/b belongs to no site"), "{}", said.err);
    product.plan().expect(1);
    runs();

    // Declared again it is the same one.
    product.declare(&(base("fail") + &Product::container("a", "config: {limits.processes: 32}") + &with_b));
    product.apply().expect(0);
    assert_eq!(product.pid("b"), pid);
    product.plan().expect(0);
}
