//! The built-in objects: made on first use where the user declares none of that name.

use crate::model::key::Key;
use crate::model::object::{
    Config, DeviceLayer, Meta, Network, NetworkType, Object, PoolDriver, Profile, Spec, StoragePool,
};
use std::collections::BTreeMap;
use std::sync::LazyLock;

pub const PROFILE: &str = "default";
pub const POOL: &str = "default";
pub const NETWORK: &str = "bay0";

/// The built-in object of a key, if it is one's.
pub fn object(key: &Key) -> Option<Object> {
    let spec = if *key == Key::profile(PROFILE) {
        Spec::Profile(PROFILE_OBJECT.clone())
    } else if *key == Key::pool(POOL) {
        Spec::StoragePool(StoragePool { driver: PoolDriver::Dir, source: None, config: Config::new() })
    } else if *key == Key::network(NETWORK) {
        let config = [("ipv4.address", "10.66.0.1/24"), ("ipv4.nat", "true")];
        Spec::Network(Network { network_type: NetworkType::Bridge, config: owned(config) })
    } else {
        return None;
    };
    Some(Object { meta: Meta::default(), spec })
}

/// The keys of all built-in objects.
pub fn keys() -> [Key; 3] {
    [Key::profile(PROFILE), Key::pool(POOL), Key::network(NETWORK)]
}

/// A root disk on pool `default`, and `eth0` on network `bay0`.
pub static PROFILE_OBJECT: LazyLock<Profile> = LazyLock::new(|| {
    let device = |device_type: &str, option: (&str, &str)| DeviceLayer {
        device_type: Some(device_type.to_owned()),
        options: BTreeMap::from([(option.0.to_owned(), Some(option.1.to_owned()))]),
    };
    let mut root = device("disk", ("path", "/"));
    root.options.insert("pool".to_owned(), Some(POOL.to_owned()));
    Profile {
        config: BTreeMap::new(),
        devices: BTreeMap::from([
            ("eth0".to_owned(), device("nic", ("network", NETWORK))),
            ("root".to_owned(), root),
        ]),
        ..Profile::default()
    }
});

fn owned<const N: usize>(config: [(&str, &str); N]) -> Config {
    config.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}
