//! Every step of a plan is needed.

use super::snapshot::Snapshot;
use super::{Case, shown};
use crate::reconcile_support::options;
use bayplan::driver::memory::host::RootModel;
use bayplan::driver::{Driver, StepContext};
use bayplan::model::key::Key;
use bayplan::model::step::{Action, Step};
use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;

impl Case<'_> {
    pub fn is_minimal(&self, picks: &[usize]) {
        let steps = &self.plan.steps;
        if steps.is_empty() || picks.is_empty() {
            return;
        }
        let whole = self.without(&BTreeSet::new());
        let whole = whole.unwrap_or_else(|why| panic!("{why}\n{}\n{}", shown(self.plan), self.written));
        for pick in picks {
            let at = pick % steps.len();
            let step = &steps[at];
            let rest = (at..steps.len()).filter(|other| steps[*other].key == step.key).collect();
            for left_out in [BTreeSet::from([at]), rest] {
                if left_out.len() == 1 && self.changes_nothing_that_lasts(step) {
                    continue;
                }
                let counts = left_out.iter().any(|at| follows(&steps[*at]));
                if let Ok(end) = self.without(&left_out) {
                    let differs = end.meaning(counts) != whole.clone().meaning(counts);
                    assert!(differs, "not needed: {left_out:?} of\n{}\n{}", shown(self.plan), self.written);
                }
            }
        }
    }

    /// The end of the plan without these steps, or which of the others could not be carried out, and why.
    fn without(&self, left_out: &BTreeSet<usize>) -> Result<Snapshot, String> {
        let host = self.before.fork();
        let cancel = AtomicBool::new(false);
        let context = StepContext {
            cancel: &cancel,
            deadline: None,
            progress: &|_| (),
            now: options().now,
            actor: "apply by test",
        };
        let steps = self.plan.steps.iter().enumerate().filter(|(at, _)| !left_out.contains(at));
        for (_, step) in steps {
            host.execute(step, &context).map_err(|error| format!("step {}: {error}", step.id.0))?;
        }
        Ok(Snapshot::of(&host))
    }

    /// A look, and a mark for a crash.
    fn changes_nothing_that_lasts(&self, step: &Step) -> bool {
        let mut earlier = self.plan.steps.iter().take_while(|other| other.id != step.id);
        let mut later = self.plan.steps.iter().skip_while(|other| other.id != step.id).skip(1);
        let is_same = |other: &&Step| other.key == step.key;
        match &step.action {
            Action::WaitReady { .. } => {
                earlier.any(|other| is_same(&other) && matches!(other.action, Action::Start(_)))
            }
            Action::Retire => {
                later.find(is_same).is_some_and(|other| !matches!(other.action, Action::ForgetRecord))
            }
            Action::WriteFile { file, .. } => self.is_there_unseen(&step.key, &file.path),
            Action::RunInside { files, .. } => files.iter().all(|path| self.is_there_unseen(&step.key, path)),
            _ => false,
        }
    }

    /// Files are not looked at in what is parked, or has no record; nor one that its record does not know: it was lost
    /// with the state folder.
    fn is_there_unseen(&self, key: &Key, path: &str) -> bool {
        let Some(record) = self.before.records.get(key) else { return true };
        record.parked.is_some() || (self.has_file(key, path) && !record.files.contains_key(path))
    }

    fn has_file(&self, key: &Key, path: &str) -> bool {
        let has = |root: &RootModel| root.identity.key == *key && root.files.contains_key(path);
        self.before.host.roots.values().any(has)
    }
}

/// Whether it is part of a restart because another one was restarted.
fn follows(step: &Step) -> bool {
    step.reasons.iter().any(|reason| reason.field == "restartWith")
}
