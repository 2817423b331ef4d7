//! What was started and never seen ready is remembered: what is started later waits for it, and nothing else does.

use crate::reconcile_support::*;
use bayplan::driver::memory::Memory;
use bayplan::model::desired::Desired;
use bayplan::model::key::Key;
use bayplan::model::object::{Container, Power};
use bayplan::model::ready::ReadyProbe;
use bayplan::model::step::Action;
use bayplan::model::time_span::TimeSpan;
use bayplan::reconcile::goal::{Goal, HoldTerms, PlanOptions};
use bayplan::reconcile::plan::Plan;
use bayplan::reconcile::report::Report;

/// A command that the modelled host can be told to fail.
const PROBE: [&str; 2] = ["check", "it"];

fn db() -> Container {
    let mut db = container();
    db.ready.probe = ReadyProbe::Exec(PROBE.map(str::to_owned).to_vec());
    db
}

fn needing(other: &str) -> Container {
    Container { depends_on: vec![Key::container(other)], ..container() }
}

fn db_and_web() -> Desired {
    site(&[("db", db()), ("web", needing("db"))])
}

/// A host on which nothing that is asked is ready.
fn unready_server() -> Memory {
    let host = server();
    host.edit_host(|host| host.failing_commands.extend([PROBE.map(str::to_owned).to_vec()]));
    host
}

fn mend(host: &Memory) {
    host.edit_host(|host| host.failing_commands.clear());
}

fn attempt(host: &Memory, desired: &Desired) -> (Plan, Report) {
    let plan = planned(host, &Goal::Site(desired), &options());
    let report = carry_out(host, &plan, 4);
    (plan, report)
}

fn runs(host: &Memory, name: &str) -> bool {
    look(host)
        .containers
        .values()
        .any(|facts| facts.run.as_ref().is_some_and(|run| run.run.key == Key::container(name)))
}

/// The containers that a plan looks at without starting them.
fn looks(plan: &Plan) -> Vec<&str> {
    let starts =
        |key: &Key| plan.steps.iter().any(|step| step.key == *key && matches!(step.action, Action::Start(_)));
    let waits = plan.steps.iter().filter(|step| matches!(step.action, Action::WaitReady { .. }));
    waits.filter(|step| !starts(&step.key)).map(|step| step.key.name.as_str()).collect()
}

fn is_remembered(host: &Memory, name: &str) -> bool {
    let record = host.records().all().unwrap().remove(&Key::container(name)).unwrap();
    record.applied.unwrap().unready
}

#[test]
fn what_depends_on_one_that_was_never_ready_waits_for_it_in_the_next_apply_too() {
    let (host, desired) = (unready_server(), db_and_web());
    assert_eq!(attempt(&host, &desired).1.exit_code(), 3);
    assert!(runs(&host, "db") && is_remembered(&host, "db") && !runs(&host, "web"));
    let (plan, report) = attempt(&host, &desired);
    assert_eq!((looks(&plan), report.exit_code()), (vec!["db"], 3));
    assert!(!runs(&host, "web"), "{report:#?}");
    mend(&host);
    let (plan, report) = attempt(&host, &desired);
    assert!(looks(&plan) == ["db"] && report.is_done(), "{report:#?}");
    assert!(runs(&host, "web") && !is_remembered(&host, "db"));
    assert!(planned(&host, &Goal::Site(&desired), &options()).is_empty());
}

#[test]
fn a_plan_that_starts_nothing_that_waits_has_no_look() {
    let (host, desired) = (unready_server(), site(&[("db", db()), ("other", container())]));
    attempt(&host, &desired);
    assert!(is_remembered(&host, "db"));
    assert!(planned(&host, &Goal::Site(&desired), &options()).is_empty());
    assert!(planned(&host, &Goal::Recorded, &options()).is_empty());
    // One that does not need it is started beside it.
    let more = site(&[("db", db()), ("other", container()), ("third", container())]);
    let (plan, report) = attempt(&host, &more);
    assert!(looks(&plan).is_empty() && report.is_done(), "{report:#?}");
}

