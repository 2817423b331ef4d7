//! A set's key where commands take keys: it stands for its members.

use crate::model::key::{Key, Kind};
use crate::model::object::Object;
use std::collections::BTreeSet;

/// The keys with each set's members in its place, as `objects` have them. A set without any stays: there is none.
pub fn members<'a>(
    keys: impl IntoIterator<Item = &'a Key>,
    objects: impl Iterator<Item = (&'a Key, &'a Object)> + Clone,
) -> BTreeSet<Key> {
    let mut expanded = BTreeSet::new();
    for key in keys {
        let members: Vec<Key> = match key.kind {
            Kind::ContainerSet => objects
                .clone()
                .filter(|(_, object)| is_member(object, key))
                .map(|(key, _)| key.clone())
                .collect(),
            _ => vec![],
        };
        match members.is_empty() {
            true => drop(expanded.insert(key.clone())),
            false => expanded.extend(members),
        }
    }
    expanded
}

/// Whether an object comes from a set.
pub fn is_member(object: &Object, set: &Key) -> bool {
    object.meta.member_of.as_ref() == Some(set)
}
