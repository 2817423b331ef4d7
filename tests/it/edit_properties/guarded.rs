//! A plan does no more than prune, policies and approvals allow.

use super::snapshot::Snapshot;
use super::{Case, shown};
use bayplan::driver::memory::host::HostModel;
use bayplan::model::key::{Key, Kind};
use bayplan::model::object::{Container, ImagePolicy, Power, RestartPolicy, Spec};
use bayplan::model::prune::{Deletion, PruneMode};
use bayplan::model::record::Owner;
use bayplan::model::step::{Action, Cause, Class, Step};
use bayplan::reconcile::goal::DeletionApproval;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

impl Case<'_> {
    pub fn container(&self, key: &Key) -> Option<&Container> {
        match &self.desired.objects.get(key)?.spec {
            Spec::Container(container) => Some(container),
            _ => None,
        }
    }

    pub fn leaves(&self, key: &Key) -> Option<Deletion> {
        let intents = self.plan.prune.iter().filter(|intent| !intent.waits);
        intents.filter(|intent| intent.keys.contains(key)).map(|intent| intent.way).next()
    }

    pub fn is_within_its_guards(&self, after: &Snapshot) {
        self.prunes_no_more_than_it_may(after);
        let pids: BTreeMap<Uuid, u32> = after.host.runs.iter().map(|(uuid, run)| (*uuid, run.pid)).collect();
        for (uuid, run) in &self.before.host.runs {
            let goes_on = pids.get(uuid) == Some(&run.pid);
            let key = &self.before.host.roots[uuid].identity.key;
            let waits = |class: Class| {
                self.plan.pending.iter().any(|pending| pending.key == *key && pending.class == class)
            };
            let content =
                |host: &HostModel| host.roots.get(uuid).map(|root| root.identity.fingerprint.clone());
            let is_replaced = content(&self.before.host) != content(&after.host);
            assert!(!is_replaced || !waits(Class::Replace), "{key} waits, and was replaced");
            let waits = waits(Class::Restart) || waits(Class::Delete);
            assert!(goes_on || !waits, "{key} waits, and was stopped");
            assert!(
                goes_on || self.may_stop(key, pids.contains_key(uuid)),
                "{key} was stopped: {}",
                shown(self.plan)
            );
        }
        for key in &self.plan.kept {
            // What an ignored device is on is repaired, and no more.
            let mut steps = self.plan.steps.iter().filter(|step| step.key == *key);
            let repairs = |step: &Step| step.reasons.iter().all(|reason| reason.cause == Cause::Drift);
            assert!(steps.all(repairs), "{key} is kept");
        }
        let declared = |step: &&Step| self.desired.objects.contains_key(&step.key);
        for step in self.plan.steps.iter().filter(declared) {
            assert!(step.class != Class::Delete, "{step:#?}");
        }
    }

    /// Whether a container that runs may be stopped; `runs`: it was started again.
    fn may_stop(&self, key: &Key, runs: bool) -> bool {
        let renamed = self.desired.renamed_from.iter().find(|(_, former)| *former == key).map(|(now, _)| now);
        let key = renamed.filter(|_| !self.desired.objects.contains_key(key)).unwrap_or(key);
        let Some(container) = self.container(key) else {
            let parked = self.before.records.get(key).is_some_and(|record| record.parked.is_some());
            return !runs && (parked || matches!(self.leaves(key), Some(Deletion::Park | Deletion::Delete)));
        };
        if container.state == Power::Stopped && !runs {
            return true;
        }
        let replaced = |step: &Step| step.key == *key && matches!(step.action, Action::SwapRoot { .. });
        let approved = match self.plan.steps.iter().any(replaced) {
            true => self.options.allow_replace && container.update.image == ImagePolicy::Replace,
            false => self.options.allow_restart,
        };
        match container.update.restart {
            RestartPolicy::Allow => true,
            RestartPolicy::Ask => approved,
            RestartPolicy::Deny => false,
        }
    }

    /// What went out of service went by the site's prune, and not more of it than may.
    fn prunes_no_more_than_it_may(&self, after: &Snapshot) {
        let mine = Owner::Site("edge".to_owned());
        let in_service = |snapshot: &Snapshot| -> BTreeSet<Key> {
            let records = snapshot.records.iter().filter(|(key, record)| {
                record.owner == mine && record.parked.is_none() && !record.retiring && key.kind != Kind::Site
            });
            records.map(|(key, _)| key.clone()).collect()
        };
        let (before, after) = (in_service(self.before), in_service(after));
        let renamed: BTreeSet<&Key> = self.desired.renamed_from.values().collect();
        let lost: BTreeSet<&Key> = before.difference(&after).filter(|key| !renamed.contains(key)).collect();
        if lost.is_empty() {
            return;
        }
        let Spec::Site(site) = &self.desired.objects[&Key::site("edge")].spec else { unreachable!() };
        let most = match self.options.deletions {
            DeletionApproval::Any => usize::MAX,
            DeletionApproval::AtMost(most) if most >= lost.len() => most,
            _ => site.prune.max.of(before.len()),
        };
        assert!(lost.len() <= most, "{} of {most}: {lost:?}", lost.len());
        let may = match site.prune.mode {
            PruneMode::Off => false,
            PruneMode::Confirm => self.options.deletions != DeletionApproval::None,
            PruneMode::Auto => true,
        };
        assert!(may, "{lost:?}");
        for key in lost {
            assert!(self.leaves(key).is_some() && !self.desired.objects.contains_key(key), "{key}");
        }
    }
}
