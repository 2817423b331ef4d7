//! Parked objects: what became of those whose time is over, and the rest of a parking that was interrupted.

use super::candidates::{Candidate, Candidates, Owners, View, owned, parking, settle};
use super::deletions::Leaving;
use super::goal::PlanOptions;
use super::join::Joined;
use super::users::users;
use super::world::{World, recorded};
use crate::model::object::{Object, Spec};
use crate::model::observed::Observed;
use crate::model::prune::{Deletion, Prune};
use crate::model::step::Cause;
use crate::model::time_span::TimeSpan;
use jiff::{SignedDuration, Timestamp};

/// Healing: of every owner, what was parked long enough goes.
pub fn recorded_sites(
    world: &mut World<'_>,
    observed: &Observed,
    joined: &Joined<'_>,
    options: &PlanOptions,
) {
    if observed.records.values().all(|record| record.parked.is_none()) {
        return;
    }
    let declared = world.targets.keys().cloned().collect();
    let users = users(world, observed, joined, options);
    let view = View { observed, joined, users, declared, owners: Owners::All };
    let old = expired(&view, options);
    let mut settled = old.clone();
    settle(&view, &mut settled);
    expire(world, &view, &settled);
    still_running(world, &view);
    list_parked(world, &view);
}

/// What was parked, and whose time is over.
pub fn expired(view: &View<'_>, options: &PlanOptions) -> Candidates {
    let parked = owned(view).filter(|(_, record)| !record.retiring);
    let over = parked.filter(|(_, record)| parking(record).is_some_and(|parked| parked.until <= options.now));
    over.map(|(key, record)| {
        let way = match recorded(record).map(Object::deletion) {
            Some(Deletion::Retain) => Deletion::Retain,
            _ => Deletion::Delete,
        };
        (key.clone(), Candidate { way, until: None })
    })
    .collect()
}

/// Carries out what became of parked objects whose time is over.
pub fn expire(world: &mut World<'_>, view: &View<'_>, settled: &Candidates) {
    for (key, to) in settled {
        let Some(parked) = view.observed.records.get(key).and_then(parking) else { continue };
        let (way, until) = (to.way, to.until);
        if way == Deletion::Park && until == Some(parked.until) {
            continue;
        }
        let why = match way {
            Deletion::Park => "what needs it is parked for longer".to_owned(),
            Deletion::Delete | Deletion::Retain => {
                format!("parked until {:.0}: its time is over", parked.until)
            }
        };
        world.leaving.insert(key.clone(), Leaving { way, until, cause: Cause::Consequence, why });
    }
}

/// A parking that was interrupted: it is marked, and still runs.
pub fn still_running(world: &mut World<'_>, view: &View<'_>) {
    for (key, record) in owned(view).filter(|(_, record)| !record.retiring) {
        let Some(parked) = parking(record) else { continue };
        let runs = view.joined.view(key).run.is_some();
        if runs && !world.leaving.contains_key(key) && !world.targets.contains_key(key) {
            let why = "it is parked, and still runs".to_owned();
            let until = Some(parked.until);
            let leaving = Leaving { way: Deletion::Park, until, cause: Cause::Consequence, why };
            world.leaving.insert(key.clone(), leaving);
        }
    }
}

/// What is parked, and stays so for now.
pub fn list_parked(world: &mut World<'_>, view: &View<'_>) {
    for (key, record) in owned(view) {
        if let Some(parked) = parking(record)
            && !world.targets.contains_key(key)
            && world.leaving.get(key).is_none_or(|leaving| leaving.way == Deletion::Park)
        {
            world.parked.insert(key.clone(), parked.until);
        }
    }
}

/// How long the containers of a site stay parked.
pub fn grace(site: Option<&Object>) -> TimeSpan {
    match site.map(|object| &object.spec) {
        Some(Spec::Site(site)) => site.prune.grace,
        _ => Prune::DEFAULT_GRACE,
    }
}

/// The time that is so long after `now`.
pub fn later(now: Timestamp, wait: TimeSpan) -> Timestamp {
    let wait = SignedDuration::from_millis(i64::try_from(wait.milliseconds()).unwrap_or(i64::MAX));
    now.checked_add(wait).unwrap_or(Timestamp::MAX)
}
