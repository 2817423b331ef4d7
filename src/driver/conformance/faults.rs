//! A failure or a crash at each step, on either side of its effect; then the same steps again. They must end where a
//! run without faults ends, and what was done already must answer unchanged.

use super::{Bench, steady};
use crate::driver::faulty::{Fault, Faulty, Side};
use crate::model::observed::{Observed, RunFacts};
use crate::model::step::Step;

pub fn everywhere(bench: &Bench<'_>) {
    let fixture = bench.fixture;
    let (up, fingerprint) = (fixture.up(), plain(bench));
    let whole = settled(bench.look());
    let down = fixture.down(&fingerprint);
    all(bench, &down);
    let nothing = settled(bench.look());
    for at in 0..up.len().max(down.len()) {
        for side in [Side::Before, Side::After] {
            struck(bench, &up, at, side);
            assert_eq!(settled(bench.look()), whole, "up, with a fault {side:?} step {at}");
            struck(bench, &down, at, side);
            assert_eq!(settled(bench.look()), nothing, "down, with a fault {side:?} step {at}");
        }
    }
}

/// Up without a fault; the image's fingerprint.
fn plain(bench: &Bench<'_>) -> String {
    let mut fingerprint = None;
    for step in &bench.fixture.up() {
        fingerprint = fingerprint.or(bench.does(step).outputs.remove("fingerprint"));
    }
    fingerprint.expect("the import's output")
}

fn all(bench: &Bench<'_>, steps: &[Step]) {
    for step in steps {
        bench.does(step);
    }
}

/// A process that is gone from step `at` on; then the next one does all steps.
fn struck(bench: &Bench<'_>, steps: &[Step], at: usize, side: Side) {
    let at = at.min(steps.len() - 1);
    let faulty = Faulty::new(bench.driver, Fault::Crash { at: at as u64, side });
    for (number, step) in steps.iter().enumerate() {
        let done = bench.execute_on(&faulty, step);
        assert_eq!(done.is_ok(), number < at, "step {number} with a fault at {at}: {done:?}");
    }
    for (number, step) in steps.iter().enumerate() {
        let outcome = bench.does(step);
        let is_done = number < at || (number == at && side == Side::After);
        assert!(!(outcome.changed && is_done), "step {number} was done before, and changed: {step:#?}");
    }
}

/// What two hosts with the same history have in common.
fn settled(observed: Observed) -> Observed {
    let mut observed = steady(observed);
    for run in observed.containers.values_mut().filter_map(|facts| facts.run.as_mut()) {
        *run = RunFacts { pid: 0, ..run.clone() };
    }
    observed
}
