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

use super::deletions::{Leaving, user_words};
use super::goal::{DeletionApproval, PlanOptions};
use super::intent::{Guard, intents};
use super::join::Joined;
use super::users::{Users, users};
use super::world::{World, recorded};
use crate::model::desired::Desired;
use crate::model::key::{Key, Kind};
use crate::model::object::{Object, Spec};
use crate::model::observed::Observed;
use crate::model::prune::{Deletion, Prune, PruneEmpty, PruneMode};
use crate::model::record::{Owner, Parked, Record};
use crate::model::step::Cause;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// The site of objects that are loaded without a Site document.
pub const DEFAULT_SITE: &str = "default";

/// What is looked at.
struct View<'a> {
    observed: &'a Observed,
    joined: &'a Joined<'a>,
    /// Of the objects that would leave or stay.
    users: Users,
    /// What is converged: it does not go.
    declared: BTreeSet<Key>,
    /// The owners whose objects may go.
    owners: Owners,
}

/// Whose objects are looked at.
#[derive(Clone)]
enum Owners {
    All,
    These(BTreeSet<Owner>),
}

impl Owners {
    fn have(&self, owner: &Owner) -> bool {
        match self {
            Owners::All => true,
            Owners::These(owners) => owners.contains(owner),
        }
    }
}

/// One that may go.
#[derive(Debug, Clone, PartialEq)]
struct Candidate {
    way: Deletion,
    until: Option<Timestamp>,
}

type Candidates = BTreeMap<Key, Candidate>;

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
    let users = users(world, observed, joined);
    let declared = world.targets.keys().cloned().collect();
    let view = View { observed, joined, users, declared, owners: Owners::These(owners(desired)) };
    let site = Key::site(&desired.site);
    let settings = match desired.objects.get(&site).map(|object| &object.spec) {
        Some(Spec::Site(site)) => Some(&site.prune),
        _ => None,
    };
    let mut fresh = undeclared(world, &view, desired, options, grace_ms(desired.objects.get(&site)));
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

/// Healing: of every owner, what was parked long enough goes.
pub fn recorded_sites(
    world: &mut World<'_>,
    observed: &Observed,
    joined: &Joined<'_>,
    options: &PlanOptions,
) {
    let declared = world.targets.keys().cloned().collect();
    let users = users(world, observed, joined);
    let view = View { observed, joined, users, declared, owners: Owners::All };
    let old = expired(&view, options);
    let mut settled = old.clone();
    settle(&view, &mut settled);
    expire(world, &view, &settled);
    still_running(world, &view);
    list_parked(world, &view);
}

/// The objects that the load does not declare any more, each with the way in which it would go by itself.
fn undeclared(
    world: &mut World<'_>,
    view: &View<'_>,
    desired: &Desired,
    options: &PlanOptions,
    grace_ms: u64,
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
            let until = later(options.now, grace_ms);
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

fn owned<'v>(view: &'v View<'_>) -> impl Iterator<Item = (&'v Key, &'v Record)> {
    view.observed.records.iter().filter(|(_, record)| view.owners.have(&record.owner))
}

/// What was parked, and whose time is over.
fn expired(view: &View<'_>, options: &PlanOptions) -> Candidates {
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

fn parking(record: &Record) -> Option<&Parked> {
    record.parked.as_ref()
}

/// Makes each candidate go no further than its users do. Answers who stays, and for whom.
fn settle(view: &View<'_>, candidates: &mut Candidates) -> BTreeMap<Key, Key> {
    let mut stay = BTreeMap::new();
    loop {
        let mut changed = false;
        for key in candidates.keys().cloned().collect::<Vec<_>>() {
            match verdict(view, candidates, &key) {
                Ok(candidate) if candidates.get(&key) != Some(&candidate) => {
                    candidates.insert(key, candidate);
                    changed = true;
                }
                Ok(_) => {}
                Err(user) => {
                    candidates.remove(&key);
                    stay.insert(key, user);
                    changed = true;
                }
            }
        }
        if !changed {
            return stay;
        }
    }
}

/// How `key` goes when its users go as they do now; Err: the user for whom it stays.
fn verdict(view: &View<'_>, candidates: &Candidates, key: &Key) -> Result<Candidate, Key> {
    let mut own = candidates.get(key).cloned().unwrap_or(Candidate { way: Deletion::Delete, until: None });
    for user in view.users.get(key).into_iter().flatten() {
        let record = view.observed.records.get(user);
        let until = match (candidates.get(user), record) {
            (Some(Candidate { way: Deletion::Delete, .. }), _) => continue,
            (None, Some(record)) if record.retiring && !view.declared.contains(user) => continue,
            // What is left on the host, now or long ago, needs what it stands on to be left there too.
            (Some(Candidate { way: Deletion::Retain, .. }), _) | (None, None) => {
                if own.way == Deletion::Delete {
                    own.way = Deletion::Retain;
                }
                continue;
            }
            (Some(Candidate { way: Deletion::Park, until }), _) => *until,
            (None, Some(record)) => match parking(record).filter(|_| view.owners.have(&record.owner)) {
                Some(parked) => Some(parked.until),
                None => return Err(user.clone()),
            },
        };
        own = Candidate { way: Deletion::Park, until: own.until.max(until) };
    }
    Ok(own)
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
    world.intents =
        intents(&desired.site, going.iter().map(|(key, to)| (key.clone(), to.way, to.until)), waits);
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

/// Carries out what became of parked objects whose time is over.
fn expire(world: &mut World<'_>, view: &View<'_>, settled: &Candidates) {
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
fn still_running(world: &mut World<'_>, view: &View<'_>) {
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

fn list_parked(world: &mut World<'_>, view: &View<'_>) {
    for (key, record) in owned(view) {
        if let Some(parked) = parking(record)
            && !world.targets.contains_key(key)
            && world.leaving.get(key).is_none_or(|leaving| leaving.way == Deletion::Park)
        {
            world.parked.insert(key.clone(), parked.until);
        }
    }
}

fn keep(world: &mut World<'_>, key: &Key, why: String) {
    world.kept.insert(key.clone(), why);
}

/// How long the containers of a site stay parked.
pub fn grace_ms(site: Option<&Object>) -> u64 {
    match site.map(|object| &object.spec) {
        Some(Spec::Site(site)) => site.prune.grace_ms,
        _ => Prune::DEFAULT_GRACE_MS,
    }
}

pub fn later(now: Timestamp, wait_ms: u64) -> Timestamp {
    let wait = SignedDuration::from_millis(i64::try_from(wait_ms).unwrap_or(i64::MAX));
    now.checked_add(wait).unwrap_or(Timestamp::MAX)
}
