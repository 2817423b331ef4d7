//! Plans as people and machines see them: `plans/NAME.txt`, and `plans/NAME.json` for some. `BAYPLAN_BLESS=1` writes
//! them anew.

use crate::golden::assert_golden;
use crate::reconcile_support::*;
use crate::spec_load::load_text;
use bayplan::driver::faulty::{Fault, Faulty, Side};
use bayplan::driver::memory::Memory;
use bayplan::model::desired::Desired;
use bayplan::model::key::Key;
use bayplan::model::object::{ImageSource, Power};
use bayplan::reconcile::drift::drift;
use bayplan::reconcile::goal::{Goal, HoldTerms, PlanOptions};
use bayplan::reconcile::plan::Plan;
use bayplan::reconcile::render::{TextOptions, plan_json, plan_text, report_text};

/// A site with one image and these container documents (a spec's lines).
pub fn manifest(image: &str, containers: &[(&str, &[&str])]) -> String {
    let head = |kind: &str, name: &str| {
        format!("apiVersion: bayplan/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec:\n")
    };
    let mut text =
        format!("{}  heal: always\n---\n{}  {image}\n", head("Site", "edge"), head("Image", "tiny"));
    for (name, lines) in containers {
        text += &format!("---\n{}  image: tiny\n", head("Container", name));
        for line in *lines {
            text += &format!("  {line}\n");
        }
    }
    text
}

const BUSYBOX: &str = "source: {busybox: {}}";
const WEB: &[&str] = &["config:", "  limits.memory: 512MiB"];

const FILES: &[&str] = &[
    "files:",
    "  /etc/app.conf: {content: \"port = 80\\nworkers = 2\\n\", onChange: [reload, app]}",
    "  /etc/app.key: {secretRef: {file: /etc/keys/app}, mode: \"0400\", owner: app, onChange: [reload, app]}",
    "environment:",
    "  TOKEN: {secretRef: {env: APP_TOKEN}}",
    "  COLOUR: blue",
];

pub fn desired(containers: &[(&str, &[&str])]) -> Desired {
    load_text(&manifest(BUSYBOX, containers)).unwrap().desired
}

/// A host that has containers web-1 and web-2.
fn running() -> Memory {
    let host = server();
    converge(&host, &Goal::Site(&desired(&[("web-1", WEB), ("web-2", WEB)])), &options());
    host
}

fn text(plan: &Plan) -> String {
    plan_text(plan, TextOptions { steps: true, ..TextOptions::default() })
}

#[track_caller]
fn golden(name: &str, plan: &Plan) {
    assert_golden(&format!("tests/it/plans/{name}.txt"), &text(plan));
}

#[track_caller]
fn golden_json(name: &str, value: &serde_json::Value) {
    let text = serde_json::to_string_pretty(value).unwrap() + "\n";
    assert_golden(&format!("tests/it/plans/{name}.json"), &text);
}

/// The plan for web-1 changed to these lines, on a host that runs web-1 and web-2.
fn changed(lines: &[&str], options: &PlanOptions) -> Plan {
    planned(&running(), &Goal::Site(&desired(&[("web-1", lines), ("web-2", WEB)])), options)
}

#[test]
fn create() {
    let desired = desired(&[("web-1", WEB), ("web-2", &["state: frozen", "dependsOn: [container/web-1]"])]);
    golden("create", &planned(&server(), &Goal::Site(&desired), &options()));
}

#[test]
fn nothing_to_do() {
    golden("nothing", &changed(WEB, &options()));
}

#[test]
fn live_change() {
    let lines = ["config:", "  limits.memory: 1GiB", "  limits.processes: 200", "  user.note: hello"];
    let plan = changed(&lines, &options());
    golden("live", &plan);
    golden_json("live", &plan_json(&plan));
}

#[test]
fn device_change() {
    let lines =
        ["config: {limits.memory: 512MiB}", "devices:", "  data: {type: disk, source: /srv/a, path: /srv}"];
    golden("device", &changed(&lines, &options()));
}

#[test]
fn deferred_change() {
    golden(
        "deferred",
        &changed(&["config:", "  limits.memory: 512MiB", "  boot.autostart: true"], &options()),
    );
}

#[test]
fn restart_pending_and_allowed() {
    let lines = ["config:", "  limits.memory: 512MiB", "  security.nesting: true"];
    let plan = changed(&lines, &options());
    golden("restart-pending", &plan);
    golden_json("restart-pending", &plan_json(&plan));
    golden("restart-allowed", &changed(&lines, &PlanOptions { allow_restart: true, ..options() }));
}

#[test]
fn drift_of_every_sort() {
    let host = running();
    let (first, second) = (Key::container("web-1"), Key::container("web-2"));
    assert!(host.kill_init(&first) && host.edit_limits(&second, |limits| limits.memory = None));
    assert!(host.kill_monitor(&second) && host.detach_bridge(&second, "eth0"));
    assert!(host.flush_rules() && host.change_address("bay0", "192.0.2.1/24".parse().unwrap()));
    let plan = planned(&host, &Goal::Recorded, &options());
    golden("drift", &plan);
    golden_json("drift", &serde_json::to_value(drift(&plan)).unwrap());
}

#[test]
fn delete_and_what_is_left_of_it() {
    let host = running();
    let keys = [Key::container("web-1"), Key::container("web-2"), Key::image("tiny")];
    let plan = planned(&host, &Goal::Delete(keys.into()), &options());
    golden("delete", &plan);
    let report = carry_out(&Faulty::new(&host, Fault::Once { at: 2, side: Side::Before }), &plan, 1);
    assert_golden("tests/it/plans/report.txt", &report_text(&report, TextOptions::default()));
    golden("delete-resumed", &planned(&host, &Goal::Recorded, &options()));
}

