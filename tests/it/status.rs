//! `status`: one screen about a host, in each state that it tells of.

use crate::cli::{Bench, Daemon, SITE, redacted, wait_until};
use serde_json::Value;

const OLD: &str = "\
---
kind: Container
metadata: {name: old}
spec: {image: busybox}
";

/// With three jobs whose restarts are asked for.
fn site(nesting: bool) -> String {
    let template =
        format!("{{image: busybox, config: {{security.nesting: {nesting}}}, update: {{restart: ask}}}}");
    let set = format!(
        "---\nkind: ContainerSet\nmetadata: {{name: job}}\nspec: {{replicas: 3, template: {template}}}\n"
    );
    SITE.to_owned() + &set
}

fn status(bench: &Bench) -> String {
    let said = redacted(&bench.expect(0, "status").stdout);
    let folder = bench.path().to_string_lossy().into_owned();
    let host = format!(" on {} (memory)", crate::cli::hostname());
    let words = said.replace(&folder, "FOLDER").replace(&host, " on HOST (memory)");
    // The pid of the daemon.
    let lines = words.lines().map(|line| match line.strip_prefix("daemon      pid ") {
        Some(rest) => {
            format!("daemon      pid N{}", rest.trim_start_matches(|digit: char| digit.is_ascii_digit()))
        }
        None => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn json(bench: &Bench) -> Value {
    serde_json::from_str(&bench.expect(0, "status -o json").stdout).unwrap()
}

#[test]
fn a_host_with_nothing_on_it_has_nothing_to_tell() {
    let bench = Bench::new();
    insta::assert_snapshot!("status-nothing", status(&bench));
    let json = json(&bench);
    assert!(json["daemon"].is_null() && json["containers"]["running"] == 0 && json["version"] == 1, "{json}");
}

#[test]
fn what_drifts_waits_is_held_and_is_parked_is_on_one_screen() {
    let bench = Bench::new();
    bench.write("site.yaml", &(site(false) + OLD));
    bench.expect(0, "apply --yes");
    bench.expect(0, "delete old --park");
    bench.write("site.yaml", &site(true));
    bench.expect(0, "apply --yes");
    bench.expect(0, "stop job-0 --for 2h --reason swap");
    bench.expect(0, "freeze job-1 --for 2h");
    bench.expect(0, "hold web-1 --for 2h --reason keep");
    lift_limits(&bench);
    insta::assert_snapshot!("status-full", status(&bench));
    let json = json(&bench);
    assert_eq!((&json["holds"][0]["reason"], &json["containers"]["frozen"]), (&"swap".into(), &1.into()));
    assert_eq!((&json["parked"][0]["key"], &json["drift"]["count"]), (&"container/old".into(), &1.into()));
}

#[test]
fn what_no_site_owns_is_told_where_a_site_wants_it() {
    let bench = Bench::new();
    bench.write("site.yaml", &(SITE.to_owned() + OLD));
    bench.expect(0, "apply --yes");
    assert!(json(&bench)["unmanaged"].is_null() && !status(&bench).contains("unmanaged"));
    // Its record is lost, and nothing declares it.
    std::fs::remove_file(record(&bench, "old")).unwrap();
    bench.write("site.yaml", &SITE.replace("spec: {}", "spec: {unmanaged: report}"));
    bench.expect(0, "apply --yes");
    let said = status(&bench);
    assert!(said.contains("unmanaged   1\n  container/old  running: "), "{said}");
}

/// The file of a container's record.
fn record(bench: &Bench, name: &str) -> std::path::PathBuf {
    bench.path().join(format!("state/records/container/{name}.json"))
}

/// Of web-1, behind Bayplan's back.
fn lift_limits(bench: &Bench) {
    let file = bench.path().join("state/modelled-host.json");
    let mut host: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    for (_, run) in host["runs"].as_object_mut().unwrap() {
        if run["run"]["key"] == "container/web-1" {
            run["limits"].as_object_mut().unwrap().remove("memory");
        }
    }
    std::fs::write(&file, host.to_string()).unwrap();
}

/// A daemon that has applied what it follows.
fn following(bench: &Bench) -> Daemon {
    let daemon = bench.daemon("-f site.yaml");
    wait_until("a pass has ended well", || json(bench)["daemon"]["follows"]["lastSuccess"].is_string());
    daemon
}

#[test]
fn a_daemon_tells_what_it_follows_and_what_is_wrong_with_it() {
    let bench = Bench::new();
    let _daemon = following(&bench);
    insta::assert_snapshot!("status-daemon", status(&bench));
    bench.write("site.yaml", &SITE.replace("limits.memory", "limits.memroy"));
    wait_until("the load is broken", || json(&bench)["daemon"]["follows"]["loadProblem"].is_string());
    insta::assert_snapshot!("status-broken-load", status(&bench));
    assert!(json(&bench)["daemon"]["follows"]["lastLoad"].is_string());
}

#[test]
fn with_and_without_a_daemon_the_host_is_the_same() {
    let bench = Bench::new();
    bench.expect(0, "apply --yes");
    let without = json(&bench);
    let _daemon = bench.daemon("");
    let mut with = json(&bench);
    assert_eq!(with["daemon"]["follows"], Value::Null);
    with["daemon"] = Value::Null;
    assert_eq!(with["stateDir"].as_str().unwrap().rsplit('/').next(), without["stateDir"].as_str());
    with["stateDir"] = without["stateDir"].clone();
    assert_eq!(with, without);
}

#[test]
fn a_host_that_cannot_be_looked_at_is_an_error() {
    let bench = Bench::new();
    std::fs::write(bench.path().join("state"), "no folder").unwrap();
    bench.expect(1, "status");
}
