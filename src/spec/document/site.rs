//! Kind Site: the apply set.

use super::reader::{Fields, Reader};
use crate::model::object::Heal;
use crate::model::prune::Prune;
use crate::spec::tree::Node;
use schemars::JsonSchema;

pub const FIELDS: Fields =
    Fields { known: &["heal", "prune"], later: &["targets", "unmanaged", "rollout", "values", "placement"] };

/// The apply set: the owner of the objects loaded with it; one a load, at most.
#[derive(Debug, Clone, Default, JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
pub struct SiteSpec {
    /// What the controller does about drift: repair it, or only report it.
    #[schemars(default)]
    pub heal: Heal,
    /// What becomes of objects that are no longer declared.
    #[schemars(default, schema_with = "crate::spec::schema::prune")]
    pub prune: Prune,
}

pub fn read(node: &Node, reader: &mut Reader) -> Option<SiteSpec> {
    reader.mapping(node, "the spec of a Site", &FIELDS).then(|| {
        let words = [("always", Heal::Always), ("report", Heal::Report)];
        let heal = reader.field(node, "heal", "heal").and_then(|node| reader.choice(node, "heal", &words));
        let prune = reader.field(node, "prune", "prune").map(|node| super::prune::read(node, reader));
        SiteSpec { heal: heal.unwrap_or_default(), prune: prune.unwrap_or_default() }
    })
}
