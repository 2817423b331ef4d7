//! A container that is stopped before the host goes down. No other difference counts now, and its record only says who
//! stopped it: that it does not run is drift, which the next pass mends.

use super::container::STOP_TIMEOUT_MS;
use super::{ObjectDiff, Scene, because};
use crate::model::key::Key;
use crate::model::record::Applied;
use crate::model::step::{Action, Cause, Class, StopHow};
use crate::reconcile::graph::Way;

pub fn diff(scene: &Scene<'_>, key: &Key) -> ObjectDiff {
    let mut diff = ObjectDiff::new(key);
    diff.way = Way::Down;
    let view = scene.joined.view(key);
    if let Some(run) = view.run {
        let applied = view.record.and_then(|record| record.applied.clone());
        let applied = applied.map(|applied| Applied { stopped: Some(run.incarnation), ..applied });
        let how = StopHow::Clean { timeout_ms: STOP_TIMEOUT_MS };
        let stop = Action::Stop { uuid: run.run.uuid, how };
        let why = because(Cause::Verb, "state", "everything is powered off");
        diff.push(stop, Class::Live, vec![why], applied);
    }
    diff
}
