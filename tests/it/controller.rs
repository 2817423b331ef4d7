//! The controller: what a pass for some keys looks at, that it plans as a look at everything would, and that nothing
//! that stands in the way of a site keeps what was applied from being healed.

use crate::prune::{desired, host, image, runs, site_of, web};
use crate::random_site::story;
use crate::reconcile_support::*;
use bayplan::driver::Scope;
use bayplan::driver::memory::Memory;
use bayplan::model::desired::Desired;
use bayplan::model::key::Key;
use bayplan::model::step::Action;
use bayplan::reconcile::apply::ApplyOptions;
use bayplan::reconcile::controller::{Controller, Pass};
use bayplan::reconcile::goal::{Goal, PlanOptions};
use bayplan::reconcile::{Error, plan_on};
use bayplan::store::memory::MemoryRecords;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;

fn second(number: i64) -> Timestamp {
    Timestamp::from_second(SECOND + number).unwrap()
}

/// A full pass is due at second `first`, then each minute; a mark is due at once.
fn controller(first: i64) -> Controller {
    Controller::new(second(first), SignedDuration::ZERO, SignedDuration::from_secs(60))
}

fn pass(
    controller: &mut Controller,
    host: &Memory,
    goal: &Goal<'_>,
    number: i64,
) -> Result<Option<Pass>, Error> {
    let cancel = AtomicBool::new(false);
    let apply_options = ApplyOptions { now: second(number), actor: "daemon", ..apply_options(&cancel) };
    controller.pass(host, goal, &PlanOptions { now: second(number), ..options() }, &apply_options)
}

/// Site `edge` with a Site document and these containers.
fn edge(names: &[&str]) -> Desired {
    let containers: Vec<String> = names.iter().map(|name| web(name)).collect();
    desired(&(site_of("edge", "{mode: auto, max: 1}") + &image() + &containers.concat()))
}

#[test]
fn a_guard_that_stands_does_not_keep_a_killed_init_from_being_healed() {
    let all = edge(&["a", "b", "c", "d"]);
    let fewer = edge(&["a"]);
    let host = host(&[]);
    converge(&host, &Goal::Site(&all), &options());
    let mut controller = controller(0);
    let key = Key::container("a");
    assert!(host.kill_init(&key));
    controller.mark_dirty([key.clone()], second(0));
    let error = pass(&mut controller, &host, &Goal::Site(&fewer), 0).unwrap_err();
    assert!(matches!(error, Error::Guarded { .. }), "{error}");
    assert!(!runs(&host, &key));
    assert_eq!(controller.next_wakeup(second(0)), second(0), "the mark is not forgotten");
    let healed = pass(&mut controller, &host, &Goal::Site(&fewer), 0).unwrap().expect("a pass");
    assert!(healed.report.is_done() && runs(&host, &key));
    assert_eq!(controller.next_wakeup(second(1)), second(60));
}

#[test]
fn a_killed_init_is_healed_by_a_look_at_it_and_at_what_it_needs() {
    let declared = edge(&["a", "b", "c"]);
    let host = host(&[]);
    converge(&host, &Goal::Site(&declared), &options());
    for goal in [Goal::Site(&declared), Goal::Recorded] {
        let mut controller = controller(60);
        let key = Key::container("a");
        assert!(host.kill_init(&key) && host.kill_init(&Key::container("b")));
        controller.mark_dirty([key.clone()], second(1));
        let done = pass(&mut controller, &host, &goal, 1).unwrap().expect("a pass");
        assert!(done.report.is_done() && runs(&host, &key));
        let Scope::Keys(keys) = &done.scope else { panic!("it looked at everything") };
        assert!(keys.contains(&key) && !keys.contains(&Key::container("b")), "{keys:?}");
        assert!(!runs(&host, &Key::container("b")), "nobody marked it");
        converge(&host, &goal, &options());
    }
}

#[test]
fn what_a_look_at_some_keys_does_not_show_is_left_to_a_look_at_everything() {
    let declared = edge(&["a", "b"]);
    let host = host(&[]);
    converge(&host, &Goal::Site(&declared), &options());
    let key = Key::container("a");
    assert!(host.kill_init(&key) && host.lose_root(&key));
    let mut controller = controller(60);
    controller.mark_dirty([key.clone()], second(1));
    let done = pass(&mut controller, &host, &Goal::Recorded, 1).unwrap().expect("a pass");
    assert!(done.plan.steps.iter().any(|step| matches!(step.action, Action::CreateRoot { .. })));
    assert_eq!(done.scope, Scope::All);
    assert!(done.report.is_done() && runs(&host, &key));
}

#[test]
fn a_mark_for_what_has_no_record_is_no_error() {
    let host = host(&[]);
    converge(&host, &Goal::Site(&edge(&["a"])), &options());
    let mut controller = controller(60);
    controller.mark_dirty([Key::container("stranger")], second(1));
    assert!(pass(&mut controller, &host, &Goal::Recorded, 1).unwrap().is_none());
    assert_eq!(controller.next_wakeup(second(1)), second(60));
}

/// Another host that is the same.
fn twin(host: &Memory) -> Memory {
    Memory::new(host.host(), Box::new(MemoryRecords::new(look(host).records)))
}

proptest! {
    #![proptest_config(crate::properties::cases())]

    #[test]
    fn a_pass_for_one_key_does_what_a_look_at_everything_would_do_for_it(story in story()) {
        let host = server();
        let declared = story.before.desired();
        converge(&host, &Goal::Site(&declared), &options());
        story.breakages.iter().for_each(|breakage| breakage.strike(&host));
        for goal in [Goal::Site(&declared), Goal::Recorded] {
            for key in declared.objects.keys() {
                let twin = twin(&host);
                let only = PlanOptions { only: BTreeSet::from([key.clone()]), now: second(1), ..options() };
                let whole = plan_on(&twin, &goal, &look(&twin), &only);
                let mut controller = controller(60);
                controller.mark_dirty([key.clone()], second(1));
                match (pass(&mut controller, &twin, &goal, 1), whole) {
                    (Ok(Some(done)), Ok(whole)) => {
                        prop_assert_eq!(&done.plan.steps, &whole.steps);
                        prop_assert_eq!(&done.plan.broken, &whole.broken);
                        prop_assert_eq!(&done.plan.pending, &whole.pending);
                        prop_assert_eq!(&done.plan.stale, &whole.stale);
                    }
                    (Ok(None), _) => prop_assert!(!look(&twin).records.contains_key(key)),
                    (Err(error), Err(whole)) => prop_assert_eq!(error.to_string(), whole.to_string()),
                    (done, whole) => prop_assert!(false, "{:#?}\n{:#?}", done, whole),
                }
            }
        }
    }
}
