//! What a site no longer declares: who may go, how, on whose word, and what stops it.
//!
//! ```text
//! not declared ─► somebody else needs it ──────────────► kept, and why
//!              └► its deletion, or its users' ─► park │ delete │ retain
//!                    mode off ─► kept    confirm, no word yet ─► pending    else ─► goes, within the guards
//! parked ─► declared again, `undelete` ─► back        its time is over ─► goes
//! ```
//!
//! What a parked object needs is parked with it, so that it can come back.

use super::candidates::{Candidate, Candidates, Owners, View, owned, settle};
use super::deletions::{Leaving, user_words};
use super::goal::{DeletionApproval, PlanOptions};
use super::intent::{Going, Guard, intents};
use super::join::Joined;
use super::parking::{expire, expired, grace, later, list_parked, still_running};
use super::users::users;
use super::world::{World, recorded};
use crate::model::desired::Desired;
use crate::model::key::{Key, Kind};
use crate::model::object::{Object, Spec};
use crate::model::observed::Observed;
use crate::model::prune::{DEFAULT_SITE, Deletion, Prune, PruneEmpty, PruneMode};
use crate::model::record::{Owner, Record};
use crate::model::step::Cause;
use crate::model::time_span::TimeSpan;
use jiff::Timestamp;
use std::collections::BTreeSet;

/// The owners of what a load declares: its site, and the one that this was before.
pub fn owners(desired: &Desired) -> BTreeSet<Owner> {
    let former = desired.moved_from.get(&Key::site(&desired.site));
    let sites = std::iter::once(&desired.site).chain(former);
    sites.map(|site| Owner::Site(site.clone())).collect()
}

/// What the site of a load no longer declares, and what of it was parked long enough.
pub fn site(
    world: &mut World<'_>,
    desired: &Desired,
    observed: &Observed,
    joined: &Joined<'_>,
    options: &PlanOptions,
) {
    let owners = owners(desired);
    let is_left = |(key, record): (&Key, &Record)| {
        owners.contains(&record.owner) && (record.parked.is_some() || !desired.objects.contains_key(key))
    };
    if !observed.records.iter().any(is_left) {
        return; // the usual case costs one look at each record
    }
    let users = users(world, observed, joined, options);
    let declared = world.targets.keys().cloned().collect();
    let view = View { observed, joined, users, declared, owners: Owners::These(owners) };
    let site = Key::site(&desired.site);
    let settings = match desired.objects.get(&site).map(|object| &object.spec) {
        Some(Spec::Site(site)) => Some(&site.prune),
        _ => None,
    };
    let mut fresh = undeclared(world, &view, desired, options, grace(desired.objects.get(&site)));
    let idle = match settings {
        _ if !options.only.is_empty() => Some("--only never prunes"),
        _ if desired.site == DEFAULT_SITE => Some("site default is never pruned"),
        None => Some("the load has no Site document"),
        Some(settings) if settings.mode == PruneMode::Off => Some("prune.mode is off"),
        Some(_) => None,
    };
    if let Some(why) = idle {
        for key in std::mem::take(&mut fresh).into_keys() {
            keep(world, &key, why.to_owned());
        }
    }
    let old = expired(&view, options);
    if options.only.is_empty() {
        decide(world, &view, desired, options, (fresh, old), settings);
        renamed(world, &view, desired);
        still_running(world, &view);
    }
    list_parked(world, &view);
}

/// The objects that the load does not declare any more, each with the way in which it would go by itself.
fn undeclared(
    world: &mut World<'_>,
    view: &View<'_>,
    desired: &Desired,
    options: &PlanOptions,
    grace: TimeSpan,
) -> Candidates {
    let mut candidates = Candidates::new();
    for (key, record) in owned(view) {
        let declared = desired.objects.contains_key(key);
        if declared || record.retiring || record.parked.is_some() || key.kind == Kind::Site {
            continue;
        }
        if desired.external.contains(key) {
            keep(world, key, "it is declared external here".to_owned());
        } else if record.undeleted {
            keep(world, key, "undeleted by hand".to_owned());
        } else {
            let until = later(options.now, grace);
            candidates.insert(key.clone(), candidate(view, key, record, until));
        }
    }
    candidates
}

fn candidate(view: &View<'_>, key: &Key, record: &Record, until: Timestamp) -> Candidate {
    let way = recorded(record).map_or(Deletion::Delete, Object::deletion);
    // A container that was never made has nothing to come back to.
    let way = match (way, key.kind) {
        (Deletion::Park, Kind::Container) if view.joined.view(key).root.is_none() => Deletion::Delete,
        (way, _) => way,
    };
    Candidate { way, until: (way == Deletion::Park).then_some(until) }
}

