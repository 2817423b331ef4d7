//! What programs wrote inside is there after every apply, but for what a step took that was allowed by name.

use super::snapshot::Snapshot;
use super::{Case, shown};
use bayplan::model::key::Key;
use bayplan::model::object::{ImagePolicy, RestartPolicy};
use bayplan::model::observed::ExitCause;
use bayplan::model::prune::Deletion;
use bayplan::model::step::{Action, Step};
use uuid::Uuid;

impl Case<'_> {
    /// What was in a root is there, or in the root that was kept, or a step took it that somebody allowed.
    pub fn loses_nothing(&self, after: &Snapshot) {
        for (uuid, before) in &self.before.host.roots {
            let key = &before.identity.key;
            let is_remade = self.is_complete(*uuid);
            let Some(now) = after.host.roots.get(uuid) else {
                assert!(self.may_go(key), "{key} is lost: {}", shown(self.plan));
                continue;
            };
            assert_eq!(now.identity.identity.uuid, *uuid);
            if is_remade {
                continue;
            }
            for (folder, written) in &before.persisted {
                let kept = now.persisted.get(folder).is_some_and(|now| written.is_subset(now));
                assert!(kept, "{key}: what was in {folder} is lost");
            }
            if before.written.is_subset(&now.written) {
                continue;
            }
            let former =
                now.replaced.as_ref().is_some_and(|former| before.written.is_subset(&former.written));
            let swap = self.plan.steps.iter().find(
                |step| matches!(step.action, Action::SwapRoot { uuid: swapped, .. } if swapped == *uuid),
            );
            let may =
                swap.and_then(|step| self.container(&step.key)).is_some_and(|container| {
                    match container.update.restart {
                        RestartPolicy::Allow => container.update.image == ImagePolicy::Replace,
                        RestartPolicy::Ask => {
                            container.update.image == ImagePolicy::Replace && self.options.allow_replace
                        }
                        RestartPolicy::Deny => false,
                    }
                });
            assert!(former && may, "{key}: what was written inside is lost");
        }
    }

    /// A power-off from inside completes what is ephemeral.
    fn is_complete(&self, uuid: Uuid) -> bool {
        let steps = self.plan.steps.iter();
        let ephemeral = |step: &Step| self.container(&step.key).is_some_and(|container| container.ephemeral);
        let mut deleted = steps
            .filter(|step| matches!(step.action, Action::DeleteRoot { uuid: other, .. } if other == uuid));
        let powered_off =
            self.before.host.exits.get(&uuid).is_some_and(|exit| exit.cause == ExitCause::PowerOff);
        powered_off && deleted.any(ephemeral)
    }

    /// Whether a root may be deleted: it is no longer declared, was to be deleted then, and that was allowed, now or
    /// when it was parked.
    fn may_go(&self, key: &Key) -> bool {
        let record = self.before.records.get(key);
        let parked = record.and_then(|record| record.parked.as_ref());
        let is_over = parked.is_some_and(|parked| parked.until <= self.options.now);
        let is_begun = record.is_some_and(|record| record.retiring);
        let named = self
            .plan
            .steps
            .iter()
            .any(|step| step.key == *key && matches!(step.action, Action::DeleteRoot { .. }));
        named
            && !self.desired.objects.contains_key(key)
            && (is_over || is_begun || self.leaves(key) == Some(Deletion::Delete))
    }

    /// A container that has another name now is the same one.
    pub fn keeps_what_is_renamed(&self, after: &Snapshot) {
        for (now, former) in &self.desired.renamed_from {
            let is_new = !self.before.records.contains_key(now);
            let moves = is_new
                && self.desired.objects.contains_key(now)
                && !self.desired.objects.contains_key(former);
            let record = self.before.records.get(former).filter(|record| moves && !record.retiring);
            if let Some(record) = record {
                assert_eq!(
                    after.records[now].identity.as_ref().map(|identity| identity.uuid),
                    record.identity.as_ref().map(|identity| identity.uuid),
                    "{now}"
                );
            }
        }
    }
}
