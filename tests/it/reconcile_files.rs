//! Files and the commands that follow them, on the modelled host.

use crate::reconcile_support::*;
use bayplan::driver::faulty::{Fault, Faulty, Side};
use bayplan::driver::memory::Memory;
use bayplan::model::content::{Content, Digest};
use bayplan::model::key::Key;
use bayplan::model::object::{Container, ContainerFile, Power};
use bayplan::model::step::Action;
use bayplan::reconcile::goal::{Goal, HoldTerms};
use bayplan::reconcile::propose;
use bayplan::reconcile::report::StepOutcome;
use std::collections::BTreeMap;

fn with(files: &[(&str, &str)], command: &str) -> Container {
    let file = |text: &str| ContainerFile {
        from: Content::Text(text.to_owned()),
        mode: "0644".to_owned(),
        owner: "root".to_owned(),
        group: "root".to_owned(),
        on_change: vec![command.to_owned()],
    };
    let files = files.iter().map(|(path, text)| ((*path).to_owned(), file(text)));
    Container { files: files.collect::<BTreeMap<_, _>>(), ..container() }
}

fn apply(host: &Memory, container: Container) {
    converge(host, &Goal::Site(&site(&[("web-1", container)])), &options());
}

fn commands(host: &Memory) -> Vec<String> {
    host.host().commands_run.iter().map(|command| command.join(" ")).collect()
}

#[test]
fn one_command_runs_once_after_all_its_files_and_not_at_a_start() {
    let host = server();
    apply(&host, with(&[("/etc/a", "1"), ("/etc/b", "1")], "reload"));
    assert!(commands(&host).is_empty(), "init starts with them");
    apply(&host, with(&[("/etc/a", "2"), ("/etc/b", "2")], "reload"));
    assert_eq!(commands(&host), ["reload"]);
    apply(&host, with(&[("/etc/a", "2"), ("/etc/b", "2")], "restart"));
    assert_eq!(commands(&host), ["reload"], "no file changed");
    apply(&host, Container { state: Power::Stopped, ..with(&[("/etc/a", "3")], "reload") });
    apply(&host, with(&[("/etc/a", "3")], "reload"));
    assert_eq!(commands(&host), ["reload"], "it did not run when the file changed");
}

#[test]
fn a_command_that_a_crash_or_a_failure_kept_back_is_run_by_the_next_apply() {
    let container = |text| with(&[("/etc/a", text)], "reload");
    for side in [Side::Before, Side::After] {
        let host = server();
        apply(&host, container("1"));
        let desired = site(&[("web-1", container("2"))]);
        let goal = Goal::Site(&desired);
        let plan = planned(&host, &goal, &options());
        let writes = |action: &Action| matches!(action, Action::WriteFile { .. });
        let at = plan.steps.iter().position(|step| writes(&step.action)).unwrap() as u64;
        carry_out(&Faulty::new(&host, Fault::Crash { at, side }), &plan, 1);
        assert!(commands(&host).is_empty());
        converge(&host, &goal, &options());
        assert_eq!(commands(&host), ["reload"], "{side:?}");

        host.edit_host(|host| host.failing_commands.extend([vec!["reload".to_owned()]]));
        let desired = site(&[("web-1", container("3"))]);
        let goal = Goal::Site(&desired);
        let report = carry_out(&host, &planned(&host, &goal, &options()), 1);
        assert!(!report.is_done());
        host.edit_host(|host| host.failing_commands.clear());
        converge(&host, &goal, &options());
        assert_eq!(commands(&host), ["reload", "reload"]);
        assert!(planned(&host, &goal, &options()).is_empty());
    }
}

