//! `--only`, verbs, holds and their end, lost images, and applies that are interrupted.

use crate::reconcile_support::*;
use bayplan::driver::faulty::{Fault, Faulty, Side};
use bayplan::driver::memory::Memory;
use bayplan::driver::{Driver, Error, Scope, StepContext};
use bayplan::model::content::{Content, Contents};
use bayplan::model::desired::Desired;
use bayplan::model::key::Key;
use bayplan::model::object::{ImageContents, ImageSource, Power};
use bayplan::model::observed::{Dropped, ExitCause, Observed, RootQuery};
use bayplan::model::step::{Outcome, Step};
use bayplan::reconcile::apply::{ApplyOptions, apply};
use bayplan::reconcile::drift::drift;
use bayplan::reconcile::goal::{Goal, HoldTerms, PlanOptions};
use bayplan::reconcile::plan::Plan;
use bayplan::reconcile::propose;
use bayplan::reconcile::render::step_words;
use bayplan::reconcile::report::StepOutcome;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

fn two() -> Desired {
    let mut second = container();
    second.depends_on = vec![Key::container("web-1")];
    site(&[("web-1", container()), ("web-2", second), ("web-3", container())])
}

fn running() -> Memory {
    let host = server();
    converge(&host, &Goal::Site(&two()), &options());
    host
}

fn words(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(|step| format!("{} {}", step_words(&step.action), step.key.name)).collect()
}

fn later(seconds: i64) -> PlanOptions {
    PlanOptions { now: Timestamp::from_second(SECOND + seconds).unwrap(), ..options() }
}

fn only(key: &Key) -> PlanOptions {
    PlanOptions { only: [key.clone()].into(), ..options() }
}

#[test]
fn only_takes_what_it_names_and_what_that_needs() {
    let host = server();
    let desired = two();
    converge(&host, &Goal::Site(&desired), &only(&Key::container("web-2")));
    let made: BTreeSet<String> = look(&host).records.keys().map(Key::to_string).collect();
    let wanted = ["container/web-1", "container/web-2", "image/tiny", "network/bay0", "profile/default"];
    let mut wanted: BTreeSet<String> = wanted.map(str::to_owned).into();
    wanted.insert("storagepool/default".to_owned());
    assert_eq!(made, wanted);
    let rest = converge(&host, &Goal::Site(&desired), &options());
    assert!(rest.steps.iter().all(|step| ["web-3", "edge"].contains(&step.key.name.as_str())));
    let error = propose(&host, &Goal::Site(&desired), &only(&Key::container("web-9"))).unwrap_err();
    assert_eq!(error.to_string(), "there is no container/web-9");
}

#[test]
fn only_heals_what_it_names_alone() {
    let host = running();
    assert!(host.kill_init(&Key::container("web-1")) && host.kill_init(&Key::container("web-3")));
    let plan = converge(&host, &Goal::Recorded, &only(&Key::container("web-3")));
    assert_eq!(words(&plan), ["start web-3", "wait until ready web-3"]);
    assert_eq!(host.host().runs.len(), 2);
}

fn stop(until: Option<i64>) -> Goal<'static> {
    let until = until.map(|seconds| Timestamp::from_second(SECOND + seconds).unwrap());
    Goal::Power {
        keys: [Key::container("web-3")].into(),
        power: Power::Stopped,
        hold: HoldTerms { until, reason: None },
    }
}

#[test]
fn resume_ends_a_hold_and_goes_back_to_what_is_declared() {
    let host = running();
    converge(&host, &stop(Some(3600)), &options());
    let plan = converge(&host, &Goal::Resume([Key::container("web-3")].into()), &options());
    assert_eq!(words(&plan), ["record web-3", "start web-3", "wait until ready web-3"]);
    assert!(planned(&host, &Goal::Recorded, &options()).is_empty());
    assert!(planned(&host, &Goal::Resume([Key::container("web-3")].into()), &options()).is_empty());
}

#[test]
fn a_hold_ends_by_its_time_by_the_next_apply_or_by_another_declaration() {
    let host = running();
    converge(&host, &stop(Some(60)), &options());
    for goal in [Goal::Recorded, Goal::Site(&two())] {
        assert!(planned(&host, &goal, &later(59)).is_empty());
        assert!(words(&planned(&host, &goal, &later(60))).contains(&"start web-3".to_owned()));
    }
    // Until the next apply: healing leaves it, an apply ends it.
    converge(&host, &stop(None), &options());
    let healed = planned(&host, &Goal::Recorded, &later(1_000_000));
    assert!(healed.is_empty() && healed.holds.len() == 1, "{healed:#?}");
    converge(&host, &Goal::Site(&two()), &options());
    assert_eq!(host.host().runs.len(), 3);
    // Another declared value ends it before its time.
    converge(&host, &stop(Some(3600)), &options());
    let mut frozen = container();
    frozen.state = Power::Frozen;
    let mut desired = two();
    desired.objects.extend(site(&[("web-3", frozen)]).objects);
    let plan = converge(&host, &Goal::Site(&desired), &options());
    assert!(plan.holds.is_empty() && words(&plan).contains(&"freeze web-3".to_owned()), "{plan:#?}");
}

