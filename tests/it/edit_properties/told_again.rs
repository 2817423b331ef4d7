//! Tales that long runs found, kept as they are: what went wrong in each is told in the test's name.

use super::tell;
use crate::random_edits::{Consent, Edit, Tale, Turn};
use crate::random_manifests::{Document, Manifests};
use crate::random_site::Breakage;
use bayplan::model::object::Power;
use bayplan::reconcile::goal::DeletionApproval;
use std::collections::{BTreeMap, BTreeSet};

#[test]
fn a_container_that_lost_its_records_and_its_image_is_not_told_to_remove_what_it_never_got() {
    let first = manifests([(1, document()), (2, document())]);
    let with_file = Document { image: 1, files: [(0, 0)].into(), persisted: [0].into(), ..document() };
    let deletions = DeletionApproval::Confirmed;
    tell(&Tale {
        first,
        turns: vec![
            turn(Edit::Write(1, Box::new(with_file)), false, DeletionApproval::None),
            turn(Edit::Image(1, Some(1)), true, DeletionApproval::None),
            turn(
                Edit::Break(vec![Breakage::LoseRecords, Breakage::LoseImages]),
                false,
                DeletionApproval::None,
            ),
            turn(Edit::Revert(1), false, DeletionApproval::None),
            turn(Edit::Revert(3), true, deletions),
        ],
    });
}

#[test]
fn an_image_that_brings_back_the_content_of_another_ends_its_use() {
    let mut first = manifests([(0, Document { image: 2, ..document() }), (1, document())]);
    first.images.insert(2, 2);
    let none = DeletionApproval::None;
    let turns = vec![
        turn(Edit::Image(2, None), false, none),
        turn(Edit::Break(vec![Breakage::LoseImages]), false, none),
        turn(Edit::Image(0, Some(2)), false, none),
    ];
    tell(&Tale { first, turns });
}

#[test]
fn a_hold_of_what_is_in_no_managed_state_leaves_nothing_to_note() {
    let first = manifests([(0, Document { state: Power::Any, ..document() })]);
    let none = DeletionApproval::None;
    let held = [Edit::Hold(0, None), Edit::Hold(0, Some(Power::Stopped)), Edit::Hold(0, Some(Power::Frozen))];
    let then = || Edit::Write(1, Box::new(document()));
    let turns = held.into_iter().flat_map(|hold| [turn(hold, false, none), turn(then(), false, none)]);
    tell(&Tale { first, turns: turns.collect() });
}

#[test]
fn a_nic_that_goes_to_a_bridge_with_the_same_subnet_is_not_taken_away_first() {
    let mut first = manifests([(0, Document { nic: 2, ..document() })]);
    (first.prune, first.networks) = (4, BTreeMap::from([(1, (0, false)), (2, (0, false))]));
    let none = DeletionApproval::None;
    let turns = vec![turn(Edit::RenameOnHost(2), false, none), turn(Edit::Revert(0), false, none)];
    tell(&Tale { first, turns });
}

fn turn(edit: Edit, restart: bool, deletions: DeletionApproval) -> Turn {
    let consent = Consent { restart, replace: false, deletions };
    // Every step is left out once.
    Turn { edit, consent, insists: false, picks: (0..8).collect() }
}

fn manifests(containers: impl IntoIterator<Item = (u8, Document)>) -> Manifests {
    Manifests {
        prune: 0,
        at_once: 1,
        value: 0,
        host_value: None,
        images: BTreeMap::from([(0, 0)]),
        networks: BTreeMap::from([(1, (0, false))]),
        has_fast_pool: true,
        renames: [0; 3],
        profiles: BTreeMap::new(),
        replicas: 0,
        keys: BTreeSet::new(),
        containers: containers.into_iter().collect(),
        is_emptied: false,
    }
}

fn document() -> Document {
    Document {
        names: 0,
        image: 0,
        profiles: vec![],
        config: vec![],
        takes_value: false,
        nic: 0,
        disk: None,
        files: BTreeMap::new(),
        secrets: BTreeSet::new(),
        state: Power::Running,
        needs: BTreeSet::new(),
        needs_set: false,
        follows: BTreeSet::new(),
        update: 0,
        ready: 0,
        persisted: BTreeSet::new(),
        ignores: (false, false),
        is_ephemeral: false,
        deletion: 0,
        label: 0,
        is_fast: false,
    }
}