#[test]
fn a_frozen_containers_command_waits_until_it_is_thawed() {
    let host = server();
    apply(&host, with(&[("/etc/a", "1")], "reload"));
    apply(&host, Container { state: Power::Frozen, ..with(&[("/etc/a", "1")], "reload") });
    apply(&host, Container { state: Power::Frozen, ..with(&[("/etc/a", "2")], "reload") });
    assert!(commands(&host).is_empty());
    apply(&host, with(&[("/etc/a", "2")], "reload"));
    assert_eq!(commands(&host), ["reload"]);
}

#[test]
fn healing_goes_on_without_a_secret_as_long_as_its_file_stands() {
    use bayplan::model::content::{SecretRef, SecretSource};
    let host = server();
    let secret = SecretRef { name: None, from: SecretSource::Env("A".to_owned()) };
    let mut wanted = with(&[("/etc/a", "1")], "reload");
    wanted.files.get_mut("/etc/a").unwrap().from = Content::Secret(secret);
    apply(&host, wanted);
    host.edit_host(|host| host.lost_contents.extend(["the secret in environment variable A".to_owned()]));
    let key = Key::container("web-1");
    assert!(host.kill_init(&key));
    converge(&host, &Goal::Recorded, &options());
    assert_eq!(host.host().runs.len(), 1, "it runs again");
    assert!(planned(&host, &Goal::Recorded, &options()).broken.is_empty());
    assert!(host.remove_file(&key, "/etc/a"));
    let plan = planned(&host, &Goal::Recorded, &options());
    assert_eq!((plan.steps.len(), plan.broken.len()), (0, 1), "{plan:#?}");
}

#[test]
fn a_secret_that_cannot_be_a_variable_is_a_finding_before_anything_is_changed() {
    use bayplan::model::content::{SecretRef, SecretSource};
    let host = server();
    let secret = SecretRef { name: None, from: SecretSource::Env("A".to_owned()) };
    let wanted =
        Container { environment: BTreeMap::from([("TOKEN".to_owned(), secret.clone())]), ..container() };
    apply(&host, wanted.clone());
    let value = |value: &str| {
        host.edit_host(|host| {
            host.values.insert("the secret in environment variable A".to_owned(), value.to_owned());
        });
    };
    value("two\0parts");
    let site = site(&[("web-1", wanted)]);
    let refused = propose(&host, &Goal::Site(&site), &options()).unwrap_err().to_string();
    assert!(refused.contains("cannot be a variable: it holds a zero byte"), "{refused}");
    // What runs is left with what it was started with, whatever a restart would do to it.
    assert!(planned(&host, &Goal::Recorded, &options()).is_empty());
    let restart = planned(&host, &Goal::Restart([Key::container("web-1")].into()), &options());
    assert!(restart.is_empty() && restart.broken.len() == 1, "{restart:#?}");
    // As a file it may have any bytes.
    let mut file = with(&[("/etc/a", "1")], "reload");
    file.files.get_mut("/etc/a").unwrap().from = Content::Secret(secret);
    apply(&host, file);
    value("one");
    assert!(!planned(&host, &Goal::Site(&site), &options()).is_empty());
}

#[test]
fn a_file_that_nobody_looked_at_is_not_said_to_be_missing() {
    let host = server();
    let container = with(&[("/etc/a", "1")], "reload");
    apply(&host, container.clone());
    host.lose_records().unwrap();
    let plan = planned(&host, &Goal::Site(&site(&[("web-1", container)])), &options());
    let write = plan.steps.iter().find(|step| matches!(step.action, Action::WriteFile { .. })).unwrap();
    assert_eq!(write.reasons[0].note.as_deref(), Some("no record tells whether its root has it"));
}

