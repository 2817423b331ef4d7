//! Managed bridges.

use super::{ObjectDiff, Scene, because, object_reasons, reason, record_update};
use crate::model::key::Key;
use crate::model::object::{Network, Object, Spec};
use crate::model::observed::NetworkFacts;
use crate::model::record::Applied;
use crate::model::step::{Action, BridgeNetwork, Cause, Class, Reason};
use crate::model::typed;
use crate::reconcile::world::Target;
use ipnet::IpNet;
use std::collections::BTreeSet;

pub fn diff(scene: &Scene<'_>, key: &Key, target: &Target<'_>, network: &Network) -> ObjectDiff {
    let mut diff = ObjectDiff::new(key);
    let record = scene.observed.records.get(key);
    if let Some((update, reasons)) = record_update(scene, target, record, None, None) {
        diff.push(Action::PutRecord(Box::new(update)), Class::Record, reasons, None);
    }
    let before = record.and_then(|record| record.applied.as_ref()).map(|applied| &applied.object);
    let wanted = typed::bridge(&key.name, &network.config);
    let changed = before != Some(target.object);
    let mut reasons = if changed { object_reasons(before, target.object) } else { vec![] };
    let applied = Applied::plain(target.object.clone());
    if changed && is_so_already(before, &wanted, scene.observed.networks.get(&key.name)) {
        diff.push(Action::Note, Class::Record, reasons, Some(applied));
        return diff;
    }
    // Drift is what differs from what was applied; where the declaration changed too, both are told.
    if let Some(Spec::Network(applied)) = before.map(|object| &object.spec) {
        let established = typed::bridge(&key.name, &applied.config);
        for drifted in drift(&established, scene.observed.networks.get(&key.name)) {
            match reasons.iter_mut().find(|reason| reason.field == drifted.field) {
                Some(both) => {
                    *both = Reason { cause: Cause::ChangeAndDrift, to: both.to.take(), ..drifted };
                }
                None => reasons.push(drifted),
            }
        }
    }
    if !reasons.is_empty() {
        let class = if before.is_none() { Class::Create } else { Class::Live };
        diff.push(Action::EnsureNetwork(Box::new(wanted)), class, reasons, Some(applied));
    }
    diff
}

/// Whether a bridge that was changed by hand is what is declared now: there is nothing to do.
fn is_so_already(before: Option<&Object>, wanted: &BridgeNetwork, facts: Option<&NetworkFacts>) -> bool {
    let Some(Spec::Network(before)) = before.map(|object| &object.spec) else { return false };
    let established = typed::bridge(&wanted.name, &before.config);
    let drifted = !drift(&established, facts).is_empty();
    drifted && drift(wanted, facts).is_empty() && established.mac == wanted.mac
}

/// How a bridge is not as it was set up.
fn drift(wanted: &BridgeNetwork, facts: Option<&NetworkFacts>) -> Vec<Reason> {
    let Some(facts) = facts else {
        return vec![because(Cause::Drift, "", format!("bridge {} is gone", wanted.name))];
    };
    let mut reasons = vec![];
    let mut differs = |field: &str, found: String, expected: String, note: String| {
        if found != expected {
            let plain = reason(Cause::Drift, field, Some(found), Some(expected));
            reasons.push(Reason { note: Some(note), ..plain });
        }
    };
    let addresses = |set: &BTreeSet<IpNet>| {
        let words: Vec<String> = set.iter().map(IpNet::to_string).collect();
        if words.is_empty() { "none".to_owned() } else { words.join(", ") }
    };
    let declared: BTreeSet<IpNet> =
        wanted.ipv4.map(IpNet::V4).into_iter().chain(wanted.ipv6.map(IpNet::V6)).collect();
    let name = &wanted.name;
    let note = format!("the addresses of bridge {name} were changed");
    differs("config.ipv4.address", addresses(&facts.addresses), addresses(&declared), note);
    let link = |up: bool| if up { "up" } else { "down" }.to_owned();
    differs("link", link(facts.up), link(true), format!("bridge {name} is down"));
    let note = format!("the MTU of bridge {name} was changed");
    let mtu = wanted.mtu_beside(facts.port_mtu);
    differs("config.bridge.mtu", facts.mtu.to_string(), mtu.to_string(), note);
    let note = "the firewall rules were changed or flushed".to_owned();
    let rules = |text: String| if text.is_empty() { "none".to_owned() } else { text };
    differs("rules", rules(facts.rules.clone()), rules(wanted.rules_digest()), note);
    let switch = |on: bool| if on { "on" } else { "off" }.to_owned();
    let note = "the host's IP forwarding was turned off".to_owned();
    differs("forwarding", switch(facts.forwarding), switch(true), note);
    reasons
}
