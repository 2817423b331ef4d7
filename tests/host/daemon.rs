//! The daemon: it follows a manifest, heals at once, and containers never notice when it goes.

#![allow(clippy::unwrap_used, clippy::panic)]

use crate::product::{Product, Said, eventually, patient};
use crate::terminal::{hear, on_terminal};
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A daemon that follows the test's manifest; ended when dropped.
pub struct Daemon(Child);

impl Daemon {
    pub fn start(product: &Product) -> Daemon {
        Daemon::run(product, &["daemon", "-f", &product.manifest().to_string_lossy()])
    }

    /// What it says goes to `daemon.log` in the test's folder.
    pub fn run(product: &Product, arguments: &[&str]) -> Daemon {
        let log = File::create(Daemon::log_file(product)).unwrap();
        let daemon = Daemon(product.command(arguments).stdout(Stdio::null()).stderr(log).spawn().unwrap());
        eventually(20, "the daemon answers", || product.state().join("unix.socket").exists());
        daemon
    }

    pub fn log(product: &Product) -> String {
        std::fs::read_to_string(Daemon::log_file(product)).unwrap()
    }

    fn log_file(product: &Product) -> PathBuf {
        product.folder().join("daemon.log")
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

/// A product whose daemon has `a` running.
fn with_daemon() -> (Product, Daemon) {
    let product = Product::new();
    product.declare(&site(&product, 100));
    let daemon = Daemon::start(&product);
    eventually(30, "the container runs", || runs(&product));
    (product, daemon)
}

/// Runs a command with this standard input.
fn fed(mut command: Command, input: &[u8]) -> (Option<i32>, Vec<u8>, Vec<u8>) {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let feeder = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    (output.status.code(), output.stdout, output.stderr)
}

/// The ancestors of the process whose command line has `words`, nearest first.
fn ancestors(words: &str) -> Vec<u32> {
    let is_it = |pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|word| word == words.as_bytes()) && line.starts_with(b"sleep")
    };
    let pids = std::fs::read_dir("/proc").unwrap().flatten();
    let Some(mut pid) = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).find(is_it) else {
        return vec![];
    };
    let mut all = vec![];
    while pid > 1 {
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { break };
        pid = stat.rsplit_once(") ").unwrap().1.split(' ').nth(1).unwrap().parse().unwrap();
        all.push(pid);
    }
    all
}

#[test]
fn exec_through_the_daemon_is_as_without_it() {
    let (product, daemon) = with_daemon();
    let exec = |script: &str| product.run(&["exec", "a", "-T", "--", "sh", "-c", script]);
    let Said { status, out, err } = exec("echo out; echo err >&2; exit 7");
    assert_eq!((status, out.as_str(), err.as_str()), (7, "out\n", "err\n"));
    assert_eq!(exec("kill -TERM $$").status, 128 + 15);
    product.run(&["exec", "a", "-T", "--", "no-such-program"]).expect(127);
    product.run(&["exec", "a", "-T", "--", "/etc"]).expect(126);
    product.run(&["exec", "nobody", "-T", "--", "true"]).expect(125);

    let arguments =
        ["exec", "a", "-T", "--cwd", "/tmp", "--user", "12:34", "--env", "WORD=x y", "--", "sh", "-c"];
    let said = product.run(&[&arguments[..], &["pwd; id -u; id -g; echo $WORD"]].concat()).expect(0);
    assert_eq!(said.out, "/tmp\n12\n34\nx y\n");

    let bytes: Vec<u8> = (0..1_048_576u32).map(|place| (place % 251) as u8).collect();
    let (status, out, _) = fed(product.command(&["exec", "a", "-T", "--", "cat"]), &bytes);
    assert_eq!(status, Some(0));
    assert!(out == bytes, "{} of {} bytes came back", out.len(), bytes.len());
    let (status, out, _) = fed(product.command(&["exec", "a", "-T", "--", "true"]), &bytes);
    assert_eq!((status, out.len()), (Some(0), 0), "input that nobody reads");
    let begun = std::time::Instant::now();
    exec("sleep 300 & echo begun").expect(0);
    assert!(begun.elapsed() < patient(10), "exec ends with its program");

    let mut sleeping = product.spawn(&["exec", "a", "-T", "--", "sleep", "61.25"]);
    eventually(10, "it sleeps", || !ancestors("61.25").is_empty());
    let above = ancestors("61.25");
    // The spawner has no parent to ask; that the exec goes through the daemon shows when the daemon is killed, below.
    assert!(!above.contains(&sleeping.id()), "not through the daemon: {above:?}");
    let cli = nix::unistd::Pid::from_raw(sleeping.id() as i32);
    nix::sys::signal::kill(cli, nix::sys::signal::Signal::SIGTERM).unwrap();
    assert_eq!(sleeping.wait().unwrap().code(), Some(128 + 15), "signals are passed on");

    let mut gone = product.spawn(&["exec", "a", "-T", "--", "sleep", "62.25"]);
    eventually(10, "it sleeps", || !ancestors("62.25").is_empty());
    gone.kill().unwrap();
    gone.wait().unwrap();
    eventually(10, "a program ends with its client", || ancestors("62.25").is_empty());

    let mut lost = product.spawn(&["exec", "a", "-T", "--", "sleep", "63.25"]);
    eventually(10, "it sleeps", || !ancestors("63.25").is_empty());
    daemon.kill();
    assert_eq!(lost.wait().unwrap().code(), Some(125), "lost with the daemon");
    eventually(10, "a program ends with the daemon", || ancestors("63.25").is_empty());
}

