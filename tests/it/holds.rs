//! `hold`: a container stays in a power state, its present one or another, whatever is declared; with a reason.

use crate::cli::Bench;
use crate::reconcile_support::*;
use bayplan::driver::memory::Memory;
use bayplan::model::desired::Desired;
use bayplan::model::key::Key;
use bayplan::model::object::{
    Container, Image, ImagePolicy, ImageSource, Object, Power, RestartPolicy, Spec,
};
use bayplan::model::record::HoldReason;
use bayplan::model::step::{Action, Class};
use bayplan::reconcile::goal::{Goal, HoldTerms, PlanOptions};
use bayplan::reconcile::plan::Plan;
use jiff::Timestamp;

fn web() -> Key {
    Key::container("web")
}

fn hold(power: Option<Power>) -> Goal<'static> {
    let until = Some(Timestamp::from_second(SECOND + 3600).unwrap());
    let reason = Some("the disk is swapped".parse().unwrap());
    Goal::Hold { keys: [web()].into(), power, hold: HoldTerms { until, reason } }
}

fn declared(container: Container) -> Desired {
    site(&[("web", container)])
}

fn running() -> Memory {
    let host = server();
    converge(&host, &Goal::Site(&declared(container())), &options());
    host
}

fn actions(plan: &Plan) -> Vec<&Action> {
    plan.steps.iter().map(|step| &step.action).collect()
}

fn at(seconds: i64) -> PlanOptions {
    PlanOptions { now: Timestamp::from_second(SECOND + seconds).unwrap(), ..options() }
}

#[test]
fn alone_it_holds_what_is_as_it_is() {
    let host = running();
    let plan = converge(&host, &hold(None), &options());
    assert!(matches!(actions(&plan)[..], [Action::PutRecord(_)]), "{plan:#?}");
    let plan = planned(&host, &Goal::Site(&declared(container())), &options());
    assert!(plan.is_empty());
    let held = &plan.holds[0];
    assert_eq!((held.held, held.declared), (Power::Running, Power::Running));
    let words =
        "held running by apply by test until 2027-01-15T09:00:00Z (declared running): the disk is swapped";
    assert_eq!(held.words(), words);
    // It still runs if its init ends.
    assert!(host.kill_init(&web()));
    let plan = converge(&host, &Goal::Recorded, &options());
    assert!(plan.steps.iter().any(|step| matches!(step.action, Action::Start(_))), "{plan:#?}");
    // When its time is over there is nothing left but its record.
    let plan = converge(&host, &Goal::Recorded, &at(3600));
    assert!(matches!(actions(&plan)[..], [Action::PutRecord(_)]) && plan.holds.is_empty(), "{plan:#?}");
}

#[test]
fn what_is_down_is_held_down() {
    let host = running();
    assert!(host.kill_init(&web()));
    converge(&host, &hold(None), &options());
    assert!(host.host().runs.is_empty());
    for goal in [Goal::Recorded, Goal::Site(&declared(container()))] {
        assert!(planned(&host, &goal, &options()).is_empty());
    }
    converge(&host, &Goal::Resume([web()].into()), &options());
    assert_eq!(host.host().runs.len(), 1);
}

#[test]
fn another_state_is_reached_and_held() {
    let host = running();
    for power in [Power::Frozen, Power::Stopped, Power::Running] {
        converge(&host, &hold(Some(power)), &options());
        let plan = planned(&host, &Goal::Site(&declared(container())), &options());
        assert!(plan.is_empty() && plan.holds[0].held == power, "{plan:#?}");
    }
}

#[test]
fn a_hold_ends_when_another_state_is_declared() {
    let host = running();
    converge(&host, &hold(None), &options());
    let stopped = declared(Container { state: Power::Stopped, ..container() });
    let plan = converge(&host, &Goal::Site(&stopped), &options());
    assert!(plan.holds.is_empty() && host.host().runs.is_empty(), "{plan:#?}");
}

/// The container with a change that needs a restart, and with another content for its root.
fn changes() -> [(Class, Desired); 2] {
    let mut restarted = container();
    restarted.config = config(&[("security.nesting", "true")]);
    restarted.update.restart = RestartPolicy::Allow;
    let mut replaced = container();
    replaced.update.image = ImagePolicy::Replace;
    replaced.update.restart = RestartPolicy::Allow;
    let mut other = declared(replaced);
    let source = ImageSource::Directory { path: "/srv/other".into() };
    let image = Object { meta: Default::default(), spec: Spec::Image(Image { source, fingerprint: None }) };
    other.objects.insert(Key::image("tiny"), image);
    [(Class::Restart, declared(restarted)), (Class::Replace, other)]
}

