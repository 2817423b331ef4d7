//! A program run inside a running container.
//!
//! ```text
//! caller ──channel── helper (child of the spawner, outside) ──pidfd── program (inside)
//! ```
//!
//! The helper enters only the pid namespace, for its child; it is not dumpable and holds nothing of the host but
//! its channel and the pidfds, so that nobody inside finds anything through it. It reports how the program ended,
//! and ends with it. When its caller goes the program is killed; when the helper itself is killed the caller's
//! channel ends without an exit report: that is `lost`, never success.

use crate::runtime::cgroup::{Cgroup, Entrances, Hierarchies};
use crate::runtime::channel::{self, Answer, Failure, Process, step};
use crate::runtime::error::{Error, Result, call};
use crate::runtime::exec_inside::{self, Inside};
use crate::runtime::identity::ProcessId;
use crate::runtime::records::{self, Started};
use crate::runtime::spawner::{Request, Spawner};
use crate::runtime::start_spec::{Confinement, StartSpec};
use crate::runtime::{confinement, monitor};
use linux::process::Clone;
use nix::sched::CloneFlags;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, Mode, OFlags, fchmod, openat};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, pidfd_open, waitid};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Between two looks whether a freeze keeps a program from beginning.
const FREEZE_POLL: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
/// How long a program may take to begin: what it passes on its way may be served inside, and hold it for ever.
const START_PATIENCE: Duration = Duration::from_secs(60);
/// How long a program that was killed may take to be gone.
const LAST_MOMENT: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// What to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExecSpec {
    /// Program and arguments; the program is searched in the container's PATH.
    pub arguments: Vec<String>,
    /// Stronger than the container's.
    pub environment: BTreeMap<String, String>,
    /// More variables come by a descriptor: `secrets::seal`. `environment` is stronger.
    #[serde(default)]
    pub has_secrets: bool,
    /// `NAME`, `UID`, `NAME:GROUP`, `UID:GID`, by the container's own /etc/passwd and /etc/group. None is root.
    pub user: Option<String>,
    /// None is the user's home.
    pub folder: Option<String>,
    /// A terminal of this size instead of three streams.
    pub terminal: Option<Window>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Window {
    pub columns: u16,
    pub rows: u16,
}

/// Standard input, output and error of the program.
#[derive(Debug)]
pub struct Streams {
    pub stdin: OwnedFd,
    pub stdout: OwnedFd,
    pub stderr: OwnedFd,
}

/// Our ends of a program's streams.
#[derive(Debug)]
pub struct Ends {
    pub stdin: OwnedFd,
    pub stdout: OwnedFd,
    pub stderr: OwnedFd,
}

/// Pipes for a program, so that it holds no stream of the host: through a folder that a caller has as its input it
/// would reach all files of the host, and what goes on in the background would hold a caller's output open.
pub fn pipes() -> Result<(Streams, Ends)> {
    let pipe = || -> Result<_> {
        let pipe = pipe_with(PipeFlags::CLOEXEC).map_err(call("make a pipe"))?;
        // Whoever the program is, it may open /dev/stderr; only those who may look at its descriptors reach the name.
        fchmod(&pipe.0, Mode::from_raw_mode(0o666)).map_err(call("open a pipe to all users inside"))?;
        Ok(pipe)
    };
    let ((stdin, typed), (shown, stdout), (told, stderr)) = (pipe()?, pipe()?, pipe()?);
    Ok((Streams { stdin, stdout, stderr }, Ends { stdin: typed, stdout: shown, stderr: told }))
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    pub code: Option<i32>,
    pub signal: Option<i32>,
}

impl Ended {
    /// As a shell says it: a signal is 128 + its number.
    pub fn status(&self) -> i32 {
        self.code.or(self.signal.map(|signal| 128 + signal)).unwrap_or(255)
    }
}

/// A program that runs. Dropping it kills the program.
#[derive(Debug)]
pub struct Running {
    channel: OwnedFd,
    /// The host's pid of it.
    pub pid: i32,
    /// The terminal's master, if one was wanted: what it says is the program's output. After the program's end
    /// read on until it would block or fails.
    pub terminal: Option<OwnedFd>,
}

/// What the caller may tell the helper.
#[derive(Debug, Serialize, Deserialize)]
enum Order {
    Signal(i32),
}

