//! `why`: one object explained. Looks at that object and what it refers to, no more, where it is known by its record
//! or declared by the manifests at hand.

use super::load;
use super::plan::{Moment, recorded_objects, unknown};
use super::sets::is_member;
use crate::api::error::{Failure, FailureKind};
use crate::api::types::{GoalRequest, PlanRequest, WhyRequest};
use crate::daemon::wiring::Bay;
use crate::driver::Scope;
use crate::model::desired::Desired;
use crate::model::key::{Key, Kind};
use crate::model::object::Object;
use crate::model::observed::Observed;
use crate::model::origin::{FieldOrigins, Layer, Origin, Place};
use crate::model::step::Action;
use crate::model::words::did_you_mean;
use crate::reconcile::needs::with_needs;
use crate::reconcile::plan::Plan;
use crate::reconcile::why::{self, Explanation, Subject, Value};
use crate::spec::Loaded;
use crate::spec::registry::{INSTANCE, NETWORK, POOL, Support, Table};
use std::collections::{BTreeMap, BTreeSet};

impl Bay {
    pub fn why(&self, request: &WhyRequest) -> Result<Explanation, Failure> {
        let key = &request.key;
        let loaded = match &request.manifests {
            Some(manifests) => Some(load::load(&manifests.texts(), &self.machine()?)?),
            None => None,
        };
        if key.kind == Kind::ContainerSet {
            return self.set(key, loaded.as_ref());
        }
        let (plan, observed) = match &loaded {
            None => self.recorded_plan(request)?,
            Some(loaded) => self.declared_plan(request, loaded)?,
        };
        let subject = Subject {
            key,
            plan: &plan,
            observed: &observed,
            desired: loaded.as_ref().map(|loaded| &loaded.desired),
            elsewhere: loaded.as_ref().and_then(|loaded| loaded.elsewhere.get(key)),
        };
        let Some(explanation) = why::explain(&subject) else {
            return Err(self.unknown(key, loaded.as_ref()));
        };
        match &request.field {
            None => Ok(explanation),
            Some(field) => narrowed(&explanation, field),
        }
    }

    /// From what was last declared.
    fn recorded_plan(&self, request: &WhyRequest) -> Result<(Plan, Observed), Failure> {
        let observed = self.observe(&Scope::Keys(BTreeSet::from([request.key.clone()])))?;
        let request = plan_request(GoalRequest::Recorded, request);
        let plan = self.plan_for(&request, (&Desired::default(), vec![]), &observed, Moment::now())?;
        Ok((plan, observed))
    }

    /// From manifests. What they do not declare is a matter of the whole load: whether it goes, and how.
    fn declared_plan(&self, request: &WhyRequest, loaded: &Loaded) -> Result<(Plan, Observed), Failure> {
        let goal = GoalRequest::Site(request.manifests.clone().unwrap_or_default());
        let mut wanted = plan_request(goal, request);
        let plan = |wanted: &PlanRequest, observed: &Observed| {
            self.plan_for(wanted, (&loaded.desired, vec![]), observed, Moment::now())
        };
        if loaded.desired.objects.contains_key(&request.key) {
            let observed = self
                .observe(&Scope::Keys(with_needs([&request.key], |key| loaded.desired.objects.get(key))))?;
            let near = plan(&wanted, &observed)?;
            if !allocates(&near, &observed) {
                return Ok((near, observed));
            }
        } else {
            wanted.only.clear();
        }
        let observed = self.observe(&Scope::All)?;
        Ok((plan(&wanted, &observed)?, observed))
    }

    /// A set is no object: it is told by its members.
    fn set(&self, key: &Key, loaded: Option<&Loaded>) -> Result<Explanation, Failure> {
        let observed = self.observe(&Scope::All)?;
        let of_set = |(member, object): (&Key, &Object), origins: Option<&FieldOrigins>| {
            let place = origins.and_then(|origins| origins.get("")).and_then(|origin| origin.place.clone());
            is_member(object, key).then(|| (member.clone(), place))
        };
        let members: BTreeMap<Key, Option<Place>> = match loaded {
            Some(Loaded { desired, .. }) => {
                let objects = desired.objects.iter();
                objects.filter_map(|one| of_set(one, desired.origins.get(one.0))).collect()
            }
            None => {
                let origins = |key: &Key| observed.records.get(key).map(|record| &record.origins);
                recorded_objects(&observed).filter_map(|one| of_set(one, origins(one.0))).collect()
            }
        };
        let elsewhere = loaded.and_then(|loaded| loaded.elsewhere.get(key));
        why::standing::of_set(&members, elsewhere)
            .map(|standing| Explanation::of_set(key, standing))
            .ok_or_else(|| self.unknown(key, loaded))
    }

    pub fn unknown(&self, key: &Key, loaded: Option<&Loaded>) -> Failure {
        let observed = self.observe(&Scope::All).unwrap_or_default();
        let declared = loaded.iter().flat_map(|loaded| loaded.desired.objects.keys());
        let keys = declared.chain(recorded_objects(&observed).map(|(key, _)| key));
        unknown(key, &observed, keys)
    }
}

/// Whether a plan gives out ids or addresses: for that, all that others use must be known.
fn allocates(plan: &Plan, observed: &Observed) -> bool {
    plan.steps.iter().any(|step| match &step.action {
        Action::PutRecord(update) if update.identity.is_some() => {
            observed.records.get(&step.key).is_none_or(|record| record.identity != update.identity)
        }
        _ => false,
    })
}

fn plan_request(goal: GoalRequest, request: &WhyRequest) -> PlanRequest {
    let only = BTreeSet::from([request.key.clone()]);
    PlanRequest { only, ..PlanRequest::new(goal, request.actor.clone()) }
}

/// The values that a field names; a config key that nothing sets has its default.
fn narrowed(explanation: &Explanation, field: &str) -> Result<Explanation, Failure> {
    if let Some(narrowed) = explanation.narrowed(field) {
        return Ok(narrowed);
    }
    let table = config_table(&explanation.key);
    let name = field.strip_prefix("config.").unwrap_or(field);
    let entry = table.and_then(|table| table.find(name)).filter(|entry| entry.support == Support::Supported);
    if let Some(entry) = entry {
        let value = Value {
            field: format!("config.{name}"),
            value: entry.default.map(str::to_owned),
            origin: Some(Origin::new(None, Layer::Default)),
            ..Value::default()
        };
        return Ok(Explanation { values: vec![value], ..explanation.clone() });
    }
    let fields = explanation.values.iter().flat_map(|value| {
        let short = value.field.strip_prefix("config.").unwrap_or(&value.field);
        [value.field.as_str(), short]
    });
    let known = table.into_iter().flat_map(Table::supported).map(|entry| entry.name);
    let help = did_you_mean(field, fields.chain(known));
    let help = help.unwrap_or_else(|| format!("`bayplan why {}` shows all that it has", explanation.key));
    let message = format!("{} has no {field}; {help}", explanation.key);
    Err(Failure::new(FailureKind::NotFound, message))
}

fn config_table(key: &Key) -> Option<&'static Table> {
    match key.kind {
        Kind::Container | Kind::Profile => Some(&INSTANCE),
        Kind::Network => Some(&NETWORK),
        Kind::StoragePool => Some(&POOL),
        _ => None,
    }
}
