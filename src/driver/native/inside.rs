//! Programs that steps run inside, and the secret variables that programs get.

use super::containers::Running;
use super::failure::{failed, precondition};
use super::{Native, run_record};
use crate::content::{resolve, sealed};
use crate::driver::{Error, StepContext, records};
use crate::model::content::{Content, SecretValue};
use crate::model::key::Key;
use crate::model::run::SecretUse;
use crate::runtime::exec::{self, ExecSpec, Streams};
use crate::runtime::secrets;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How long an `onChange` may run.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks at the flag that Ctrl-C sets.
const CANCEL_POLL: Duration = Duration::from_millis(100);

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
    match carry_out(native, key, uuid, command, context)? {
        End::Status(0) => records::settle(&native.records, key, files),
        End::Status(status) => Err(ended(format!("ended with status {status}"))),
        End::NotRun(why) => Err(ended(format!("could not be run: {why}"))),
        End::Late => Err(ended(format!("did not end in {} s, and was killed", PATIENCE.as_secs()))),
    }
}

enum End {
    Status(i32),
    NotRun(String),
    Late,
}

fn carry_out(
    native: &Native,
    key: &Key,
    uuid: Uuid,
    command: &[String],
    context: &StepContext<'_>,
) -> Result<End, Error> {
    let what = || format!("{key}: {} could not be run", command.join(" "));
    let null = || File::options().read(true).write(true).open("/dev/null");
    let stream = || null().map(OwnedFd::from).map_err(|error| failed(what(), error));
    let streams = Streams { stdin: stream()?, stdout: stream()?, stderr: stream()? };
    let variables = variables(native, key, uuid)?;
    let spec = ExecSpec {
        arguments: command.to_vec(),
        environment: BTreeMap::new(),
        has_secrets: variables.is_some(),
        user: None,
        folder: Some("/".to_owned()),
        terminal: None,
    };
    let folder = crate::runtime::records::folder(&native.layout.run, &uuid);
    let program = match exec::exec_with(&native.spawner, &folder, &spec, Some(streams), variables) {
        Ok(program) => program,
        Err(error) => return Ok(End::NotRun(error.to_string())),
    };
    match wait(&program, Instant::now() + PATIENCE, context) {
        Err(error) => Err(failed(what(), error)),
        Ok(Waited::Ended(status)) => Ok(End::Status(status)),
        Ok(Waited::Late) => Ok(End::Late),
        Ok(Waited::Cancelled) => Err(Error::Cancelled),
    }
}

/// How the wait for a program inside was over.
pub enum Waited {
    Ended(i32),
    Late,
    Cancelled,
}

/// Waits for a program's end, until the deadline or Ctrl-C; one that has not ended then ends when it is dropped.
pub fn wait(
    program: &exec::Running,
    deadline: Instant,
    context: &StepContext<'_>,
) -> Result<Waited, crate::runtime::error::Error> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now()).min(CANCEL_POLL);
        let timeout = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
        let ready = poll(&mut [PollFd::new(program, PollFlags::IN)], Some(&timeout));
        if ready.is_ok_and(|ready| ready > 0) {
            return Ok(Waited::Ended(program.wait()?.status()));
        }
        if context.cancelled() {
            return Ok(Waited::Cancelled);
        }
        if Instant::now() >= deadline {
            return Ok(Waited::Late);
        }
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
    let content = Content::Secret(given.secret.clone());
    let value = super::files::planned(native, key, &content, &given.digest)?;
    resolve::variable(&content, &value)
        .map_err(|error| failed(format!("{key}: a variable has no value"), error))
}

/// The secret variables that programs in a running container get: as last applied. A secret that cannot be had any
/// more, or is another one by now, is taken from what init was started with; one that init does not have either is
/// left out.
pub fn variables(native: &Native, key: &Key, uuid: Uuid) -> Result<Option<OwnedFd>, Error> {
    let Some(record) = run_record::read(&native.layout.run, key, uuid)? else { return Ok(None) };
    if record.run.secrets.is_empty() {
        return Ok(None);
    }
    let mut values = BTreeMap::new();
    let mut of_init = None;
    for (name, given) in &record.run.secrets {
        if let Ok(value) = planned(native, key, given) {
            values.insert(name.as_str(), value);
            continue;
        }
        let of_init = of_init.get_or_insert_with(|| init_variables(native, key, uuid));
        match of_init.remove(name) {
            Some(value) => drop(values.insert(name, SecretValue::new(value.into_bytes()))),
            None => tracing::warn!("{key}: variable {name} is left out: {} cannot be had", given.secret.from),
        }
    }
    seal(key, &values)
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
