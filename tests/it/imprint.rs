//! Imprints on random sites and hosts: what they leave out plays no role in a plan, and what plays a role they have.

use crate::properties::cases;
use crate::random_site::*;
use crate::reconcile_support::*;
use bayplan::driver::memory::Memory;
use bayplan::model::key::Key;
use bayplan::model::object::Power;
use bayplan::model::observed::{NetworkFacts, Observed, Usage};
use bayplan::reconcile::goal::Goal;
use bayplan::reconcile::imprint::imprint;
use bayplan::reconcile::{looked_up, plan_on};
use proptest::prelude::*;

/// A look at the same host at another time: started anew, more in use, written by somebody else.
fn at_another_time(mut observed: Observed) -> Observed {
    for facts in observed.containers.values_mut() {
        if let Some(run) = &mut facts.run {
            run.pid += 1000;
            run.incarnation += 3;
            run.usage = Usage { memory: 1 << 20, processes: 99, cpu_ns: 12_345 };
            run.nics.values_mut().for_each(|nic| nic.host_name.push('x'));
        }
        if let Some(exit) = &mut facts.exit {
            exit.incarnation += 3;
            exit.at = options().now;
        }
    }
    observed.networks.insert("docker0".to_owned(), NetworkFacts { up: true, ..NetworkFacts::default() });
    observed.pools.values_mut().for_each(|pool| pool.free /= 2);
    observed.records.values_mut().for_each(|record| record.actor = "heal by the daemon".to_owned());
    observed
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn what_an_imprint_leaves_out_plays_no_role_in_a_plan(story in story()) {
        let host = server();
        converge(&host, &Goal::Site(&story.before.desired()), &options());
        story.breakages.iter().for_each(|breakage| breakage.strike(&host));
        let (now, later) = (look(&host), at_another_time(look(&host)));
        prop_assert_eq!(imprint(&now), imprint(&later));
        let desired = story.after.desired();
        let plan = |observed| plan_on(&host, &Goal::Site(&desired), observed, &options()).unwrap();
        prop_assert_eq!(plan(&now), plan(&later));
    }

    #[test]
    fn a_host_with_the_same_imprint_gets_the_same_plan(story in story()) {
        let host = server();
        converge(&host, &Goal::Site(&story.before.desired()), &options());
        let desired = story.after.desired();
        let goal = Goal::Site(&desired);
        // Contents are no part of the host's objects: a saved plan finds them by planning again.
        let ground = |host: &Memory| {
            let looked = looked_up(host, &goal, &look(host), options()).unwrap();
            let contents = (looked.contents, looked.image_contents);
            (imprint(&look(host)), planned(host, &goal, &options()), contents)
        };
        let mut before = ground(&host);
        for breakage in &story.breakages {
            breakage.strike(&host);
            let after = ground(&host);
            let moved = before.0.moved(&after.0);
            prop_assert_eq!(moved.is_empty(), before.0.hash() == after.0.hash());
            if before.1 != after.1 && before.2 == after.2 {
                prop_assert!(!moved.is_empty(), "{breakage:?} changed the plan, and not the imprint");
            }
            before = after;
        }
    }
}

#[test]
fn what_moved_is_named_with_its_aspects() {
    let host = server();
    let desired = site(&[("web-1", container()), ("web-2", container())]);
    converge(&host, &Goal::Site(&desired), &options());
    let before = imprint(&look(&host));
    assert_eq!(before.moved(&imprint(&look(&host))), Vec::<String>::new());
    host.kill_monitor(&Key::container("web-1"));
    host.edit_limits(&Key::container("web-1"), |limits| limits.processes = Some(7));
    host.delete_bridge("bay0");
    let moved = before.moved(&imprint(&look(&host)));
    assert!(moved.contains(&"container/web-1 (limits, monitor, nics)".to_owned()), "{moved:?}");
    assert!(moved.contains(&"network/bay0 (bridge)".to_owned()), "{moved:?}");

    let before = imprint(&look(&host));
    let mut stopped = container();
    stopped.state = Power::Stopped;
    converge(&host, &Goal::Site(&site(&[("web-1", stopped), ("web-3", container())])), &options());
    let moved = before.moved(&imprint(&look(&host)));
    assert!(
        moved.iter().any(|thing| thing.starts_with("container/web-1 (") && thing.contains("state")),
        "{moved:?}"
    );
    assert!(moved.contains(&"container/web-3 (new)".to_owned()), "{moved:?}");
}
