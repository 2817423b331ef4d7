//! Whether a network's rules are in force. To list them costs a process, so what was found is kept in RUN/rules.json
//! with the generation of the kernel's rules: while that stands, nothing has changed. It is only a cache: whatever is
//! wrong with it, the rules are listed.

use super::Layout;
use crate::network::generation::{self, Generation};
use crate::network::nat::{self, NatError, TableState};
use crate::network::ruleset::{Difference, TableSpec};
use crate::runtime::identity::boot_id;
use crate::runtime::records;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

const NAME: &str = "rules.json";

/// Tables that stood as wanted.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Found {
    version: u32,
    boot_id: String,
    namespace: u64,
    generation: u32,
    /// What was wanted and there, as text.
    intact: BTreeSet<String>,
}

/// Whether the table is what `spec` says.
pub fn are_intact(layout: &Layout, spec: &TableSpec) -> Result<bool, NatError> {
    let wanted = format!("{spec:?}");
    let before = generation::now().ok();
    let known = before.and_then(|before| found(layout, before));
    if known.as_ref().is_some_and(|found| found.intact.contains(&wanted)) {
        return Ok(true);
    }
    let is_intact = nat::observe(spec)? == TableState::Present(Difference::None);
    if is_intact && before.is_some() && generation::now().ok() == before {
        keep(layout, known, before, wanted);
    }
    Ok(is_intact)
}

/// What was found in this generation.
fn found(layout: &Layout, now: Generation) -> Option<Found> {
    let found: Found = records::read(&layout.run, NAME).ok()??;
    let boot_id = boot_id().ok()?;
    let is_now = found.boot_id == boot_id
        && (Generation { namespace: found.namespace, number: found.generation }) == now;
    is_now.then_some(found)
}

fn keep(layout: &Layout, known: Option<Found>, now: Option<Generation>, wanted: String) {
    let (Some(now), Ok(boot_id)) = (now, boot_id()) else { return };
    let mut intact = known.map(|found| found.intact).unwrap_or_default();
    intact.insert(wanted);
    let (namespace, generation) = (now.namespace, now.number);
    let found = Found { version: records::VERSION, boot_id, namespace, generation, intact };
    // Where nothing was ever started there is no folder, and none is made for a look.
    let _ = records::write(&layout.run, NAME, &found);
}
