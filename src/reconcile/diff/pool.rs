//! Storage pools.

use super::{ObjectDiff, Scene, because, object_reasons, record_update};
use crate::model::key::Key;
use crate::model::object::StoragePool;
use crate::model::record::Applied;
use crate::model::step::{Action, Cause, Class};
use crate::reconcile::world::Target;

pub fn diff(scene: &Scene<'_>, key: &Key, target: &Target<'_>, pool: &StoragePool) -> ObjectDiff {
    let mut diff = ObjectDiff::new(key);
    let record = scene.observed.records.get(key);
    if let Some((update, reasons)) = record_update(scene, target, record, None, None) {
        diff.push(Action::PutRecord(Box::new(update)), Class::Record, reasons, None);
    }
    let before = record.and_then(|record| record.applied.as_ref()).map(|applied| &applied.object);
    let mut reasons = vec![];
    if before != Some(target.object) {
        reasons.extend(object_reasons(before, target.object));
    }
    if before.is_some() && !scene.observed.pools.contains_key(&key.name) {
        reasons.push(because(Cause::Drift, "", "its folder is gone"));
    }
    if !reasons.is_empty() {
        let class = if before.is_none() { Class::Create } else { Class::Live };
        let applied = Applied::plain(target.object.clone());
        diff.push(Action::EnsurePool { pool: pool.clone() }, class, reasons, Some(applied));
    }
    diff
}
