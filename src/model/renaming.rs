//! What names a network or a pool, and how it follows when that has another name.

use super::key::{Key, Kind};
use super::object::{DeviceType, Object, Spec};
use super::record::Record;
use super::run::{ContainerRun, NicAttachment};

/// The kinds that have their name on the host, too.
pub fn is_on_host(kind: Kind) -> bool {
    matches!(kind, Kind::Network | Kind::StoragePool)
}

/// Whether an object's devices name this network or pool: by reference, or a bridge by its link (`parent`).
pub fn names(object: &Object, key: &Key) -> bool {
    in_object(&mut object.clone(), key, key)
}

/// Makes an object's devices name a network or pool by its new name. Answers whether any did by the former one.
pub fn in_object(object: &mut Object, from: &Key, to: &Key) -> bool {
    let (device_type, options): (_, &[&str]) = match from.kind {
        Kind::Network => (DeviceType::Nic, &["network", "parent"]),
        Kind::StoragePool => (DeviceType::Disk, &["pool"]),
        _ => return false,
    };
    let mut named: Vec<&mut String> = vec![];
    let is_wanted = |option: &str| options.contains(&option);
    match &mut object.spec {
        Spec::Container(container) => {
            let devices = container.devices.values_mut().filter(|it| it.device_type == device_type);
            let values = devices.flat_map(|device| &mut device.options);
            named.extend(values.filter(|(option, _)| is_wanted(option)).map(|(_, value)| value));
        }
        // A layer may leave the type to those below; no other type has these options.
        Spec::Profile(profile) => {
            let values = profile.devices.values_mut().flat_map(|device| &mut device.options);
            named.extend(
                values.filter(|(option, _)| is_wanted(option)).filter_map(|(_, value)| value.as_mut()),
            );
        }
        _ => {}
    }
    let mut former: Vec<_> = named.into_iter().filter(|name| **name == from.name).collect();
    former.iter_mut().for_each(|name| name.clone_from(&to.name));
    !former.is_empty()
}

/// Makes a record name the object by its new name, in what is declared and in what is established.
pub fn in_record(record: &mut Record, from: &Key, to: &Key) -> bool {
    let applied = record.applied.as_mut().map(|applied| &mut applied.object);
    let objects = record.desired.iter_mut().chain(applied);
    objects.map(|object| in_object(object, from, to)).fold(false, |any, followed| any | followed)
}

/// The same for what a container runs with.
pub fn in_run(run: &mut ContainerRun, from: &Key, to: &Key) {
    match from.kind {
        Kind::StoragePool if run.pool == from.name => run.pool.clone_from(&to.name),
        Kind::Network => {
            for nic in &mut run.nics {
                if let NicAttachment::Bridged { bridge } = &mut nic.attachment
                    && *bridge == from.name
                {
                    bridge.clone_from(&to.name);
                }
            }
        }
        _ => {}
    }
}
