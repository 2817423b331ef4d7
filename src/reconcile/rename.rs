//! `renamedFrom`: what a host has under a former name is planned under the new one, after a step that moves its record.
//!
//! ```text
//! record old ─► Rename ─► record new      the uuid, so root, cgroup, volumes, addresses and ids, stay as they are
//! ```

use super::deletions::error;
use super::diff::{Draft, ObjectDiff, because};
use super::prune::owners;
use super::world::recorded;
use crate::model::desired::Desired;
use crate::model::finding::{Finding, Severity};
use crate::model::key::{Key, Kind};
use crate::model::observed::Observed;
use crate::model::record::Record;
use crate::model::step::{Action, Cause, Class};
use std::collections::BTreeMap;

/// New key → former one.
pub type Renames = BTreeMap<Key, Key>;

/// The renames of a load that the host has not seen yet.
pub fn due(desired: &Desired, observed: &Observed) -> Renames {
    let owners = owners(desired);
    let is_due = |(now, former): &(&Key, &Key)| {
        let Some(before) = observed.records.get(*former) else { return false };
        let is_ours = owners.contains(&before.owner) && !before.retiring;
        let is_new = match observed.records.get(*now) {
            None => true,
            // A crash between the two halves of the step left both.
            Some(record) => is_copy(record, before),
        };
        is_ours && is_new && !desired.objects.contains_key(*former) && desired.objects.contains_key(*now)
    };
    let renames = desired.renamed_from.iter().filter(is_due);
    renames.map(|(now, former)| (now.clone(), former.clone())).collect()
}

fn is_copy(record: &Record, of: &Record) -> bool {
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
        let Some(record) = view.records.remove(former) else { continue };
        view.records.entry(now.clone()).or_insert(record);
        let roots = view.containers.values_mut().filter_map(|facts| facts.root.as_mut());
        for root in roots.filter(|root| root.identity.key == *former) {
            root.identity.key = now.clone();
        }
    }
    view
}

/// Puts the step that moves a record before all others of its object.
pub fn begin_with(renames: &Renames, diffs: &mut BTreeMap<Key, ObjectDiff>) {
    for (now, former) in renames {
        let Some(diff) = diffs.get_mut(now) else { continue };
        let why = because(Cause::Change, "", format!("renamed from {former}"));
        let draft = Draft {
            action: Action::Rename { from: former.clone() },
            class: Class::Record,
            reasons: vec![why],
            downtime_ms: 0,
            applied: None,
            is_repair: false,
        };
        diff.steps.insert(0, draft);
    }
}

/// A rename from what another site has, or to a name that something else has.
pub fn refused(desired: &Desired, observed: &Observed) -> Vec<Finding> {
    let owners = owners(desired);
    let mut findings = onto_taken(desired, observed);
    let foreign = desired.renamed_from.iter().filter_map(|(now, former)| {
        let owner = &observed.records.get(former)?.owner;
        (!observed.records.contains_key(now) && !owners.contains(owner)).then_some((now, former, owner))
    });
    let finding = |(now, former, owner): (&Key, &Key, &_)| {
        let message = format!("{now} is renamed from {former}, which belongs to {owner}");
        let help = format!("first take {former} over under its name, then rename it");
        Finding { place: place(desired, now), ..error("renamed-elsewhere", now, message, &help) }
    };
    findings.extend(foreign.map(finding));
    findings
}

/// Without a word the other one would stay under that name, or come back, and the one that is meant would be pruned.
fn onto_taken(desired: &Desired, observed: &Observed) -> Vec<Finding> {
    let owners = owners(desired);
    let onto = |(now, former): (&Key, &Key)| {
        let before = observed.records.get(former).filter(|record| owners.contains(&record.owner))?;
        let in_service = before.parked.is_none() && !before.retiring && !desired.objects.contains_key(former);
        let taken = observed.records.get(now).filter(|record| in_service && !is_copy(record, before))?;
        let renamed = format!("{now} is renamed from {former}, and another {now} is");
        let (code, message, help) = match &taken.parked {
            Some(parked) => (
                "renamed-parked",
                format!("{renamed} parked until {:.0}", parked.until),
                format!("`bayplan delete {now}` removes the parked one; without renamedFrom it comes back"),
            ),
            None => (
                "renamed-taken",
                format!("{renamed} there beside it"),
                format!(
                    "`bayplan delete {now}` removes that one; without renamedFrom it stays, and {former} is no longer declared"
                ),
            ),
        };
        Some(Finding { place: place(desired, now), ..error(code, now, message, &help) })
    };
    let declared = desired.renamed_from.iter().filter(|(now, _)| desired.objects.contains_key(*now));
    declared.filter_map(onto).collect()
}

/// One that vanishes and a new one that is just like it were probably one: proposes to say so.
pub fn proposals(desired: &Desired, observed: &Observed) -> Vec<Finding> {
    let owners = owners(desired);
    let in_service =
        |record: &&Record| owners.contains(&record.owner) && !record.retiring && record.parked.is_none();
    let vanished = observed.records.iter().filter(|(key, record)| {
        key.kind == Kind::Container && in_service(record) && !desired.objects.contains_key(*key)
    });
    let vanished: Vec<(&Key, &Record)> = vanished.collect();
    if vanished.is_empty() {
        return vec![];
    }
    let appeared = desired.objects.iter().filter(|(key, object)| {
        let is_new = key.kind == Kind::Container && !observed.records.contains_key(*key);
        is_new && object.meta.member_of.is_none() && !desired.renamed_from.contains_key(*key)
    });
    let mut proposals = vec![];
    for (key, object) in appeared {
        let like = |(_, record): &&(&Key, &Record)| {
            recorded(record).is_some_and(|before| before.spec == object.spec)
        };
        let mut alike = vanished.iter().filter(like);
        let (Some((former, _)), None) = (alike.next(), alike.next()) else { continue };
        proposals.push(Finding {
            severity: Severity::Warning,
            code: "perhaps-renamed",
            place: place(desired, key),
            key: Some(key.clone()),
            message: format!("{key} is new, and {former}, which is just like it, is no longer declared"),
            help: Some(format!(
                "if it has another name now, say `renamedFrom: {}` in its metadata: it keeps its data, ids and addresses",
                former.name
            )),
        });
    }
    proposals
}

fn place(desired: &Desired, key: &Key) -> Option<crate::model::origin::Place> {
    let origins = desired.origins.get(key)?;
    let origin = origins.get("metadata.renamedFrom").or_else(|| origins.get(""))?;
    origin.place.clone()
}
