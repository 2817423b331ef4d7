//! Sets in a plan: how many members each had and is to have, as one intent.

use super::plan::SetChange;
use super::prune::owners;
use super::world::recorded;
use crate::model::desired::Desired;
use crate::model::key::Key;
use crate::model::object::Object;
use crate::model::observed::Observed;
use crate::model::record::Record;
use std::collections::{BTreeMap, BTreeSet};

/// The sets of a site whose members come or go. What is parked or on its way out is no member any more.
pub fn changes(desired: &Desired, observed: &Observed) -> Vec<SetChange> {
    let owners = owners(desired);
    let in_service = |record: &Record| !record.retiring && record.parked.is_none();
    let records = observed.records.iter();
    let records = records.filter(|(_, record)| owners.contains(&record.owner) && in_service(record));
    let before = members(records.filter_map(|(key, record)| Some((key, recorded(record)?))));
    let after = members(desired.objects.iter());
    let sets: BTreeSet<&Key> = before.keys().chain(after.keys()).copied().collect();
    let none = BTreeSet::new();
    // Another name of a set gives it no other members.
    let was_member: BTreeSet<&Key> = before.values().flatten().copied().collect();
    let change = |set: &Key| {
        let (before, after) = (before.get(set).unwrap_or(&none), after.get(set).unwrap_or(&none));
        let gone = before.iter().filter(|key| !desired.objects.contains_key(**key));
        SetChange {
            set: set.clone(),
            before: before.len(),
            after: after.len(),
            added: after.difference(&was_member).map(|key| (*key).clone()).collect(),
            removed: gone.map(|key| (*key).clone()).collect(),
        }
    };
    let moves = |change: &SetChange| !change.added.is_empty() || !change.removed.is_empty();
    sets.into_iter().map(change).filter(moves).collect()
}

/// Set → its members.
fn members<'a>(objects: impl Iterator<Item = (&'a Key, &'a Object)>) -> BTreeMap<&'a Key, BTreeSet<&'a Key>> {
    let mut members: BTreeMap<&Key, BTreeSet<&Key>> = BTreeMap::new();
    for (key, object) in objects {
        if let Some(set) = &object.meta.member_of {
            members.entry(set).or_default().insert(key);
        }
    }
    members
}
