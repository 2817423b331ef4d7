//! What is to go: deletions that are asked for, those that were begun and go on, and what protects from them.

use super::goal::PlanOptions;
use super::join::Joined;
use super::parking::{grace, later};
use super::users::users;
use super::world::{World, no_such, recorded};
use crate::model::finding::{Finding, Severity};
use crate::model::key::{Key, Kind};
use crate::model::object::Spec;
use crate::model::observed::Observed;
use crate::model::prune::Deletion;
use crate::model::record::{Owner, Parked, Record};
use crate::model::references::references;
use crate::model::step::Cause;
use crate::model::time_span::TimeSpan;
use crate::model::typed;
use jiff::Timestamp;
use std::collections::BTreeSet;

/// How an object goes, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaving {
    pub way: Deletion,
    /// Until when it is parked.
    pub until: Option<Timestamp>,
    pub cause: Cause,
    pub why: String,
}

impl Leaving {
    pub fn asked(why: &str) -> Leaving {
        Leaving { way: Deletion::Delete, until: None, cause: Cause::Verb, why: why.to_owned() }
    }
}

/// `delete`: these go at once.
pub fn delete<'a>(
    world: &mut World<'a>,
    keys: &BTreeSet<Key>,
    observed: &'a Observed,
    joined: &Joined<'a>,
    options: &PlanOptions,
) {
    for key in free(world, keys, observed, joined, options) {
        world.leaving.insert(key, Leaving::asked("delete"));
    }
}

/// `delete --park`: these containers are put out of service.
pub fn park<'a>(
    world: &mut World<'a>,
    keys: &BTreeSet<Key>,
    observed: &'a Observed,
    joined: &Joined<'a>,
    options: &PlanOptions,
) {
    for key in free(world, keys, observed, joined, options) {
        let record = observed.records.get(&key);
        let (Some(record), Kind::Container) = (record, key.kind) else {
            let message = format!("{key} cannot be parked: only containers with a record are");
            world.findings.push(error("not-parkable", &key, message, "delete it without --park"));
            continue;
        };
        if record.parked.is_some() {
            continue;
        }
        let until = Some(later(options.now, owner_grace(&record.owner, observed)));
        world.leaving.insert(key, Leaving { way: Deletion::Park, until, ..Leaving::asked("delete --park") });
    }
}

fn owner_grace(owner: &Owner, observed: &Observed) -> TimeSpan {
    let site = match owner {
        Owner::Site(site) => observed.records.get(&Key::site(site)).and_then(recorded),
        Owner::System | Owner::Api => None,
    };
    grace(site)
}

/// Those of `keys` that nothing else uses; the others are findings.
fn free<'a>(
    world: &mut World<'a>,
    keys: &BTreeSet<Key>,
    observed: &'a Observed,
    joined: &Joined<'a>,
    options: &PlanOptions,
) -> Vec<Key> {
    let all_users = users(world, observed, joined, options);
    let mut free = vec![];
    for key in keys {
        if !observed.records.contains_key(key) && joined.view(key).root.is_none() {
            world.findings.push(no_such(key, observed.records.keys()));
            continue;
        }
        let users = all_users.get(key).into_iter().flatten().filter(|user| !keys.contains(user));
        let users: Vec<String> = users.map(|user| user_words(user, observed)).collect();
        if users.is_empty() {
            free.push(key.clone());
        } else {
            let message = format!("{key} is used by {}", users.join(", "));
            let help = format!("delete {} as well, or change what they refer to", users.join(", "));
            world.findings.push(error("in-use", key, message, &help));
        }
    }
    free
}

/// A user's key; of one that nobody sees running, why it counts.
pub fn user_words(key: &Key, observed: &Observed) -> String {
    match observed.records.get(key).and_then(|record| record.parked.as_ref()) {
        Some(parked) => format!("{key} (parked until {:.0})", parked.until),
        None => key.to_string(),
    }
}

/// Deletions that were begun go on, but for what is declared again or needed again.
pub fn retire<'a>(world: &mut World<'a>, observed: &'a Observed, joined: &Joined<'a>, options: &PlanOptions) {
    let retiring = observed.records.iter().filter(|(_, record)| record.retiring);
    let mut keys: BTreeSet<Key> = retiring.map(|(key, _)| key.clone()).collect();
    keys.retain(|key| !world.targets.contains_key(key));
    if keys.is_empty() {
        return;
    }
    let goes = |leaving: &Leaving| leaving.way == Deletion::Delete;
    let mut leaving = keys.clone();
    leaving.extend(world.leaving.iter().filter(|(_, leaving)| goes(leaving)).map(|(key, _)| key.clone()));
    let needed: BTreeSet<Key> = world.targets.values().flat_map(|target| references(target.object)).collect();
    let users = users(world, observed, joined, options);
    keys.retain(|key| {
        let mut users = users.get(key).into_iter().flatten();
        !needed.contains(key) && users.all(|user| leaving.contains(user))
    });
    for key in keys {
        world.leaving.insert(key, Leaving::asked("delete"));
    }
}

/// `security.protection.delete` refuses the plan; where findings do not count, its object stays.
pub fn refuse_protected(world: &mut World<'_>, observed: &Observed) {
    let asked = world.leaving.iter().filter(|(_, leaving)| leaving.way != Deletion::Retain);
    let mut keys: BTreeSet<Key> = asked.map(|(key, _)| key.clone()).collect();
    keys.extend(
        world.waiting.iter().filter(|(_, way)| **way != Deletion::Retain).map(|(key, _)| key.clone()),
    );
    for key in keys {
        let Some(record) = observed.records.get(&key).filter(|record| is_protected(record)) else { continue };
        let path = "config.security.protection.delete";
        let place = record.origins.get(path).and_then(|origin| origin.place.as_ref());
        let place = place.map_or(String::new(), |place| format!(" ({}:{})", place.file, place.line));
        let site = world.intents.first().map_or("", |intent| intent.site.as_str());
        let waits = format!("site {site} no longer declares it");
        let why = world.leaving.get(&key).map_or(&waits, |leaving| &leaving.why);
        let message = format!("{key} is protected by security.protection.delete{place}, and would go: {why}");
        let help = "keep it declared, or first apply it with security.protection.delete: false";
        world.findings.push(error("protected", &key, message, help));
        world.leaving.remove(&key);
    }
}

fn is_protected(record: &Record) -> bool {
    match recorded(record).map(|object| &object.spec) {
        Some(Spec::Container(container)) => typed::protected_from_delete(&container.config),
        _ => false,
    }
}

/// The finding of a verb on what is on its way out.
pub fn leaving(key: &Key) -> Finding {
    let help = format!("`bayplan delete {key}` goes on; declaring and applying it makes it anew");
    error("being-deleted", key, format!("{key} is being deleted"), &help)
}

/// The finding of a verb on what is parked.
pub fn parked(key: &Key, parked: &Parked) -> Finding {
    let message = format!("{key} is parked until {:.0}", parked.until);
    error("parked", key, message, &format!("`bayplan undelete {key}` brings it back"))
}

/// An error about an object, wherever it is written.
pub fn error(code: &'static str, key: &Key, message: String, help: &str) -> Finding {
    let (severity, help) = (Severity::Error, Some(help.to_owned()));
    Finding { severity, code, place: None, key: Some(key.clone()), message, help }
}
