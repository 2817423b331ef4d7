//! A container that is stopped before the host goes down. No other difference counts now, and its record stays: that it
//! does not run is drift, which the next pass mends.

use super::container::STOP_TIMEOUT_MS;
use super::{ObjectDiff, Scene, because};
use crate::model::key::Key;
use crate::model::step::{Action, Cause, Class, StopHow};
use crate::reconcile::graph::Way;

pub fn diff(scene: &Scene<'_>, key: &Key) -> ObjectDiff {
    let mut diff = ObjectDiff::new(key);
    diff.way = Way::Down;
    if let Some(run) = scene.joined.view(key).run {
        let how = StopHow::Clean { timeout_ms: STOP_TIMEOUT_MS };
        let stop = Action::Stop { uuid: run.run.uuid, how };
        diff.push(stop, Class::Live, vec![because(Cause::Verb, "state", "everything is powered off")], None);
    }
    diff
}
