//! `status`: one look at the host, and what `get`, `drift` and `plan` make of it, in short.

use super::listing::objects;
use super::plan::Moment;
use crate::api::error::Failure;
use crate::api::types::{
    Condition, ContainerCounts, DriftStatus, GoalRequest, HostStatus, OUTPUT_VERSION, ObjectStatus,
    OwnerStatus, ParkedStatus, PlanRequest,
};
use crate::daemon::wiring::Bay;
use crate::driver::Scope;
use crate::model::object::{Object, Spec, Unmanaged};
use crate::model::observed::Observed;
use crate::reconcile::drift::{Drift, drift};
use crate::reconcile::plan::Plan;
use crate::reconcile::unmanaged::UnmanagedContainer;
use crate::reconcile::world::recorded;
use std::collections::BTreeMap;

/// The most differences that are told; `drift` tells all.
const FEW: usize = 5;

impl Bay {
    /// What a host says of itself. Who serves it knows that of its daemon.
    pub fn host_status(&self) -> Result<HostStatus, Failure> {
        let (observed, moment) = (self.observe(&Scope::All)?, Moment::now());
        let request = PlanRequest::new(GoalRequest::Recorded, "status".to_owned());
        let plan = self.plan_on(&request, &observed, moment)?;
        let objects = objects(&observed, moment.now);
        let containers = ContainerCounts { broken: plan.broken.len(), ..counts(&objects) };
        Ok(HostStatus {
            version: OUTPUT_VERSION,
            bayplan: env!("CARGO_PKG_VERSION").to_owned(),
            hostname: observed.host.hostname.clone(),
            driver: self.places.driver.word().to_owned(),
            state_dir: self.places.state.clone(),
            daemon: None,
            owners: owners(&objects),
            containers,
            drift: in_short(drift(&plan)),
            unmanaged: told_unmanaged(&plan, &observed),
            pending: plan.pending,
            holds: plan.holds,
            parked: parked(&objects),
        })
    }
}

fn owners(objects: &[ObjectStatus]) -> Vec<OwnerStatus> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for object in objects {
        *counts.entry(&object.owner).or_default() += 1;
    }
    let status = |(owner, objects): (&str, usize)| OwnerStatus { owner: owner.to_owned(), objects };
    counts.into_iter().map(status).collect()
}

fn counts(objects: &[ObjectStatus]) -> ContainerCounts {
    let mut counts = ContainerCounts::default();
    for object in objects.iter().filter(|object| object.container.is_some()) {
        match object.state.as_str() {
            "running" => counts.running += 1,
            "stopped" => counts.stopped += 1,
            "frozen" => counts.frozen += 1,
            "missing" => counts.missing += 1,
            _ => {}
        }
        let is_not_ready = |condition: &Condition| condition.condition_type == "NotReady";
        counts.not_ready += usize::from(object.conditions.iter().any(is_not_ready));
    }
    counts
}

fn in_short(drift: Drift) -> DriftStatus {
    let count = drift.rows.len() + drift.broken.len();
    let rows = drift.rows.into_iter().take(FEW).collect();
    DriftStatus { count, rows, broken: drift.broken, not_applied: drift.not_applied.len() }
}

fn parked(objects: &[ObjectStatus]) -> Vec<ParkedStatus> {
    let parked = |object: &ObjectStatus| {
        Some(ParkedStatus { key: object.key.clone(), parked: object.parked.clone()? })
    };
    objects.iter().filter_map(parked).collect()
}

fn told_unmanaged(plan: &Plan, observed: &Observed) -> Option<Vec<UnmanagedContainer>> {
    let wants = |object: &Object| match &object.spec {
        Spec::Site(site) => site.unmanaged != Unmanaged::Ignore,
        _ => false,
    };
    let told = observed.records.values().filter_map(recorded).any(wants);
    told.then(|| plan.unmanaged.clone())
}
