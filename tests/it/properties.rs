//! Properties of planning and applying, on random sites, random earlier sites and random breakage, with the modelled
//! host. `BAYPLAN_CASES` sets the number of cases (1,000).

use crate::random_site::*;
use crate::reconcile_support::*;
use bayplan::driver::Driver;
use bayplan::driver::faulty::{Fault, Faulty, Side};
use bayplan::driver::memory::Memory;
use bayplan::model::key::Kind;
use bayplan::model::object::Spec;
use bayplan::model::references::references;
use bayplan::model::step::Action;
use bayplan::reconcile::goal::{DeletionApproval, Goal, PlanOptions};
use bayplan::reconcile::plan::Plan;
use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence};
use std::collections::{BTreeMap, BTreeSet};

pub fn cases() -> Config {
    let cases = std::env::var("BAYPLAN_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000);
    let failure_persistence = Some(Box::new(FileFailurePersistence::Off) as Box<_>);
    Config { cases, failure_persistence, max_shrink_iters: 2_000, ..Config::default() }
}

fn approving() -> PlanOptions {
    PlanOptions { allow_restart: true, allow_replace: true, deletions: DeletionApproval::Any, ..options() }
}

/// A host that had `story.before`, and was then mistreated.
fn broken_host(story: &Story) -> Memory {
    let host = server();
    converge(&host, &Goal::Site(&story.before.desired()), &options());
    for breakage in &story.breakages {
        breakage.strike(&host);
    }
    host
}

fn assert_nothing_to_do(driver: &dyn Driver, goal: &Goal<'_>, options: &PlanOptions) {
    let plan = planned(driver, goal, options);
    assert!(plan.is_empty(), "not converged: {:#?}", plan.steps);
    assert!(plan.broken.is_empty(), "broken: {:#?}", plan.broken);
}

/// By hand: what ran while the content below its root was lost is never restarted by itself.
fn restart_what_lacks_files(host: &Memory) {
    let observed = look(host);
    let lacking =
        observed.containers.values().filter(|facts| facts.run.as_ref().is_some_and(|run| run.root_lost));
    let roots = lacking.filter_map(|facts| facts.root.as_ref());
    let keys = roots.map(|root| root.identity.key.clone()).filter(|key| observed.records.contains_key(key));
    converge(host, &Goal::Restart(keys.collect()), &approving());
}

/// Every step comes after the steps of what its object needs; what goes down comes before it.
fn assert_ordered(
    plan: &Plan,
    needs: &BTreeMap<bayplan::model::key::Key, BTreeSet<bayplan::model::key::Key>>,
) {
    let mut reach: Vec<BTreeSet<usize>> = vec![];
    for (at, step) in plan.steps.iter().enumerate() {
        let mut all = BTreeSet::new();
        for before in &step.after {
            let before = before.0 as usize;
            assert!(before < at, "step {at} stands before step {before}, which it waits for");
            all.insert(before);
            all.extend(&reach[before]);
        }
        reach.push(all);
    }
    let down = |key: &bayplan::model::key::Key| {
        // A new root comes after its image, whether or not its container is stopped for good.
        let swaps = |action: &Action| matches!(action, Action::SwapRoot { .. } | Action::RestoreRoot { .. });
        if plan.steps.iter().any(|step| step.key == *key && swaps(&step.action)) {
            return false;
        }
        let mut turns = plan.steps.iter().filter(|step| step.key == *key).filter(|step| {
            matches!(
                step.action,
                Action::Stop { .. } | Action::ForgetRecord | Action::Start(_) | Action::CreateRoot { .. }
            )
        });
        turns
            .next_back()
            .is_some_and(|step| matches!(step.action, Action::Stop { .. } | Action::ForgetRecord))
    };
    for (key, needed) in needs {
        for other in needed.iter().filter(|_| !down(key)) {
            let first = plan.steps.iter().position(|step| step.key == *key);
            let last = plan.steps.iter().rposition(|step| step.key == *other);
            if let (Some(first), Some(last)) = (first, last) {
                assert!(reach[first].contains(&last), "{key} does not wait for {other}");
            }
        }
        for other in needed.iter().filter(|_| down(key)) {
            let last = plan.steps.iter().rposition(|step| step.key == *key);
            let first = plan.steps.iter().position(|step| step.key == *other);
            if let (Some(first), Some(last)) = (first, last) {
                assert!(reach[first].contains(&last), "{other} does not wait for {key} to go");
            }
        }
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn after_an_apply_the_next_plan_is_empty_from_any_start(story in story()) {
        let host = broken_host(&story);
        let desired = story.after.desired();
        if story.loses_records_and_images() {
            converge(&host, &Goal::Site(&desired), &options());
        }
        converge(&host, &Goal::Site(&desired), &options());
        restart_what_lacks_files(&host);
        assert_nothing_to_do(&host, &Goal::Site(&desired), &options());
        // Approved restarts too; then nothing is pending.
        converge(&host, &Goal::Site(&desired), &approving());
        let plan = planned(&host, &Goal::Site(&desired), &options());
        prop_assert!(plan.is_empty() && plan.pending.is_empty(), "{:#?} {:#?}", plan.steps, plan.pending);
        // Kept objects are healed from the records.
        converge(&host, &Goal::Recorded, &options());
        assert_nothing_to_do(&host, &Goal::Recorded, &options());
        assert_nothing_to_do(&host, &Goal::Site(&desired), &options());
    }

    #[test]
    fn the_same_input_gives_the_same_plan_and_its_order_respects_every_need(story in story()) {
        let host = broken_host(&story);
        let desired = story.after.desired();
        let plan = planned(&host, &Goal::Site(&desired), &approving());
        prop_assert_eq!(&plan, &planned(&host, &Goal::Site(&desired), &approving()));
        let needs = desired.objects.iter().map(|(key, object)| (key.clone(), references(object))).collect();
        assert_ordered(&plan, &needs);
    }

    #[test]
    fn a_crash_or_a_failure_anywhere_is_made_good_by_the_next_pass(
        story in story(), at in 0_u64..40, after in any::<bool>(), crash in any::<bool>(),
        turns in prop::collection::vec(0_u8..4, 0..40),
    ) {
        let host = broken_host(&story);
        let desired = story.after.desired();
        let side = if after { Side::After } else { Side::Before };
        let fault = if crash { Fault::Crash { at, side } } else { Fault::Once { at, side } };
        let plan = planned(&host, &Goal::Site(&desired), &approving());
        carry_out(&Faulty::new(&host, fault), &in_turns(plan, &turns), 1);
        if story.loses_records_and_images() {
            converge(&host, &Goal::Site(&desired), &approving());
        }
        converge(&host, &Goal::Site(&desired), &approving());
        restart_what_lacks_files(&host);
        assert_nothing_to_do(&host, &Goal::Site(&desired), &approving());
    }

    #[test]
    fn an_isolated_container_shares_its_ids_with_no_other(story in story()) {
        let host = broken_host(&story);
        converge(&host, &Goal::Site(&story.after.desired()), &approving());
        let records = look(&host).records;
        let bases: Vec<u32> = records.values().filter_map(|record| record.identity.as_ref())
            .filter(|identity| identity.id_count > 0).map(|identity| identity.id_base).collect();
        for (key, record) in &records {
            let (Some(identity), Some(Spec::Container(container))) =
                (&record.identity, record.desired.as_ref().map(|object| &object.spec)) else { continue };
            if container.config.contains_key("security.idmap.isolated") && identity.id_count > 0 {
                let sharing = bases.iter().filter(|base| **base == identity.id_base).count();
                prop_assert_eq!(sharing, 1, "{} has {}", key, identity.id_base);
            }
        }
    }

    #[test]
    fn what_was_made_is_gone_after_a_delete_of_all(story in story(), at in 0_u64..60) {
        let host = broken_host(&story);
        converge(&host, &Goal::Site(&story.after.desired()), &options());
        let keys = all_keys(&host);
        let plan = planned(&host, &Goal::Delete(keys.clone()), &options());
        let needs = look(&host).records.iter()
            .filter_map(|(key, record)| Some((key.clone(), references(record.desired.as_ref()?)))).collect();
        assert_ordered(&plan, &needs);
        carry_out(&Faulty::new(&host, Fault::Crash { at, side: Side::Before }), &plan, 1);
        converge(&host, &Goal::Delete(all_keys(&host)), &options());
        let host = host.host();
        prop_assert!(host.runs.is_empty() && host.roots.is_empty(), "{host:#?}");
        prop_assert!(host.networks.is_empty() && host.pools.is_empty(), "{host:#?}");
    }

    #[test]
    fn a_lost_state_folder_gives_back_the_same_containers(story in story()) {
        let host = server();
        let desired = story.after.desired();
        converge(&host, &Goal::Site(&desired), &options());
        let before = host.host();
        host.lose_records().unwrap();
        converge(&host, &Goal::Site(&desired), &options());
        let after = host.host();
        prop_assert_eq!(before.runs, after.runs);
        prop_assert_eq!(before.roots, after.roots);
        assert_nothing_to_do(&host, &Goal::Site(&desired), &options());
        prop_assert!(look(&host).records.keys().filter(|key| key.kind == Kind::Container).count() == before_count(&story));
    }
}

/// The plan with its steps in an order that several workers could carry them out in: `turns` says which of those that
/// are ready is next, the plan's own order decides where it ends. One worker then does the same thing each time.
fn in_turns(mut plan: Plan, turns: &[u8]) -> Plan {
    let mut left = std::mem::take(&mut plan.steps);
    let mut done = BTreeSet::new();
    let mut turns = turns.iter();
    while !left.is_empty() {
        let mut ready = (0..left.len()).filter(|at| left[*at].after.iter().all(|id| done.contains(id)));
        let first = ready.next().expect("a plan without cycles");
        let next = turns.next().and_then(|turn| ready.nth(usize::from(*turn).checked_sub(1)?));
        let step = left.remove(next.unwrap_or(first));
        done.insert(step.id);
        plan.steps.push(step);
    }
    plan
}

/// All that has a record, and the roots that have none.
fn all_keys(host: &Memory) -> BTreeSet<bayplan::model::key::Key> {
    let observed = look(host);
    let roots = observed.containers.values().filter_map(|facts| facts.root.as_ref());
    let roots: Vec<_> = roots.map(|root| root.identity.key.clone()).collect();
    observed.records.into_keys().chain(roots).collect()
}

fn before_count(story: &Story) -> usize {
    story.after.containers.len()
}
