//! The process beside each container: init's parent and only reaper.
//!
//! ```text
//!   start ─► clone init ─► Prepared ──release──► started.json ─► init execs ─► watch ─► exit.json ─► end
//!                             │ controller gone                    │ step failed     ▲
//!                             └──────────► kill init, leave nothing ◄┘    supervise ─┘ (init lives on without us)
//! ```
//!
//! It decides nothing: it drains the console into a capped log, answers a few small commands, and records how init
//! ended. It must stay small (one for each container) and must never block on a client.

use crate::runtime::cgroup::Cgroup;
use crate::runtime::channel::{self, Answer, Failure, Process, step};
use crate::runtime::console::Log;
use crate::runtime::identity::{ProcessId, boot_id};
use crate::runtime::init::{self, Context, Go, Report};
use crate::runtime::oom::OomWatch;
use crate::runtime::records::{self, Cause, Exit, Started};
use crate::runtime::spawner::Post;
use crate::runtime::start_spec::{Confinement, StartSpec};
use crate::runtime::{confinement, devices, monitor_loop, rootfs};
use linux::process::Clone;
use rustix::process::{WaitId, WaitIdOptions, waitid};
use serde::{Deserialize, Serialize};
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// How long the cgroup's last processes may take to vanish after init.
const PATIENCE: Duration = Duration::from_secs(10);

/// The controller's word that init may go on. Descriptors: root, then the binds.
#[derive(Debug, Serialize, Deserialize)]
pub struct Release;

/// A container that runs and is watched.
pub struct Watched {
    pub spec: StartSpec,
    pub started: Started,
    pub pidfd: OwnedFd,
    /// Master and slave of the console; none after the first monitor was lost.
    pub console: Option<(OwnedFd, OwnedFd)>,
    pub listener: OwnedFd,
}

/// Starts the folder's spec and stays. Answers the process's exit code.
pub fn start(reply: OwnedFd, post: &Post) -> i32 {
    let launched = launch(&reply, post);
    let watched = match launched {
        Ok(Some(watched)) => watched,
        Ok(None) => return 0,
        Err((process, failure)) => {
            let _ = channel::send(&reply, &failure.answer(process), &[]);
            return 1;
        }
    };
    drop(reply);
    watch(watched, post, OomWatch::from_birth)
}

/// Watches a container whose monitor was lost.
pub fn supervise(reply: &OwnedFd, post: &Post) -> i32 {
    match adopt(post) {
        Ok(watched) => {
            if channel::send(reply, &Answer::Done, &[]).is_err() {
                return 1;
            }
            watch(watched, post, OomWatch::open)
        }
        Err(failure) => {
            let _ = channel::send(reply, &failure.answer(Process::Monitor), &[]);
            1
        }
    }
}

/// Away from the session and the cgroups of whoever asked; on the unified hierarchy it was cloned into its own.
fn settle(post: &Post) -> Result<(), Failure> {
    let _ = rustix::process::setsid();
    let _ = rustix::thread::set_name(c"bayplan-monitor");
    Ok(post.hierarchies.join_v1(&post.cgroup)?)
}

type Launch = Result<Option<Watched>, (Process, Failure)>;
type Heard = Result<Option<(Report, Vec<OwnedFd>)>, (Process, Failure)>;

/// `None` when the controller gave up between prepare and release: nothing is left then.
fn launch(reply: &OwnedFd, post: &Post) -> Launch {
    let ours = |failure: Failure| (Process::Monitor, failure);
    let folder = post.folder.as_path();
    settle(post).map_err(ours)?;
    let spec = read_spec(folder).map_err(ours)?;
    if spec.checkpoint.is_some() {
        return Err(ours(Failure { step: "restore a checkpoint".to_owned(), errno: libc::EOPNOTSUPP }));
    }
    let cgroup = Cgroup { hierarchies: &post.hierarchies, path: &spec.cgroup };
    let (pid, pidfd, line) = clone_init(&spec, &cgroup).map_err(ours)?;
    let watched = hand_over(reply, spec.clone(), (pid, pidfd, &line), folder);
    if !matches!(watched, Ok(Some(_))) {
        // The channel's end has ended init, or its failure has; it only needs to be reaped.
        drop(line);
        let _ = rustix::process::waitpid(
            rustix::process::Pid::from_raw(pid),
            rustix::process::WaitOptions::empty(),
        );
        let _ = records::remove(folder, records::STARTED);
        let _ = records::remove(folder, records::SOCKET);
        let _ = cgroup.remove(PATIENCE);
    }
    watched
}

