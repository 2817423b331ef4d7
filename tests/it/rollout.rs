//! Turns of restarts on the modelled host: how many are without service at once, where a failure stops, how it goes on.

use crate::golden::assert_golden;
use crate::properties::cases;
use crate::reconcile_support::*;
use bayplan::driver::faulty::{Fault, Faulty, Side};
use bayplan::driver::memory::Memory;
use bayplan::driver::{Driver, Error, Scope, StepContext};
use bayplan::model::content::{Content, Contents};
use bayplan::model::desired::Desired;
use bayplan::model::key::Key;
use bayplan::model::object::*;
use bayplan::model::observed::{Dropped, Observed, RootQuery};
use bayplan::model::ready::ReadyProbe;
use bayplan::model::rollout::Rollout;
use bayplan::model::share::Share;
use bayplan::model::step::{Action, Outcome, Step};
use bayplan::reconcile::goal::{Goal, PlanOptions};
use bayplan::reconcile::plan::Plan;
use bayplan::reconcile::render::{TextOptions, plan_text, report_text};
use bayplan::reconcile::report::{Report, StepOutcome};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

/// A command that the modelled host can be told to fail.
const PROBE: [&str; 2] = ["check", "it"];

fn key(number: usize) -> Key {
    Key::container(format!("c-{number:02}"))
}

/// So many containers, each of which depends on those with these numbers.
fn fleet(rollout: Rollout, needs: &[Vec<usize>], nesting: bool) -> Desired {
    let containers: Vec<(String, Container)> = needs
        .iter()
        .enumerate()
        .map(|(number, needs)| {
            let mut container = container();
            container.depends_on = needs.iter().map(|other| key(*other)).collect();
            container.ready.probe = ReadyProbe::Exec(PROBE.map(str::to_owned).to_vec());
            if nesting {
                container.config = config(&[("security.nesting", "true")]);
            }
            (key(number).name, container)
        })
        .collect();
    let named: Vec<(&str, Container)> =
        containers.iter().map(|(name, container)| (name.as_str(), container.clone())).collect();
    let mut desired = site(&named);
    desired.objects.insert(Key::site("edge"), object(Spec::Site(Site { rollout, ..Site::default() })));
    desired
}

fn alone(count: usize) -> Vec<Vec<usize>> {
    vec![vec![]; count]
}

fn approving() -> PlanOptions {
    PlanOptions { allow_restart: true, ..options() }
}

fn most(share: Share) -> Rollout {
    Rollout { max_unavailable: share, ..Rollout::default() }
}

/// A host that runs a fleet without nesting.
fn running(needs: &[Vec<usize>]) -> Memory {
    let host = server();
    converge(&host, &Goal::Site(&fleet(Rollout::default(), needs, false)), &options());
    host
}

fn break_probe(host: &Memory) {
    host.edit_host(|host| host.failing_commands.extend([PROBE.map(str::to_owned).to_vec()]));
}

fn mend_probe(host: &Memory) {
    host.edit_host(|host| host.failing_commands.clear());
}

/// The containers whose incarnation is another one now.
fn restarted(before: &Observed, after: &Observed) -> BTreeSet<String> {
    let incarnations = |observed: &Observed| -> BTreeMap<String, u64> {
        let runs = observed.containers.values().filter_map(|facts| facts.run.as_ref());
        runs.map(|run| (run.run.key.name.clone(), run.incarnation)).collect()
    };
    let (before, after) = (incarnations(before), incarnations(after));
    after.into_iter().filter(|(name, now)| before.get(name) != Some(now)).map(|(name, _)| name).collect()
}

fn attempt(host: &Memory, desired: &Desired) -> (Plan, Report, BTreeSet<String>) {
    let before = look(host);
    let plan = planned(host, &Goal::Site(desired), &approving());
    let report = carry_out(host, &plan, 4);
    (plan, report, restarted(&before, &look(host)))
}

#[test]
fn of_twenty_containers_with_a_bad_profile_exactly_one_goes_down() {
    let host = running(&alone(20));
    let bad = fleet(Rollout::default(), &alone(20), true);
    break_probe(&host);
    let (plan, report, down) = attempt(&host, &bad);
    assert_eq!(down, BTreeSet::from(["c-00".to_owned()]));
    assert_golden("tests/it/plans/rollout.txt", &plan_text(&plan, TextOptions::default()));
    assert_golden("tests/it/plans/rollout-stopped.txt", &report_text(&report, TextOptions::default()));
    assert_eq!(report.exit_code(), 3);
    let stop = &report.rollouts[0];
    assert_eq!((stop.at.as_slice(), stop.left.len(), stop.total), ([key(0)].as_slice(), 19, 20));
    // Again, by a person or by the daemon: it goes no further.
    let (plan, report, down) = attempt(&host, &bad);
    assert!(down.is_empty(), "{down:?}");
    assert_golden("tests/it/plans/rollout-again.txt", &plan_text(&plan, TextOptions::default()));
    assert_golden("tests/it/plans/rollout-again-stopped.txt", &report_text(&report, TextOptions::default()));
    // Mended inside: it is ready now, and the others follow.
    mend_probe(&host);
    let (_, report, down) = attempt(&host, &bad);
    assert!(report.is_done() && down.len() == 19 && !down.contains("c-00"), "{down:?}");
    assert!(planned(&host, &Goal::Site(&bad), &approving()).is_empty());
}

