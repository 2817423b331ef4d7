//! A program that a step runs inside a container, until it ends or a deadline comes.

use super::Native;
use super::failure::failed;
use crate::driver::{Error, StepContext};
use crate::model::key::Key;
use crate::runtime::exec::{self, ExecSpec, Streams};
use crate::runtime::{error, records};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Between two looks at the flag that Ctrl-C sets.
const CANCEL_POLL: Duration = Duration::from_millis(100);

/// A program, as root in `/`, with nothing to read.
pub struct Program<'a> {
    pub key: &'a Key,
    pub uuid: Uuid,
    pub command: &'a [String],
    /// Its secret variables, sealed.
    pub secrets: Option<OwnedFd>,
    /// Where its standard output goes; else nowhere, as its standard error does.
    pub output: Option<OwnedFd>,
}

pub enum End {
    Status(i32),
    NotRun(String),
    /// It was killed.
    Late,
}

impl Program<'_> {
    pub fn run(self, native: &Native, deadline: Instant, context: &StepContext<'_>) -> Result<End, Error> {
        let what = format!("{}: {} could not be run", self.key, self.command.join(" "));
        let spec = ExecSpec {
            arguments: self.command.to_vec(),
            environment: BTreeMap::new(),
            has_secrets: self.secrets.is_some(),
            user: None,
            folder: Some("/".to_owned()),
            terminal: None,
        };
        let streams = streams(self.output).map_err(|error| failed(&what, error))?;
        let folder = records::folder(&native.layout.run, &self.uuid);
        let running = match exec::exec(&native.spawner, &folder, &spec, Some(streams), self.secrets) {
            Ok(running) => running,
            Err(error) => return Ok(End::NotRun(error.to_string())),
        };
        match wait(&running, deadline, context) {
            Err(error) => Err(failed(&what, error)),
            Ok(None) => Err(Error::Cancelled),
            Ok(Some(end)) => Ok(end),
        }
    }
}

fn streams(output: Option<OwnedFd>) -> io::Result<Streams> {
    let null = || File::options().read(true).write(true).open("/dev/null").map(OwnedFd::from);
    Ok(Streams { stdin: null()?, stdout: output.map_or_else(null, Ok)?, stderr: null()? })
}

/// None: Ctrl-C. One that has not ended then ends when it is dropped.
fn wait(
    program: &exec::Running,
    deadline: Instant,
    context: &StepContext<'_>,
) -> Result<Option<End>, error::Error> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now()).min(CANCEL_POLL);
        let timeout = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
        let ready = poll(&mut [PollFd::new(program, PollFlags::IN)], Some(&timeout));
        if ready.is_ok_and(|ready| ready > 0) {
            return Ok(Some(End::Status(program.wait()?.status())));
        }
        if context.cancelled() {
            return Ok(None);
        }
        if Instant::now() >= deadline {
            return Ok(Some(End::Late));
        }
    }
}