#[test]
fn a_file_that_a_broken_container_was_not_given_is_not_recorded_as_written() {
    let host = server();
    apply(&host, with(&[("/etc/a", "1")], "reload"));
    host.edit_host(|host| host.images.clear());
    apply(&host, with(&[("/etc/a", "1")], "reload"));
    let desired = site(&[("web-1", with(&[("/etc/a", "2"), ("/etc/b", "1")], "reload"))]);
    let plan = converge(&host, &Goal::Site(&desired), &options());
    assert_eq!(plan.broken.len(), 1, "{plan:#?}");
    let told = plan.steps.iter().flat_map(|step| &step.reasons);
    assert!(!told.clone().any(|reason| reason.field.starts_with("files.")), "{plan:#?}");
    let again = planned(&host, &Goal::Site(&desired), &options());
    assert!(again.is_empty() && again.broken.len() == 1, "{again:#?}");

    let restart = Goal::Restart([Key::container("web-1")].into());
    let plan = converge(&host, &restart, &options());
    let written = plan.steps.iter().filter(|step| matches!(step.action, Action::WriteFile { .. }));
    let told: Vec<&str> =
        written.flat_map(|step| &step.reasons).map(|reason| reason.field.as_str()).collect();
    assert!(told.contains(&"files./etc/a.content") && told.contains(&"files./etc/b.content"), "{told:?}");
    assert!(planned(&host, &Goal::Site(&desired), &options()).is_empty());
}

/// Two files whose content somebody changed, each with a command of its own.
fn spoiled() -> (Memory, Container) {
    let host = server();
    let mut container = with(&[("/etc/a", "1"), ("/etc/b", "1")], "reload a");
    container.files.get_mut("/etc/b").unwrap().on_change = vec!["reload b".to_owned()];
    apply(&host, container.clone());
    for path in ["/etc/a", "/etc/b"] {
        assert!(
            host.edit_file(&Key::container("web-1"), path, |file| file.digest = Digest("spoiled".to_owned()))
        );
    }
    (host, container)
}

/// What came of the steps when the repair of /etc/a fails.
fn without_a(host: &Memory, goal: &Goal<'_>) -> Vec<(String, bool)> {
    let plan = planned(host, goal, &options());
    let is_a = |action: &Action| matches!(action, Action::WriteFile { file, .. } if file.path == "/etc/a");
    let at = plan.steps.iter().position(|step| is_a(&step.action)).unwrap() as u64;
    let report = carry_out(&Faulty::new(host, Fault::Once { at, side: Side::Before }), &plan, 4);
    let done = |outcome: &StepOutcome| matches!(outcome, StepOutcome::Changed | StepOutcome::Unchanged);
    report.steps.iter().map(|step| (step.what.clone(), done(&step.outcome))).collect()
}

#[test]
fn a_file_that_cannot_be_repaired_keeps_nothing_back_but_its_own_command() {
    let (host, container) = spoiled();
    let desired = site(&[("web-1", container)]);
    let came = without_a(&host, &Goal::Site(&desired));
    let expected = [
        ("write file /etc/a", false),
        ("write file /etc/b", true),
        ("run reload a", false),
        ("run reload b", true),
    ];
    assert_eq!(came, expected.map(|(what, done)| (what.to_owned(), done)));
    converge(&host, &Goal::Site(&desired), &options());
    assert_eq!(commands(&host), ["reload b", "reload a"]);
}

#[test]
fn a_container_is_frozen_though_a_file_of_it_cannot_be_repaired_but_does_not_start_with_it() {
    let (host, _) = spoiled();
    let power =
        |power| Goal::Power { keys: [Key::container("web-1")].into(), power, hold: HoldTerms::default() };
    let came = without_a(&host, &power(Power::Frozen));
    assert!(came.contains(&("freeze".to_owned(), true)), "{came:?}");
    let (host, container) = spoiled();
    let stopped = site(&[("web-1", Container { state: Power::Stopped, ..container.clone() })]);
    converge(&host, &Goal::Site(&stopped), &options());
    assert!(
        host.edit_file(&Key::container("web-1"), "/etc/a", |file| file.digest = Digest("spoiled".to_owned()))
    );
    let running = site(&[("web-1", container)]);
    let came = without_a(&host, &Goal::Site(&running));
    assert!(came.contains(&("start".to_owned(), false)), "{came:?}");
}
