//! Kinds that live in records alone: their record step establishes them.

use super::{ObjectDiff, Scene, object_reasons, record_update};
use crate::model::key::Key;
use crate::model::record::Applied;
use crate::model::step::{Action, Class};
use crate::reconcile::world::Target;

/// Sites and profiles.
pub fn diff(scene: &Scene<'_>, key: &Key, target: &Target<'_>) -> ObjectDiff {
    let mut diff = ObjectDiff::new(key);
    let record = scene.observed.records.get(key);
    let before = record.and_then(|record| record.applied.as_ref()).map(|applied| &applied.object);
    let applied = Applied::plain(target.object.clone());
    let established = before == Some(target.object);
    let reasons = object_reasons(before, target.object);
    let class = if before.is_none() { Class::Create } else { Class::Record };
    match record_update(scene, target, record, None, None) {
        Some((update, _)) if !established => {
            diff.push(Action::PutRecord(Box::new(update)), class, reasons, Some(applied));
        }
        Some((update, reasons)) => {
            diff.push(Action::PutRecord(Box::new(update)), Class::Record, reasons, None);
        }
        None if !established => diff.push(Action::Note, class, reasons, Some(applied)),
        None => {}
    }
    diff
}