/// Init, cloned into all its namespaces and its cgroup, and our end of the line to it.
fn clone_init(spec: &StartSpec, cgroup: &Cgroup<'_>) -> Result<(i32, OwnedFd, OwnedFd), Failure> {
    let entrances = cgroup.entrances()?;
    let devices = devices::tree(spec)?;
    let seccomp = read_filter(spec)?;
    let (ours, theirs) = channel::pair()?;
    let clone = linux::process::clone3(namespaces(spec), Some(entrances.unified.as_fd()));
    match clone.map_err(step("clone init"))? {
        Clone::Child => {
            drop(ours);
            let tasks = entrances.tasks;
            init::run(Context { spec: spec.clone(), channel: theirs, tasks, devices, seccomp })
        }
        Clone::Parent { pid, pidfd } => Ok((pid, pidfd, ours)),
    }
}

fn namespaces(spec: &StartSpec) -> u64 {
    let always =
        libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWNET | libc::CLONE_NEWUTS | libc::CLONE_NEWIPC;
    let user = match spec.confinement {
        Confinement::Namespaced { .. } => libc::CLONE_NEWUSER,
        Confinement::Privileged => 0,
    };
    (always | user) as u64
}

/// The two phases: everything up to Prepared, then from release to execve.
fn hand_over(
    reply: &OwnedFd,
    spec: StartSpec,
    (pid, pidfd, line): (i32, OwnedFd, &OwnedFd),
    folder: &Path,
) -> Launch {
    let ours = |failure: Failure| (Process::Monitor, failure);
    let process = |what: &str| ours(Failure { step: what.to_owned(), errno: libc::ESRCH });
    if let Some(map) = spec.id_map() {
        rootfs::write_maps(pid, map).map_err(ours)?;
    }
    confinement::set_rlimits(pid, &spec.rlimits).map_err(ours)?;
    match next_report(line)? {
        Some((Report::Joined, _)) => {}
        _ => return Err(process("wait for init to enter its cgroups")),
    }
    let init = ProcessId::of(pid).ok_or_else(|| process("look at init"))?;
    let monitor = ProcessId::own().ok_or_else(|| process("look at the monitor"))?;
    let listener = monitor_loop::listen(folder).map_err(ours)?;
    channel::send(reply, &Answer::Prepared { init }, &[pidfd.as_fd()]).map_err(|error| ours(error.into()))?;
    let released = channel::receive::<Release>(reply).map_err(|error| ours(error.into()))?;
    let Some((Release, mounts)) = released else { return Ok(None) };
    let started = Started {
        version: records::VERSION,
        boot_id: boot_id().map_err(step("read the boot id")).map_err(ours)?,
        incarnation: spec.incarnation,
        init,
        monitor,
        at_ms: records::now_ms(),
    };
    records::write(folder, records::STARTED, &started).map_err(|error| ours(error.into()))?;
    let descriptors: Vec<BorrowedFd<'_>> = mounts.iter().map(AsFd::as_fd).collect();
    channel::send(line, &Go, &descriptors).map_err(|error| ours(error.into()))?;
    // A mount that we still held could not be unmounted inside.
    drop(mounts);
    let mut console = None;
    while let Some((report, mut descriptors)) = next_report(line)? {
        if let (Report::Console, Some(slave), Some(master)) = (report, descriptors.pop(), descriptors.pop()) {
            console = Some((master, slave));
        }
    }
    // The line also ends when init dies without a word: then the loop records it at once.
    let _ = channel::send(reply, &Answer::Started { pid }, &[]);
    Ok(Some(Watched { spec, started, pidfd, console, listener }))
}

fn next_report(line: &OwnedFd) -> Heard {
    match channel::receive(line) {
        Ok(Some((Report::Failed { step, errno }, _))) => Err((Process::Init, Failure { step, errno })),
        Ok(report) => Ok(report),
        Err(error) => Err((Process::Monitor, error.into())),
    }
}

fn adopt(post: &Post) -> Result<Watched, Failure> {
    settle(post)?;
    let folder = post.folder.as_path();
    let gone = || Failure { step: "find the container's init".to_owned(), errno: libc::ESRCH };
    let spec = read_spec(folder)?;
    let mut started: Started = records::read(folder, records::STARTED)?.ok_or_else(gone)?;
    let pid = rustix::process::Pid::from_raw(started.init.pid).ok_or_else(gone)?;
    let pidfd = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty())
        .map_err(step("open a pidfd"))?;
    if !started.init.is_alive() || started.boot_id != boot_id().map_err(step("read the boot id"))? {
        return Err(gone());
    }
    started.monitor = ProcessId::own().ok_or_else(gone)?;
    let listener = monitor_loop::listen(folder)?;
    records::write(folder, records::STARTED, &started)?;
    Ok(Watched { spec, started, pidfd, console: None, listener })
}

