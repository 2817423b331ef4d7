//! Crash safety on the real host: whatever is killed, whenever, the next apply converges and nothing is lost.

use crate::product::{Product, eventually};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

fn site(product: &Product) -> String {
    let mut text = product.base();
    for name in ["a", "b"] {
        text += &Product::container(name, "config: {limits.processes: 100}");
    }
    text
}

/// Runs apply until it has told of `count` steps done, then kills it; false when it ended before.
fn kill_apply_after(product: &Product, count: usize) -> bool {
    let manifest = product.manifest();
    let mut child = product
        .command(&["apply", "-f", &manifest.to_string_lossy(), "--yes"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let done = lines.filter(|line| line.ends_with(": done")).take(count).count();
    if done == count {
        child.kill().unwrap();
    }
    child.wait().unwrap();
    done == count
}

#[test]
fn an_apply_that_is_killed_after_any_step_is_completed_by_the_next() {
    let product = Product::new();
    let shared = product.folder().join("shared");
    std::fs::create_dir(&shared).unwrap();
    let disk = format!(
        "config: {{security.idmap.isolated: true}}, \
         files: {{/etc/own/app.conf: {{content: mine, owner: 33}}, /etc/hosts: {{content: replaced}}}}, \
         devices: {{data: {{type: disk, source: {}, path: /srv/data}}}}",
        shared.display()
    );
    product.declare(&(product.base() + &Product::container("a", &disk)));
    let mut count = 1;
    while kill_apply_after(&product, count) {
        product.apply().expect(0);
        product.plan().expect(0);
        assert_eq!(product.inside("a", "hostname"), "a");
        product.inside("a", "test -d /srv/data && ip addr show eth0");
        assert_eq!(
            product.inside("a", "cat /etc/own/app.conf /etc/hosts; ls -A /etc/own"),
            "minereplacedapp.conf"
        );
        product.run(&["stop", "a", "--force"]).expect(0);
        product.run(&["delete", "--all", "--yes", "--allow", "delete"]).expect(0);
        count += 1;
    }
    assert!(count > 8, "an apply of this site has more steps than {count}");
}

#[test]
fn a_delete_that_is_killed_is_completed_by_the_next() {
    let product = Product::new();
    product.declare(&site(&product));
    for wait_ms in [0, 20, 60, 120] {
        product.apply().expect(0);
        product.run(&["stop", "a", "--force"]).expect(0);
        let mut child =
            product.spawn(&["delete", "container/a", "container/b", "--yes", "--allow", "delete"]);
        std::thread::sleep(Duration::from_millis(wait_ms));
        child.kill().unwrap();
        child.wait().unwrap();
        product.run(&["delete", "--all", "--yes", "--allow", "delete"]).expect(0);
        product.run(&["get", "container/a"]).expect(1);
    }
}

#[test]
fn a_readiness_that_fails_ends_with_3_and_the_next_apply_goes_on() {
    let product = Product::new();
    let ready = "ready: {exec: [test, -e, /root/ok], timeout: 1s, interval: 100ms}";
    product.declare(&(product.base() + &Product::container("a", ready)));
    let said = product.apply().expect(3);
    assert!(said.err.contains("not ready") || said.out.contains("not ready"), "{}\n{}", said.out, said.err);
    let pid = product.pid("a");
    assert_ne!(pid, 0);
    product.inside("a", "touch /root/ok");
    product.apply().expect(0);
    assert_eq!(product.pid("a"), pid);
    product.plan().expect(0);
}

#[test]
fn a_probe_that_never_ends_is_over_with_its_timeout() {
    let product = Product::new();
    let ready = "ready: {exec: [sleep, \"1000\"], timeout: 1s}";
    product.declare(&(product.base() + &Product::container("a", ready)));
    let manifest = product.manifest();
    let mut child = product.spawn(&["apply", "-f", &manifest.to_string_lossy(), "--yes"]);
    let mut ended = None;
    eventually(30, "apply ends", || {
        ended = child.try_wait().unwrap();
        ended.is_some()
    });
    assert_eq!(ended.and_then(|status| status.code()), Some(3));
    assert_eq!(product.inside("a", "pgrep sleep || echo none"), "none", "the probe was ended too");
}

#[test]
fn ctrl_c_ends_an_apply_with_3_and_loses_nothing() {
    let product = Product::new();
    let ready = "ready: {exec: [\"false\"], timeout: 60s}";
    product.declare(&(product.base() + &Product::container("a", ready)));
    let manifest = product.manifest();
    let mut child = product.spawn(&["apply", "-f", &manifest.to_string_lossy(), "--yes"]);
    eventually(20, "the container runs", || {
        let said = product.run(&["get", "container/a", "-o", "json"]);
        said.status == 0 && product.pid("a") != 0
    });
    let pid = nix::unistd::Pid::from_raw(child.id() as i32);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(3));
    product.declare(&(product.base() + &Product::container("a", "config: {}")));
    product.apply().expect(0);
    product.plan().expect(0);
}

#[test]
fn a_full_disk_is_named_and_the_next_apply_goes_on_when_there_is_room() {
    let product = Product::new();
    let small = SmallDisk::mount(&product);
    product.declare(&site(&product));
    let said = product.apply().expect(3);
    assert!((said.out + &said.err).contains("no space left"), "the full disk is named");
    small.make_room();
    product.apply().expect(0);
    product.plan().expect(0);
    assert_eq!(product.inside("a", "hostname"), "a");
}

/// A small ext4 as the data folder, full but for 900 KiB; unmounted at the end, after the objects on it are deleted.
struct SmallDisk<'a> {
    product: &'a Product,
    folder: std::path::PathBuf,
}

