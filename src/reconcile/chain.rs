//! The order of one object's steps: one after another, but that a repair which fails keeps only those back that need it.

use super::diff::Draft;
use crate::model::step::{Action, StepId};
use std::collections::BTreeSet;

/// The steps of one object so far, as what comes next has to wait for them.
pub struct Chain {
    /// To be done before: what the object waits for, then the last step that is no repair.
    done: BTreeSet<StepId>,
    /// The repairs so far, one after another.
    repairs: Vec<(StepId, Action)>,
    /// How many of them came before the last step that is none.
    passed: usize,
    has_others: bool,
}

impl Chain {
    pub fn new(done: BTreeSet<StepId>) -> Chain {
        Chain { done, repairs: vec![], passed: 0, has_others: false }
    }

    /// What must be done before a step, and what must have ended, whatever came of it.
    pub fn before(&self, draft: &Draft) -> (BTreeSet<StepId>, Vec<StepId>) {
        let needed = self.repairs.iter().filter(|(_, repair)| draft.needs(repair)).map(|(id, _)| *id);
        let after: BTreeSet<StepId> = self.done.iter().copied().chain(needed).collect();
        let last = self.repairs[self.passed..].last().map(|(id, _)| *id);
        let after_end = last.filter(|id| !after.contains(id)).into_iter().collect();
        (after, after_end)
    }

    pub fn push(&mut self, id: StepId, draft: &Draft) {
        if draft.is_repair {
            self.repairs.push((id, draft.action.clone()));
        } else {
            self.done = BTreeSet::from([id]);
            self.passed = self.repairs.len();
            self.has_others = true;
        }
    }

    /// What those wait for that need the object.
    pub fn tail(self) -> BTreeSet<StepId> {
        let done = self.done.into_iter().filter(|_| self.has_others || self.repairs.is_empty());
        done.chain(self.repairs.iter().map(|(id, _)| *id)).collect()
    }
}
