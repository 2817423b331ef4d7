//! What stops a rename, and what was probably meant to be one.

use super::is_copy;
use crate::model::desired::Desired;
use crate::model::finding::{Finding, Severity};
use crate::model::key::{Key, Kind};
use crate::model::object::Spec;
use crate::model::observed::Observed;
use crate::model::record::Record;
use crate::model::renaming::{is_on_host, names};
use crate::reconcile::deletions::error;
use crate::reconcile::prune::owners;
use crate::reconcile::world::recorded;

/// The kinds of which it is said that one was probably renamed.
const PROPOSED: [Kind; 3] = [Kind::Container, Kind::Network, Kind::StoragePool];

/// A rename from what another site has, or to a name that something else has. `observed` is the host before it.
pub fn refused(desired: &Desired, observed: &Observed) -> Vec<Finding> {
    let owners = owners(desired);
    let mut findings = onto_taken(desired, observed);
    let on_host = desired.renamed_from.iter().filter(|(now, former)| {
        let record = observed.records.get(*former).filter(|record| !record.retiring);
        let is_ours = record.is_some_and(|record| owners.contains(&record.owner));
        is_on_host(now.kind) && is_ours && !observed.records.contains_key(*now)
    });
    for (now, former) in on_host {
        findings.extend(taken_on_host(desired, observed, (now, former)));
        findings.extend(mounted(desired, observed, (now, former)));
        let used = still_built_in(desired, (now, former));
        findings.extend(used.or_else(|| used_elsewhere(desired, observed, (now, former))));
    }
    let foreign = desired.renamed_from.iter().filter_map(|(now, former)| {
        let owner = &observed.records.get(former)?.owner;
        (!observed.records.contains_key(now) && !owners.contains(owner)).then_some((now, former, owner))
    });
    let finding = |(now, former, owner): (&Key, &Key, &_)| {
        let message = format!("{now} is renamed from {former}, which belongs to {owner}");
        let help = format!("first take {former} over under its name, then rename it");
        Finding { place: place(desired, now), ..error("renamed-elsewhere", now, message, &help) }
    };
    findings.extend(foreign.map(finding));
    findings
}

/// Without a word the other one would stay under that name, or come back, and the one that is meant would be pruned.
fn onto_taken(desired: &Desired, observed: &Observed) -> Vec<Finding> {
    let owners = owners(desired);
    let onto = |(now, former): (&Key, &Key)| {
        let before = observed.records.get(former).filter(|record| owners.contains(&record.owner))?;
        let in_service = before.parked.is_none() && !before.retiring && !desired.objects.contains_key(former);
        let taken =
            observed.records.get(now).filter(|record| in_service && !is_copy(record, (before, former)))?;
        let renamed = format!("{now} is renamed from {former}, and another {now} is");
        let (code, message, help) = match &taken.parked {
            Some(parked) => (
                "renamed-parked",
                format!("{renamed} parked until {:.0}", parked.until),
                format!("`bayplan delete {now}` removes the parked one; without renamedFrom it comes back"),
            ),
            None => (
                "renamed-taken",
                format!("{renamed} there beside it"),
                format!(
                    "`bayplan delete {now}` removes that one; without renamedFrom it stays, and {former} is no longer declared"
                ),
            ),
        };
        Some(Finding { place: place(desired, now), ..error(code, now, message, &help) })
    };
    let declared = desired.renamed_from.iter().filter(|(now, _)| desired.objects.contains_key(*now));
    declared.filter_map(onto).collect()
}

/// A link or folder without a record.
fn taken_on_host(desired: &Desired, observed: &Observed, (now, former): (&Key, &Key)) -> Option<Finding> {
    let (thing, is_taken) = match now.kind {
        Kind::Network => {
            let facts = observed.networks.get(&now.name);
            let has_bridge = observed.networks.contains_key(&former.name);
            // Where there is nothing to move, the network's own check says it.
            ("link", facts.is_some_and(|facts| facts.ours || has_bridge))
        }
        _ => ("pool", observed.pools.contains_key(&now.name)),
    };
    let message = format!("{now} is renamed from {former}, and the host has another {thing} {}", now.name);
    let help = format!("choose another name, or remove that {thing}");
    is_taken.then(|| Finding { place: place(desired, now), ..error("renamed-taken", now, message, &help) })
}