#[test]
fn what_runs_and_is_held_is_neither_restarted_nor_replaced_until_the_hold_ends() {
    for power in [Power::Running, Power::Frozen] {
        for (class, change) in changes() {
            let host = running();
            converge(&host, &hold(Some(power)), &options());
            let incarnation =
                look(&host).containers.values().next().unwrap().run.as_ref().unwrap().incarnation;
            let approved = PlanOptions { allow_restart: true, allow_replace: true, ..options() };
            let plan = converge(&host, &Goal::Site(&change), &approved);
            let pending = &plan.pending[0];
            assert_eq!((pending.class, pending.askable), (class, false), "{pending:#?}");
            assert!(pending.waits_for.contains("bayplan resume container/web"), "{pending:#?}");
            let now = look(&host).containers.values().next().unwrap().run.as_ref().unwrap().incarnation;
            assert_eq!(now, incarnation);
            converge(&host, &Goal::Resume([web()].into()), &options());
            let plan = converge(&host, &Goal::Site(&change), &options());
            assert!(plan.pending.is_empty(), "{plan:#?}");
        }
    }
}

#[test]
fn a_restart_by_hand_is_always_allowed() {
    let host = running();
    converge(&host, &hold(None), &options());
    let plan = converge(&host, &Goal::Restart([web()].into()), &options());
    assert!(plan.steps.iter().any(|step| matches!(step.action, Action::Stop { .. })), "{plan:#?}");
    assert_eq!(planned(&host, &Goal::Recorded, &options()).holds.len(), 1, "and the hold stays");
}

#[test]
fn a_reason_is_one_line() {
    assert_eq!("  why ".parse::<HoldReason>().unwrap().to_string(), "why");
    for wrong in ["", " ", "two\nlines", "\u{1b}[31mred", "\u{202e}txt", &"x".repeat(201)] {
        assert!(wrong.parse::<HoldReason>().is_err(), "{wrong:?}");
        assert!(serde_json::from_value::<HoldReason>(wrong.into()).is_err(), "{wrong:?}");
    }
}

/// The reason as one argument.
fn hold_for(bench: &Bench, words: &str, reason: &str) {
    let done = bench.command(words).args(["--reason", reason]).status().unwrap();
    assert!(done.success(), "{words}");
}

#[test]
fn a_hold_and_its_reason_are_shown_by_all_that_show_the_container_with_and_without_a_daemon() {
    for with_daemon in [false, true] {
        let bench = Bench::new();
        bench.expect(0, "apply --yes");
        let _daemon = with_daemon.then(|| bench.daemon(""));
        hold_for(&bench, "hold web-1 --for 10m", "migration: ask ops");
        for words in ["get web-1 -o json", "describe web-1", "plan", "why web-1", "holds"] {
            let said = bench.expect(0, words).stdout;
            assert!(said.contains("migration: ask ops"), "{words}: {said}");
        }
        let holds = bench.expect(0, "holds -o json").stdout;
        let holds: serde_json::Value = serde_json::from_str(&holds).unwrap();
        let hold = &holds["holds"][0];
        assert_eq!((&hold["held"], &hold["declared"]), (&"running".into(), &"running".into()));
        hold_for(&bench, "stop web-1 --for 10m", "stopped by hand");
        assert!(bench.expect(0, "get web-1").stdout.contains("stopped"));
        assert!(bench.expect(0, "plan").stdout.contains("stopped by hand"));
        bench.expect(0, "hold web-1 --state running");
        assert!(bench.expect(0, "get web-1").stdout.contains("running"));
        bench.expect(0, "resume web-1");
        assert_eq!(bench.expect(0, "holds").stdout, "no holds\n");
    }
}

#[test]
fn what_cannot_be_held_is_refused() {
    let bench = Bench::new();
    bench.expect(0, "apply --yes");
    for words in ["hold", "hold web-1 --state any", "hold web-1 --for 1h --until-apply"] {
        bench.expect(64, words);
    }
    assert_eq!(bench.command("hold web-1").args(["--reason", "a\nb"]).status().unwrap().code(), Some(64));
    bench.expect(1, "hold web-2");
    bench.expect(1, "hold image/busybox");
    assert_eq!(bench.expect(0, "holds").stdout, "no holds\n");
}
