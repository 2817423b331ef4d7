//! Objects that may go: nothing goes further than those that use it.

use super::join::Joined;
use super::users::Users;
use crate::model::key::Key;
use crate::model::observed::Observed;
use crate::model::prune::Deletion;
use crate::model::record::{Owner, Parked, Record};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// What is looked at.
pub struct View<'a> {
    pub observed: &'a Observed,
    pub joined: &'a Joined<'a>,
    /// Of the objects that would leave or stay.
    pub users: Users,
    /// What is converged: it does not go.
    pub declared: BTreeSet<Key>,
    /// The owners whose objects may go.
    pub owners: Owners,
}

/// Whose objects are looked at.
#[derive(Clone)]
pub enum Owners {
    All,
    These(BTreeSet<Owner>),
}

impl Owners {
    pub fn have(&self, owner: &Owner) -> bool {
        match self {
            Owners::All => true,
            Owners::These(owners) => owners.contains(owner),
        }
    }
}

/// One that may go.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    pub way: Deletion,
    pub until: Option<Timestamp>,
}

/// By key.
pub type Candidates = BTreeMap<Key, Candidate>;

/// The objects of those owners.
pub fn owned<'v>(view: &'v View<'_>) -> impl Iterator<Item = (&'v Key, &'v Record)> {
    view.observed.records.iter().filter(|(_, record)| view.owners.have(&record.owner))
}

/// Its mark, while it is parked.
pub fn parking(record: &Record) -> Option<&Parked> {
    record.parked.as_ref()
}

/// Makes each candidate go no further than its users do. Answers who stays, and for whom.
pub fn settle(view: &View<'_>, candidates: &mut Candidates) -> BTreeMap<Key, Key> {
    let mut stay = BTreeMap::new();
    loop {
        let mut changed = false;
        for key in candidates.keys().cloned().collect::<Vec<_>>() {
            match verdict(view, candidates, &key) {
                Ok(candidate) if candidates.get(&key) != Some(&candidate) => {
                    candidates.insert(key, candidate);
                    changed = true;
                }
                Ok(_) => {}
                Err(user) => {
                    candidates.remove(&key);
                    stay.insert(key, user);
                    changed = true;
                }
            }
        }
        if !changed {
            return stay;
        }
    }
}

/// How `key` goes when its users go as they do now; Err: the user for whom it stays.
fn verdict(view: &View<'_>, candidates: &Candidates, key: &Key) -> Result<Candidate, Key> {
    let mut own = candidates.get(key).cloned().unwrap_or(Candidate { way: Deletion::Delete, until: None });
    for user in view.users.get(key).into_iter().flatten() {
        let record = view.observed.records.get(user);
        let until = match (candidates.get(user), record) {
            (Some(Candidate { way: Deletion::Delete, .. }), _) => continue,
            (None, Some(record)) if record.retiring && !view.declared.contains(user) => continue,
            // What is left on the host, now or long ago, needs what it stands on to be left there too.
            (Some(Candidate { way: Deletion::Retain, .. }), _) | (None, None) => {
                if own.way == Deletion::Delete {
                    own.way = Deletion::Retain;
                }
                continue;
            }
            (Some(Candidate { way: Deletion::Park, until }), _) => *until,
            (None, Some(record)) => match parking(record).filter(|_| view.owners.have(&record.owner)) {
                Some(parked) => Some(parked.until),
                None => return Err(user.clone()),
            },
        };
        own = Candidate { way: Deletion::Park, until: own.until.max(until) };
    }
    Ok(own)
}
