//! JSON Schema of each kind.

use schemars::{Schema, SchemaGenerator, json_schema};

pub fn pool_config(_: &mut SchemaGenerator) -> Schema {
    json_schema!({})
}
pub fn network_config(_: &mut SchemaGenerator) -> Schema {
    json_schema!({})
}
pub fn instance_config(_: &mut SchemaGenerator) -> Schema {
    json_schema!({})
}
pub fn devices(_: &mut SchemaGenerator) -> Schema {
    json_schema!({})
}
pub fn architecture(_: &mut SchemaGenerator) -> Schema {
    json_schema!({})
}
pub fn ready(_: &mut SchemaGenerator) -> Schema {
    json_schema!({})
}