#[test]
fn restart_is_a_stop_and_a_start_of_that_container_alone() {
    let host = running();
    let before = host.host().runs;
    let plan = converge(&host, &Goal::Restart([Key::container("web-3")].into()), &options());
    assert_eq!(words(&plan), ["stop web-3", "start web-3", "wait until ready web-3"]);
    let after = host.host().runs;
    let touched: Vec<&str> = after
        .iter()
        .filter(|(uuid, run)| before[*uuid] != **run)
        .map(|(_, run)| run.run.key.name.as_str())
        .collect();
    assert_eq!(touched, ["web-3"]);
    assert!(planned(&host, &Goal::Site(&two()), &options()).is_empty());
    let error = propose(&host, &Goal::Restart([Key::network("bay0")].into()), &options()).unwrap_err();
    assert_eq!(error.to_string(), "network/bay0 is no container");
}

#[test]
fn a_power_off_stops_all_dependents_first_and_the_next_pass_runs_what_is_declared_running() {
    let host = running();
    converge(&host, &stop(Some(3600)), &options());
    let records = look(&host).records;
    let plan = converge(&host, &Goal::PowerOff, &options());
    assert_eq!(words(&plan), ["stop web-2", "stop web-1"]);
    assert!(plan.steps[1].after.contains(&plan.steps[0].id), "who needs another goes first: {plan:#?}");
    let after = look(&host);
    for (key, mut record) in after.records {
        let stopped = record.applied.as_mut().and_then(|applied| applied.stopped.take());
        assert_eq!(
            stopped.is_some(),
            [Key::container("web-1"), Key::container("web-2")].contains(&key),
            "{key}"
        );
        assert_eq!(record, records[&key], "nothing is held, and nothing else written");
    }
    assert!(host.host().runs.is_empty());
    assert!(planned(&host, &Goal::PowerOff, &options()).is_empty());
    let why = |plan: &Plan| -> Vec<Option<String>> {
        drift(plan).rows.iter().map(|row| row.cause.clone()).collect()
    };
    let plan = converge(&host, &Goal::Recorded, &options());
    let starts: Vec<String> = words(&plan).into_iter().filter(|words| words.starts_with("start")).collect();
    assert_eq!(starts, ["start web-1", "start web-2"], "web-3 is still held");
    assert_eq!(why(&plan), vec![Some("stopped by Bayplan, and not started again".to_owned()); 2]);
    // The next end is another one's.
    host.power_off_inside(&Key::container("web-2"));
    let plan = converge(&host, &Goal::Recorded, &options());
    assert_eq!(why(&plan), [Some("powered off from inside".to_owned())]);
}

#[test]
fn a_power_off_does_nothing_to_a_container_but_stop_it() {
    let host = running();
    // Drift that any other pass would mend.
    let web_1 = Key::container("web-1");
    assert!(host.edit_limits(&web_1, |limits| limits.processes = Some(7)) && host.stop_forwarding());
    assert!(!planned(&host, &Goal::Recorded, &options()).is_empty());
    assert!(host.set_frozen(&Key::container("web-3"), true));
    let plan = converge(&host, &Goal::PowerOff, &options());
    assert_eq!(words(&plan), ["stop web-2", "stop web-1", "stop web-3"]);
}

#[test]
fn what_is_wrong_with_a_declaration_keeps_nobody_from_being_powered_off() {
    let host = running();
    host.edit_host(|host| host.machine.user_namespaces = false);
    propose(&host, &stop(None), &options()).unwrap_err();
    let plan = converge(&host, &Goal::PowerOff, &options());
    assert_eq!(words(&plan), ["stop web-2", "stop web-1", "stop web-3"]);
}

#[test]
fn a_lost_image_is_made_anew_under_its_roots() {
    let host = running();
    let content = host.host().images.into_keys().next().unwrap();
    assert!(host.lose_image(&content) && host.kill_init(&Key::container("web-3")));
    let plan = converge(&host, &Goal::Recorded, &options());
    assert_eq!(words(&plan), ["import image tiny", "start web-3", "wait until ready web-3"]);
    assert_eq!(host.host().images.into_keys().collect::<Vec<_>>(), [content]);
}

