//! `get`: each object as it stands.

use super::holds::is_in_force;
use super::plan::recorded_objects;
use super::sets;
use crate::api::error::Failure;
use crate::api::types::{Address, Condition, ContainerStatus, Listing, OUTPUT_VERSION, ObjectStatus};
use crate::daemon::wiring::Bay;
use crate::driver::Scope;
use crate::model::key::{Key, Kind};
use crate::model::object::{Container, Spec};
use crate::model::observed::{ContainerFacts, Observed, RunFacts};
use crate::model::record::{OverrideField, Record};
use crate::reconcile::ignore;
use crate::reconcile::plan::Hold;
use jiff::Timestamp;
use std::collections::BTreeSet;

/// Which objects are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    All,
    Kind(Kind),
    Key(Key),
    /// What is out of service.
    Parked,
}

impl Bay {
    pub fn list(&self, selection: &Selection) -> Result<Listing, Failure> {
        let scope = match selection {
            Selection::All | Selection::Kind(_) | Selection::Parked => Scope::All,
            Selection::Key(key) if key.kind == Kind::ContainerSet => Scope::All,
            Selection::Key(key) => Scope::Keys(BTreeSet::from([key.clone()])),
        };
        let mut observed = self.observe(&scope)?;
        let keys = match selection {
            Selection::Key(key) => sets::members([key], recorded_objects(&observed)),
            _ => BTreeSet::new(),
        };
        if keys.iter().any(|key| !observed.records.contains_key(key)) {
            // Only a look at everything finds what has no record.
            observed = self.observe(&Scope::All)?;
        }
        let mut objects = objects(&observed, Timestamp::now());
        let is_listed = |key: &Key| objects.iter().any(|object| object.key == *key);
        if let Some(key) = keys.iter().find(|key| !is_listed(key)) {
            return Err(self.unknown(key, None));
        }
        objects.retain(|object| match selection {
            Selection::All => true,
            Selection::Kind(kind) => object.kind == *kind,
            Selection::Key(_) => keys.contains(&object.key),
            Selection::Parked => object.parked.is_some(),
        });
        Ok(Listing { version: OUTPUT_VERSION, objects })
    }
}

/// Every object with a record, and every container on the host whose record is lost.
pub fn objects(observed: &Observed, now: Timestamp) -> Vec<ObjectStatus> {
    let mut objects: Vec<ObjectStatus> =
        observed.records.iter().map(|(key, record)| status(key, record, observed, now)).collect();
    objects.extend(unrecorded(observed));
    objects.sort_by(|a, b| a.kind.cmp(&b.kind).then_with(|| a.key.natural(&b.key)));
    objects
}

/// One object as it stands.
pub fn status(key: &Key, record: &Record, observed: &Observed, now: Timestamp) -> ObjectStatus {
    let applied = record.applied.as_ref();
    let fingerprint = applied.and_then(|applied| applied.fingerprint.clone());
    let mut status = ObjectStatus {
        key: key.clone(),
        kind: key.kind,
        name: key.name.clone(),
        owner: record.owner.to_string(),
        generation: record.generation,
        state: if record.parked.is_some() { "parked" } else { presence(key, record, observed) }.to_owned(),
        container: None,
        addresses: bridge_addresses(key, observed),
        fingerprint,
        parked: record.parked.clone(),
        conditions: vec![],
    };
    if record.undeleted {
        let message = "no manifest declares it; prune leaves it, for it was undeleted by hand";
        status.conditions.push(condition("Undeleted", message));
    }
    if key.kind == Kind::Container {
        add_container(&mut status, record, observed, now);
    }
    if record.parked.is_none() && !is_applied(record, now) {
        let message = "not all that is declared is applied; see `bayplan plan`";
        status.conditions.push(condition("NotApplied", message));
    }
    status
}

/// Whether steps established what is declared; a hold's state is not missed.
fn is_applied(record: &Record, now: Timestamp) -> bool {
    let Some(mut wanted) = record.desired.clone() else { return true };
    if let Spec::Container(container) = &mut wanted.spec {
        for hold in record.overrides.iter().filter(|hold| is_in_force(hold, now)) {
            let OverrideField::State(held) = hold.field;
            container.state = held;
        }
    }
    let Some(applied) = record.applied.as_ref().map(|applied| &applied.object) else { return false };
    if let Spec::Container(container) = &mut wanted.spec {
        **container = ignore::effective(container, Some(applied));
    }
    *applied == wanted
}

fn presence(key: &Key, record: &Record, observed: &Observed) -> &'static str {
    let fingerprint = record.applied.as_ref().and_then(|applied| applied.fingerprint.as_ref());
    let there = match key.kind {
        Kind::Site | Kind::Host | Kind::Secret | Kind::Profile | Kind::ContainerSet => true,
        Kind::Image => fingerprint.is_some_and(|content| observed.images.contains_key(content)),
        Kind::StoragePool => observed.pools.contains_key(&key.name),
        Kind::Network => observed.networks.get(&key.name).is_some_and(|facts| facts.ours),
        Kind::Container => return power(facts(record, observed)),
    };
    if there { "present" } else { "missing" }
}

fn bridge_addresses(key: &Key, observed: &Observed) -> Vec<String> {
    let facts = observed.networks.get(&key.name).filter(|facts| key.kind == Kind::Network && facts.ours);
    facts.into_iter().flat_map(|facts| &facts.addresses).map(ToString::to_string).collect()
}

