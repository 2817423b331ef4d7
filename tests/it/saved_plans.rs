//! `plan --out`, `plan --plan`, `apply --plan`: the real binary with a modelled host.

use crate::cli::{Bench, SITE};
use bayplan::api::saved::{SavedPlan, exact_digest};
use std::os::unix::fs::PermissionsExt;

fn with_memory(memory: &str) -> String {
    SITE.replace("limits.memory: 1GiB", &format!("limits.memory: {memory}"))
}

fn saved(bench: &Bench) -> String {
    std::fs::read_to_string(bench.path().join("p.plan")).unwrap()
}

#[test]
fn a_saved_plan_is_carried_out_as_it_was_and_once() {
    let bench = Bench::new();
    let said = bench.expect(2, "plan --out p.plan");
    assert!(said.stderr.contains("`bayplan apply --plan p.plan` carries it out"), "{}", said.stderr);
    let mode = std::fs::metadata(bench.path().join("p.plan")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // What is declared since plays no role.
    bench.write("site.yaml", &with_memory("2GiB"));
    let shown = bench.expect(2, "plan --plan p.plan");
    assert_eq!(shown.stdout, said.stdout, "it is shown as it was");
    bench.expect(0, "apply --plan p.plan");
    assert!(bench.expect(0, "describe web-1").stdout.contains("1GiB"));
    let again = bench.expect(1, "apply --plan p.plan");
    assert!(again.stderr.contains("the host has moved since the plan was made"), "{}", again.stderr);
    assert!(again.stderr.contains("container/web-1 (new)"), "{}", again.stderr);
    assert!(again.stderr.contains("bayplan plan --out FILE"), "{}", again.stderr);
    assert!(bench.expect(2, "plan").stdout.contains("2GiB"));
}

#[test]
fn an_empty_saved_plan_may_be_carried_out_again_and_again() {
    let bench = Bench::new();
    bench.expect(0, "apply");
    bench.expect(0, "plan --out p.plan");
    for _ in 0..2 {
        assert!(bench.expect(0, "apply --plan p.plan").stdout.contains("nothing to do"));
    }
}

#[test]
fn what_moves_and_comes_back_does_not_refuse_a_saved_plan() {
    let bench = Bench::new();
    bench.expect(0, "apply");
    bench.write("site.yaml", &with_memory("2GiB"));
    bench.expect(2, "plan --out p.plan");
    bench.expect(0, "stop web-1 --until-apply");
    let said = bench.expect(1, "apply --plan p.plan");
    assert!(said.stderr.contains("container/web-1 (") && said.stderr.contains("state"), "{}", said.stderr);
    assert!(bench.expect(0, "describe web-1").stdout.contains("1GiB"), "nothing was changed");
    let before = bench.expect(0, "get web-1 -o json").stdout;
    bench.expect(0, "resume web-1");
    let after = bench.expect(0, "get web-1 -o json").stdout;
    assert_ne!(before, after, "another incarnation, another pid");
    bench.expect(0, "apply --plan p.plan");
    assert!(bench.expect(0, "describe web-1").stdout.contains("2GiB"));
}

#[test]
fn a_saved_plan_is_for_one_state_folder() {
    let bench = Bench::new();
    bench.expect(2, "plan --out p.plan");
    let other = std::process::Command::new(env!("CARGO_BIN_EXE_bayplan"))
        .current_dir(bench.path())
        .args(["--state-dir", "other", "--driver", "memory", "apply", "--plan", "p.plan"])
        .output()
        .unwrap();
    let said = String::from_utf8(other.stderr).unwrap();
    assert_eq!(other.status.code(), Some(1), "{said}");
    assert!(said.contains("the plan was made for state folder") && said.contains("/other;"), "{said}");
    assert!(!bench.path().join("other").exists(), "refused before anything was made");
    assert_eq!(bench.expect(0, "get").stdout, "no objects\n");
}

#[test]
fn a_plan_of_another_machine_is_refused_by_both_names() {
    let bench = Bench::new();
    bench.expect(0, "apply");
    bench.expect(0, "plan --out p.plan");
    let file = bench.path().join("state/modelled-host.json");
    let host = std::fs::read_to_string(&file).unwrap();
    let id = "6d6f64656c6c6564686f737400000001";
    assert!(host.contains(id));
    std::fs::write(&file, host.replace(id, "ffff64656c6c6564686f737400000002")).unwrap();
    let said = bench.expect(1, "apply --plan p.plan");
    let names = said.stderr.contains(id) && said.stderr.contains("ffff64656c6c6564686f737400000002");
    assert!(said.stderr.contains("the plan was made for host") && names, "{}", said.stderr);
}

#[test]
fn a_file_that_was_changed_or_is_no_plan_is_refused() {
    let bench = Bench::new();
    bench.expect(2, "plan --out p.plan");
    let text = saved(&bench);
    let one = |changed: &str| {
        bench.write("p.plan", changed);
        let said = bench.expect(1, "apply --plan p.plan").stderr;
        assert_eq!(said, bench.expect(1, "plan --plan p.plan").stderr);
        assert!(said.starts_with("error: p.plan: it "), "{said}");
        said
    };
    assert!(text.contains("1GiB"));
    assert!(one(&text.replace("1GiB", "9GiB")).contains("it was changed since it was saved"));
    assert!(one(&text.replace("\"seal\":\"", "\"seal\":\"0")).contains("it was changed since it was saved"));
    let newer = text.replacen("\"version\":1", "\"version\":2", 1);
    assert!(one(&newer).contains("a saved plan of version 2, this bayplan reads version 1"));
    let program = format!("\"bayplan\":\"{}\"", env!("CARGO_PKG_VERSION"));
    assert!(text.contains(&program));
    assert!(one(&text.replacen(&program, "\"bayplan\":\"9.9.9\"", 1)).contains("made by bayplan 9.9.9"));
    for none in ["", "{}", "kind: Site\n", &text[..text.len() / 2]] {
        assert!(one(none).contains("it is no saved plan"));
    }
    let said = bench.expect(1, "apply --plan nowhere.plan");
    assert!(said.stderr.contains("the plan nowhere.plan cannot be read"), "{}", said.stderr);
    let said = bench.expect(1, "plan --out no/folder/p.plan");
    assert!(said.stderr.contains("the plan cannot be written to no/folder/p.plan"), "{}", said.stderr);
    for usage in
        ["apply --plan p.plan -f site.yaml", "apply --plan p.plan --only web-1", "plan --plan p.plan --out q"]
    {
        bench.expect(64, usage);
    }
}

#[test]
fn a_plan_that_was_edited_and_sealed_anew_is_neither_shown_nor_carried_out() {
    let bench = Bench::new();
    bench.expect(2, "plan --out p.plan");
    let honest = SavedPlan::open(&saved(&bench)).unwrap();
    let mut shown_otherwise = honest.clone();
    shown_otherwise.plan.steps.pop();
    bench.write("p.plan", &shown_otherwise.seal().unwrap());
    for command in ["plan --plan p.plan", "apply --plan p.plan"] {
        assert!(bench.expect(1, command).stderr.contains("it was changed since it was saved"));
    }
    // With a digest that fits, the planner says otherwise.
    shown_otherwise.basis.plan = exact_digest(&shown_otherwise.plan).unwrap();
    bench.write("p.plan", &shown_otherwise.seal().unwrap());
    let said = bench.expect(1, "apply --plan p.plan");
    assert!(said.stderr.contains("what the plan stands on has changed"), "{}", said.stderr);
    bench.write("p.plan", &honest.seal().unwrap());
    bench.expect(0, "apply --plan p.plan");
}

#[test]
fn approvals_stand_in_a_saved_plan_or_are_given_when_it_is_carried_out() {
    let nested = SITE.replace("limits.memory: 1GiB", "limits.memory: 1GiB, security.nesting: true");
    for (plan, apply) in
        [("--allow restart", ""), ("", "--allow restart"), ("--allow restart", "--allow replace")]
    {
        let bench = Bench::new();
        bench.expect(0, "apply");
        bench.write("site.yaml", &nested);
        bench.run(&format!("plan --out p.plan {plan}"));
        bench.expect(0, &format!("apply --plan p.plan {apply}"));
        bench.expect(0, "plan --fail-on pending");
    }
    let bench = Bench::new();
    bench.expect(0, "apply");
    bench.write("site.yaml", &nested);
    bench.expect(2, "plan --out p.plan");
    bench.expect(0, "apply --plan p.plan");
    bench.expect(2, "plan --fail-on pending");
}

#[test]
fn a_guard_of_a_saved_plan_stops_it_and_is_lifted_when_it_is_carried_out() {
    let bench = Bench::new();
    bench.write(
        "site.yaml",
        &format!("{SITE}---\nkind: Container\nmetadata: {{name: web-2}}\nspec: {{image: busybox}}\n"),
    );
    bench.expect(0, "apply");
    bench.write("site.yaml", SITE);
    bench.expect(2, "plan --out p.plan --allow delete=0");
    let said = bench.expect(4, "apply --plan p.plan");
    assert!(said.stderr.contains("1 object would be pruned, 0 allowed"), "{}", said.stderr);
    bench.expect(0, "apply --plan p.plan --allow delete=1");
    assert!(bench.expect(0, "get --parked").stdout.contains("container/web-2"));
}

#[test]
fn a_hold_that_ended_since_refuses_a_saved_plan() {
    let bench = Bench::new();
    bench.expect(0, "apply");
    bench.expect(0, "stop web-1 --for 1s");
    bench.write("site.yaml", &with_memory("2GiB"));
    bench.expect(2, "plan --out p.plan");
    std::thread::sleep(std::time::Duration::from_millis(1500));
    let said = bench.expect(1, "apply --plan p.plan");
    assert!(said.stderr.contains("time has passed since the plan was made"), "{}", said.stderr);
}

#[test]
fn a_daemon_makes_and_carries_out_saved_plans_likewise() {
    let bench = Bench::new();
    let _daemon = bench.daemon("");
    bench.expect(2, "plan --out p.plan");
    bench.expect(0, "apply --plan p.plan");
    let said = bench.expect(1, "apply --plan p.plan");
    assert!(said.stderr.contains("the host has moved since the plan was made"), "{}", said.stderr);
    bench.write("site.yaml", &with_memory("2GiB"));
    bench.expect(2, "plan --out p.plan");
    bench.expect(0, "freeze web-1 --until-apply");
    let said = bench.expect(1, "apply --plan p.plan");
    assert!(said.stderr.contains("container/web-1 ("), "{}", said.stderr);
    bench.expect(0, "unfreeze web-1");
    bench.expect(0, "apply --plan p.plan");
    assert!(bench.expect(0, "describe web-1").stdout.contains("2GiB"));
}

#[test]
fn a_daemon_that_follows_a_site_refuses_a_saved_plan_of_another_text() {
    let bench = Bench::new();
    bench.write("live.yaml", SITE);
    bench.expect(0, "apply -f live.yaml");
    bench.write("site.yaml", &with_memory("2GiB"));
    bench.expect(2, "plan --out p.plan");
    let _daemon = bench.daemon("-f live.yaml");
    let said = bench.expect(1, "apply --plan p.plan");
    assert!(said.stderr.contains("the daemon follows"), "{}", said.stderr);
}

#[test]
fn a_daemon_knows_what_it_follows_before_it_answers() {
    let bench = Bench::new();
    let profile = |number: u32| {
        format!("---\napiVersion: bayplan/v1\nkind: Profile\nmetadata: {{name: p{number}}}\nspec: {{}}\n")
    };
    // Takes longer to read than the first command needs to ask.
    bench.write("live.yaml", &(SITE.to_owned() + &(0..4000).map(profile).collect::<String>()));
    let _daemon = bench.daemon("-f live.yaml");
    let said = bench.expect(1, "apply");
    assert!(said.stderr.contains("the daemon follows"), "{}", said.stderr);
}

#[test]
fn a_daemon_whose_manifests_never_loaded_refuses_what_they_might_undo() {
    let bench = Bench::new();
    bench.expect(0, "apply");
    bench.write("live.yaml", &SITE.replace("limits.memory", "limits.memry"));
    bench.write("site.yaml", &with_memory("2GiB"));
    let _daemon = bench.daemon("-f live.yaml");
    for command in ["apply", "delete web-1", "delete --all --allow delete=9"] {
        let said = bench.expect(1, command);
        assert!(said.stderr.contains("which it could not load yet"), "{command}: {}", said.stderr);
    }
    bench.expect(0, "restart web-1");
}