#[test]
fn terminals_and_the_console_go_through_the_daemon() {
    let (product, _daemon) = with_daemon();
    let script = "stty size; read line; echo got-$line; read again; stty size; exit 5";
    let (mut terminal, mut child) =
        on_terminal(&product.command(&["exec", "a", "--", "sh", "-c", script]), 111);
    hear(&mut terminal, "30 111");
    terminal.write_all(b"word\n").unwrap();
    hear(&mut terminal, "got-word");
    let size = rustix::termios::Winsize { ws_row: 31, ws_col: 99, ws_xpixel: 0, ws_ypixel: 0 };
    rustix::termios::tcsetwinsize(&terminal, size).unwrap();
    std::thread::sleep(Duration::from_millis(700));
    terminal.write_all(b"\n").unwrap();
    hear(&mut terminal, "31 99");
    assert_eq!(child.wait().unwrap().code(), Some(5));

    let (mut terminal, mut child) = on_terminal(&product.command(&["console", "a"]), 80);
    hear(&mut terminal, "attached");
    product.run(&["exec", "a", "-T", "--", "sh", "-c", "echo to-the-console >/dev/console"]).expect(0);
    hear(&mut terminal, "to-the-console");
    terminal.write_all(b"echo typed-$((20 + 3))\n").unwrap();
    hear(&mut terminal, "typed-23");
    terminal.write_all(b"sleep 64.25\n").unwrap();
    eventually(10, "what is typed runs", || !ancestors("64.25").is_empty());
    terminal.write_all(b"\x03").unwrap();
    eventually(10, "ctrl-c ends it, not the console", || ancestors("64.25").is_empty());
    terminal.write_all(b"\x01\x01").unwrap();
    terminal.write_all(b"\x15echo still-$((1 + 1))\n").unwrap();
    hear(&mut terminal, "still-2");
    terminal.write_all(b"\x01q").unwrap();
    hear(&mut terminal, "detached");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn what_is_held_as_it_is_stays_so_under_a_daemon_that_applies_a_change() {
    let product = Product::new();
    let nesting = |nesting: bool| {
        let spec = format!("config: {{security.nesting: {nesting}}}, update: {{restart: allow}}");
        product.base() + &Product::container("a", &spec)
    };
    product.declare(&nesting(false));
    let _daemon = Daemon::start(&product);
    eventually(30, "the container runs", || runs(&product));
    let pid = product.pid("a");
    product.run(&["hold", "a", "--for", "1h", "--reason", "backup"]).expect(0);
    product.declare(&nesting(true));
    eventually(15, "the change waits for the end of the hold", || {
        let status = product.run(&["status"]).expect(0).out;
        status.contains("pending     1") && status.contains("bayplan resume container/a")
    });
    assert_eq!(product.pid("a"), pid, "it is not restarted");
    product.run(&["resume", "a"]).expect(0);
    eventually(15, "it is restarted", || runs(&product) && product.pid("a") != pid);
}
