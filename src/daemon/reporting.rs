//! What of a plan is drift of a site that wants it reported only. PURE.

use crate::model::key::Key;
use crate::model::object::{Heal, Object, Spec};
use crate::model::observed::Observed;
use crate::model::record::Owner;
use crate::model::step::Cause;
use crate::reconcile::drift::{self, Row};
use crate::reconcile::goal::Goal;
use crate::reconcile::plan::Plan;
use std::collections::BTreeSet;

/// A plan in two.
pub struct Split {
    /// What is carried out, with what it needs.
    pub to_do: BTreeSet<Key>,
    /// What drifted and is left, in words.
    pub reported: BTreeSet<String>,
}

/// The sites that say `heal: report`.
pub fn sites<'a>(objects: impl Iterator<Item = (&'a Key, &'a Object)>) -> BTreeSet<String> {
    let reports = |object: &Object| matches!(&object.spec, Spec::Site(site) if site.heal == Heal::Report);
    objects.filter(|(_, object)| reports(object)).map(|(key, _)| key.name.clone()).collect()
}

/// Those of a host's records.
pub fn recorded_sites(observed: &Observed) -> BTreeSet<String> {
    sites(observed.records.iter().filter_map(|(key, record)| Some((key, record.desired.as_ref()?))))
}

/// An object that was changed is carried out whole; one of `sites` that only drifted is left.
pub fn split(plan: &Plan, goal: &Goal<'_>, observed: &Observed, sites: &BTreeSet<String>) -> Split {
    let is_left = |key: &Key| match goal {
        Goal::Site(_) => true,
        _ => observed.records.get(key).is_none_or(|record| match &record.owner {
            Owner::Site(site) => sites.contains(site),
            Owner::System | Owner::Api => false,
        }),
    };
    let changes = |cause| matches!(cause, Cause::Change | Cause::ChangeAndDrift | Cause::Verb);
    let changed: BTreeSet<&Key> = plan
        .steps
        .iter()
        .filter(|step| step.reasons.iter().any(|reason| changes(reason.cause)))
        .map(|step| &step.key)
        .collect();
    let keys = plan.steps.iter().map(|step| &step.key);
    let to_do: BTreeSet<Key> = keys.filter(|key| changed.contains(key) || !is_left(key)).cloned().collect();
    let rows = drift::drift(plan).rows;
    let reported = rows.iter().filter(|row| !to_do.contains(&row.key)).map(Row::words).collect();
    Split { to_do, reported }
}
