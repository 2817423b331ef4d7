//! `onChange`, and the secret variables that programs inside get.

use super::containers::Running;
use super::failure::{failed, precondition};
use super::program::{End, Program};
use super::{Native, run_record};
use crate::content::{resolve, sealed};
use crate::driver::{Error, StepContext, records};
use crate::model::content::{Content, SecretValue};
use crate::model::key::Key;
use crate::model::run::SecretUse;
use crate::runtime::secrets;
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How long an `onChange` may run.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs an `onChange`, if one of its files waits for it. What it writes goes nowhere: it may hold secrets.
pub fn run(
    native: &Native,
    key: &Key,
    uuid: Uuid,
    (command, files): (&[String], &[String]),
    context: &StepContext<'_>,
) -> Result<bool, Error> {
    let running = Running::find(native, key, uuid)?;
    if running.is_frozen(native) {
        return Err(precondition(key, "a container that is not frozen", "it is frozen"));
    }
    let record = records::existing(&native.records, key)?;
    if !files.iter().any(|path| record.files.get(path).is_some_and(|file| file.unsettled)) {
        return Ok(false);
    }
    let ended = |ended: String| Error::Command { key: key.clone(), command: command.join(" "), ended };
    let Variables { sealed: secrets, warnings } = variables(native, key, uuid)?;
    for warning in warnings {
        tracing::warn!("{key}: {}: {warning}", command.join(" "));
    }
    let program = Program { key, uuid, command, secrets, output: None };
    match program.run(native, Instant::now() + PATIENCE, context)? {
        End::Status(0) => records::settle(&native.records, key, files),
        End::Status(status) => Err(ended(format!("ended with status {status}"))),
        End::NotRun(why) => Err(ended(format!("could not be run: {why}"))),
        End::Late => Err(ended(format!("did not end in {} s, and was killed", PATIENCE.as_secs()))),
    }
}

/// The secret variables of a start, sealed; none where there are none. Each must be what the plan was made with.
pub fn start_variables(
    native: &Native,
    key: &Key,
    secrets: &BTreeMap<String, SecretUse>,
) -> Result<Option<OwnedFd>, Error> {
    let mut values = BTreeMap::new();
    for (name, given) in secrets {
        values.insert(name.as_str(), planned(native, key, given)?);
    }
    seal(key, &values)
}

fn planned(native: &Native, key: &Key, given: &SecretUse) -> Result<SecretValue, Error> {
    let content = Content::Variable(given.secret.clone());
    let value = super::files::planned(native, key, &content, &given.digest)?;
    resolve::variable(&content, &value)
        .map_err(|error| failed(format!("{key}: a variable has no value"), error))
}

/// The secret variables that a program in a running container gets.
pub struct Variables {
    /// None: it has none.
    pub sealed: Option<OwnedFd>,
    /// Those that are not as last applied, each with why.
    pub warnings: Vec<String>,
}

/// As last applied. A secret that cannot be had any more, or is another one by now, is taken from what init was started
/// with; one that init does not have either is left out.
pub fn variables(native: &Native, key: &Key, uuid: Uuid) -> Result<Variables, Error> {
    let mut warnings = vec![];
    let Some(record) = run_record::read(&native.layout.run, key, uuid)? else {
        return Ok(Variables { sealed: None, warnings });
    };
    let mut values = BTreeMap::new();
    let mut of_init = None;
    for (name, given) in &record.run.secrets {
        if let Ok(value) = planned(native, key, given) {
            values.insert(name.as_str(), value);
            continue;
        }
        let of_init = of_init.get_or_insert_with(|| init_variables(native, key, uuid));
        let Some(value) = of_init.remove(name).map(|value| SecretValue::new(value.into_bytes())) else {
            warnings.push(format!("variable {name} is left out: {}", why_not(given)));
            continue;
        };
        if !is_as_applied(native, &value, given)? {
            warnings.push(format!(
                "variable {name} is as {key} was started with it, and not as last applied: {}",
                why_not(given)
            ));
        }
        values.insert(name, value);
    }
    Ok(Variables { sealed: seal(key, &values)?, warnings })
}

/// Why a secret is not what was applied.
fn why_not(given: &SecretUse) -> String {
    match resolve::value(&Content::Variable(given.secret.clone())) {
        Err(error) => error.to_string(),
        Ok(_) => format!("{} has another value by now", given.secret.from),
    }
}

/// A variable's value loses one newline at its end; which of the two was digested is not known.
fn is_as_applied(native: &Native, value: &SecretValue, given: &SecretUse) -> Result<bool, Error> {
    let digests = native.digest_key()?;
    let with_newline = [value.expose(), b"\n"].concat();
    Ok([value, &SecretValue::new(with_newline)]
        .iter()
        .any(|value| digests.digest(value.expose()) == given.digest))
}

/// As execve gave them to init; a container that ends has none.
fn init_variables(native: &Native, key: &Key, uuid: Uuid) -> BTreeMap<String, String> {
    let Ok(running) = Running::find(native, key, uuid) else { return BTreeMap::new() };
    let text = std::fs::read(format!("/proc/{}/environ", running.init.pid)).unwrap_or_default();
    let text = String::from_utf8(text).unwrap_or_default();
    if running.init.is_alive() { secrets::parse(&text) } else { BTreeMap::new() }
}

fn seal(key: &Key, values: &BTreeMap<&str, SecretValue>) -> Result<Option<OwnedFd>, Error> {
    if values.is_empty() {
        return Ok(None);
    }
    let text = secrets::text(values.iter().map(|(name, value)| (*name, value.expose())));
    let sealed = sealed::seal(&SecretValue::new(text));
    sealed.map(Some).map_err(|error| failed(format!("{key}: its variables could not be handed on"), error))
}