/// Until init is dead; then the record, the cgroup, the socket, and what the spec wants after a reboot.
fn watch(mut watched: Watched, post: &Post, open_watch: fn(&Cgroup<'_>) -> OomWatch) -> i32 {
    let folder = post.folder.as_path();
    let bytes = watched.spec.console_log_bytes;
    let Ok(log) = Log::open(&folder.join(records::CONSOLE), bytes) else { return 1 };
    let path = watched.spec.cgroup.clone();
    let cgroup = Cgroup { hierarchies: &post.hierarchies, path: &path };
    let mut memory = open_watch(&cgroup);
    let is_attended = monitor_loop::run(&mut watched, log, &cgroup, &mut memory);
    let (code, signal) = reap(watched.pidfd.as_fd());
    let exit = Exit {
        version: records::VERSION,
        boot_id: watched.started.boot_id.clone(),
        incarnation: watched.spec.incarnation,
        cause: cause(code, signal, memory.has_new_kill(&cgroup)),
        code,
        signal,
        at_ms: records::now_ms(),
    };
    let written = records::write(folder, records::EXIT, &exit);
    // Processes that exec put inside die with the pid namespace; the rest of the cgroup is empty folders.
    let _ = cgroup.remove(PATIENCE);
    let _ = records::remove(folder, records::SOCKET);
    if exit.cause == Cause::Reboot && !is_attended {
        // As it is written now: the container may have another name than when it started.
        let spec = read_spec(folder).unwrap_or(watched.spec);
        run_detached(&spec.on_reboot);
    }
    i32::from(written.is_err())
}

/// Exit code or signal. Init may have had another parent: then the kernel tells by pidfd, if it is new enough.
fn reap(pidfd: BorrowedFd<'_>) -> (Option<i32>, Option<i32>) {
    let status = rustix::io::retry_on_intr(|| waitid(WaitId::PidFd(pidfd), WaitIdOptions::EXITED));
    if let Ok(Some(status)) = status {
        return (status.exit_status(), status.terminating_signal());
    }
    for _ in 0..100 {
        if let Some(raw) = linux::process::pidfd_exit_status(pidfd) {
            let exited = libc::WIFEXITED(raw).then(|| libc::WEXITSTATUS(raw));
            return (exited, libc::WIFSIGNALED(raw).then(|| libc::WTERMSIG(raw)));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    (None, None)
}

/// pid_namespaces(7): reboot(2) inside ends init by SIGHUP for a restart, by SIGINT for halt and power off.
pub fn cause(code: Option<i32>, signal: Option<i32>, is_for_memory: bool) -> Cause {
    match (code, signal) {
        (_, Some(libc::SIGINT)) | (Some(0), _) => Cause::PowerOff,
        (_, Some(libc::SIGHUP)) => Cause::Reboot,
        (_, Some(libc::SIGKILL)) if is_for_memory => Cause::Oom,
        (_, Some(libc::SIGKILL | libc::SIGTERM)) => Cause::Killed,
        (None, None) => Cause::Unknown,
        _ => Cause::Failed,
    }
}

fn run_detached(arguments: &[String]) {
    let Some((program, rest)) = arguments.split_first() else { return };
    let mut command = Command::new(program);
    command.args(rest).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    // Nobody is left to tell: a controller that looks sees the exit record and no running container.
    let _ = command.spawn();
}

fn read_spec(folder: &Path) -> Result<StartSpec, Failure> {
    let missing = || Failure { step: format!("find {}", records::START), errno: libc::ENOENT };
    records::read(folder, records::START)?.ok_or_else(missing)
}

/// The bytes of the compiled filter; none when the spec names none. An empty file is no filter: it would let
/// everything through.
pub fn read_filter(spec: &StartSpec) -> Result<Vec<u8>, Failure> {
    let Some(path) = &spec.seccomp_filter else { return Ok(Vec::new()) };
    let filter = fs::read(path).map_err(step(format!("read {}", path.display())))?;
    if filter.is_empty() {
        return Err(Failure { step: format!("find a filter in {}", path.display()), errno: libc::EINVAL });
    }
    Ok(filter)
}

#[cfg(test)]
mod tests {
    use super::cause;
    use crate::runtime::records::Cause;

    #[test]
    fn the_ways_to_end_are_told_apart() {
        assert_eq!(cause(None, Some(libc::SIGINT), false), Cause::PowerOff);
        assert_eq!(cause(None, Some(libc::SIGHUP), true), Cause::Reboot);
        assert_eq!(cause(None, Some(libc::SIGKILL), false), Cause::Killed);
        assert_eq!(cause(None, Some(libc::SIGKILL), true), Cause::Oom);
        assert_eq!(cause(Some(1), None, false), Cause::Failed);
        assert_eq!(cause(None, Some(libc::SIGSEGV), false), Cause::Failed);
        assert_eq!(cause(None, None, false), Cause::Unknown);
    }
}
