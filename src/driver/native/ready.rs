//! Waiting until a started container is ready.

use super::Native;
use super::containers::Running;
use super::failure::failed;
use super::program::{End, Program};
use crate::driver::{Error, StepContext};
use crate::model::key::Key;
use crate::model::ready::{Ready, ReadyProbe};
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
            // What a whole try has answered says more.
            Verdict::CutShort(last) => {
                if told.is_empty() {
                    last
                } else {
                    told.clone()
                }
            }
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
    /// The time was over before it had answered.
    CutShort(String),
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
                let command = ["systemctl", "is-system-running"].map(str::to_owned);
                let (_, output) = self.run(&command)?;
                Ok(match output.trim() {
                    "running" | "degraded" => Verdict::Ready,
                    "" => Verdict::NotYet("systemd does not answer yet".to_owned()),
                    other => Verdict::NotYet(format!("systemd is {other}")),
                })
            }
            ReadyProbe::Exec(command) => {
                let words = command.join(" ");
                Ok(match self.run(command)?.0 {
                    End::Status(0) => Verdict::Ready,
                    End::Status(other) => Verdict::NotYet(format!("{words} ended with status {other}")),
                    End::NotRun(why) => Verdict::NotYet(format!("{words} could not be run: {why}")),
                    End::Late => Verdict::CutShort(format!("{words} had not ended, and was killed")),
                })
            }
        }
    }

    /// How a command inside ended, and what it wrote as far as a pipe holds it.
    fn run(&self, command: &[String]) -> Result<(End, String), Error> {
        let what = || format!("{}: its probe could not be run", self.key);
        let (reader, writer) = std::io::pipe().map_err(|error| failed(what(), error))?;
        let output = Some(writer.into());
        let program = Program { key: self.key, uuid: self.uuid, command, secrets: None, output };
        let end = program.run(self.native, self.deadline, self.context)?;
        let output = written(reader).map_err(|error| failed(what(), error))?;
        Ok((end, output))
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