#[test]
fn with_the_former_manifest_back_only_the_failed_one_is_restarted() {
    let host = running(&alone(5));
    break_probe(&host);
    let (_, _, down) = attempt(&host, &fleet(Rollout::default(), &alone(5), true));
    assert_eq!(down.len(), 1);
    mend_probe(&host);
    let good = fleet(Rollout::default(), &alone(5), false);
    let (_, report, down) = attempt(&host, &good);
    assert!(report.is_done() && down == BTreeSet::from(["c-00".to_owned()]), "{down:?}");
    assert!(planned(&host, &Goal::Site(&good), &approving()).is_empty());
}

#[test]
fn one_that_was_not_ready_is_restarted_first_by_a_mended_manifest() {
    let host = running(&alone(4));
    break_probe(&host);
    // Another one fails first: c-02, because the others are already as declared.
    let mut bad = fleet(Rollout::default(), &alone(4), false);
    let nest = |desired: &mut Desired, number: usize, value: &str| {
        if let Spec::Container(container) = &mut desired.objects.get_mut(&key(number)).unwrap().spec {
            container.config.insert("security.nesting".to_owned(), value.to_owned());
        }
    };
    nest(&mut bad, 2, "true");
    assert_eq!(attempt(&host, &bad).2, BTreeSet::from(["c-02".to_owned()]));
    let mut mended = fleet(Rollout::default(), &alone(4), true);
    if let Spec::Container(container) = &mut mended.objects.get_mut(&key(2)).unwrap().spec {
        container.config.clear();
    }
    let (plan, report, down) = attempt(&host, &mended);
    assert_eq!(plan.rollouts[0].turns[0], [key(2)]);
    assert_eq!(down, BTreeSet::from(["c-02".to_owned()]), "{report:#?}");
}

#[test]
fn a_share_and_a_number_say_how_many_go_at_once() {
    let at_once = |share: Share, count: usize| {
        let host = running(&alone(count));
        let desired = fleet(most(share), &alone(count), true);
        let plan = planned(&host, &Goal::Site(&desired), &approving());
        plan.rollouts.first().map(|turns| turns.turns.iter().map(Vec::len).collect::<Vec<_>>())
    };
    assert_eq!(at_once(Share::Percent(25), 10), Some(vec![2, 2, 2, 2, 2]));
    assert_eq!(at_once(Share::Percent(1), 3), Some(vec![1, 1, 1]));
    assert_eq!(at_once(Share::Number(4), 10), Some(vec![4, 4, 2]));
    assert_eq!(at_once(Share::Percent(100), 10), None, "one turn is no rollout");
}

#[test]
fn turns_go_by_the_value_of_the_numbers_in_names() {
    let names: Vec<String> = (0..12).map(|number| format!("web-{number}")).collect();
    let fleet = |nesting: &str| {
        let mut container = container();
        container.config = config(&[("security.nesting", nesting)]);
        let named: Vec<_> = names.iter().map(|name| (name.as_str(), container.clone())).collect();
        site(&named)
    };
    let host = server();
    converge(&host, &Goal::Site(&fleet("false")), &options());
    let plan = planned(&host, &Goal::Site(&fleet("true")), &approving());
    let turns: Vec<&str> = plan.rollouts[0].turns.iter().flatten().map(|key| key.name.as_str()).collect();
    assert_eq!(turns, names);
    let text = plan_text(&plan, TextOptions::default());
    assert!(text.contains("12 containers, 1 at a time: web-0 … web-11"), "{text}");
}

#[test]
fn a_failure_does_not_stop_a_site_that_says_so() {
    let host = running(&alone(6));
    let rollout = Rollout { stop_on_failure: false, ..Rollout::default() };
    break_probe(&host);
    let (_, report, down) = attempt(&host, &fleet(rollout, &alone(6), true));
    assert_eq!(down.len(), 6);
    assert!(report.rollouts.is_empty() && report.exit_code() == 3);
    let failed = report.steps.iter().filter(|step| matches!(step.outcome, StepOutcome::Failed { .. }));
    assert_eq!(failed.count(), 6);
}

#[test]
fn without_wait_ready_the_next_are_stopped_once_the_former_are_started() {
    let host = running(&alone(6));
    let rollout = Rollout { wait_ready: false, ..Rollout::default() };
    break_probe(&host);
    let (_, report, down) = attempt(&host, &fleet(rollout, &alone(6), true));
    assert_eq!(down.len(), 6, "{report:#?}");
    assert_eq!(report.exit_code(), 3, "that they are not ready is said");
}

#[test]
fn a_verb_on_one_container_waits_for_nobody() {
    let host = running(&alone(3));
    break_probe(&host);
    attempt(&host, &fleet(Rollout::default(), &alone(3), true));
    let plan = planned(&host, &Goal::Restart([key(2)].into()), &approving());
    assert!(plan.rollouts.is_empty() && plan.steps.iter().all(|step| step.key == key(2)), "{plan:#?}");
}

