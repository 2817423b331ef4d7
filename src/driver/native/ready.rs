//! Waiting until a started container is ready.

use super::Native;
use super::containers::Running;
use super::failure::failed;
use super::inside::{self, Waited};
use crate::driver::{Error, StepContext};
use crate::model::key::Key;
use crate::model::ready::{Ready, ReadyProbe};
use crate::runtime::exec::{self, ExecSpec, Streams};
use crate::runtime::records;
use std::fs::File;
use std::io::{ErrorKind, PipeReader, Read};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Between two tries, whatever the interval says.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);

/// Tries until the probe says ready, or its time is over, or the container has ended.
pub fn wait(
    native: &Native,
    key: &Key,
    uuid: Uuid,
    ready: &Ready,
    context: &StepContext<'_>,
) -> Result<(), Error> {
    let begun = Instant::now();
    let deadline = begun + ready.timeout.duration();
    let mut told = String::new();
    loop {
        if let Err(Error::Precondition { .. }) = Running::find(native, key, uuid) {
            let last = "its init does not run".to_owned();
            return Err(Error::NotReady { key: key.clone(), waited_ms: elapsed_ms(begun), last });
        }
        let place = Inside { native, key, uuid, deadline, context };
        let last = match place.probe(&ready.probe)? {
            Verdict::Ready => return Ok(()),
            Verdict::NotYet(last) => last,
        };
        if context.cancelled() {
            return Err(Error::Cancelled);
        }
        if Instant::now() >= deadline {
            return Err(Error::NotReady { key: key.clone(), waited_ms: elapsed_ms(begun), last });
        }
        if told != last {
            (context.progress)(&format!("waiting until it is ready ({last})"));
            told = last;
        }
        std::thread::sleep(ready.interval.duration().max(SHORTEST_PAUSE));
    }
}

fn elapsed_ms(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)
}

enum Verdict {
    Ready,
    NotYet(String),
}

/// Where a probe runs, and until when.
struct Inside<'a> {
    native: &'a Native,
    key: &'a Key,
    uuid: Uuid,
    deadline: Instant,
    context: &'a StepContext<'a>,
}

impl Inside<'_> {
    fn probe(&self, probe: &ReadyProbe) -> Result<Verdict, Error> {
        match probe {
            ReadyProbe::Alive => Ok(Verdict::Ready),
            ReadyProbe::Systemd => {
                let (_, output) = self.run(&["systemctl", "is-system-running"])?;
                Ok(match output.trim() {
                    "running" | "degraded" => Verdict::Ready,
                    "" => Verdict::NotYet("systemd does not answer yet".to_owned()),
                    other => Verdict::NotYet(format!("systemd is {other}")),
                })
            }
            ReadyProbe::Exec(command) => {
                let words: Vec<&str> = command.iter().map(String::as_str).collect();
                let (ended, _) = self.run(&words)?;
                Ok(match ended {
                    Some(0) => Verdict::Ready,
                    Some(other) => Verdict::NotYet(format!("{} ended with status {other}", words.join(" "))),
                    None => Verdict::NotYet(format!("{} had not ended, and was killed", words.join(" "))),
                })
            }
        }
    }

    /// Runs a command inside; its status, and what it wrote as far as a pipe holds it. A command that cannot be run
    /// yet counts as not ready; one that has not ended in time has no status.
    fn run(&self, command: &[&str]) -> Result<(Option<i32>, String), Error> {
        let what = || format!("{}: its probe could not be run", self.key);
        let spec = ExecSpec {
            arguments: command.iter().map(|word| (*word).to_owned()).collect(),
            environment: Default::default(),
            has_secrets: false,
            user: None,
            folder: Some("/".to_owned()),
            terminal: None,
        };
        let null = || File::options().read(true).write(true).open("/dev/null");
        let (reader, writer) = std::io::pipe().map_err(|error| failed(what(), error))?;
        let streams = Streams {
            stdin: null().map_err(|error| failed(what(), error))?.into(),
            stdout: writer.into(),
            stderr: null().map_err(|error| failed(what(), error))?.into(),
        };
        let folder = records::folder(&self.native.layout.run, &self.uuid);
        let program = match exec::exec(&self.native.spawner, &folder, &spec, Some(streams)) {
            Ok(program) => program,
            Err(error) => return Ok((Some(127), error.to_string())),
        };
        match inside::wait(&program, self.deadline, self.context) {
            Err(error) => Err(failed(what(), error)),
            Ok(Waited::Cancelled) => Err(Error::Cancelled),
            Ok(Waited::Late) => Ok((None, String::new())),
            Ok(Waited::Ended(status)) => {
                let output = written(reader).map_err(|error| failed(what(), error))?;
                Ok((Some(status), output))
            }
        }
    }
}

/// What lies in a pipe now. What a program left behind inside may hold its other end open for ever.
fn written(mut pipe: PipeReader) -> std::io::Result<String> {
    rustix::io::ioctl_fionbio(&pipe, true)?;
    let mut output = vec![];
    match pipe.read_to_end(&mut output) {
        Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
        _ => Ok(String::from_utf8_lossy(&output).into_owned()),
    }
}
