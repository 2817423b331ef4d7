//! Networks and pools that get another name, with all that is on them.

use super::host::HostModel;
use super::steps::{pool_facts, refused};
use crate::driver::{Error, rename};
use crate::model::key::{Key, Kind};
use crate::model::object::Spec;
use crate::model::record::Record;
use crate::model::renaming;
use crate::store::Records;

pub fn carry_out(
    host: &mut HostModel,
    records: &dyn Records,
    (from, to): (&Key, &Key),
    actor: &str,
) -> Result<bool, Error> {
    let Some(record) = rename::pending(records, from, to)? else { return Ok(false) };
    let is_taken = match to.kind {
        Kind::Network => host.networks.contains_key(&to.name),
        _ => host.pools.contains_key(&to.name),
    };
    if is_taken && record.renaming.is_none() {
        return Err(refused(to, format!("the name {} free on the host", to.name), "something has it"));
    }
    rename::begin(records, &record, (from, to), actor)?;
    match to.kind {
        Kind::Network => network(host, from, to),
        _ => pool(host, (from, to), &record),
    }
    for run in host.runs.values_mut() {
        renaming::in_run(&mut run.run, from, to);
    }
    rename::end(records, to)?;
    Ok(true)
}

fn network(host: &mut HostModel, from: &Key, to: &Key) {
    if let Some(facts) = host.networks.remove(&from.name) {
        host.networks.insert(to.name.clone(), facts);
    }
    let nics = host.runs.values_mut().flat_map(|run| run.nics.values_mut());
    for bridge in nics.filter_map(|nic| nic.bridge.as_mut()).filter(|bridge| **bridge == from.name) {
        bridge.clone_from(&to.name);
    }
}

fn pool(host: &mut HostModel, (from, to): (&Key, &Key), record: &Record) {
    let established = record.applied.as_ref().map(|applied| &applied.object.spec);
    if let (Some(_), Some(Spec::StoragePool(pool))) = (host.pools.remove(&from.name), established) {
        host.pools.insert(to.name.clone(), pool_facts(&to.name, pool));
    }
    for root in host.roots.values_mut().filter(|root| root.pool == from.name) {
        root.pool.clone_from(&to.name);
    }
}
