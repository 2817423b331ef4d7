//! Start in two phases, stop, freeze: what a controller does to one container.
//!
//! ```text
//! prepare ─► Prepared (init waits, in its namespaces and cgroups) ─► release(mounts) ─► running
//!               └── dropped, or its owner killed: init, cgroup and socket go
//! ```

use crate::runtime::cgroup::{Blueprint, Cgroup, Hierarchies};
use crate::runtime::channel::{self, Answer, Process};
use crate::runtime::error::{Error, Result, call, file};
use crate::runtime::identity::{ProcessId, boot_id};
use crate::runtime::monitor::{self, Release};
use crate::runtime::records::{self, Exit, Started};
use crate::runtime::rootfs::Shift;
use crate::runtime::spawner::{Post, Request, Spawner};
use crate::runtime::start_spec::StartSpec;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long the kernel may take to end killed processes and forget their cgroup.
const PATIENCE: Duration = Duration::from_secs(15);
/// An init that was still starting may have had no handler for the first signal.
const SIGNAL_AGAIN: Duration = Duration::from_secs(1);

/// What every call on a container needs.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    pub spawner: &'a Spawner,
    pub hierarchies: &'a Hierarchies,
    /// The run folder; a container's own folder is below it.
    pub run: &'a Path,
}

/// The descriptors that a start hands over at its release.
#[derive(Debug)]
pub struct Mounts {
    /// `rootfs::detached`.
    pub root: OwnedFd,
    /// One for each of the spec's binds, in their order.
    pub binds: Vec<OwnedFd>,
    /// Where the spec has secrets: the variables, sealed.
    pub secrets: Option<OwnedFd>,
}

/// A container whose init exists and waits. Dropped without release it goes.
#[derive(Debug)]
pub struct Prepared {
    pub init: ProcessId,
    pub pidfd: OwnedFd,
    shift: Option<IdShift>,
    channel: OwnedFd,
    hierarchies: Hierarchies,
    cgroup: String,
}

/// The id map of a container whose init lives.
#[derive(Debug)]
pub struct IdShift {
    namespace: OwnedFd,
    root_ids: (u32, u32),
}

impl IdShift {
    /// That of init's user namespace; one that init has made itself is refused.
    pub fn of(init: ProcessId, root_ids: (u32, u32)) -> Result<IdShift> {
        let namespace =
            linux::ids::user_namespace(init.pid).map_err(call("open the container's user namespace"))?;
        Ok(IdShift { namespace, root_ids })
    }

    pub fn borrow(&self) -> Shift<'_> {
        Shift { namespace: self.namespace.as_fd(), root_ids: self.root_ids }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopMode {
    /// Ask init, by the signal that it understands.
    Clean { timeout: Duration },
    /// Kill all.
    Forced,
}

/// Makes cgroups, namespaces and init of a container, up to the point where init waits for [`Prepared::release`].
/// In between network devices are put into its namespaces, and mounts are made with its ids ([`Prepared::shift`]).
pub fn prepare(place: Place<'_>, spec: &StartSpec) -> Result<Prepared> {
    let folder = records::folder(place.run, &spec.uuid);
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder);
    made.map_err(file("make", &folder))?;
    if let Some(init) = running(&folder)? {
        return Err(Error::AlreadyRunning { pid: init.pid });
    }
    records::remove(&folder, records::EXIT)?;
    records::remove(&folder, records::STARTED)?;
    records::write(&folder, records::START, spec)?;
    let cgroup = Cgroup { hierarchies: place.hierarchies, path: &spec.cgroup };
    let prepared = prepare_in(place, spec, folder);
    if prepared.is_err() {
        // The first error says more than one of cleaning up after it.
        let _ = cgroup.kill();
        let _ = cgroup.remove(PATIENCE);
    }
    prepared
}

fn prepare_in(place: Place<'_>, spec: &StartSpec, folder: PathBuf) -> Result<Prepared> {
    let cgroup = Cgroup { hierarchies: place.hierarchies, path: &spec.cgroup };
    cgroup.create(&blueprint(spec, &spec.device_rules()))?;
    let request = Request::Start(post(place, spec, folder));
    let channel = place.spawner.request(&request, &[])?;
    match channel::answer(&channel, Process::Monitor)? {
        (Answer::Prepared { init }, mut passed) => {
            let pidfd = passed.pop().ok_or(Error::Lost { process: Process::Monitor.name() })?;
            let (hierarchies, cgroup) = (place.hierarchies.clone(), spec.cgroup.clone());
            let shift = spec.id_map().map(|_| IdShift::of(init, spec.root_ids())).transpose();
            Ok(Prepared { init, pidfd, shift: shift?, channel, hierarchies, cgroup })
        }
        _ => Err(Error::Lost { process: Process::Monitor.name() }),
    }
}

