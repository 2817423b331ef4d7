//! What would be lost with roots that a plan replaces, or would replace: it is counted for people, no decision is made
//! by it.

use super::plan::Plan;
use crate::model::key::Key;
use crate::model::object::Spec;
use crate::model::observed::{Observed, RootQuery};
use crate::model::step::{Action, Class};
use std::collections::{BTreeMap, BTreeSet};

/// The roots to look at. What is persisted, or declared and written anew, does not count.
pub fn queries(plan: &Plan, observed: &Observed) -> BTreeMap<Key, RootQuery> {
    let replaced = plan.steps.iter().filter(|step| matches!(step.action, Action::PrepareRoot { .. }));
    let waiting = plan.pending.iter().filter(|pending| pending.class == Class::Replace);
    let keys: BTreeSet<&Key> =
        replaced.map(|step| &step.key).chain(waiting.map(|pending| &pending.key)).collect();
    keys.into_iter().filter_map(|key| Some((key.clone(), query(plan, observed, key)?))).collect()
}

fn query(plan: &Plan, observed: &Observed, key: &Key) -> Option<RootQuery> {
    let record = observed.records.get(key)?;
    let uuid = record.identity.as_ref()?.uuid;
    let pool = observed.containers.get(&uuid)?.root.as_ref()?.pool.clone();
    let mut except: BTreeSet<String> = record.files.keys().cloned().collect();
    let after = plan.objects.get(key).and_then(|change| change.after.as_ref());
    if let Some(Spec::Container(container)) = after.map(|object| &object.spec) {
        except.extend(container.persist.iter().chain(container.files.keys()).cloned());
    }
    Some(RootQuery { pool, uuid, except })
}
