//! Differences of one object → its steps, field by field and three-way.
//!
//! Change: desired ≠ applied. Drift: applied ≠ observed. Both at once: one change with both reasons. Values are
//! compared in their typed, normalised form. Each object's steps are one chain: a record first, effects after it.

pub mod broken;
pub mod container;
pub mod delete;
pub mod field;
pub mod files;
pub mod image;
pub mod live;
pub mod network;
pub mod orphans;
pub mod pool;
pub mod power_off;
pub mod reasons;
pub mod record_only;
pub mod replace;
pub mod starting;

use super::goal::PlanOptions;
use super::graph::Way;
use super::identity::Networks;
use super::join::Joined;
use super::plan::{Broken, Pending};
use super::world::{Target, World};
use crate::model::key::Key;
use crate::model::object::Object;
use crate::model::observed::Observed;
use crate::model::record::{Applied, Identity, Owner, Record};
use crate::model::step::{Action, Cause, Class, ImageContent, Reason, RecordUpdate};
use std::collections::BTreeMap;

/// What every diff may look at.
pub struct Scene<'a> {
    pub observed: &'a Observed,
    pub joined: &'a Joined<'a>,
    pub world: &'a World<'a>,
    pub networks: &'a Networks,
    pub options: &'a PlanOptions,
    pub generation: u64,
    /// Contents that a container was rolled back from, each with it: where a failure stops a rollout, for the whole owner.
    pub condemned: BTreeMap<(Owner, String), Key>,
    /// What each image will name once its own steps are done.
    pub images: BTreeMap<Key, ImageState>,
}

/// What an image names after its steps.
#[derive(Debug, Clone)]
pub struct ImageState {
    pub content: ImageContent,
    /// Whether a step of this plan brings it into the store.
    pub imported: bool,
}

/// A step that has no place in an order yet.
#[derive(Debug, Clone)]
pub struct Draft {
    pub action: Action,
    pub class: Class,
    pub reasons: Vec<Reason>,
    pub downtime_ms: u64,
    pub applied: Option<Applied>,
    /// It mends one thing and establishes nothing: what it has nothing to do with goes on when it fails.
    pub is_repair: bool,
}

/// The steps of one object.
#[derive(Debug, Clone)]
pub struct ObjectDiff {
    pub key: Key,
    pub way: Way,
    pub steps: Vec<Draft>,
    pub pending: Option<Pending>,
    pub broken: Option<Broken>,
    pub stale: bool,
    /// A new root takes the old one's place, and is not proven before the last step.
    pub replacing: bool,
    /// Objects besides its references that come first (the image that its root stands on).
    pub also_after: Vec<Key>,
}

impl ObjectDiff {
    pub fn new(key: &Key) -> ObjectDiff {
        ObjectDiff {
            key: key.clone(),
            way: Way::Up,
            steps: vec![],
            pending: None,
            broken: None,
            stale: false,
            replacing: false,
            also_after: vec![],
        }
    }

    /// A step without downtime. What is established goes on from step to step: one that establishes more notes what an
    /// earlier one would only note.
    pub fn push(&mut self, action: Action, class: Class, mut reasons: Vec<Reason>, applied: Option<Applied>) {
        let is_note = |draft: &Draft| draft.action == Action::Note;
        if let Some(at) = self.steps.iter().position(is_note).filter(|_| applied.is_some()) {
            reasons.splice(0..0, self.steps.remove(at).reasons);
        }
        self.steps.push(Draft { action, class, reasons, downtime_ms: 0, applied, is_repair: false });
    }

    /// The step that was pushed last mends one thing and establishes nothing.
    pub fn last_is_repair(&mut self, is_repair: bool) {
        if let Some(draft) = self.steps.last_mut() {
            draft.is_repair = is_repair;
        }
    }
}

impl Draft {
    /// Whether it cannot be done while `repair` is not.
    pub fn needs(&self, repair: &Action) -> bool {
        match (&self.action, repair) {
            (Action::Start(_), _) => true,
            (Action::RunInside { files, .. }, Action::WriteFile { file, .. }) => files.contains(&file.path),
            _ => false,
        }
    }
}

/// A reason without words.
pub fn reason(cause: Cause, field: &str, from: Option<String>, to: Option<String>) -> Reason {
    Reason { cause, field: field.to_owned(), from, to, note: None }
}

/// A reason in words.
pub fn because(cause: Cause, field: &str, note: impl Into<String>) -> Reason {
    Reason { cause, field: field.to_owned(), from: None, to: None, note: Some(note.into()) }
}

/// The record step of an object: None where its record says it all already.
pub fn record_update(
    scene: &Scene<'_>,
    target: &Target<'_>,
    record: Option<&Record>,
    identity: Option<&Identity>,
    adopted: Option<Applied>,
) -> Option<(RecordUpdate, Vec<Reason>)> {
    let declared = record.and_then(|record| record.desired.as_ref()) != Some(target.object);
    let owner = record.map(|record| &record.owner) != Some(&target.owner);
    let identified = identity.is_some() && record.and_then(|record| record.identity.as_ref()) != identity;
    let overridden = record.map_or(&[][..], |record| &record.overrides) != target.overrides.as_slice();
    let mut reasons = vec![];
    match record {
        None if adopted.is_some() => {
            reasons.push(because(Cause::Drift, "", "found on the host without a record: adopted as it is"))
        }
        None => reasons.push(because(Cause::Change, "", "newly declared")),
        Some(record) => {
            if declared {
                reasons.push(because(Cause::Change, "", "the declaration changed"));
            }
            if record.retiring {
                reasons.push(because(Cause::Change, "", "declared again while its deletion was under way"));
            }
            if let Some(parked) = &record.parked {
                let note = format!(
                    "undelete: parked since {:.0}; its data, ids and addresses are as they were",
                    parked.at
                );
                let cause = if target.verb { Cause::Verb } else { Cause::Change };
                reasons.push(because(cause, "", note));
            } else if record.undeleted && !target.undeleted {
                reasons.push(because(Cause::Change, "", "declared again after it was undeleted by hand"));
            }
            if owner {
                let note = format!("{} takes it over from {}", target.owner, record.owner);
                reasons.push(because(Cause::Change, "", note));
            }
            if identified {
                reasons.push(because(Cause::Consequence, "", "ids and addresses are chosen"));
            }
            if overridden {
                let note = if target.overrides.is_empty() { "the hold ends" } else { "held" };
                let cause = if target.verb { Cause::Verb } else { Cause::Consequence };
                reasons.push(because(cause, "state", note));
            }
        }
    }
    if reasons.is_empty() && adopted.is_none() {
        return None;
    }
    let generation = match record {
        Some(record) if !declared => record.generation,
        _ => scene.generation,
    };
    let update = RecordUpdate {
        owner: target.owner.clone(),
        generation,
        desired: declared.then(|| target.object.clone()),
        origins: target.origins.filter(|_| declared).cloned().unwrap_or_default(),
        identity: identity.filter(|_| identified).cloned(),
        overrides: overridden.then(|| target.overrides.clone()),
        adopted,
        undeleted: target.undeleted,
    };
    Some((update, reasons))
}

/// Whether an object differs from what was established, and how: one reason a field.
pub fn object_reasons(before: Option<&Object>, after: &Object) -> Vec<Reason> {
    let Some(before) = before else { return vec![because(Cause::Change, "", "new")] };
    field::differing_texts(before, after)
        .into_iter()
        .map(|(path, from, to)| reason(Cause::Change, &path, from, to))
        .collect()
}
