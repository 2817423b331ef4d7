//! Random edits of random manifests, and what else happens between one apply and the next.

use crate::random_manifests::{Document, Manifests, PRUNES, document, manifests};
use crate::random_site::{Breakage, CONFIG, breakage};
use bayplan::model::object::Power;
use bayplan::reconcile::goal::DeletionApproval;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// A site, and what becomes of it without ever beginning anew.
#[derive(Debug, Clone)]
pub struct Tale {
    pub first: Manifests,
    pub turns: Vec<Turn>,
}

#[derive(Debug, Clone)]
pub struct Turn {
    pub edit: Edit,
    pub consent: Consent,
    /// Where a guard stops the apply: lift it, else take the edit back.
    pub insists: bool,
    /// Which steps are left out to see whether they are needed: numbers that are counted round.
    pub picks: Vec<usize>,
}

/// What is approved.
#[derive(Debug, Clone, Copy)]
pub struct Consent {
    pub restart: bool,
    pub replace: bool,
    pub deletions: DeletionApproval,
}

#[derive(Debug, Clone)]
pub enum Edit {
    /// A container's document is written, anew or for the first time. The others are about one that is there.
    Write(u8, Box<Document>),
    Remove(u8),
    Rename(u8),
    /// One part of a document becomes another.
    Change(u8, usize, Box<Document>),
    Replicas(u8),
    Keys(BTreeSet<usize>),
    Profile(u8, Option<Vec<usize>>),
    /// Another source for the same name; None: the document is removed.
    Image(u8, Option<usize>),
    Network(u8, Option<(u8, bool)>),
    FastPool,
    /// Of the pool (0) or of a network.
    RenameOnHost(u8),
    Value(usize),
    HostValue(Option<usize>),
    Prune(usize),
    Rollout(u32),
    Empty,
    /// Back to what was written so many edits ago.
    Revert(usize),
    /// Nobody edits a manifest; a hand on the host, or fate.
    Break(Vec<Breakage>),
    /// Hours go by.
    Wait(i64),
    /// A verb that holds, or ends a hold.
    Power(u8, Power),
    /// `hold`: in a state, or as it is.
    Hold(u8, Option<Power>),
}

impl Edit {
    /// What is written now; the same where the edit is about the host, or about nothing that is there.
    pub fn of(&self, before: &Manifests, history: &[Manifests]) -> Manifests {
        let mut now = before.clone();
        now.is_emptied = false;
        // One that is there, where there is any.
        let known = |number: &u8| {
            let count = before.containers.len().max(1);
            before.containers.keys().nth(usize::from(*number) % count).copied().unwrap_or(*number)
        };
        match self {
            Edit::Write(number, document) => {
                let names = before.containers.get(number).map_or(0, |before| before.names);
                now.containers.insert(*number, Document { names, ..(**document).clone() });
            }
            Edit::Remove(number) => drop(now.containers.remove(&known(number))),
            Edit::Rename(number) => {
                now.containers.get_mut(&known(number)).into_iter().for_each(|document| document.names += 1);
            }
            Edit::Change(number, part, from) => {
                let document = now.containers.get_mut(&known(number));
                document.into_iter().for_each(|document| document.take(*part, from));
            }
            Edit::Replicas(count) => now.replicas = *count,
            Edit::Keys(keys) => now.keys.clone_from(keys),
            Edit::Profile(number, Some(settings)) => drop(now.profiles.insert(*number, settings.clone())),
            Edit::Profile(number, None) => drop(now.profiles.remove(number)),
            Edit::Image(number, Some(source)) => drop(now.images.insert(*number, *source)),
            Edit::Image(number, None) if *number > 0 => drop(now.images.remove(number)),
            Edit::Network(number, Some(network)) => drop(now.networks.insert(*number, *network)),
            Edit::Network(number, None) => drop(now.networks.remove(number)),
            Edit::FastPool => now.has_fast_pool = !now.has_fast_pool,
            Edit::RenameOnHost(number) => now.renames[usize::from(*number)] += 1,
            Edit::Value(value) => now.value = *value,
            Edit::HostValue(value) => now.host_value = *value,
            Edit::Prune(prune) => now.prune = *prune,
            Edit::Rollout(at_once) => now.at_once = *at_once,
            Edit::Empty => now.is_emptied = true,
            Edit::Revert(back) => {
                let earlier = history.len().checked_sub(1 + back).and_then(|at| history.get(at));
                now = earlier.unwrap_or(before).clone();
            }
            Edit::Image(_, None) | Edit::Break(_) | Edit::Wait(_) | Edit::Power(..) | Edit::Hold(..) => {
                now = before.clone()
            }
        }
        now
    }
}

