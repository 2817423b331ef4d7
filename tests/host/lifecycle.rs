//! A container's life through the commands: apply, exec, stop, start, freeze, delete.

use crate::product::{Product, eventually};
use std::process::Stdio;

#[test]
fn a_site_is_converged_planned_empty_and_deleted() {
    let product = Product::new();
    product.declare(&(product.base() + &Product::container("a", "config: {limits.memory: 64MiB}")));
    product.plan().expect(2);
    product.apply().expect(0);
    product.plan().expect(0);
    product.apply().expect(0);
    assert_eq!(product.inside("a", "hostname"), "a");
    let pid = product.pid("a");
    product.run(&["delete", "container/a", "--yes", "--allow", "delete"]).expect(0);
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    product.run(&["get", "container/a"]).expect(1);
}

#[test]
fn a_power_off_stops_all_that_run_and_the_next_apply_runs_them_again() {
    let product = Product::new();
    let second = Product::container("b", "dependsOn: [container/a]");
    product.declare(&(product.base() + &Product::container("a", "config: {}") + &second));
    product.apply().expect(0);
    let inits = [product.pid("a"), product.pid("b")];
    let said = product.run(&["power-off"]).expect(0);
    for init in inits {
        assert!(!std::path::Path::new(&format!("/proc/{init}")).exists());
    }
    let at = |words: &str| said.err.find(words).unwrap_or_else(|| panic!("no {words}: {}", said.err));
    assert!(at("container/b: stop: done") < at("container/a: stop: done"), "{}", said.err);
    assert_eq!(product.run(&["holds", "-o", "json"]).expect(0).json()["holds"].as_array().unwrap().len(), 0);
    let drift = product.run(&["drift"]).expect(2).out;
    assert_eq!(drift.matches("stopped by Bayplan, and not started again").count(), 2, "{drift}");
    product.apply().expect(0);
    product.plan().expect(0);
    assert!(!inits.contains(&product.pid("a")) && !inits.contains(&product.pid("b")));
}

#[test]
fn exec_gives_the_commands_own_status_streams_and_signals() {
    let product = Product::new();
    product.declare(&(product.base() + &Product::container("a", "config: {environment.TONE: warm}")));
    product.apply().expect(0);
    product.run(&["exec", "a", "-T", "--", "sh", "-c", "exit 7"]).expect(7);
    product.run(&["exec", "a", "-T", "--", "sh", "-c", "kill -TERM $$"]).expect(128 + 15);
    product.run(&["exec", "a", "-T", "--", "no-such-command"]).expect(127);
    product.run(&["exec", "a", "-T", "--", "/etc/passwd"]).expect(126);
    let said = product.run(&["exec", "a", "-T", "--", "sh", "-c", "echo out; echo err >&2"]).expect(0);
    assert_eq!((said.out.as_str(), said.err.as_str()), ("out\n", "err\n"));
    let said = product
        .run(&["exec", "a", "-T", "--cwd", "/tmp", "--env", "X=1", "--", "sh", "-c", "pwd; echo $X $TONE"])
        .expect(0);
    assert_eq!(said.out, "/tmp\n1 warm\n");
    let said = product.run(&["exec", "a", "-T", "--user", "nobody", "--", "id", "-un"]).expect(0);
    assert_eq!(said.out, "nobody\n");
    let megabyte = product.run(&["exec", "a", "-T", "--", "sh", "-c", "yes | head -c 1048576"]).expect(0);
    assert_eq!(megabyte.out.len(), 1 << 20, "all output arrives");
}

