//! Main cases of planning, end to end on the modelled host.

use crate::reconcile_support::*;
use bayplan::reconcile::goal::Goal;

#[test]
fn a_small_site_is_made_and_the_next_plan_is_empty() {
    let host = server();
    let desired = site(&[("web-1", container()), ("web-2", container())]);
    let plan = converge(&host, &Goal::Site(&desired), &options());
    assert!(!plan.is_empty());
    let again = planned(&host, &Goal::Site(&desired), &options());
    assert!(again.is_empty(), "{:#?}", again.steps);
    let healed = planned(&host, &Goal::Recorded, &options());
    assert!(healed.is_empty(), "{:#?}", healed.steps);
}