fn decide(
    world: &mut World<'_>,
    view: &View<'_>,
    desired: &Desired,
    options: &PlanOptions,
    (fresh, old): (Candidates, Candidates),
    settings: Option<&Prune>,
) {
    let mut all = fresh.clone();
    all.extend(old.clone());
    for (key, user) in settle(view, &mut all) {
        if fresh.contains_key(&key) {
            let user = user_words(&user, view.observed);
            keep(world, &key, format!("{user} uses it"));
        }
    }
    let (going, settled): (Candidates, Candidates) =
        all.into_iter().partition(|(key, _)| fresh.contains_key(key));
    let Some(settings) = settings.filter(|_| !going.is_empty()) else {
        expire(world, view, &settled);
        return;
    };
    world.guards = guards(view, desired, options, going.len(), settings);
    let waits = settings.mode == PruneMode::Confirm && options.deletions == DeletionApproval::None;
    let told = going.iter().map(|(key, to)| Going {
        key: key.clone(),
        set: view
            .observed
            .records
            .get(key)
            .and_then(recorded)
            .and_then(|object| object.meta.member_of.clone()),
        way: to.way,
        until: to.until,
    });
    world.intents = intents(&desired.site, told, waits);
    if waits {
        world.waiting = going.into_iter().map(|(key, to)| (key, to.way)).collect();
        let mut settled = old;
        settle(view, &mut settled);
        expire(world, view, &settled);
        return;
    }
    for (key, to) in going {
        let why = format!("site {} no longer declares it", desired.site);
        let leaving = Leaving { way: to.way, until: to.until, cause: Cause::Change, why };
        world.leaving.insert(key, leaving);
    }
    expire(world, view, &settled);
}

/// What stops the whole apply before its first step.
fn guards(
    view: &View<'_>,
    desired: &Desired,
    options: &PlanOptions,
    count: usize,
    settings: &Prune,
) -> Vec<Guard> {
    match options.deletions {
        DeletionApproval::Any => return vec![],
        DeletionApproval::AtMost(most) if count <= most => return vec![],
        DeletionApproval::AtMost(most) => {
            let message = format!("{} would be pruned, {most} allowed", objects(count));
            return vec![Guard::new("delete", message, count)];
        }
        DeletionApproval::None | DeletionApproval::Confirmed => {}
    }
    let mut guards = vec![];
    let counted = owned(view)
        .filter(|(key, record)| key.kind != Kind::Site && record.parked.is_none() && !record.retiring);
    let total = counted.count();
    let most = settings.max.of(total);
    if count > most {
        let message = format!(
            "{count} of {} would be pruned, and prune.max is {} ({most})",
            objects(total),
            settings.max
        );
        guards.push(Guard::new("prune.max", message, count));
    }
    let mut declared = desired.objects.keys().filter(|key| !desired.builtin.contains(*key));
    let is_empty = declared.all(|key| key.kind == Kind::Site);
    if is_empty && settings.empty == PruneEmpty::Refuse {
        let message =
            format!("the load declares no object, and site {} has {}", desired.site, objects(total));
        guards.push(Guard::new("prune.empty", message, count));
    }
    guards
}

fn objects(count: usize) -> String {
    if count == 1 { "1 object".to_owned() } else { format!("{count} objects") }
}

/// The record of a site that has another name now goes with the last object of that name.
fn renamed(world: &mut World<'_>, view: &View<'_>, desired: &Desired) {
    let Some(former) = desired.moved_from.get(&Key::site(&desired.site)) else { return };
    let key = Key::site(former);
    if !view.observed.records.contains_key(&key) || desired.objects.contains_key(&key) {
        return;
    }
    let users = view.users.get(&key).into_iter().flatten();
    let goes = |user: &Key| world.leaving.get(user).is_some_and(|leaving| leaving.way != Deletion::Park);
    let left: Vec<&Key> = users.filter(|user| !world.targets.contains_key(*user) && !goes(user)).collect();
    if left.is_empty() {
        let why = format!("it is site {} now", desired.site);
        let leaving = Leaving { way: Deletion::Retain, until: None, cause: Cause::Change, why };
        world.leaving.insert(key, leaving);
    } else {
        let names: Vec<String> = left.iter().map(|key| key.to_string()).collect();
        keep(world, &key, format!("it still has {}", names.join(", ")));
    }
}

fn keep(world: &mut World<'_>, key: &Key, why: String) {
    world.kept.insert(key.clone(), why);
}
