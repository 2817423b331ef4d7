//! Kind Profile: a layer of config and devices that containers name.

use super::environment::{self, Secrets};
use super::files::{self, Files};
use super::layer;
use super::reader::{Fields, Reader};
use crate::model::object::DeviceLayer;
use crate::spec::registry::INSTANCE;
use crate::spec::tree::Node;
use schemars::JsonSchema;
use std::collections::BTreeMap;

pub const FIELDS: Fields =
    Fields { known: &["config", "devices", "files", "environment", "placement"], later: &[] };

/// A layer of config and devices that containers name.
#[derive(Debug, Clone, Default, JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProfileSpec {
    /// Config keys (docs/config-keys.md); null unsets what a layer below sets.
    #[schemars(default, schema_with = "crate::spec::schema::instance_config")]
    pub config: BTreeMap<String, Option<String>>,
    /// Devices by name.
    #[schemars(default, schema_with = "crate::spec::schema::devices")]
    pub devices: BTreeMap<String, DeviceLayer>,
    /// Files inside, by path; null takes away what a layer below puts there.
    #[schemars(default, schema_with = "crate::spec::schema::files")]
    pub files: Files,
    /// Variables; a plain value is the same as `environment.NAME` in config, null unsets.
    #[schemars(default, schema_with = "crate::spec::schema::environment")]
    pub environment: Secrets,
}

pub fn read(node: &Node, reader: &mut Reader) -> Option<ProfileSpec> {
    if !reader.mapping(node, "the spec of a Profile", &FIELDS) {
        return None;
    }
    let mut config = reader
        .field(node, "config", "config")
        .map(|node| reader.config(node, "config", &INSTANCE))
        .unwrap_or_default();
    let environment = environment::environment(node, &mut config, reader);
    Some(ProfileSpec {
        config,
        devices: layer::devices(node, reader),
        files: files::files(node, reader),
        environment,
    })
}