pub fn tale() -> impl Strategy<Value = Tale> {
    (manifests(), prop::collection::vec(turn(), 3..=6)).prop_map(|(first, turns)| Tale { first, turns })
}

fn turn() -> impl Strategy<Value = Turn> {
    let deletions = prop_oneof![
        4 => Just(DeletionApproval::None),
        2 => Just(DeletionApproval::Confirmed),
        1 => (0_usize..6).prop_map(DeletionApproval::AtMost),
        1 => Just(DeletionApproval::Any),
    ];
    let consent = (prop::bool::weighted(0.6), any::<bool>(), deletions)
        .prop_map(|(restart, replace, deletions)| Consent { restart, replace, deletions });
    (edit(), consent, any::<bool>(), prop::collection::vec(any::<usize>(), 2))
        .prop_map(|(edit, consent, insists, picks)| Turn { edit, consent, insists, picks })
}

fn edit() -> impl Strategy<Value = Edit> {
    let number = || 0_u8..5;
    let boxed = || document().prop_map(Box::new);
    prop_oneof![
        2 => (number(), boxed()).prop_map(|(number, document)| Edit::Write(number, document)),
        3 => number().prop_map(Edit::Remove),
        3 => number().prop_map(Edit::Rename),
        12 => (number(), 0..Document::PARTS, boxed())
            .prop_map(|(number, part, from)| Edit::Change(number, part, from)),
        2 => (0_u8..5).prop_map(Edit::Replicas),
        2 => prop::collection::btree_set(0_usize..3, 0..4).prop_map(Edit::Keys),
        2 => (0_u8..2, prop::option::weighted(0.7, prop::collection::vec(0..CONFIG.len(), 0..3)))
            .prop_map(|(number, settings)| Edit::Profile(number, settings)),
        3 => (0_u8..3, prop::option::weighted(0.8, 0_usize..3))
            .prop_map(|(number, source)| Edit::Image(number, source)),
        2 => (1_u8..3, prop::option::weighted(0.6, (0_u8..2, any::<bool>())))
            .prop_map(|(number, network)| Edit::Network(number, network)),
        1 => Just(Edit::FastPool),
        3 => prop_oneof![2 => Just(0), 1 => Just(1), 3 => Just(2)].prop_map(Edit::RenameOnHost),
        1 => (0_usize..3).prop_map(Edit::Value),
        1 => prop::option::of(0_usize..3).prop_map(Edit::HostValue),
        1 => (0..PRUNES.len()).prop_map(Edit::Prune),
        1 => (1_u32..4).prop_map(Edit::Rollout),
        1 => Just(Edit::Empty),
        2 => (1_usize..4).prop_map(Edit::Revert),
        6 => prop::collection::vec(breakage(), 1..5).prop_map(Edit::Break),
        2 => prop::sample::select(vec![1, 30, 200]).prop_map(Edit::Wait),
        1 => (number(), prop::sample::select(vec![Power::Running, Power::Stopped, Power::Frozen]))
            .prop_map(|(number, power)| Edit::Power(number, power)),
        1 => (number(), prop::option::of(prop::sample::select(vec![Power::Running, Power::Stopped, Power::Frozen])))
            .prop_map(|(number, power)| Edit::Hold(number, power)),
    ]
}
