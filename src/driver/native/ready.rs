//! Waiting until a started container is ready. What is asked over the network is asked by Bayplan itself, in the
//! container's network namespace: its image needs no program for it.

use super::containers::Running;
use super::failure::failed;
use super::program::{End, Program};
use super::{Native, networks};
use crate::driver::{Error, StepContext};
use crate::model::key::Key;
use crate::model::ready::{HttpProbe, Ready, ReadyProbe};
use crate::network::http::{self, AskError};
use crate::network::service::{self, ConnectError, Patience};
use crate::runtime::identity::ProcessId;
use std::io::{ErrorKind, PipeReader, Read};
use std::net::TcpStream;
use std::num::NonZeroU16;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Between two looks at the flag that Ctrl-C sets.
const CANCEL_POLL: Duration = Duration::from_millis(100);
/// Between two tries, whatever the interval says.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
/// The longest that one question over the network is waited for.
const ANSWER: Duration = Duration::from_secs(10);
const NO_INIT: &str = "its init does not run";

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
        let init = match Running::find(native, key, uuid) {
            Ok(running) => running.init,
            Err(Error::Precondition { .. }) => {
                let last = NO_INIT.to_owned();
                return Err(Error::NotReady { key: key.clone(), waited_ms: elapsed_ms(begun), last });
            }
            Err(error) => return Err(error),
        };
        let place = Inside { native, key, uuid, init, deadline, context };
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
        pause(deadline.min(Instant::now() + ready.interval.duration().max(SHORTEST_PAUSE)), context);
    }
}

/// Until then, or Ctrl-C: an interval may be long.
fn pause(until: Instant, context: &StepContext<'_>) {
    while !context.cancelled() && Instant::now() < until {
        std::thread::sleep(until.saturating_duration_since(Instant::now()).min(CANCEL_POLL));
    }
}

fn elapsed_ms(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[derive(Debug, PartialEq)]
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
    init: ProcessId,
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
                Ok(of_systemd(output.trim()))
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
            ReadyProbe::Tcp(port) => {
                let cancelled = || self.context.cancelled();
                let connected = self.connect(*port, self.patience(&cancelled))?;
                Ok(connected.map_or_else(|verdict| verdict, |_| Verdict::Ready))
            }
            ReadyProbe::Http(probe) => self.get(probe),
        }
    }

    /// For one question: its own time, or what is left of the whole wait.
    fn patience<'p>(&self, cancelled: &'p dyn Fn() -> bool) -> Patience<'p> {
        Patience { until: self.deadline.min(Instant::now() + ANSWER), cancelled }
    }

    /// A connection that the service took; else what its absence says.
    fn connect(&self, port: NonZeroU16, patience: Patience<'_>) -> Result<Result<TcpStream, Verdict>, Error> {
        let namespace = networks::net_namespace(self.key, self.init.pid as u32);
        // Asked after its namespace was opened: it was this process's.
        let Some(namespace) = namespace.ok().filter(|_| self.init.is_alive()) else {
            return Ok(Err(Verdict::NotYet(NO_INIT.to_owned())));
        };
        match service::connect_in(namespace.as_fd(), port, patience) {
            Ok(stream) => Ok(Ok(stream)),
            Err(ConnectError::Cancelled) => Err(Error::Cancelled),
            Err(ConnectError::Netlink(error)) => {
                Err(failed(format!("{}: port {port} could not be asked", self.key), error))
            }
            Err(error @ ConnectError::Silent { .. }) => Ok(Err(self.silence(error.to_string()))),
            Err(error) => Ok(Err(Verdict::NotYet(error.to_string()))),
        }
    }

    fn get(&self, probe: &HttpProbe) -> Result<Verdict, Error> {
        let cancelled = || self.context.cancelled();
        let patience = self.patience(&cancelled);
        let stream = match self.connect(probe.port, patience)? {
            Ok(stream) => stream,
            Err(verdict) => return Ok(verdict),
        };
        match http::get(stream, &probe.path, patience) {
            Ok(answer) if answer.is_good() => Ok(Verdict::Ready),
            Ok(answer) => Ok(Verdict::NotYet(format!("{} answered {}", answer.url, answer.status))),
            Err(AskError::Cancelled) => Err(Error::Cancelled),
            Err(error @ AskError::Silent { .. }) => Ok(self.silence(error.to_string())),
            Err(error) => Ok(Verdict::NotYet(error.to_string())),
        }
    }

    /// No answer: of the service, or because the whole wait was over.
    fn silence(&self, told: String) -> Verdict {
        if Instant::now() < self.deadline { Verdict::NotYet(told) } else { Verdict::CutShort(told) }
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

/// Of `systemctl is-system-running`. Its words are known, and a container may answer anything.
fn of_systemd(answer: &str) -> Verdict {
    match answer {
        "running" | "degraded" => Verdict::Ready,
        "initializing" | "starting" | "maintenance" | "stopping" | "offline" | "unknown" => {
            Verdict::NotYet(format!("systemd is {answer}"))
        }
        "" => Verdict::NotYet("systemd does not answer yet".to_owned()),
        _ => Verdict::NotYet("systemctl inside does not answer as systemd's".to_owned()),
    }
}

/// The first of what lies in a pipe now. What a program left behind inside may hold its other end open for ever, and write
/// without end.
fn written(pipe: PipeReader) -> std::io::Result<String> {
    const MOST: u64 = 4096;
    rustix::io::ioctl_fionbio(&pipe, true)?;
    let mut output = vec![];
    match pipe.take(MOST).read_to_end(&mut output) {
        Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
        _ => Ok(String::from_utf8_lossy(&output).into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn an_answer_that_is_none_of_systemds_is_not_repeated() {
        assert_eq!(of_systemd("degraded"), Verdict::Ready);
        assert_eq!(of_systemd("starting"), Verdict::NotYet("systemd is starting".to_owned()));
        let Verdict::NotYet(told) = of_systemd("\u{1b}[2Jrunning") else { panic!("it is not ready") };
        assert!(!told.contains('\u{1b}'), "{told}");
    }

    #[test]
    fn what_a_program_writes_without_end_is_read_to_a_limit() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(&[b'y'; 50_000]).unwrap();
        assert_eq!(written(reader).unwrap().len(), 4096);
    }
}
