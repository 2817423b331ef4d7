//! The identities of a world's containers, and the networks that they choose addresses in. PURE.

use super::goal::PlanOptions;
use super::identity::{Allocator, Networks};
use super::ignore;
use super::join::Joined;
use super::world::{World, established};
use crate::model::finding::Finding;
use crate::model::key::Key;
use crate::model::object::{Container, Object, Spec};
use crate::model::observed::Observed;
use crate::model::record::Identity;
use crate::model::typed;
use std::collections::BTreeMap;

/// The bridges that nics refer to, by name.
pub fn networks(world: &World<'_>) -> Networks {
    let bridge = |(key, object): (&Key, &&Object)| match &object.spec {
        Spec::Network(network) => Some((key.name.clone(), typed::bridge(&key.name, &network.config))),
        _ => None,
    };
    world.objects.iter().filter_map(bridge).collect()
}

/// The identity of each container that is wanted; what exists is kept, what is free is given out in key order.
pub fn identities(
    world: &World<'_>,
    observed: &Observed,
    joined: &Joined<'_>,
    options: &PlanOptions,
    findings: &mut Vec<Finding>,
) -> BTreeMap<Key, Identity> {
    let networks = networks(world);
    let mut allocator = Allocator::new(&observed.host, options.seed);
    for (key, view) in &joined.containers {
        if let Some(identity) = view.identity() {
            allocator.reserve(identity, world.objects.get(key).and_then(|object| container_of(object)));
        }
    }
    for object in world.objects.values() {
        if let Some(container) = container_of(object) {
            allocator.reserve_declared(container);
        }
    }
    let mut identities = BTreeMap::new();
    for (key, target) in &world.targets {
        let Some(container) = container_of(target.object) else { continue };
        let container = ignore::effective(container, established(observed, key));
        match allocator.identity(key, &container, &networks, joined.view(key).identity()) {
            Ok(identity) => {
                identities.insert(key.clone(), identity);
            }
            Err(finding) => findings.push(finding),
        }
    }
    identities
}

pub fn container_of(object: &Object) -> Option<&Container> {
    match &object.spec {
        Spec::Container(container) => Some(container),
        _ => None,
    }
}
