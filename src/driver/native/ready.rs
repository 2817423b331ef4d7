//! Waiting until a started container is ready.

use super::Native;
use super::containers::Running;
use super::failure::failed;
use crate::driver::{Error, StepContext};
use crate::model::key::Key;
use crate::model::object::{Ready, ReadyProbe};
use crate::runtime::exec::{self, ExecSpec, Streams};
use crate::runtime::records;
use std::fs::File;
use std::io::Read;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Tries until the probe says ready, or its time is over, or the container has ended.
pub fn wait(
    native: &Native,
    key: &Key,
    uuid: Uuid,
    ready: &Ready,
    context: &StepContext<'_>,
) -> Result<(), Error> {
    let begun = Instant::now();
    let timeout = Duration::from_millis(ready.timeout_ms);
    loop {
        if let Err(Error::Precondition { .. }) = Running::find(native, key, uuid) {
            let last = "its init does not run".to_owned();
            return Err(Error::NotReady { key: key.clone(), waited_ms: elapsed_ms(begun), last });
        }
        let last = match probe(native, key, uuid, &ready.probe)? {
            Verdict::Ready => return Ok(()),
            Verdict::NotYet(last) => last,
        };
        if context.cancelled() {
            return Err(Error::Cancelled);
        }
        if begun.elapsed() >= timeout {
            return Err(Error::NotReady { key: key.clone(), waited_ms: elapsed_ms(begun), last });
        }
        (context.progress)(&format!("{key}: waiting until it is ready ({last})"));
        std::thread::sleep(Duration::from_millis(ready.interval_ms.max(10)));
    }
}

fn elapsed_ms(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)
}

enum Verdict {
    Ready,
    NotYet(String),
}

fn probe(native: &Native, key: &Key, uuid: Uuid, probe: &ReadyProbe) -> Result<Verdict, Error> {
    match probe {
        ReadyProbe::Alive => Ok(Verdict::Ready),
        ReadyProbe::Systemd => {
            let (_, output) = run(native, key, uuid, &["systemctl", "is-system-running"])?;
            let state = output.trim();
            Ok(match state {
                "running" | "degraded" => Verdict::Ready,
                other => Verdict::NotYet(format!("systemd is {other}")),
            })
        }
        ReadyProbe::Exec(command) => {
            let words: Vec<&str> = command.iter().map(String::as_str).collect();
            let (status, _) = run(native, key, uuid, &words)?;
            Ok(match status {
                0 => Verdict::Ready,
                other => Verdict::NotYet(format!("{} ended with status {other}", words.join(" "))),
            })
        }
    }
}

/// Runs a command inside; its status and what it wrote. A command that cannot be run yet counts as not ready.
fn run(native: &Native, key: &Key, uuid: Uuid, command: &[&str]) -> Result<(i32, String), Error> {
    let what = || format!("{key}: its probe could not be run");
    let spec = ExecSpec {
        arguments: command.iter().map(|word| (*word).to_owned()).collect(),
        environment: Default::default(),
        has_secrets: false,
        user: None,
        folder: Some("/".to_owned()),
        terminal: None,
    };
    let null = || File::options().read(true).write(true).open("/dev/null");
    let (mut reader, writer) = std::io::pipe().map_err(|error| failed(what(), error))?;
    let streams = Streams {
        stdin: null().map_err(|error| failed(what(), error))?.into(),
        stdout: writer.into(),
        stderr: null().map_err(|error| failed(what(), error))?.into(),
    };
    let folder = records::folder(&native.layout.run, &uuid);
    let program = match exec::exec(&native.spawner, &folder, &spec, Some(streams)) {
        Ok(program) => program,
        Err(error) => return Ok((127, error.to_string())),
    };
    let mut output = String::new();
    reader.read_to_string(&mut output).map_err(|error| failed(what(), error))?;
    let ended = program.wait().map_err(|error| failed(what(), error))?;
    Ok((ended.status(), output))
}
