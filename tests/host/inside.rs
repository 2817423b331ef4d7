//! Programs and consoles, each without a daemon and through one: whose streams they have, and when they end.

use crate::daemon::Daemon;
use crate::product::{Product, eventually, patient};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A product whose `a` runs.
fn running() -> Product {
    let product = Product::new();
    product.declare(&(product.base() + &Product::container("a", "devices: {eth0: {type: none}}")));
    product.apply().expect(0);
    product
}

/// Without a daemon, then through one.
fn both_ways(check: impl Fn(&Product)) {
    let product = running();
    check(&product);
    let _daemon = Daemon::run(&product, &["daemon"]);
    check(&product);
}

fn sh(product: &Product, script: &str) -> Command {
    product.command(&["exec", "a", "-T", "--", "sh", "-c", script])
}

/// The exit status of a child that must end soon.
#[track_caller]
fn ends(mut child: Child, what: &str) -> Option<i32> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        if begun.elapsed() > patient(10) {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("{what} does not end");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn signal(child: &Child, signal: nix::sys::signal::Signal) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.id() as i32), signal).unwrap();
}

#[test]
fn exec_ends_with_its_program_whoever_else_holds_its_output() {
    both_ways(|product| {
        let begun = Instant::now();
        let output = sh(product, "sleep 30 & echo hi").output().unwrap();
        assert_eq!((output.status.code(), &output.stdout[..]), (Some(0), &b"hi\n"[..]));
        assert!(begun.elapsed() < patient(10), "the pipe was held by what is in the background");

        let child = sh(product, "yes & sleep 0.3; exit 3").stdout(Stdio::null()).spawn().unwrap();
        assert_eq!(ends(child, "exec beside one that writes on and on"), Some(3));
        let _ = sh(product, "pkill yes; pkill sleep").output().unwrap();
    });
}

#[test]
fn exec_gives_no_stream_of_the_host_to_its_program() {
    both_ways(|product| {
        let file = std::fs::File::create(product.folder().join("output")).unwrap();
        let folder = std::fs::File::open("/").unwrap();
        let output = sh(product, "for n in 0 1 2; do readlink /proc/$$/fd/$n; done; ls /proc/self/fd/0/")
            .stdin(folder)
            .stdout(file)
            .output()
            .unwrap();
        assert!(!output.status.success(), "no folder of the host is inside");
        let text = std::fs::read_to_string(product.folder().join("output")).unwrap();
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.lines().all(|line| line.starts_with("pipe:[")), "{text}");
    });
}

#[test]
fn a_program_opens_its_own_streams_by_name_whoever_it_is() {
    both_ways(|product| {
        for user in ["0", "12:34"] {
            let script = "cat /dev/stdin > /dev/stdout; echo err > /dev/stderr";
            let mut child = product
                .command(&["exec", "a", "-T", "--user", user, "--", "sh", "-c", script])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            child.stdin.take().unwrap().write_all(b"out\n").unwrap();
            let output = child.wait_with_output().unwrap();
            let said = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            assert_eq!((&*said.0, &*said.1), ("out\n", "err\n"), "user {user}");
        }
    });
}