#[test]
fn exec_reads_its_standard_input() {
    let product = Product::new();
    product.declare(&(product.base() + &Product::container("a", "config: {}")));
    product.apply().expect(0);
    let mut child = product
        .command(&["exec", "a", "-T", "--", "cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"hello").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.stdout, b"hello");
    assert!(output.status.success());
}

#[test]
fn verbs_set_holds_that_plans_show_and_resume_ends() {
    let product = Product::new();
    product.declare(&(product.base() + &Product::container("a", "config: {}")));
    product.apply().expect(0);
    product.run(&["stop", "a"]).expect(0);
    assert_eq!(product.pid("a"), 0);
    product.plan().expect(0);
    let holds = product.run(&["holds"]).expect(0);
    assert!(holds.out.contains("container/a"), "{}", holds.out);
    product.apply().expect(0);
    assert_eq!(product.pid("a"), 0, "apply respects the hold");
    product.run(&["start", "a"]).expect(0);
    assert_ne!(product.pid("a"), 0);
    product.run(&["freeze", "a"]).expect(0);
    assert_eq!(product.container_json("a")["state"], "frozen");
    let said = product.run(&["exec", "a", "-T", "--", "true"]).expect(125);
    assert!(said.err.contains("container/a is frozen; `bayplan unfreeze a`"), "{}", said.err);
    product.run(&["unfreeze", "a"]).expect(0);
    assert_eq!(product.inside("a", "hostname"), "a");
    product.run(&["stop", "a", "--force"]).expect(0);
    product.run(&["resume", "a"]).expect(0);
    assert_ne!(product.pid("a"), 0);
    let pid = product.pid("a");
    product.run(&["restart", "a"]).expect(0);
    assert_ne!(product.pid("a"), pid);
    product.plan().expect(0);
}

#[test]
fn data_in_the_root_survives_a_restart_and_a_kill() {
    let product = Product::new();
    product.declare(&(product.base() + &Product::container("a", "config: {}")));
    product.apply().expect(0);
    product.inside("a", "echo kept > /root/data");
    product.run(&["restart", "a"]).expect(0);
    assert_eq!(product.inside("a", "cat /root/data"), "kept");
    let init = nix::unistd::Pid::from_raw(product.pid("a").try_into().unwrap());
    nix::sys::signal::kill(init, nix::sys::signal::Signal::SIGKILL).unwrap();
    product.apply().expect(0);
    assert_eq!(product.inside("a", "cat /root/data"), "kept");
}

#[test]
fn a_reboot_from_inside_comes_back_by_itself() {
    let product = Product::new();
    product.declare(&(product.base() + &Product::container("a", "config: {}")));
    product.apply().expect(0);
    let pid = product.pid("a");
    product.run(&["exec", "a", "-T", "--", "reboot"]);
    eventually(20, "another init runs", || {
        let now = product.pid("a");
        now != 0 && now != pid
    });
    product.plan().expect(0);
}

#[test]
fn containers_reach_each_other_and_their_gateway_by_address() {
    let product = Product::new();
    let address = |host| format!("devices: {{eth0: {{ipv4.address: {}}}}}", product.address(host));
    product.declare(
        &(product.base() + &Product::container("a", &address(10)) + &Product::container("b", &address(11))),
    );
    product.apply().expect(0);
    product.inside("a", &format!("ping -c 1 -W 2 {}", product.address(11)));
    product.inside("b", &format!("ping -c 1 -W 2 {}", product.address(1)));
    let route = product.inside("a", "ip route");
    assert!(route.contains(&format!("default via {}", product.address(1))), "{route}");
    assert!(product.inside("a", "cat /etc/resolv.conf").contains("nameserver"));
}

#[test]
fn no_descriptor_of_the_host_is_open_inside() {
    let product = Product::new();
    product.declare(&(product.base() + &Product::container("a", "config: {}")));
    product.apply().expect(0);
    let pid = product.pid("a");
    for entry in std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten() {
        let target = std::fs::read_link(entry.path()).unwrap();
        let target = target.to_string_lossy().into_owned();
        let inside =
            target.starts_with("/dev/") || target.starts_with("anon_inode:") || target.starts_with("/proc");
        assert!(inside, "init holds {target}");
    }
    let listed = product.inside("a", "ls -l /proc/self/fd | wc -l");
    assert!(listed.parse::<u32>().unwrap() <= 5, "exec holds {listed} descriptors");
}