fn post(place: Place<'_>, spec: &StartSpec, folder: PathBuf) -> Post {
    Post { folder, cgroup: spec.monitor_cgroup.clone(), hierarchies: place.hierarchies.clone() }
}

impl Prepared {
    /// Through what its mounts show their ids; none: it is privileged.
    pub fn shift(&self) -> Option<Shift<'_>> {
        self.shift.as_ref().map(IdShift::borrow)
    }

    /// Lets init go on; returns when it has become the container's program, or with the step that failed.
    pub fn release(self, mounts: Mounts) -> Result<()> {
        let descriptors: Vec<BorrowedFd<'_>> =
            [&mounts.root].into_iter().chain(&mounts.binds).chain(&mounts.secrets).map(AsFd::as_fd).collect();
        let sent = channel::send(&self.channel, &Release, &descriptors);
        // A mount that we still held could not be unmounted inside.
        drop(mounts);
        let outcome = sent.and_then(|()| channel::answer(&self.channel, Process::Monitor));
        if outcome.is_err() {
            // The monitor cleans up, unless it is what was lost.
            let cgroup = Cgroup { hierarchies: &self.hierarchies, path: &self.cgroup };
            let _ = linux::process::pidfd_signal(self.pidfd.as_fd(), libc::SIGKILL);
            let _ = cgroup.remove(PATIENCE);
        }
        outcome.map(drop)
    }
}

/// What the cgroups of a spec are made with; `devices` are the spec's `device_rules`.
pub fn blueprint<'a>(spec: &'a StartSpec, devices: &'a [linux::device_filter::Rule]) -> Blueprint<'a> {
    Blueprint { limits: &spec.limits, owner: spec.root_ids(), devices }
}

/// Stops a container and waits until its record, its processes and its cgroup say so. One that does not run is only
/// tidied. A clean stop that takes too long is [`Error::TimedOut`], and the container runs on.
pub fn stop(place: Place<'_>, uuid: &uuid::Uuid, mode: StopMode) -> Result<Option<Exit>> {
    let folder = records::folder(place.run, uuid);
    let Some(spec) = records::read::<StartSpec>(&folder, records::START)? else { return Ok(None) };
    let cgroup = Cgroup { hierarchies: place.hierarchies, path: &spec.cgroup };
    let mut status = None;
    if let Some(init) = running(&folder)?
        && let Some(pidfd) = open(&init)
    {
        match mode {
            StopMode::Clean { timeout } => ask(&cgroup, &spec, &init, &pidfd, timeout)?,
            StopMode::Forced => kill(&cgroup, &pidfd)?,
        }
        status = linux::process::pidfd_exit_status(pidfd.as_fd());
    }
    settle(&cgroup, &spec, &folder, status)
}

/// Stops all processes of a container where they are.
pub fn freeze(place: Place<'_>, spec: &StartSpec) -> Result<()> {
    Cgroup { hierarchies: place.hierarchies, path: &spec.cgroup }.freeze()
}

pub fn unfreeze(place: Place<'_>, spec: &StartSpec) -> Result<()> {
    Cgroup { hierarchies: place.hierarchies, path: &spec.cgroup }.thaw()
}

/// Starts a monitor for a container that lost its own.
pub fn supervise(place: Place<'_>, spec: &StartSpec) -> Result<()> {
    let folder = records::folder(place.run, &spec.uuid);
    let request = Request::Supervise(post(place, spec, folder));
    let reply = place.spawner.request(&request, &[])?;
    channel::answer(&reply, Process::Monitor).map(drop)
}

/// The init of a folder's container, if the process that the record names lives.
pub fn running(folder: &Path) -> Result<Option<ProcessId>> {
    let Some(started) = records::read::<Started>(folder, records::STARTED)? else { return Ok(None) };
    let is_this_boot = boot_id().map_err(call("read the boot id"))? == started.boot_id;
    Ok(Some(started.init).filter(|init| is_this_boot && init.is_alive()))
}

