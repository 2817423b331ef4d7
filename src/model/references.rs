//! What an object refers to.

use super::content::{Content, SecretRef};
use super::key::Key;
use super::object::{Container, Device, DeviceType, Object, Spec};
use std::collections::BTreeSet;

/// The keys that an object needs: its references and `dependsOn`.
pub fn references(object: &Object) -> BTreeSet<Key> {
    let Spec::Container(container) = &object.spec else { return BTreeSet::new() };
    let mut keys: BTreeSet<Key> = container.depends_on.iter().cloned().collect();
    keys.insert(container.image.clone());
    keys.extend(container.profiles.iter().map(Key::profile));
    keys.extend(container.devices.values().filter_map(device_reference));
    keys.extend(secrets(container).filter_map(|secret| secret.name.as_ref()).map(Key::secret));
    keys
}

/// The containers that one restarts with: it does not need them, and yet its plan depends on whether they run.
pub fn restarts_with(object: &Object) -> BTreeSet<Key> {
    match &object.spec {
        Spec::Container(container) => container.restart_with.clone(),
        _ => BTreeSet::new(),
    }
}

/// The secrets that a container uses.
pub fn secrets(container: &Container) -> impl Iterator<Item = &SecretRef> {
    let in_files = container.files.values().filter_map(|file| match &file.from {
        Content::Secret(secret) | Content::Variable(secret) => Some(secret),
        Content::Text(_) | Content::File(_) => None,
    });
    in_files.chain(container.environment.values())
}

fn device_reference(device: &Device) -> Option<Key> {
    match device.device_type {
        DeviceType::Disk => device.options.get("pool").map(Key::pool),
        DeviceType::Nic => device.options.get("network").map(Key::network),
    }
}
