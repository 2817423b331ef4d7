//! Kind StoragePool: where roots are kept.

use super::reader::{Fields, Reader};
use crate::model::object::PoolDriver;
use crate::spec::registry::POOL;
use crate::spec::report::Wrong;
use crate::spec::tree::{Mark, Node};
use schemars::JsonSchema;
use std::collections::BTreeMap;

pub const FIELDS: Fields =
    Fields { known: &["driver", "source", "config", "placement", "external"], later: &[] };

/// LXD's other drivers.
const LATER_DRIVERS: [&str; 12] = [
    "btrfs",
    "zfs",
    "lvm",
    "lvmcluster",
    "ceph",
    "cephfs",
    "cephobject",
    "linstor",
    "truenas",
    "powerflex",
    "pure",
    "alletra",
];

/// A storage pool: where the roots of containers are kept.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
pub struct StoragePoolSpec {
    /// `dir`: folders, with overlay mounts on the unpacked image.
    pub driver: PoolDriver,
    /// A folder of the host; relative to the manifest's folder. Absent: inside Bayplan's data folder.
    pub source: Option<String>,
    /// Driver settings (docs/config-keys.md).
    #[schemars(default, schema_with = "crate::spec::schema::pool_config")]
    pub config: BTreeMap<String, Option<String>>,
}

pub fn read(node: &Node, mark: Mark, reader: &mut Reader) -> Option<StoragePoolSpec> {
    if !reader.mapping(node, "the spec of a StoragePool", &FIELDS) {
        return None;
    }
    let driver = match reader.field(node, "driver", "driver") {
        Some(node) => driver(node, reader),
        None => {
            reader.missing(mark, "spec.driver", "add `driver: dir`");
            None
        }
    };
    let source = reader.field(node, "source", "source").and_then(|node| reader.text(node, "source"));
    let config = reader
        .field(node, "config", "config")
        .map(|node| reader.config(node, "config", &POOL))
        .unwrap_or_default();
    Some(StoragePoolSpec { driver: driver?, source, config })
}

fn driver(node: &Node, reader: &mut Reader) -> Option<PoolDriver> {
    match node.scalar() {
        Some((text, _)) if LATER_DRIVERS.contains(&text) => {
            let wrong = Wrong::new("not-supported", format!("pool driver `{text}` is not supported yet"));
            reader.report.error(node.mark, wrong.help("use `driver: dir`"));
            None
        }
        _ => reader.choice(node, "driver", &[("dir", PoolDriver::Dir)]),
    }
}