/// A pool inside the data folder has its name in its path.
fn mounted(desired: &Desired, observed: &Observed, (now, former): (&Key, &Key)) -> Option<Finding> {
    let facts = observed.pools.get(&former.name).filter(|facts| facts.is_mount_point)?;
    let keeps_path = match recorded(observed.records.get(former)?).map(|object| &object.spec) {
        Some(Spec::StoragePool(pool)) => pool.source.is_some(),
        _ => true,
    };
    let message = format!("{now} is renamed from {former}, whose folder {} is a mount point", facts.source);
    let help = "keep the name: a mount point cannot be renamed";
    (!keeps_path).then(|| Finding { place: place(desired, now), ..error("refused", now, message, help) })
}

/// Another site's manifests would still have the former name.
fn used_elsewhere(desired: &Desired, observed: &Observed, (now, former): (&Key, &Key)) -> Option<Finding> {
    let owners = owners(desired);
    let uses = |record: &Record| {
        let established = record.applied.as_ref().map(|applied| &applied.object);
        record.desired.iter().chain(established).any(|object| names(object, former))
    };
    let mut others = observed.records.iter().filter(|(_, record)| !owners.contains(&record.owner));
    let (user, record) = others.find(|(_, record)| uses(record))?;
    let message = format!("{now} is renamed from {former}, which {user} of {} names, too", record.owner);
    let help = format!("let {user} do without it first, or keep the name");
    Some(Finding { place: place(desired, now), ..error("renamed-used", now, message, &help) })
}

/// What a built-in object stands for is there as soon as something refers to it.
fn still_built_in(desired: &Desired, (now, former): (&Key, &Key)) -> Option<Finding> {
    desired.objects.get(former)?;
    let user = desired.objects.iter().find(|(_, object)| names(object, former)).map(|(key, _)| key);
    let user = user.map_or_else(|| "something".to_owned(), Key::to_string);
    let message = format!("{now} is renamed from {former}, which {user} still names");
    let help = format!("let {user} name {} instead", now.name);
    Some(Finding { place: place(desired, now), ..error("renamed-used", now, message, &help) })
}

/// One that vanishes and a new one that is just like it were probably one: proposes to say so.
pub fn proposals(desired: &Desired, observed: &Observed) -> Vec<Finding> {
    let owners = owners(desired);
    let in_service =
        |record: &&Record| owners.contains(&record.owner) && !record.retiring && record.parked.is_none();
    let vanished = observed.records.iter().filter(|(key, record)| {
        PROPOSED.contains(&key.kind) && in_service(record) && !desired.objects.contains_key(*key)
    });
    let vanished: Vec<(&Key, &Record)> = vanished.collect();
    if vanished.is_empty() {
        return vec![];
    }
    let appeared = desired.objects.iter().filter(|(key, object)| {
        let is_new = PROPOSED.contains(&key.kind) && !observed.records.contains_key(*key);
        is_new && object.meta.member_of.is_none() && !desired.renamed_from.contains_key(*key)
    });
    let mut proposals = vec![];
    for (key, object) in appeared {
        let like = |(_, record): &&(&Key, &Record)| {
            recorded(record).is_some_and(|before| before.spec == object.spec)
        };
        let mut alike = vanished.iter().filter(like);
        let (Some((former, _)), None) = (alike.next(), alike.next()) else { continue };
        proposals.push(Finding {
            severity: Severity::Warning,
            code: "perhaps-renamed",
            place: place(desired, key),
            key: Some(key.clone()),
            message: format!("{key} is new, and {former}, which is just like it, is no longer declared"),
            help: Some(format!(
                "if it has another name now, say `renamedFrom: {}` in its metadata: it keeps {}",
                former.name,
                kept(key.kind)
            )),
        });
    }
    proposals
}

fn kept(kind: Kind) -> &'static str {
    match kind {
        Kind::Network => "its bridge, and who is on it",
        Kind::StoragePool => "the roots in it",
        _ => "its data, ids and addresses",
    }
}

fn place(desired: &Desired, key: &Key) -> Option<crate::model::origin::Place> {
    let origins = desired.origins.get(key)?;
    let origin = origins.get("metadata.renamedFrom").or_else(|| origins.get(""))?;
    origin.place.clone()
}
