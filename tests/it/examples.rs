//! Every manifest in examples/manifests converges a modelled host, for each of its hosts, and then nothing is left to do.

use crate::reconcile_support::{converge, options, planned, server};
use crate::spec_load::examples;
use bayplan::reconcile::goal::Goal;
use bayplan::source;
use bayplan::spec::load_hosts;

#[test]
fn every_example_converges_and_then_nothing_is_left_to_do() {
    for path in examples() {
        let texts = source::read(Some(&path)).unwrap();
        let loaded = load_hosts(&texts, "amd64").unwrap_or_else(|findings| panic!("{findings:#?}"));
        for rendered in &loaded.hosts {
            let host = server();
            let goal = Goal::Site(&rendered.desired);
            let first = converge(&host, &goal, &options());
            assert!(!first.is_empty(), "{}", path.display());
            let second = planned(&host, &goal, &options());
            assert!(second.is_empty(), "{}: {:#?}", path.display(), second.steps);
        }
    }
}
