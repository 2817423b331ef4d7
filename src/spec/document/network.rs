//! Kind Network: a managed bridge.

use super::reader::{Fields, Reader};
use crate::model::object::{Config, NetworkType};
use crate::spec::registry::{NETWORK, check};
use crate::spec::report::Wrong;
use crate::spec::tree::Node;
use schemars::JsonSchema;

pub const FIELDS: Fields = Fields { known: &["type", "config", "placement", "external"], later: &[] };

const LATER_TYPES: [&str; 4] = ["macvlan", "sriov", "ovn", "physical"];

/// A network: a bridge of the host that Bayplan makes, with its addresses and rules.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
pub struct NetworkSpec {
    /// The kind of network.
    #[schemars(rename = "type", default = "bridge")]
    pub network_type: NetworkType,
    /// Addresses and rules (docs/config-keys.md).
    #[schemars(default, schema_with = "crate::spec::schema::network_config")]
    pub config: Config,
}

fn bridge() -> NetworkType {
    NetworkType::Bridge
}

pub fn read(node: &Node, reader: &mut Reader) -> Option<NetworkSpec> {
    if !reader.mapping(node, "the spec of a Network", &FIELDS) {
        return None;
    }
    let network_type = match reader.field(node, "type", "type") {
        None => Some(bridge()),
        Some(node) => network_type(node, reader),
    };
    let config = reader
        .field(node, "config", "config")
        .map(|node| reader.config(node, "config", &NETWORK))
        .unwrap_or_default();
    let config: Config = config
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)))
        .filter(|(key, value)| !check::is_default(&NETWORK, key, value))
        .collect();
    nat_needs_address(&config, reader);
    Some(NetworkSpec { network_type: network_type?, config })
}

fn network_type(node: &Node, reader: &mut Reader) -> Option<NetworkType> {
    match node.scalar() {
        Some((text, _)) if LATER_TYPES.contains(&text) => {
            let wrong = Wrong::new("not-supported", format!("network type `{text}` is not supported yet"));
            reader.report.error(node.mark, wrong.help("use `type: bridge`"));
            None
        }
        _ => reader.choice(node, "type", &[("bridge", NetworkType::Bridge)]),
    }
}

fn nat_needs_address(config: &Config, reader: &mut Reader) {
    for (nat, address) in [("ipv4.nat", "ipv4.address"), ("ipv6.nat", "ipv6.address")] {
        let unset = !config.contains_key(address) && !reader.marks.contains_key(&format!("config.{address}"));
        if config.contains_key(nat)
            && unset
            && let Some(mark) = reader.marks.get(&format!("config.{nat}"))
        {
            let wrong = Wrong::new("missing-field", format!("`{nat}` without `{address}`"));
            reader.report.error(*mark, wrong.help(format!("add `{address}`, or remove `{nat}`")));
        }
    }
}
