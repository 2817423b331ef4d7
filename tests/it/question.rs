//! Apply on a terminal: it shows the plan and asks, and what is not answered with yes changes nothing.

use crate::cli::{Bench, SITE};
use crate::terminal::{hear, on_terminal};
use std::io::Write;

/// Applies on a terminal, types this at the question, and gives back the exit status and what was said after it.
fn answered(bench: &Bench, typed: &[u8], last_words: &str) -> (i32, String) {
    let (mut terminal, mut child) = on_terminal(&bench.command("apply"), 100);
    let shown = hear(&mut terminal, "Apply? [y/N]");
    assert!(shown.contains("container/web-1"), "the plan is shown before the question: {shown}");
    terminal.write_all(typed).unwrap();
    let said = hear(&mut terminal, last_words);
    (child.wait().unwrap().code().unwrap(), said)
}

#[track_caller]
fn assert_nothing_changed(bench: &Bench) {
    assert_eq!(bench.expect(0, "get").stdout, "no objects\n");
    assert!(!bench.path().join("state/records").exists(), "no record was written");
    bench.expect(2, "plan");
}

#[test]
fn an_apply_that_is_answered_no_exits_4_and_changes_nothing() {
    let bench = Bench::new();
    for answer in ["n\n", "no\n", "\n", "yess\n", "\x04"] {
        let (status, _) = answered(&bench, answer.as_bytes(), "declined; nothing was changed");
        assert_eq!(status, 4, "answered {answer:?}");
        assert_nothing_changed(&bench);
    }
}

#[test]
fn ctrl_c_at_the_question_exits_4_and_changes_nothing() {
    let bench = Bench::new();
    let (status, said) = answered(&bench, b"\x03", "declined; nothing was changed");
    assert_eq!(status, 4);
    let words = said.lines().find(|line| line.contains("declined")).unwrap();
    assert!(words.starts_with("declined"), "not on the question's line: {said:?}");
    assert_nothing_changed(&bench);
}

#[test]
fn an_apply_that_is_answered_yes_is_carried_out() {
    for answer in ["y\n", "YES\n"] {
        let bench = Bench::new();
        assert_eq!(answered(&bench, answer.as_bytes(), " changed").0, 0);
        assert!(bench.expect(0, "get container/web-1").stdout.contains("running"));
        bench.expect(0, "plan");
    }
}

#[test]
fn nothing_to_do_is_not_asked_about() {
    let bench = Bench::new();
    bench.expect(0, "apply");
    let (mut terminal, mut child) = on_terminal(&bench.command("apply"), 100);
    let said = hear(&mut terminal, "nothing to do");
    assert!(!said.contains("[y/N]"), "{said}");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_yes_on_the_terminal_approves_a_restart_and_a_no_leaves_it_pending() {
    let bench = Bench::new();
    bench.expect(0, "apply");
    bench.write(
        "site.yaml",
        &SITE.replace("limits.memory: 1GiB", "limits.memory: 1GiB, security.privileged: true"),
    );
    for (restart, pending) in [("n\n", true), ("y\n", false)] {
        let (mut terminal, mut child) = on_terminal(&bench.command("apply"), 100);
        hear(&mut terminal, "Restart what waits for it, too? [y/N]");
        terminal.write_all(restart.as_bytes()).unwrap();
        hear(&mut terminal, "Apply? [y/N]");
        terminal.write_all(b"y\n").unwrap();
        hear(&mut terminal, " changed");
        assert_eq!(child.wait().unwrap().code(), Some(0));
        let waits = bench.run("plan --fail-on pending").status == 2;
        assert_eq!(waits, pending, "after {restart:?}");
    }
}