/// Counts the containers between the stop and the end of the wait, as steps really begin and end.
struct Watching<'a> {
    inner: &'a Memory,
    down: Mutex<(BTreeSet<Key>, usize)>,
}

impl<'a> Watching<'a> {
    fn new(inner: &'a Memory) -> Watching<'a> {
        Watching { inner, down: Mutex::default() }
    }

    fn most(&self) -> usize {
        self.down.lock().unwrap().1
    }
}

impl Driver for Watching<'_> {
    fn observe(&self, scope: &Scope) -> Result<Observed, Error> {
        self.inner.observe(scope)
    }

    fn digests(&self, contents: &BTreeSet<Content>) -> Result<Contents, Error> {
        self.inner.digests(contents)
    }

    fn image_contents(&self, sources: &BTreeSet<ImageSource>) -> Result<ImageContents, Error> {
        self.inner.image_contents(sources)
    }

    fn dropped(&self, roots: &BTreeMap<Key, RootQuery>) -> Result<BTreeMap<Key, Dropped>, Error> {
        self.inner.dropped(roots)
    }

    fn execute(&self, step: &Step, context: &StepContext<'_>) -> Result<Outcome, Error> {
        if matches!(step.action, Action::Stop { .. }) {
            let mut down = self.down.lock().unwrap();
            down.0.insert(step.key.clone());
            down.1 = down.1.max(down.0.len());
        }
        std::thread::yield_now();
        let outcome = self.inner.execute(step, context)?;
        if matches!(step.action, Action::WaitReady { .. }) {
            self.down.lock().unwrap().0.remove(&step.key);
        }
        Ok(outcome)
    }

    fn settle(&self) -> Result<(), Error> {
        self.inner.settle()
    }
}

/// Up to twelve containers, each of which may depend on earlier ones.
fn needs() -> impl Strategy<Value = Vec<Vec<usize>>> {
    prop::collection::vec(prop::collection::vec(any::<prop::sample::Index>(), 0..3), 1..12).prop_map(|all| {
        let of = |(at, picks): (usize, &Vec<prop::sample::Index>)| {
            if at == 0 { vec![] } else { picks.iter().map(|pick| pick.index(at)).collect() }
        };
        all.iter().enumerate().map(of).collect()
    })
}

fn rollouts() -> impl Strategy<Value = Rollout> {
    let share = prop_oneof![(1_u32..5).prop_map(Share::Number), (1_u32..=100).prop_map(Share::Percent)];
    (share, any::<bool>(), any::<bool>()).prop_map(|(max_unavailable, wait_ready, stop_on_failure)| Rollout {
        max_unavailable,
        wait_ready,
        stop_on_failure,
    })
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn never_more_are_down_than_the_site_allows(needs in needs(), rollout in rollouts(), workers in 1_usize..5) {
        let host = running(&needs);
        let rollout = Rollout { wait_ready: true, ..rollout };
        let allowed = rollout.max_unavailable.of(needs.len());
        let desired = fleet(rollout, &needs, true);
        let plan = planned(&host, &Goal::Site(&desired), &approving());
        let watching = Watching::new(&host);
        let report = carry_out(&watching, &plan, workers);
        prop_assert!(report.is_done(), "{report:#?}");
        prop_assert!(watching.most() <= allowed.max(1), "{} at once, {allowed} allowed", watching.most());
        let left = planned(&host, &Goal::Site(&desired), &approving());
        prop_assert!(left.is_empty() && left.pending.is_empty(), "{:#?}", left.steps);
    }

    #[test]
    fn a_rollout_goes_on_after_a_failure_or_crash_anywhere(
        needs in needs(), rollout in rollouts(), at in 0_u64..60, after in any::<bool>(), crash in any::<bool>(),
    ) {
        let host = running(&needs);
        let desired = fleet(rollout, &needs, true);
        let side = if after { Side::After } else { Side::Before };
        let fault = if crash { Fault::Crash { at, side } } else { Fault::Once { at, side } };
        let plan = planned(&host, &Goal::Site(&desired), &approving());
        carry_out(&Faulty::new(&host, fault), &plan, 2);
        converge(&host, &Goal::Site(&desired), &approving());
        let left = planned(&host, &Goal::Site(&desired), &approving());
        prop_assert!(left.is_empty() && left.pending.is_empty(), "{:#?}", left.steps);
    }

    #[test]
    fn a_bad_change_takes_no_more_down_than_are_allowed_at_once(needs in needs(), most in 1_u32..4) {
        let host = running(&needs);
        break_probe(&host);
        let desired = fleet(most_of(most), &needs, true);
        let mut down = BTreeSet::new();
        for _ in 0..3 {
            down.extend(attempt(&host, &desired).2);
        }
        prop_assert!(!down.is_empty() && down.len() <= most as usize, "{down:?}");
        mend_probe(&host);
        converge(&host, &Goal::Site(&desired), &approving());
        prop_assert!(planned(&host, &Goal::Site(&desired), &approving()).is_empty());
    }
}

fn most_of(number: u32) -> Rollout {
    most(Share::Number(number))
}
