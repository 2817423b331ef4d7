//! Nobody reads what a command says: `bayplan get | head -1`.

use crate::cli::Bench;
use std::process::Stdio;

/// What stands for a killing SIGPIPE.
const CLOSED: i32 = 141;

fn closed() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

fn full_disk() -> Stdio {
    std::fs::File::options().write(true).open("/dev/full").unwrap().into()
}

/// The exit status, and what is said on standard error.
fn unread(bench: &Bench, words: &str) -> (i32, String) {
    let output = bench.command(words).stdout(closed()).output().unwrap();
    (output.status.code().unwrap_or(-1), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_look_that_nobody_reads_ends_as_by_sigpipe_without_a_word() {
    let bench = Bench::new();
    for words in [
        "plan",
        "plan -o json",
        "plan -o markdown",
        "validate",
        "render",
        "version",
        "schema",
        "completion bash",
    ] {
        assert_eq!(unread(&bench, words), (CLOSED, String::new()), "bayplan {words}");
    }
    bench.expect(0, "apply -q");
    for words in ["get", "get -o json", "describe web-1", "why web-1", "graph -o svg", "export"] {
        assert_eq!(unread(&bench, words), (CLOSED, String::new()), "bayplan {words}");
    }
    let said = unread(&bench, "get nope");
    assert_eq!(said.0, 1, "an error stays one: {}", said.1);
}

#[test]
fn a_result_that_a_full_disk_does_not_take_is_an_error_that_says_so() {
    let bench = Bench::new();
    for words in ["validate", "plan", "get"] {
        let output = bench.command(words).stdout(full_disk()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "bayplan {words}: {said}");
        assert!(said.contains("standard output cannot be written: No space left"), "bayplan {words}: {said}");
    }
}

#[test]
fn what_changes_something_goes_on_when_nobody_reads_and_keeps_its_exit_code() {
    let bench = Bench::new();
    for (status, words) in [
        (0, "apply -q --yes"),
        (0, "apply -q --yes -o json"),
        (0, "stop web-1 -q"),
        (0, "resume web-1 -q"),
        (0, "adopt --write -q"),
        (0, "init other -q"),
        (0, "fmt -q"),
        (4, "delete --all -q"),
        (0, "delete --all -q --allow delete"),
    ] {
        let (ended, said) = unread(&bench, words);
        assert_eq!(ended, status, "bayplan {words}: {said}");
    }
    assert!(bench.path().join("other/site.yaml").exists());
    bench.expect(2, "plan");
}

#[test]
fn a_standard_error_that_takes_nothing_ends_no_command() {
    let bench = Bench::new();
    for stderr in [closed as fn() -> Stdio, full_disk] {
        let status = |words: &str| {
            bench.command(words).stdout(Stdio::null()).stderr(stderr()).status().unwrap().code()
        };
        assert_eq!(status("apply --yes"), Some(0));
        assert_eq!(status("get nope"), Some(1));
        assert_eq!(status("bad-command"), Some(64));
        assert_eq!(status("delete --all -q --allow delete"), Some(0));
    }
    bench.expect(2, "plan");
}

#[test]
fn a_full_disk_is_an_error_of_a_look_and_only_told_by_a_change() {
    let bench = Bench::new();
    let run = |words: &str| bench.command(words).stdout(full_disk()).output().unwrap();
    for (status, words) in [(0, "apply -q --yes"), (1, "get")] {
        let output = run(words);
        assert_eq!(output.status.code(), Some(status), "bayplan {words}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("No space left"), "bayplan {words}: {said}");
    }
    bench.expect(0, "plan");
}

#[test]
fn a_daemon_goes_on_when_nobody_reads_its_log() {
    let bench = Bench::new();
    bench.write("live.yaml", "kind: Nope\n");
    let mut child = bench.command("daemon -f live.yaml").stdout(closed()).stderr(closed()).spawn().unwrap();
    let socket = bench.path().join("state/unix.socket");
    crate::cli::wait_until("the daemon answers", || std::os::unix::net::UnixStream::connect(&socket).is_ok());
    bench.write("live.yaml", crate::cli::SITE);
    crate::cli::wait_until("the daemon applies", || bench.run("get web-1").status == 0);
    assert_eq!(child.try_wait().unwrap(), None, "it goes on");
    child.kill().unwrap();
    child.wait().unwrap();
}