impl SmallDisk<'_> {
    fn mount(product: &Product) -> SmallDisk<'_> {
        let (image, folder) = (product.folder().join("disk"), product.folder().join("state.data"));
        std::fs::create_dir(&folder).unwrap();
        std::fs::File::create(&image).unwrap().set_len(64 << 20).unwrap();
        let run = |command: &mut Command| assert!(command.status().unwrap().success(), "{command:?}");
        run(Command::new("mkfs.ext4").args(["-q", "-m", "0"]).arg(&image));
        run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&folder));
        let small = SmallDisk { product, folder };
        let room = nix::sys::statvfs::statvfs(&small.folder).unwrap();
        let bytes = room.blocks_available() * room.fragment_size() - (900 << 10);
        run(Command::new("fallocate").args(["-l", &bytes.to_string()]).arg(small.filler()));
        small
    }

    fn filler(&self) -> std::path::PathBuf {
        self.folder.join("filler")
    }

    fn make_room(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        self.product.run(&["delete", "--all", "--yes", "--allow", "delete"]);
        // Lazily: a container that another test starts just now may hold a copy of the mount for a moment.
        assert!(Command::new("umount").arg("-l").arg(&self.folder).status().unwrap().success());
    }
}

#[test]
fn an_exec_whose_helper_is_killed_is_lost_and_never_a_success() {
    let product = Product::new();
    product.declare(&(product.base() + &Product::container("a", "config: {}")));
    product.apply().expect(0);
    let mut child = product.spawn(&["exec", "a", "-T", "--", "sleep", "98765"]);
    let mut helper = None;
    eventually(10, "the helper runs", || {
        helper = helper_of("98765");
        helper.is_some()
    });
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(helper.unwrap()), nix::sys::signal::Signal::SIGKILL)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(125));
    product.inside("a", "pkill -f 98765 || true");
}

/// The exec helper whose program has this argument.
fn helper_of(argument: &str) -> Option<i32> {
    let pids = std::fs::read_dir("/proc").unwrap().flatten();
    let mut pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let program = pids.find(|pid| {
        let read = |name: &str| std::fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
        read("cmdline") == format!("sleep\0{argument}\0").into_bytes()
    })?;
    let stat = std::fs::read_to_string(format!("/proc/{program}/stat")).ok()?;
    stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok()
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
    end_as_a_crash_does(&product);
    std::fs::remove_dir_all(run_folder(&product)).unwrap();
    product.drift().expect(2);
    product.apply().expect(0);
    assert_eq!(product.inside("a", "cat /root/data"), "kept");
    product.plan().expect(0);
}

#[test]
fn torn_records_of_a_run_folder_that_outlived_the_machine_confuse_nobody() {
    let product = Product::new();
    product.declare(&site(&product));
    product.apply().expect(0);
    product.inside("a", "echo kept > /root/data");
    end_as_a_crash_does(&product);
    let run = run_folder(&product);
    std::fs::write(run.join("boot"), "00000000-0000-0000-0000-000000000000").unwrap();
    for entry in std::fs::read_dir(&run).unwrap().flatten().filter(|entry| entry.path().is_dir()) {
        std::fs::write(entry.path().join("start.json"), b"").unwrap();
        std::fs::write(entry.path().join("run.json"), br#"{"version": 1, "incarn"#).unwrap();
    }
    // Nor is an empty filter a filter.
    for entry in std::fs::read_dir(&run).unwrap().flatten() {
        if entry.path().extension().is_some_and(|extension| extension == "bpf") {
            std::fs::write(entry.path(), b"").unwrap();
        }
    }
    product.drift().expect(2);
    product.apply().expect(0);
    assert_eq!(product.inside("a", "cat /root/data"), "kept");
    let seccomp = product.inside("a", "grep Seccomp: /proc/1/status");
    assert_eq!(seccomp.split_whitespace().last(), Some("2"), "{seccomp}");
    product.plan().expect(0);
}

/// All of the containers' processes end, and nobody records it.
fn end_as_a_crash_does(product: &Product) {
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
}

/// /run/bayplan/TAG of this test's state folder, told by the folders of its containers.
fn run_folder(product: &Product) -> std::path::PathBuf {
    let digest = <sha2::Sha256 as sha2::Digest>::digest(product.state().as_os_str().as_encoded_bytes());
    std::path::Path::new("/run/bayplan").join(hex::encode(&digest[..4]))
}