fn open(process: &ProcessId) -> Option<OwnedFd> {
    let pidfd = pidfd_open(Pid::from_raw(process.pid)?, PidfdFlags::empty()).ok()?;
    process.is_alive().then_some(pidfd)
}

fn ask(
    cgroup: &Cgroup<'_>,
    spec: &StartSpec,
    init: &ProcessId,
    pidfd: &OwnedFd,
    timeout: Duration,
) -> Result<()> {
    if cgroup.is_frozen() {
        cgroup.thaw()?;
    }
    let started = Instant::now();
    while started.elapsed() < timeout {
        let number = spec.stop_signal.unwrap_or_else(|| stop_signal(init.pid));
        match linux::process::pidfd_signal(pidfd.as_fd(), number) {
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => return Ok(()),
            sent => sent.map_err(call("signal init"))?,
        }
        if has_ended(pidfd, SIGNAL_AGAIN.min(timeout.saturating_sub(started.elapsed())))? {
            return Ok(());
        }
    }
    Err(Error::TimedOut { what: format!("init of {}", spec.name), waited: timeout })
}

/// The signal that means "power off" to the init that runs: systemd(1), busybox init; else LXC's SIGPWR.
fn stop_signal(init: i32) -> i32 {
    let program = fs::read_link(format!("/proc/{init}/exe")).unwrap_or_default();
    match program.file_name().and_then(|name| name.to_str()) {
        Some("systemd") => libc::SIGRTMIN() + 3,
        Some("busybox") => libc::SIGUSR2,
        _ => libc::SIGPWR,
    }
}

fn kill(cgroup: &Cgroup<'_>, pidfd: &OwnedFd) -> Result<()> {
    // Init first: its death is what the monitor records, and the kernel ends its pid namespace with it. The cgroup
    // may be missing or left behind, so neither alone is enough.
    let _ = linux::process::pidfd_signal(pidfd.as_fd(), libc::SIGKILL);
    let _ = cgroup.kill();
    if has_ended(pidfd, PATIENCE)? {
        return Ok(());
    }
    Err(Error::TimedOut { what: "a killed init".to_owned(), waited: PATIENCE })
}

fn has_ended(pidfd: &OwnedFd, patience: Duration) -> Result<bool> {
    let timeout = Timespec { tv_sec: patience.as_secs() as i64, tv_nsec: i64::from(patience.subsec_nanos()) };
    let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
    let ready = rustix::io::retry_on_intr(|| poll(&mut fds, Some(&timeout)));
    ready.map(|ready| ready > 0).map_err(call("wait for init"))
}

/// After init's death: the monitor writes the record and removes the cgroup; without a monitor we do.
fn settle(cgroup: &Cgroup<'_>, spec: &StartSpec, folder: &Path, status: Option<i32>) -> Result<Option<Exit>> {
    if let Some(monitor) = monitor(folder)?
        && let Some(pidfd) = open(&monitor)
        && !has_ended(&pidfd, PATIENCE)?
    {
        return Err(Error::TimedOut { what: format!("the monitor of {}", spec.name), waited: PATIENCE });
    }
    let _ = cgroup.kill();
    cgroup.remove(PATIENCE)?;
    let exit =
        records::read::<Exit>(folder, records::EXIT)?.filter(|exit| exit.incarnation == spec.incarnation);
    if exit.is_some() {
        return Ok(exit);
    }
    let code = status.filter(|raw| libc::WIFEXITED(*raw)).map(|raw| libc::WEXITSTATUS(raw));
    let signal = status.filter(|raw| libc::WIFSIGNALED(*raw)).map(|raw| libc::WTERMSIG(raw));
    let exit = Exit {
        version: records::VERSION,
        boot_id: boot_id().map_err(call("read the boot id"))?,
        incarnation: spec.incarnation,
        cause: monitor::cause(code, signal, false),
        code,
        signal,
        at_ms: records::now_ms(),
    };
    records::write(folder, records::EXIT, &exit)?;
    records::remove(folder, records::SOCKET)?;
    Ok(Some(exit))
}

/// The recorded monitor, if it is of this boot.
fn monitor(folder: &Path) -> Result<Option<ProcessId>> {
    let Some(started) = records::read::<Started>(folder, records::STARTED)? else { return Ok(None) };
    let is_this_boot = boot_id().map_err(call("read the boot id"))? == started.boot_id;
    Ok(Some(started.monitor).filter(|_| is_this_boot))
}
