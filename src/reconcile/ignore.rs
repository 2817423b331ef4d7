//! `ignore`: fields that are neither compared nor written, but for a container's making.
//!
//! An ignored field counts as it was established. What is in force on the host is looked at where it is compared, in
//! [`super::diff`].

use super::diff::field::{Field, differing};
use crate::model::key::Key;
use crate::model::object::{Container, Meta, Object, Spec};
use crate::model::references;
use crate::model::run::Limits;
use std::collections::BTreeSet;

/// The container with its ignored fields as they were established; what was never made is as declared.
pub fn effective(declared: &Container, applied: Option<&Object>) -> Container {
    let mut container = declared.clone();
    let (Some(Spec::Container(applied)), false) =
        (applied.map(|object| &object.spec), declared.ignore.is_empty())
    else {
        return container;
    };
    let meta = Meta::default();
    for field in differing((&meta, applied), (&meta, declared)) {
        if ignores(&declared.ignore, &field) {
            field.copy((&meta, applied), (&mut Meta::default(), &mut container));
        }
    }
    container
}

/// What an object refers to as it will be: as declared, and in its ignored fields as it was established.
pub fn references(declared: &Object, applied: Option<&Object>) -> BTreeSet<Key> {
    let mut keys = references::references(declared);
    if let Spec::Container(container) = &declared.spec
        && !container.ignore.is_empty()
    {
        let spec = Spec::Container(Box::new(effective(container, applied)));
        keys.extend(references::references(&Object { meta: Meta::default(), spec }));
    }
    keys
}

/// Whether a field is ignored. A variable is one field, whether its value is secret or not.
pub fn ignores(ignored: &BTreeSet<String>, field: &Field) -> bool {
    if ignored.is_empty() {
        return false;
    }
    let has = |path: String| ignored.contains(&path);
    match field {
        Field::Config(key) => {
            has(format!("config.{key}")) || (key.starts_with("environment.") && ignored.contains(key))
        }
        Field::Environment(name) => {
            has(format!("environment.{name}")) || has(format!("config.environment.{name}"))
        }
        Field::Device(name) => has(format!("devices.{name}")),
        Field::File(path) => has(format!("files.{path}")),
        _ => false,
    }
}

/// The limits to write: ignored ones stay as they are in force.
pub fn limits(ignored: &BTreeSet<String>, wanted: Limits, found: &Limits) -> Limits {
    let keeps = |key: &str| ignored.contains(&format!("config.{key}"));
    let mut limits = wanted;
    if keeps("limits.cpu") {
        limits.cpus.clone_from(&found.cpus);
    }
    if keeps("limits.cpu.allowance") {
        limits.cpu_allowance.clone_from(&found.cpu_allowance);
    }
    if keeps("limits.processes") {
        limits.processes = found.processes;
    }
    if keeps("limits.memory") {
        limits.memory.clone_from(&found.memory);
    }
    if let (true, Some(memory), Some(found)) =
        (keeps("limits.memory.enforce"), &mut limits.memory, &found.memory)
    {
        memory.enforce = found.enforce;
    }
    limits
}
