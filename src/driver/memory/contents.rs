//! Modelled files and secrets: every content can be had, unless it was taken away.

use super::host::{HostModel, RootModel};
use super::steps::{refused, running};
use crate::driver::records::{self, Absent, Settles};
use crate::driver::{Error, StepContext};
use crate::model::content::{Content, Digest};
use crate::model::key::Key;
use crate::model::observed::RegularFile;
use crate::model::ready::{HttpProbe, Ready, ReadyProbe};
use crate::model::run::SecretUse;
use crate::model::step::FileWrite;
use crate::store::Records;
use sha2::Digest as _;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU16;
use uuid::Uuid;

/// The digest of a content as it is now; else why there is none.
pub fn digest(host: &HostModel, content: &Content) -> Result<Digest, String> {
    let place = content.to_string();
    if host.lost_contents.contains(&place) {
        return Err(format!("{place} is not there"));
    }
    let bytes = match content {
        Content::Text(text) => text,
        Content::File(_) | Content::Secret(_) | Content::Variable(_) => {
            host.values.get(&place).unwrap_or(&place)
        }
    };
    if matches!(content, Content::Variable(_)) && bytes.contains('\0') {
        return Err(format!("{place} cannot be a variable: it holds a zero byte"));
    }
    let hash = sha2::Sha256::digest(format!("modelled {bytes}"));
    Ok(Digest(hash.iter().map(|byte| format!("{byte:02x}")).collect()))
}

/// Refuses a content that is no longer what the plan was made with.
fn require(host: &HostModel, key: &Key, content: &Content, planned: &Digest) -> Result<(), Error> {
    match digest(host, content) {
        Ok(now) if now == *planned => Ok(()),
        Ok(_) => Err(refused(key, format!("{content} as it was planned"), "it has changed since")),
        Err(why) => Err(refused(key, content.to_string(), why)),
    }
}

pub fn require_secrets(
    host: &HostModel,
    key: &Key,
    secrets: &BTreeMap<String, SecretUse>,
) -> Result<(), Error> {
    secrets
        .values()
        .try_for_each(|given| require(host, key, &Content::Variable(given.secret.clone()), &given.digest))
}

fn root<'a>(host: &'a mut HostModel, key: &Key, pool: &str, uuid: Uuid) -> Result<&'a mut RootModel, Error> {
    let root = host.roots.get_mut(&uuid).filter(|root| root.pool == pool);
    root.ok_or_else(|| refused(key, format!("its root must be in pool {pool}"), "it is not"))
}

pub fn write(
    host: &mut HostModel,
    records: &dyn Records,
    key: &Key,
    (pool, uuid): (&str, Uuid),
    file: &FileWrite,
    context: &StepContext<'_>,
) -> Result<bool, Error> {
    require(host, key, &file.from, &file.digest)?;
    let runs = host.runs.contains_key(&uuid);
    let root = root(host, key, pool, uuid)?;
    let wanted = RegularFile {
        digest: file.digest.clone(),
        mode: file.mode.clone(),
        owner: BTreeSet::from([file.owner.clone()]),
        group: BTreeSet::from([file.group.clone()]),
    };
    let found = root.files.get(&file.path);
    let differs = found != Some(&wanted);
    let absent = if found.is_none() { Absent::Yes } else { Absent::No };
    let settles = if differs && runs && file.settles { Settles::Yes } else { Settles::No };
    let noted = records::note_file(records, key, &file.path, context.actor, |before| {
        Some(records::about_to_write(before, &file.digest, absent, settles))
    })?;
    root.files.insert(file.path.clone(), wanted);
    Ok(differs || noted)
}

pub fn remove(
    host: &mut HostModel,
    records: &dyn Records,
    key: &Key,
    (pool, uuid): (&str, Uuid),
    path: &str,
    context: &StepContext<'_>,
) -> Result<bool, Error> {
    let root = root(host, key, pool, uuid)?;
    let record = records::existing(records, key)?;
    let made = record.files.get(path).is_some_and(|written| written.made);
    let removed = made && root.files.remove(path).is_some();
    Ok(records::note_file(records, key, path, context.actor, |_| None)? || removed)
}

pub fn run(
    host: &mut HostModel,
    records: &dyn Records,
    key: &Key,
    uuid: Uuid,
    (command, files): (&[String], &[String]),
) -> Result<bool, Error> {
    if running(host, key, uuid)?.frozen {
        return Err(refused(key, "it must not be frozen", "it is"));
    }
    let record = records::existing(records, key)?;
    if !files.iter().any(|path| record.files.get(path).is_some_and(|file| file.unsettled)) {
        return Ok(false);
    }
    if fails(host, command) {
        let command = command.join(" ");
        return Err(Error::Command { key: key.clone(), command, ended: "ended with status 1".to_owned() });
    }
    host.commands_run.push(command.to_vec());
    records::settle(records, key, files)
}

fn fails(host: &HostModel, command: &[String]) -> bool {
    command.first().is_some_and(|program| program == "false") || host.failing_commands.contains(command)
}

/// Probes are good but for commands that fail and for what nobody serves.
pub fn require_ready(host: &HostModel, key: &Key, ready: &Ready) -> Result<(), Error> {
    let is_unserved = |port: &NonZeroU16| host.unserved.contains(&port.to_string());
    let last = match &ready.probe {
        ReadyProbe::Exec(command) if fails(host, command) => {
            format!("{} ended with status 1", command.join(" "))
        }
        ReadyProbe::Tcp(port) | ReadyProbe::Http(HttpProbe { port, .. }) if is_unserved(port) => {
            format!("port {port} refuses connections")
        }
        ReadyProbe::Http(HttpProbe { port, path }) if host.unserved.contains(&format!("{port}{path}")) => {
            format!("http://127.0.0.1:{port}{path} answered 404")
        }
        _ => return Ok(()),
    };
    Err(Error::NotReady { key: key.clone(), waited_ms: ready.timeout.milliseconds(), last })
}