#[test]
fn hold() {
    let host = running();
    let until = Some(jiff::Timestamp::from_second(SECOND + 3600).unwrap());
    let key = Key::container("web-1");
    let stop =
        Goal::Power { keys: [key].into(), power: Power::Stopped, hold: HoldTerms { until, reason: None } };
    golden("stop", &planned(&host, &stop, &options()));
    converge(&host, &stop, &options());
    golden("hold", &planned(&host, &Goal::Site(&desired(&[("web-1", WEB), ("web-2", WEB)])), &options()));
}

#[test]
fn kept() {
    golden("kept", &planned(&running(), &Goal::Site(&desired(&[("web-1", WEB)])), &options()));
}

/// A set of so many runners.
fn runners(count: usize) -> Desired {
    let set = format!(
        "---\nkind: ContainerSet\nmetadata: {{name: runner}}\nspec: {{replicas: {count}, name: \"runner-{{index:02}}\", \
         template: {{image: tiny}}}}\n"
    );
    load_text(&(manifest(BUSYBOX, &[("web-1", WEB)]) + &set)).unwrap().desired
}

#[test]
fn a_set_is_scaled_as_one_intent() {
    let host = server();
    converge(&host, &Goal::Site(&runners(9)), &options());
    assert!(planned(&host, &Goal::Site(&runners(9)), &options()).sets.is_empty());
    let plan = planned(&host, &Goal::Site(&runners(3)), &options());
    golden("set-smaller", &plan);
    golden_json("set-smaller", &plan_json(&plan));
    golden("set-larger", &planned(&host, &Goal::Site(&runners(11)), &options()));
    golden("set-gone", &planned(&host, &Goal::Site(&desired(&[("web-1", WEB)])), &options()));
    let one = std::collections::BTreeSet::from([Key::container("runner-10")]);
    let plan = planned(&host, &Goal::Site(&runners(11)), &PlanOptions { only: one, ..options() });
    assert!(plan.sets.is_empty() && plan.steps.iter().any(|step| step.key == Key::container("runner-10")));
}

#[test]
fn stale_after_another_source() {
    let host = running();
    let text = manifest("source: {directory: /srv/tree}", &[("web-1", WEB), ("web-2", WEB)]);
    let desired = load_text(&text).unwrap().desired;
    golden("other-image", &planned(&host, &Goal::Site(&desired), &options()));
    converge(&host, &Goal::Site(&desired), &options());
    let plan = planned(&host, &Goal::Site(&desired), &options());
    assert!(plan.is_empty() && plan.stale.len() == 2, "{:#?}", plan.steps);
    golden("stale", &plan);
}

#[test]
fn broken() {
    let host = running();
    let lost: Vec<String> = host.host().images.into_keys().collect();
    assert!(host.lose_image(&lost[0]) && host.kill_init(&Key::container("web-1")));
    host.change_source(&ImageSource::Busybox {}, &"e".repeat(64));
    let goal = Goal::Recorded;
    let first = planned(&host, &goal, &options());
    let report = carry_out(&host, &first, 1);
    assert!(!report.is_done(), "{report:#?}");
    assert!(host.host().runs.len() == 1 && host.host().images.is_empty());
    assert_golden("tests/it/plans/broken-report.txt", &report_text(&report, TextOptions::default()));
    // With another image declared nothing brings the content back.
    let text = manifest("source: {directory: /srv/tree}", &[("web-1", WEB), ("web-2", WEB)]);
    let desired = load_text(&text).unwrap().desired;
    converge(&host, &Goal::Site(&desired), &options());
    let plan = planned(&host, &Goal::Site(&desired), &options());
    assert_eq!(plan.exit_code(), 2);
    golden("broken", &plan);
}

#[test]
fn a_reason_has_the_line_of_its_value_or_of_its_object() {
    let plan = changed(&["config: {}"], &options());
    assert!(text(&plan).contains("config.limits.memory: 512MiB -> none  (site.yaml:"), "{}", text(&plan));
}

#[test]
fn files_and_secrets() {
    let host = server();
    golden("files-create", &planned(&host, &Goal::Site(&desired(&[("web-1", FILES)])), &options()));
    converge(&host, &Goal::Site(&desired(&[("web-1", FILES)])), &options());
    let lines = [
        "files:",
        "  /etc/app.conf: {content: \"port = 80\\nworkers = 4\\n\", onChange: [reload, app]}",
        "environment:",
        "  TOKEN: {secretRef: {env: APP_TOKEN}}",
    ];
    host.change_content("the secret in environment variable APP_TOKEN", "another");
    let goal = desired(&[("web-1", &lines)]);
    let plan = planned(&host, &Goal::Site(&goal), &options());
    golden("files-change", &plan);
    golden_json("files-change", &plan_json(&plan));
}

#[test]
fn files_that_drifted_and_a_secret_that_is_gone() {
    let host = server();
    let key = Key::container("web-1");
    converge(&host, &Goal::Site(&desired(&[("web-1", FILES)])), &options());
    assert!(host.edit_file(&key, "/etc/app.conf", |file| file.mode = "0666".to_owned()));
    assert!(host.remove_file(&key, "/etc/app.key"));
    let plan = planned(&host, &Goal::Recorded, &options());
    golden("files-drift", &plan);
    golden_json("files-drift", &serde_json::to_value(drift(&plan)).unwrap());
    host.edit_host(|host| host.lost_contents.extend(["the secret in file /etc/keys/app".to_owned()]));
    golden("files-broken", &planned(&host, &Goal::Recorded, &options()));
}