/// Runs a program in the container of `folder`. Streams are needed unless the spec wants a terminal, secret variables
/// (`secrets::text`, sealed) where it has some.
pub fn exec(
    spawner: &Spawner,
    folder: &Path,
    spec: &ExecSpec,
    streams: Option<Streams>,
    secrets: Option<OwnedFd>,
) -> Result<Running> {
    let started: Started = records::read(folder, records::STARTED)?.ok_or(Error::NotRunning { pid: 0 })?;
    let pidfd = open_alive(&started.init)?;
    let mut descriptors = vec![pidfd.as_fd()];
    if let Some(streams) = &streams {
        descriptors.extend([streams.stdin.as_fd(), streams.stdout.as_fd(), streams.stderr.as_fd()]);
    }
    descriptors.extend(secrets.as_ref().map(AsFd::as_fd));
    let request = Request::Exec { folder: folder.to_path_buf(), spec: spec.clone() };
    let channel = spawner.request(&request, &descriptors)?;
    match channel::answer(&channel, Process::Exec) {
        Ok((Answer::Started { pid }, mut passed)) => Ok(Running { channel, pid, terminal: passed.pop() }),
        // Its namespaces cannot be entered while it dies: that says the same as a start too late.
        Err(_) if !started.init.is_alive() => Err(Error::NotRunning { pid: started.init.pid }),
        Err(error) => Err(error),
        Ok(_) => Err(Error::Lost { process: Process::Exec.name() }),
    }
}

impl Running {
    /// Sends a signal to the program.
    pub fn signal(&self, number: i32) -> Result<()> {
        channel::send(&self.channel, &Order::Signal(number), &[])
    }

    /// Tells the terminal its new size; the program gets SIGWINCH from the kernel.
    pub fn resize(&self, window: Window) -> Result<()> {
        let Some(terminal) = &self.terminal else { return Ok(()) };
        linux::process::set_window(terminal, window.columns, window.rows).map_err(call("set the window"))
    }

    /// Waits for the program's end. [`Error::Lost`] when the helper was killed: then nobody knows the status.
    pub fn wait(&self) -> Result<Ended> {
        match channel::answer(&self.channel, Process::Exec)? {
            (Answer::Exited { code, signal }, _) => Ok(Ended { code, signal }),
            _ => Err(Error::Lost { process: Process::Exec.name() }),
        }
    }
}

impl AsFd for Running {
    /// Readable when [`Running::wait`] would not block.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.channel.as_fd()
    }
}

fn open_alive(init: &ProcessId) -> Result<OwnedFd> {
    let gone = || Error::NotRunning { pid: init.pid };
    let pid = Pid::from_raw(init.pid).ok_or_else(gone)?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty()).map_err(|_| gone())?;
    // In this order: the pidfd is of the process that the check then finds alive.
    if init.is_alive() { Ok(pidfd) } else { Err(gone()) }
}

/// The helper's whole life.
pub fn help(reply: &OwnedFd, descriptors: Vec<OwnedFd>, folder: &Path, spec: &ExecSpec) -> i32 {
    let _ = rustix::thread::set_name(c"bayplan-exec");
    let behavior = rustix::process::DumpableBehavior::NotDumpable;
    let prepared = rustix::process::set_dumpable_behavior(behavior).map_err(step("become undumpable"));
    let begun = prepared.and_then(|()| begin(reply, descriptors, folder, spec));
    let (program, pid, terminal) = match begun {
        Ok(begun) => begun,
        Err(failure) => {
            let _ = channel::send(reply, &failure.answer(Process::Exec), &[]);
            return 1;
        }
    };
    let passed: Vec<BorrowedFd<'_>> = terminal.iter().map(AsFd::as_fd).collect();
    let told = channel::send(reply, &Answer::Started { pid }, &passed);
    drop(terminal);
    if told.is_err() || !accompany(reply, &program) {
        end_group(pid, &program);
    }
    let status = waitid(WaitId::PidFd(program.as_fd()), WaitIdOptions::EXITED).ok().flatten();
    let code = status.as_ref().and_then(rustix::process::WaitIdStatus::exit_status);
    let signal = status.as_ref().and_then(rustix::process::WaitIdStatus::terminating_signal);
    i32::from(channel::send(reply, &Answer::Exited { code, signal }, &[]).is_err())
}

/// Passes signals on until the program has ended; false when the caller is gone.
fn accompany(reply: &OwnedFd, program: &OwnedFd) -> bool {
    loop {
        let mut fds = [PollFd::new(program, PollFlags::IN), PollFd::new(reply, PollFlags::IN)];
        if poll(&mut fds, None).is_err() {
            continue;
        }
        if !fds[0].revents().is_empty() {
            return true;
        }
        if !fds[1].revents().is_empty() {
            let Ok(Some((Order::Signal(number), _))) = channel::receive(reply) else { return false };
            // A program that is just ending takes no signal.
            let _ = linux::process::pidfd_signal(program.as_fd(), number);
        }
    }
}

fn end_group(pid: i32, program: &OwnedFd) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = rustix::process::kill_process_group(pid, Signal::KILL);
    }
    let _ = linux::process::pidfd_signal(program.as_fd(), libc::SIGKILL);
}

type Begun = (OwnedFd, i32, Option<OwnedFd>);

