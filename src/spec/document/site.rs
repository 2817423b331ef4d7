//! Kind Site: the apply set.

use super::reader::{Fields, Reader};
use super::values;
use crate::model::object::{Heal, Unmanaged};
use crate::model::prune::Prune;
use crate::model::rollout::Rollout;
use crate::spec::fill::Values;
use crate::spec::names;
use crate::spec::report::Wrong;
use crate::spec::tree::{Mark, Node};
use schemars::JsonSchema;
use std::collections::BTreeMap;

pub const FIELDS: Fields =
    Fields { known: &["heal", "prune", "rollout", "targets", "unmanaged", "values"], later: &[] };

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
    /// How changes that stop and start containers go through the site.
    #[schemars(default, schema_with = "crate::spec::schema::rollout")]
    pub rollout: Rollout,
    /// What is said about containers on the host that no site owns: nothing, a list in plans, or an error.
    #[schemars(default)]
    pub unmanaged: Unmanaged,
    /// The hosts that it is for; apply on another one is refused. Absent: every host.
    #[schemars(default, length(min = 1), inner(regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")), extend("uniqueItems" = true))]
    pub targets: Option<Vec<String>>,
    /// What `${values.NAME}` stands for; a Host's values are stronger.
    #[schemars(default, schema_with = "crate::spec::schema::values")]
    pub values: BTreeMap<String, String>,
}

pub fn read(node: &Node, reader: &mut Reader) -> Option<SiteSpec> {
    if !reader.mapping(node, "the spec of a Site", &FIELDS) {
        return None;
    }
    let words = [("always", Heal::Always), ("report", Heal::Report)];
    let heal = reader.field(node, "heal", "heal").and_then(|node| reader.choice(node, "heal", &words));
    let prune = reader.field(node, "prune", "prune").map(|node| super::prune::read(node, reader));
    let rollout = reader.field(node, "rollout", "rollout").map(|node| super::rollout::read(node, reader));
    let words = [Unmanaged::Ignore, Unmanaged::Report, Unmanaged::Fail].map(|policy| (policy.word(), policy));
    let unmanaged = reader
        .field(node, "unmanaged", "unmanaged")
        .and_then(|node| reader.choice(node, "unmanaged", &words));
    let (targets, values) = rendering(node, reader);
    Some(SiteSpec {
        heal: heal.unwrap_or_default(),
        prune: prune.unwrap_or_default(),
        rollout: rollout.unwrap_or_default(),
        unmanaged: unmanaged.unwrap_or_default(),
        targets: targets.map(|targets| targets.names.into_iter().map(|(name, _)| name).collect()),
        values: values.into_iter().map(|(name, given)| (name, given.text)).collect(),
    })
}

/// The hosts that a Site is for.
#[derive(Debug, Clone)]
pub struct Targets {
    pub mark: Mark,
    pub names: Vec<(String, Mark)>,
}

/// `targets` and `values` of a Site, which rendering needs before anything else is read.
pub fn rendering(spec: &Node, reader: &mut Reader) -> (Option<Targets>, Values) {
    let targets = reader.field(spec, "targets", "targets").map(|node| targets(node, reader));
    (targets, values::read(spec, "values", reader))
}

fn targets(node: &Node, reader: &mut Reader) -> Targets {
    let mut names: Vec<(String, Mark)> = vec![];
    for item in reader.list(node, "targets") {
        let Some(text) = reader.text(item, "targets") else { continue };
        if let Err(bad) = names::object(&text) {
            reader.bad(item.mark, "targets", &text, bad);
        }
        if names.iter().any(|(name, _)| *name == text) {
            let wrong = Wrong::new("duplicate-field", format!("host `{text}` is named twice"));
            reader.report.error(item.mark, wrong.help("remove one"));
        }
        names.push((text, item.mark));
    }
    if names.is_empty() && matches!(&node.value, crate::spec::tree::Value::List(items) if items.is_empty()) {
        let wrong = Wrong::new("bad-value", "targets names no host");
        reader.report.error(node.mark, wrong.help("name one, or remove `targets`: then every host is meant"));
    }
    Targets { mark: node.mark, names }
}