#[test]
fn bytes_go_through_exec_unchanged_and_its_input_ends() {
    both_ways(|product| {
        let bytes: Vec<u8> = (0..20_000_000u32).map(|place| (place.wrapping_mul(place) >> 7) as u8).collect();
        let mut child = product
            .command(&["exec", "a", "-T", "--", "cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (mut stdin, input) = (child.stdin.take().unwrap(), bytes.clone());
        let feeder = std::thread::spawn(move || stdin.write_all(&input));
        let output = child.wait_with_output().unwrap();
        feeder.join().unwrap().unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert!(output.stdout == bytes, "{} of {} bytes came back", output.stdout.len(), bytes.len());

        let mut held = sh(product, "exit 6").stdin(Stdio::piped()).spawn().unwrap();
        let stdin = held.stdin.take();
        assert_eq!(ends(held, "exec whose input has no end"), Some(6));
        drop(stdin);
    });
}

#[test]
fn a_program_whose_output_nobody_reads_ends_by_sigpipe() {
    both_ways(|product| {
        let mut child = product
            .command(&["exec", "a", "-T", "--", "yes"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut reader = BufReader::new(child.stdout.take().unwrap());
        let mut stderr = child.stderr.take().unwrap();
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        drop(reader);
        assert_eq!(ends(child, "exec without a reader"), Some(141));
        let mut said = String::new();
        stderr.read_to_string(&mut said).unwrap();
        assert_eq!((line.as_str(), said.as_str()), ("y\n", ""));
    });
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    both_ways(|product| {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let output = sh(product, "echo lost").stdout(full).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(125), "{said}");
        assert!(said.contains("No space left"), "{said}");
    });
}

#[test]
fn the_third_signal_ends_exec_whatever_holds_it() {
    both_ways(|product| {
        let term = nix::sys::signal::Signal::SIGTERM;
        let mut stays = sh(product, "trap 'echo heard' TERM; echo ready; while :; do sleep 0.1; done");
        let mut child = stays.stdout(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        assert_eq!(said.next().unwrap().unwrap(), "ready");
        for _ in 0..2 {
            signal(&child, term);
            assert_eq!(said.next().unwrap().unwrap(), "heard", "its program does not end by SIGTERM");
        }
        signal(&child, term);
        assert_eq!(ends(child, "exec after three signals"), Some(128 + 15));
    });
}

#[test]
fn a_start_that_hangs_inside_is_ended_by_a_signal() {
    let product = running();
    product.inside("a", "rm -f /etc/passwd; mkfifo /etc/passwd");
    let mut command = product.command(&["exec", "a", "-T", "--user", "web", "--", "touch", "/ran"]);
    let child = command.stderr(Stdio::null()).spawn().unwrap();
    let hangs = || product.inside("a", "cat /proc/[0-9]*/comm").contains("bayplan-exec");
    eventually(10, "it hangs", hangs);
    signal(&child, nix::sys::signal::Signal::SIGINT);
    assert_eq!(ends(child, "exec whose start hangs"), Some(128 + 2));
    eventually(10, "nothing of it is left", || !hangs());
    product.inside("a", "test ! -e /ran");
}

#[test]
fn a_console_whose_input_has_ended_detaches() {
    both_ways(|product| {
        let mut console = product.command(&["console", "a"]);
        let child = console.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let output = {
            let mut child = child;
            let mut stderr = child.stderr.take().unwrap();
            assert_eq!(ends(child, "a console without input"), Some(0));
            let mut said = String::new();
            stderr.read_to_string(&mut said).unwrap();
            said
        };
        assert!(output.contains("standard input has ended"), "{output}");

        let mut typed = product.command(&["console", "a"]);
        let mut child = typed.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"\r\necho typed-$((20 + 3))\r\n").unwrap();
        let mut stdout = child.stdout.take().unwrap();
        assert_eq!(ends(child, "a console whose input ends"), Some(0));
        let mut shown = String::new();
        stdout.read_to_string(&mut shown).unwrap();
        assert!(shown.contains("typed-23"), "the answer is still shown: {shown}");
        assert_eq!(product.inside("a", "echo runs"), "runs");
    });
}

#[test]
fn what_cannot_be_run_as_asked_is_told_in_the_users_words() {
    both_ways(|product| {
        let said = |options: &[&str], program: &str| {
            let words = [&["exec", "a", "-T"], options, &["--", program]].concat();
            let said = product.run(&words);
            (said.status, said.err)
        };
        for (options, program, status, words) in [
            (&["--user", "nemo"][..], "true", 125, "there is no user `nemo` in container/a"),
            (&["--user", "4000000000"], "true", 125, "`4000000000` is beyond the ids that container/a has"),
            (&["--cwd", "/execute"], "true", 125, "there is no folder `/execute` in container/a"),
            (&["--cwd", "/etc/passwd"], "true", 125, "no folder `/etc/passwd` in container/a"),
            (&[], "nope", 127, "there is no program `nope` in container/a"),
            (&[], "/etc", 126, "`/etc` in container/a cannot be executed"),
        ] {
            let (ended, text) = said(options, program);
            assert!(ended == status && text.contains(words), "{options:?} {program}: {ended} {text}");
        }
        product.run(&["stop", "a", "--force"]).expect(0);
        let text = product.run(&["console", "a"]).expect(1).err;
        assert!(text.contains("container/a does not run; `bayplan start a` starts it"), "{text}");
        product.run(&["resume", "a"]).expect(0);
    });
}

#[test]
fn a_log_that_is_followed_ends_with_its_reader_though_nothing_is_logged() {
    let product = running();
    product.inside("a", "echo one > /dev/console");
    let mut follow = product.command(&["logs", "a", "--follow"]);
    let mut child = follow.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let mut stderr = child.stderr.take().unwrap();
    assert_eq!(ends(child, "a followed log without a reader"), Some(141));
    let mut said = String::new();
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!(said, "");
}