/// Up to the program's execve: its pidfd, pid and terminal.
fn begin(
    reply: &OwnedFd,
    descriptors: Vec<OwnedFd>,
    folder: &Path,
    spec: &ExecSpec,
) -> std::result::Result<Begun, Failure> {
    let mut descriptors = descriptors;
    let secrets = if spec.has_secrets { descriptors.pop() } else { None };
    let mut descriptors = descriptors.into_iter();
    let missing = |what: &str| Failure { step: format!("get {what}"), errno: libc::EBADF };
    let init = descriptors.next().ok_or_else(|| missing("the container's pidfd"))?;
    let streams = match (descriptors.next(), descriptors.next(), descriptors.next()) {
        (Some(stdin), Some(stdout), Some(stderr)) => Some(Streams { stdin, stdout, stderr }),
        _ => None,
    };
    if streams.is_none() && spec.terminal.is_none() {
        return Err(missing("three streams or a terminal"));
    }
    let start: StartSpec = records::read(folder, records::START)?.ok_or_else(|| missing(records::START))?;
    let started: Started =
        records::read(folder, records::STARTED)?.ok_or_else(|| missing(records::STARTED))?;
    let seccomp = monitor::read_filter(&start)?;
    let (hierarchies, cgroup) = (Hierarchies::detect()?, start.cgroup.clone());
    let entrances = entrances(&hierarchies, started.init.pid)?;
    nix::sched::setns(&init, CloneFlags::CLONE_NEWPID).map_err(step("enter the pid namespace"))?;
    let (ours, theirs) = channel::pair()?;
    let clone =
        linux::process::clone3(0, Some(entrances.unified.as_fd())).map_err(step("clone the program"))?;
    let Clone::Parent { pid, pidfd } = clone else {
        drop(ours);
        let is_namespaced = matches!(start.confinement, Confinement::Namespaced { .. });
        let tasks = entrances.tasks;
        exec_inside::run(Inside {
            start,
            spec: spec.clone(),
            channel: theirs,
            init,
            is_namespaced,
            tasks,
            streams,
            secrets,
            seccomp,
        })
    };
    drop((theirs, streams, secrets, entrances));
    let cgroup = Cgroup { hierarchies: &hierarchies, path: &cgroup };
    let released = confinement::set_rlimits(pid, &start.rlimits)
        .and_then(|()| Ok(channel::send(&ours, &exec_inside::Go, &[])?));
    match released.and_then(|()| wait_for_execve(&ours, reply, &cgroup)) {
        Ok(terminal) => Ok((pidfd, pid, terminal)),
        Err(failure) => {
            discard(&pidfd);
            Err(failure)
        }
    }
}

/// Leaves nothing of a program that did not begin: a frozen one would go on when it is unfrozen.
fn discard(program: &OwnedFd) {
    let _ = linux::process::pidfd_signal(program.as_fd(), libc::SIGKILL);
    let _ = poll(&mut [PollFd::new(program, PollFlags::IN)], Some(&LAST_MOMENT));
    let _ = waitid(WaitId::PidFd(program.as_fd()), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
}

/// The channel to the program is closed by execve; the terminal's master, if one was wanted.
fn wait_for_execve(
    channel: &OwnedFd,
    reply: &OwnedFd,
    cgroup: &Cgroup<'_>,
) -> std::result::Result<Option<OwnedFd>, Failure> {
    let failed = |step: &str, errno| Err(Failure { step: step.to_owned(), errno });
    let (mut terminal, begun) = (None, Instant::now());
    loop {
        let mut fds = [PollFd::new(channel, PollFlags::IN), PollFd::new(reply, PollFlags::IN)];
        let ready = poll(&mut fds, Some(&FREEZE_POLL));
        if fds[0].revents().is_empty() {
            if !fds[1].revents().is_empty() {
                return failed("begin for a caller that is gone", libc::EPIPE);
            }
            if ready == Ok(0) && cgroup.is_frozen() {
                return failed("begin in a frozen container", libc::EAGAIN);
            }
            if begun.elapsed() > START_PATIENCE {
                return failed("begin in time", libc::ETIMEDOUT);
            }
            continue;
        }
        match channel::receive::<exec_inside::Report>(channel)? {
            None => return Ok(terminal),
            Some((exec_inside::Report::Terminal, mut passed)) => terminal = passed.pop(),
            Some((exec_inside::Report::Failed { step, errno }, _)) => return Err(Failure { step, errno }),
        }
    }
}

/// The cgroups where the container's init is now: systemd has moved itself below the payload folder, and processes
/// may live in the leaves only.
fn entrances(hierarchies: &Hierarchies, init: i32) -> std::result::Result<Entrances, Failure> {
    let path = PathBuf::from(format!("/proc/{init}/cgroup"));
    let table = fs::read_to_string(&path).map_err(step("find the container's cgroups"))?;
    let (unified, tasks) = hierarchies.folders_in(&table);
    let open = |path: &Path, flags| {
        openat(CWD, path, flags | OFlags::CLOEXEC, Mode::empty())
            .map_err(step(format!("open {}", path.display())))
    };
    let unified = open(&unified, OFlags::RDONLY | OFlags::DIRECTORY)?;
    let tasks = tasks.iter().map(|folder| open(&folder.join("tasks"), OFlags::WRONLY));
    Ok(Entrances { unified, tasks: tasks.collect::<std::result::Result<_, _>>()? })
}