#[test]
fn what_runs_and_is_changed_live_waits_for_nobody() {
    let host = unready_server();
    let with_web = |web: Container| site(&[("db", db()), ("web", web)]);
    attempt(&host, &with_web(container()));
    assert!(runs(&host, "web"));
    // Declared to depend on it when both ran.
    let limited = Container { config: config(&[("limits.processes", "100")]), ..needing("db") };
    let (plan, report) = attempt(&host, &with_web(limited));
    assert!(!plan.is_empty() && looks(&plan).is_empty() && report.is_done(), "{report:#?}");
    // Its restart waits.
    let nested = Container { config: config(&[("security.nesting", "true")]), ..needing("db") };
    let options = PlanOptions { allow_restart: true, ..options() };
    let plan = planned(&host, &Goal::Site(&with_web(nested)), &options);
    assert_eq!(looks(&plan), ["db"]);
    let report = carry_out(&host, &plan, 4);
    assert!(report.exit_code() == 3 && runs(&host, "web"), "{report:#?}");
}

#[test]
fn a_pass_that_looks_again_waits_for_a_moment_only() {
    let host = unready_server();
    for (timeout, waits) in [(60_000, 5_000), (3_000, 3_000)] {
        let mut db = db();
        db.ready.timeout = TimeSpan::of_milliseconds(timeout);
        let desired = site(&[("db", db), ("web", needing("db"))]);
        attempt(&host, &desired);
        for (again, waits) in [(false, timeout), (true, waits)] {
            let plan = planned(&host, &Goal::Site(&desired), &PlanOptions { again, ..options() });
            let waited = plan.steps.iter().find_map(|step| match &step.action {
                Action::WaitReady { ready, .. } if step.key == Key::container("db") => {
                    Some(ready.timeout.milliseconds())
                }
                _ => None,
            });
            assert_eq!(waited, Some(waits));
        }
    }
}

#[test]
fn one_between_the_two_hands_the_wait_on() {
    let host = unready_server();
    let between = site(&[("cache", container()), ("db", db())]);
    attempt(&host, &between);
    let all = site(&[("cache", needing("db")), ("db", db()), ("web", needing("cache"))]);
    let (plan, report) = attempt(&host, &all);
    assert_eq!((looks(&plan), report.exit_code()), (vec!["db"], 3));
    assert!(!runs(&host, "web"));
    let healed = planned(&host, &Goal::Recorded, &options());
    assert!(healed.is_empty() || looks(&healed) == ["db"], "{healed:#?}");
}

#[test]
fn one_that_is_taken_down_by_the_plan_is_not_asked() {
    for state in [Power::Stopped, Power::Frozen] {
        let host = unready_server();
        attempt(&host, &db_and_web());
        let down = site(&[("db", Container { state, ..db() }), ("web", needing("db"))]);
        let (plan, report) = attempt(&host, &down);
        assert!(looks(&plan).is_empty() && report.is_done(), "{state:?}: {report:#?}");
        assert!(runs(&host, "web"));
    }
}

#[test]
fn one_that_thaws_is_asked_before_what_depends_on_it_starts() {
    let host = unready_server();
    attempt(&host, &db_and_web());
    let frozen = site(&[("db", Container { state: Power::Frozen, ..db() })]);
    attempt(&host, &frozen);
    let (plan, report) = attempt(&host, &db_and_web());
    assert_eq!((looks(&plan), report.exit_code()), (vec!["db"], 3));
    assert!(!runs(&host, "web"));
}

#[test]
fn a_verb_waits_for_nobody() {
    let host = unready_server();
    let web = Container { state: Power::Stopped, ..needing("db") };
    attempt(&host, &site(&[("db", db()), ("web", container())]));
    attempt(&host, &site(&[("db", db()), ("web", web)]));
    let start = Goal::Power {
        keys: [Key::container("web")].into(),
        power: Power::Running,
        hold: HoldTerms::default(),
    };
    assert!(looks(&planned(&host, &start, &options())).is_empty());
}

#[test]
fn what_is_ready_as_soon_as_it_runs_has_nothing_to_be_remembered() {
    let host = server();
    let plan = converge(&host, &Goal::Site(&site(&[("db", container())])), &options());
    let wait = plan.steps.iter().find(|step| matches!(step.action, Action::WaitReady { .. })).unwrap();
    assert_eq!(wait.applied, None);
    assert!(!is_remembered(&host, "db"));
}
