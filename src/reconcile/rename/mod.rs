//! `renamedFrom`: what a host has under a former name is planned under the new one, after a step that moves it.
//!
//! ```text
//! record old ─► Rename ─► record new     container: the uuid, so root, cgroup, volumes, addresses and ids, stay as they are
//!                                        network, pool: bridge or folder moves along; what names it follows
//! ```

pub mod findings;

use super::diff::{Draft, ObjectDiff, because};
use super::goal::Goal;
use super::prune::owners;
use crate::model::desired::Desired;
use crate::model::key::{Key, Kind};
use crate::model::observed::Observed;
use crate::model::record::Record;
use crate::model::renaming::{in_record, in_run, is_on_host};
use crate::model::step::{Action, Cause, Class};
use std::collections::BTreeMap;

/// New key → former one.
pub type Renames = BTreeMap<Key, Key>;

/// The renames that the host has not seen yet, or not to their end; those that have begun are every goal's affair.
pub fn due(goal: &Goal<'_>, observed: &Observed) -> Renames {
    let declared = match goal {
        Goal::Site(desired) => declared(desired, observed),
        _ => Renames::new(),
    };
    let begun = observed.records.iter().filter_map(|(key, record)| {
        let former = record.renaming.clone()?;
        Some((key.clone(), former))
    });
    declared.into_iter().chain(begun).collect()
}

fn declared(desired: &Desired, observed: &Observed) -> Renames {
    let owners = owners(desired);
    let is_due = |(now, former): &(&Key, &Key)| {
        let Some(before) = observed.records.get(*former) else { return false };
        let is_ours = owners.contains(&before.owner) && !before.retiring;
        let is_new = match observed.records.get(*now) {
            None => true,
            // A crash between the two halves of the step left both.
            Some(record) => is_copy(record, (before, former)),
        };
        is_ours && is_new && !desired.objects.contains_key(*former) && desired.objects.contains_key(*now)
    };
    let renames = desired.renamed_from.iter().filter(is_due);
    renames.map(|(now, former)| (now.clone(), former.clone())).collect()
}

/// Whether a record is the other one under its new name.
fn is_copy(record: &Record, (of, former): (&Record, &Key)) -> bool {
    if is_on_host(former.kind) {
        return record.renaming.as_ref() == Some(former);
    }
    match (&record.identity, &of.identity) {
        (Some(one), Some(other)) => one.uuid == other.uuid,
        (None, None) => (&record.desired, &record.applied) == (&of.desired, &of.applied),
        _ => false,
    }
}

/// The host as it is once all of them are done.
pub fn view(observed: &Observed, renames: &Renames) -> Observed {
    let mut view = observed.clone();
    for (now, former) in renames {
        if let Some(record) = view.records.remove(former) {
            view.records.entry(now.clone()).or_insert(record);
        }
        match now.kind {
            Kind::Container => container(&mut view, now, former),
            Kind::Network => network(&mut view, now, former),
            Kind::StoragePool => pool(&mut view, now, former),
            _ => {}
        }
        if is_on_host(now.kind) {
            for record in view.records.values_mut() {
                in_record(record, former, now);
            }
            let runs = view.containers.values_mut().filter_map(|facts| facts.run.as_mut());
            runs.for_each(|run| in_run(&mut run.run, former, now));
        }
    }
    view
}

fn container(view: &mut Observed, now: &Key, former: &Key) {
    let roots = view.containers.values_mut().filter_map(|facts| facts.root.as_mut());
    for root in roots.filter(|root| root.identity.key == *former) {
        root.identity.key = now.clone();
    }
}

fn network(view: &mut Observed, now: &Key, former: &Key) {
    if view.networks.get(&former.name).is_some_and(|facts| facts.ours)
        && let Some(facts) = view.networks.remove(&former.name)
    {
        view.networks.insert(now.name.clone(), facts);
    }
    let runs = view.containers.values_mut().filter_map(|facts| facts.run.as_mut());
    let bridges = runs.flat_map(|run| run.nics.values_mut()).filter_map(|nic| nic.bridge.as_mut());
    for bridge in bridges.filter(|bridge| **bridge == former.name) {
        bridge.clone_from(&now.name);
    }
}

fn pool(view: &mut Observed, now: &Key, former: &Key) {
    if let Some(facts) = view.pools.remove(&former.name) {
        view.pools.insert(now.name.clone(), facts);
    }
    let roots = view.containers.values_mut().filter_map(|facts| facts.root.as_mut());
    for root in roots.filter(|root| root.pool == former.name) {
        root.pool.clone_from(&now.name);
    }
}

/// Puts the step that moves it before all others of its object. One that has begun is finished also where the goal is
/// about other objects.
pub fn begin_with(renames: &Renames, observed: &Observed, diffs: &mut BTreeMap<Key, ObjectDiff>) {
    for (now, former) in renames {
        let has_begun = observed.records.get(now).is_some_and(|record| record.renaming.is_some());
        if has_begun {
            diffs.entry(now.clone()).or_insert_with(|| ObjectDiff::new(now));
        }
        let Some(diff) = diffs.get_mut(now) else { continue };
        let why = because(Cause::Change, "", format!("renamed from {former}"));
        let class = if is_on_host(now.kind) { Class::Live } else { Class::Record };
        let action = Action::Rename { from: former.clone() };
        diff.steps.insert(
            0,
            Draft { action, class, reasons: vec![why], downtime_ms: 0, applied: None, is_repair: false },
        );
    }
}