#[test]
fn an_ephemeral_container_that_powered_off_is_made_afresh_and_a_killed_one_is_not() {
    let mut job = container();
    job.ephemeral = true;
    let desired = site(&[("job", job)]);
    let host = server();
    converge(&host, &Goal::Site(&desired), &options());
    host.end_init(&Key::container("job"), ExitCause::Killed);
    assert_eq!(words(&converge(&host, &Goal::Recorded, &options())), ["start job", "wait until ready job"]);
    converge(&host, &Goal::PowerOff, &options());
    assert_eq!(words(&converge(&host, &Goal::Recorded, &options())), ["start job", "wait until ready job"]);
    host.power_off_inside(&Key::container("job"));
    assert_eq!(
        words(&converge(&host, &Goal::Recorded, &options())),
        ["delete root job", "create root job", "start job", "wait until ready job"]
    );
    assert!(planned(&host, &Goal::Recorded, &options()).is_empty());
}

#[test]
fn a_verb_by_hand_waits_for_no_disk_and_all_else_does() {
    let host = running();
    let web = Key::container("web-3");
    let driver = Faulty::new(&host, Fault::Once { at: u64::MAX, side: Side::Before });
    for power in [Power::Stopped, Power::Running, Power::Frozen] {
        let goal = Goal::Power {
            keys: [web.clone()].into(),
            power,
            hold: HoldTerms { until: Some(Timestamp::MAX), reason: None },
        };
        assert!(carry_out(&driver, &planned(&driver, &goal, &options()), 1).is_done());
        assert_eq!(driver.settled(), 0, "{power:?}");
    }
    let goals = [Goal::Park([web.clone()].into()), Goal::Undelete([web].into())];
    for (goal, told) in goals.iter().zip(1..) {
        assert!(carry_out(&driver, &planned(&driver, goal, &options()), 1).is_done());
        assert_eq!(driver.settled(), told, "{goal:?}");
    }
}

/// Sets the flag while the step with this number runs, as Ctrl-C does.
struct Interrupting<'a> {
    host: &'a Memory,
    at: usize,
    calls: AtomicUsize,
    cancel: &'a AtomicBool,
}

impl Driver for Interrupting<'_> {
    fn observe(&self, scope: &Scope) -> Result<Observed, Error> {
        self.host.observe(scope)
    }

    fn digests(&self, contents: &BTreeSet<Content>) -> Result<Contents, Error> {
        self.host.digests(contents)
    }

    fn image_contents(&self, sources: &BTreeSet<ImageSource>) -> Result<ImageContents, Error> {
        self.host.image_contents(sources)
    }

    fn dropped(&self, roots: &BTreeMap<Key, RootQuery>) -> Result<BTreeMap<Key, Dropped>, Error> {
        self.host.dropped(roots)
    }

    fn execute(&self, step: &Step, context: &StepContext<'_>) -> Result<Outcome, Error> {
        let outcome = self.host.execute(step, context);
        if self.calls.fetch_add(1, Ordering::SeqCst) == self.at {
            self.cancel.store(true, Ordering::SeqCst);
        }
        outcome
    }

    fn settle(&self) -> Result<(), Error> {
        self.host.settle()
    }
}

#[test]
fn after_ctrl_c_the_running_step_ends_and_nothing_starts() {
    let desired = two();
    for at in 0..12 {
        let host = server();
        let plan = planned(&host, &Goal::Site(&desired), &options());
        let cancel = AtomicBool::new(false);
        let driver = Interrupting { host: &host, at, calls: AtomicUsize::new(0), cancel: &cancel };
        let report = apply(&driver, &plan, &apply_options(&cancel));
        assert!(report.interrupted && report.exit_code() == 3);
        let is_done =
            |outcome: &StepOutcome| matches!(outcome, StepOutcome::Changed | StepOutcome::Unchanged);
        let done = report.steps.iter().filter(|step| is_done(&step.outcome)).count();
        assert_eq!((done, driver.calls.into_inner()), (at + 1, at + 1));
        let left = report.steps.iter().filter(|step| step.outcome == StepOutcome::Skipped).count();
        assert_eq!(done + left, report.steps.len());
        converge(&host, &Goal::Site(&desired), &options());
        assert!(planned(&host, &Goal::Site(&desired), &options()).is_empty());
    }
}

#[test]
fn after_the_deadline_or_a_ctrl_c_before_the_first_step_nothing_is_done() {
    for (cancelled, deadline) in [(true, None), (false, Some(Instant::now()))] {
        let host = server();
        let plan = planned(&host, &Goal::Site(&two()), &options());
        let cancel = AtomicBool::new(cancelled);
        let report = apply(
            &host,
            &plan,
            &ApplyOptions { workers: 4, deadline, clock: &Instant::now, ..apply_options(&cancel) },
        );
        assert!(report.interrupted && !report.changed(), "{report:#?}");
        assert!(look(&host).records.is_empty());
    }
}