fn facts<'a>(record: &Record, observed: &'a Observed) -> Option<&'a ContainerFacts> {
    observed.containers.get(&record.identity.as_ref()?.uuid)
}

fn power(facts: Option<&ContainerFacts>) -> &'static str {
    match facts.map(|facts| (&facts.run, &facts.root)) {
        Some((Some(run), _)) if run.frozen => "frozen",
        Some((Some(_), _)) => "running",
        Some((None, Some(_))) => "stopped",
        _ => "missing",
    }
}

fn add_container(status: &mut ObjectStatus, record: &Record, observed: &Observed, now: Timestamp) {
    let facts = facts(record, observed);
    let run = facts.and_then(|facts| facts.run.as_ref());
    let declared = record.desired.as_ref().and_then(|object| match &object.spec {
        Spec::Container(container) => Some(container.as_ref()),
        _ => None,
    });
    let hold = record.overrides.iter().find(|hold| is_in_force(hold, now)).cloned();
    let stale =
        declared.is_some_and(|container| is_stale(container, status.fingerprint.as_deref(), observed));
    if let Some(hold) = &hold {
        status.conditions.push(condition("Held", &Hold::of(&status.key, hold).words()));
    }
    if stale {
        status
            .conditions
            .push(condition("Stale", "its image has another content now; its root keeps the old one"));
    }
    if run.is_some() && record.applied.as_ref().is_some_and(|applied| applied.unready) {
        status.conditions.push(condition("NotReady", "it was started, and was not ready in time"));
    }
    if run.is_some_and(|run| !run.supervised) {
        status.conditions.push(condition("Unsupervised", "its monitor is gone; `bayplan apply` replaces it"));
    }
    if facts.and_then(|facts| facts.root.as_ref()).is_some_and(|root| !root.image_present) {
        status.conditions.push(condition("Broken", "the image content below its root is not in the store"));
    } else if run.is_some_and(|run| run.root_lost) {
        let message =
            "the image content below its root was lost while it ran; `bayplan restart` mounts it anew";
        status.conditions.push(condition("Broken", message));
    }
    status.container = Some(ContainerStatus {
        pid: run.map(|run| run.pid),
        incarnation: run.map(|run| run.incarnation),
        uuid: record.identity.as_ref().map(|identity| identity.uuid),
        declared: declared.map(|container| container.state),
        image: declared.map(|container| container.image.name.clone()),
        addresses: addresses(run, record),
        usage: run.map(|run| run.usage.clone()),
        hold,
        stale,
        last_exit: facts.and_then(|facts| facts.exit.clone()),
        remakes: declared
            .filter(|container| container.ephemeral)
            .and(record.applied.as_ref())
            .map(|applied| applied.remakes),
        replaced: record.applied.as_ref().and_then(|applied| applied.replaced.clone()),
    });
}

fn is_stale(container: &Container, fingerprint: Option<&str>, observed: &Observed) -> bool {
    let image = observed.records.get(&container.image).and_then(|record| record.applied.as_ref());
    let content = image.and_then(|applied| applied.fingerprint.as_deref());
    fingerprint.is_some() && content.is_some() && fingerprint != content
}

/// Those of the running nics; of a container that does not run, those it was given.
fn addresses(run: Option<&RunFacts>, record: &Record) -> Vec<Address> {
    let address = |device: &str, address: String| Address { device: device.to_owned(), address };
    if let Some(run) = run {
        let nics = run.run.nics.iter();
        return nics
            .flat_map(|nic| {
                let ipv4 = nic.ipv4.map(|net| address(&nic.device, net.to_string()));
                let ipv6 = nic.ipv6.map(|net| address(&nic.device, net.to_string()));
                ipv4.into_iter().chain(ipv6)
            })
            .collect();
    }
    let leases = record.identity.iter().flat_map(|identity| &identity.leases);
    leases.map(|(device, lease)| address(device, lease.to_string())).collect()
}

fn unrecorded(observed: &Observed) -> Vec<ObjectStatus> {
    let recorded: BTreeSet<_> = observed
        .records
        .values()
        .filter_map(|record| record.identity.as_ref())
        .map(|identity| identity.uuid)
        .collect();
    let lost = observed.containers.iter().filter(|(uuid, _)| !recorded.contains(uuid));
    lost.filter_map(|(uuid, facts)| {
        let root = facts.root.as_ref()?;
        let key = root.identity.key.clone();
        Some(ObjectStatus {
            kind: key.kind,
            name: key.name.clone(),
            key,
            // Whose it was, its root still tells; whose it is, only a record says.
            owner: "none".to_owned(),
            generation: 0,
            state: power(Some(facts)).to_owned(),
            container: Some(ContainerStatus {
                pid: facts.run.as_ref().map(|run| run.pid),
                uuid: Some(*uuid),
                ..ContainerStatus::default()
            }),
            addresses: vec![],
            fingerprint: Some(root.identity.fingerprint.clone()),
            parked: None,
            conditions: vec![condition(
                "Unrecorded",
                &format!(
                    "it has no record, and was last of {}; `bayplan apply` of its manifest re-adopts it",
                    root.identity.owner
                ),
            )],
        })
    })
    .collect()
}

fn condition(condition_type: &str, message: &str) -> Condition {
    Condition { condition_type: condition_type.to_owned(), message: message.to_owned() }
}
