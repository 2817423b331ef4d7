//! `restartWith`: a container is restarted with another, however that one was restarted.

use crate::properties::cases;
use crate::reconcile_support::*;
use bayplan::driver::faulty::{Fault, Faulty, Side};
use bayplan::driver::memory::Memory;
use bayplan::model::desired::Desired;
use bayplan::model::key::Key;
use bayplan::model::object::Container;
use bayplan::model::step::{Action, Class};
use bayplan::reconcile::goal::{Goal, PlanOptions};
use proptest::prelude::*;

/// `db`, `app`, which restarts with it, and `front`, which restarts with `app`.
fn chain(nesting: bool) -> Desired {
    let mut db = container();
    if nesting {
        db.config = config(&[("security.nesting", "true")]);
    }
    let with = |other: &str| Container {
        depends_on: vec![Key::container(other)],
        restart_with: [Key::container(other)].into(),
        ..container()
    };
    site(&[("db", db), ("app", with("db")), ("front", with("app")), ("alone", container())])
}

fn approving() -> PlanOptions {
    PlanOptions { allow_restart: true, ..options() }
}

fn host() -> Memory {
    let host = server();
    converge(&host, &Goal::Site(&chain(false)), &options());
    host
}

fn incarnation(host: &Memory, name: &str) -> u64 {
    let runs = look(host).containers.into_values().filter_map(|facts| facts.run);
    runs.filter(|run| run.run.key.name == name).map(|run| run.incarnation).next().unwrap_or(0)
}

fn incarnations(host: &Memory) -> [u64; 4] {
    ["db", "app", "front", "alone"].map(|name| incarnation(host, name))
}

fn assert_settled(host: &Memory, desired: &Desired) {
    let plan = planned(host, &Goal::Site(desired), &approving());
    assert!(plan.is_empty() && plan.pending.is_empty(), "{:#?}", plan.steps);
}

#[test]
fn what_restarts_with_another_is_restarted_after_it_in_one_plan() {
    let host = host();
    assert_eq!(incarnations(&host), [1, 1, 1, 1]);
    let plan = converge(&host, &Goal::Site(&chain(true)), &approving());
    let starts: Vec<&str> = plan
        .steps
        .iter()
        .filter(|step| matches!(step.action, Action::Start(_)))
        .map(|step| step.key.name.as_str())
        .collect();
    assert_eq!(starts, ["db", "app", "front"]);
    assert_eq!(incarnations(&host), [2, 2, 2, 1]);
    assert_settled(&host, &chain(true));
}

#[test]
fn without_approval_they_wait_until_somebody_approves() {
    let host = host();
    assert!(host.kill_init(&Key::container("db")));
    // Healing starts what died; who restarts with it waits, as the policy says.
    converge(&host, &Goal::Recorded, &options());
    let plan = planned(&host, &Goal::Recorded, &options());
    assert!(plan.is_empty());
    let waiting: Vec<_> =
        plan.pending.iter().map(|pending| (pending.key.name.as_str(), pending.class)).collect();
    assert_eq!(waiting, [("app", Class::Restart)]);
    assert!(plan.pending[0].reasons[0].note.as_deref() == Some("container/db is restarted"));
    converge(&host, &Goal::Site(&chain(false)), &approving());
    assert_eq!(incarnations(&host), [2, 2, 2, 1]);
    assert_settled(&host, &chain(false));
}

#[test]
fn a_verb_restarts_them_too() {
    let host = host();
    converge(&host, &Goal::Restart([Key::container("db")].into()), &approving());
    assert_eq!(incarnations(&host), [2, 2, 2, 1]);
    converge(&host, &Goal::Restart([Key::container("app")].into()), &approving());
    assert_eq!(incarnations(&host), [2, 3, 3, 1]);
    assert_settled(&host, &chain(false));
}

#[test]
fn a_verb_on_both_restarts_each_once() {
    let host = host();
    let both = [Key::container("db"), Key::container("app")];
    converge(&host, &Goal::Restart(both.into()), &approving());
    assert_eq!(incarnations(&host), [2, 2, 2, 1]);
    assert_settled(&host, &chain(false));
}

#[test]
fn it_counts_from_when_it_is_declared() {
    let host = server();
    let loose =
        site(&[("db", container()), ("app", container()), ("front", container()), ("alone", container())]);
    converge(&host, &Goal::Site(&loose), &options());
    converge(&host, &Goal::Restart([Key::container("db")].into()), &approving());
    converge(&host, &Goal::Site(&chain(false)), &approving());
    assert_eq!(incarnations(&host), [2, 1, 1, 1], "to declare it restarts nobody");
    converge(&host, &Goal::Restart([Key::container("db")].into()), &approving());
    assert_eq!(incarnations(&host), [3, 2, 2, 1]);
    assert_settled(&host, &chain(false));
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_restart_that_is_cut_short_still_reaches_all(
        at in 0_u64..20, after in any::<bool>(), crash in any::<bool>(), reboot in any::<bool>(), kill in 0_usize..4,
    ) {
        let host = host();
        let side = if after { Side::After } else { Side::Before };
        let fault = if crash { Fault::Crash { at, side } } else { Fault::Once { at, side } };
        let plan = planned(&host, &Goal::Site(&chain(true)), &approving());
        carry_out(&Faulty::new(&host, fault), &plan, 2);
        if reboot {
            host.reboot_host();
        }
        host.kill_init(&Key::container(["db", "app", "front", "alone"][kill]));
        converge(&host, &Goal::Site(&chain(true)), &approving());
        assert_settled(&host, &chain(true));
        let [db, app, front, _] = incarnations(&host);
        prop_assert!(reboot || (db >= 2 && app >= 2 && front >= 2), "{:?}", (db, app, front));
    }
}
