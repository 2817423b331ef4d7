//! A plan that waits in a file: made here, and planned again when it is to be carried out. It holds only where the host
//! is as it was, and where the same request makes the same plan again.
//!
//! ```text
//! other machine, driver, state folder ──► refused
//! the imprint is another one ───────────► moved: what is named
//! planned again as of then: another ────► moved: a content, an id or an address
//! planned again as of now: another ─────► moved: time (a hold has ended)
//! else ─────────────────────────────────► the plan, with the times of now
//! ```

use super::plan::{Moment, digest};
use crate::api::error::{Failure, FailureKind};
use crate::api::saved::{Basis, Home, SavedPlan, exact_digest};
use crate::api::types::PlanRequest;
use crate::daemon::wiring::{Bay, Places};
use crate::driver::Scope;
use crate::driver::native::real_path;
use crate::model::key::Key;
use crate::model::object::{Object, Spec};
use crate::model::observed::Host;
use crate::reconcile::contents::of_container;
use crate::reconcile::imprint::imprint;
use crate::reconcile::plan::Plan;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// What a refused plan's user does next.
const ANEW: &str = "nothing was changed; make the plan anew with `bayplan plan --out FILE`";

/// So many things that moved are named.
const NAMED: usize = 8;

impl Bay {
    /// What would be done, and what it stands on.
    pub fn save(&self, request: &PlanRequest) -> Result<SavedPlan, Failure> {
        let observed = self.observe(&Scope::All)?;
        let moment = Moment::now();
        let plan = self.plan_on(request, &observed, moment)?;
        if let (Some(native), true) = (self.native(), plan.objects.values().any(|c| has_contents(&c.after))) {
            let kept = native.keep_digest_key();
            kept.map_err(|error| Failure::from_error(FailureKind::Host, &error))?;
        }
        let imprint = imprint(&observed);
        let basis = Basis {
            at: moment.now,
            seed: moment.seed,
            home: self.home(&observed.host)?,
            observed: imprint.hash(),
            imprint,
            approval: request.approval,
            deletions: request.deletions,
            actor: request.actor.clone(),
            plan: whole(&plan)?,
            objects: by_object(&plan)?,
        };
        Ok(SavedPlan::new(request.clone(), basis, plan))
    }

    /// The saved plan, with the times of now; more than it is planned where more is approved than was.
    pub fn plan_as_saved(&self, request: &PlanRequest, basis: &Basis) -> Result<Plan, Failure> {
        let observed = self.observe(&Scope::All)?;
        refuse_other_machine(&basis.home, &observed.host)?;
        let driver = self.places.driver.word();
        if basis.home.driver != driver {
            return Err(elsewhere("driver", &basis.home.driver, driver));
        }
        refuse_other_state(&basis.home, &self.places)?;
        let moved = basis.imprint.moved(&imprint(&observed));
        if !moved.is_empty() {
            return Err(has_moved(&moved));
        }
        let asked = PlanRequest {
            approval: basis.approval,
            deletions: basis.deletions,
            actor: basis.actor.clone(),
            ..request.clone()
        };
        let then = self.plan_on(&asked, &observed, Moment { now: basis.at, seed: basis.seed })?;
        if whole(&then)? != basis.plan {
            return Err(other_plan(basis, &by_object(&then)?));
        }
        let moment = Moment { seed: basis.seed, ..Moment::now() };
        let now = self.plan_on(&asked, &observed, moment)?;
        if digest(&now) != digest(&then) {
            let message =
                format!("time has passed since the plan was made, and a hold or a grace with it; {ANEW}");
            return Err(Failure::new(FailureKind::Moved, message));
        }
        if (request.approval, request.deletions) == (basis.approval, basis.deletions) {
            return Ok(now);
        }
        self.plan_on(request, &observed, moment)
    }

    fn home(&self, machine: &Host) -> Result<Home, Failure> {
        Ok(Home {
            machine_id: machine.machine_id.clone(),
            hostname: machine.hostname.clone(),
            driver: self.places.driver.word().to_owned(),
            state: state_path(&self.places)?,
        })
    }
}

/// Its digests are only worth something with the key that they were made with.
fn has_contents(object: &Option<Object>) -> bool {
    match object.as_ref().map(|object| &object.spec) {
        Some(Spec::Container(container)) => of_container(container).next().is_some(),
        _ => false,
    }
}

fn whole(plan: &Plan) -> Result<String, Failure> {
    exact_digest(plan).map_err(|error| Failure::from_error(FailureKind::Host, &error))
}

fn by_object(plan: &Plan) -> Result<BTreeMap<Key, String>, Failure> {
    let digests = plan.steps.chunk_by(|a, b| a.key == b.key).filter_map(|steps| {
        let key = steps.first()?.key.clone();
        Some(exact_digest(&steps).map(|digest| (key, digest)))
    });
    digests.collect::<Result<_, _>>().map_err(|error| Failure::from_error(FailureKind::Host, &error))
}

fn state_path(places: &Places) -> Result<PathBuf, Failure> {
    real_path(&places.state).map_err(|error| Failure::from_error(FailureKind::Host, &error))
}

fn refuse_other_machine(then: &Home, now: &Host) -> Result<(), Failure> {
    if then.machine_id == now.machine_id {
        return Ok(());
    }
    let name = |hostname: &str, id: &str| format!("{hostname} (machine id {id})");
    let (then, now) = (name(&then.hostname, &then.machine_id), name(&now.hostname, &now.machine_id));
    Err(elsewhere("host", &then, &now))
}

/// What is known before anything is opened or made.
pub fn refuse_other_state(then: &Home, places: &Places) -> Result<(), Failure> {
    let state = state_path(places)?;
    if then.state != state {
        return Err(elsewhere(
            "state folder",
            &then.state.display().to_string(),
            &state.display().to_string(),
        ));
    }
    Ok(())
}

fn elsewhere(what: &str, then: &str, now: &str) -> Failure {
    let message = format!("the plan was made for {what} {then}, this is {now}; {ANEW}");
    Failure::new(FailureKind::Refused, message)
}

fn has_moved(things: &[String]) -> Failure {
    let message = format!("the host has moved since the plan was made: {}; {ANEW}", named(things));
    Failure::new(FailureKind::Moved, message)
}

/// The host's facts are the same, and the plan is not: what it takes from elsewhere has changed.
fn other_plan(basis: &Basis, now: &BTreeMap<Key, String>) -> Failure {
    let keys: BTreeSet<&Key> = basis.objects.keys().chain(now.keys()).collect();
    let other: Vec<String> =
        keys.into_iter().filter(|key| basis.objects.get(*key) != now.get(*key)).map(Key::to_string).collect();
    let whose = if other.is_empty() { String::new() } else { format!(" for {}", named(&other)) };
    let message = format!(
        "what the plan stands on has changed since it was made{whose}: a file or a secret that is used, an id or an \
         address that others took, or the host's abilities; {ANEW}"
    );
    Failure::new(FailureKind::Moved, message)
}

fn named(things: &[String]) -> String {
    let more = things.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", things[..things.len().min(NAMED)].join(", "))
}
