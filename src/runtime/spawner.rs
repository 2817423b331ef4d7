//! The small process that forks all others.
//!
//! A program with threads must not fork. So the spawner is executed, from a file that nobody can write (`sealed`):
//! for a moment init and every program of exec still are that file, inside a container. It stays single-threaded
//! and small, because each monitor begins as a copy of it, takes requests from its channel, forks one child for
//! each, and ends when the channel does. A request carries its own reply end: the child answers its caller
//! directly, and many run side by side. It is executed when it is needed, or at once by [`Spawner::wake`]; if it is
//! lost a fresh one is executed. Nothing that it has started depends on it.

use crate::runtime::cgroup::Hierarchies;
use crate::runtime::channel::{self, Answer, Failure, Process};
use crate::runtime::error::{Error, Result, call};
use crate::runtime::exec::ExecSpec;
use crate::runtime::files::{self, FileOrder, Namespaces};
use crate::runtime::identity::ProcessId;
use crate::runtime::{entry, exec, monitor, mounts, sealed};
use serde::{Deserialize, Serialize};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// What the spawner can be asked; each message's first descriptor is the reply end.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Request {
    /// Answers [`Answer::Started`] with the spawner's own pid.
    Identify,
    /// A monitor that starts `folder`'s spec.
    Start(Post),
    /// A monitor for a container that lost its own.
    Supervise(Post),
    /// Descriptors: pidfd of init, and three streams unless a terminal is wanted.
    Exec {
        folder: PathBuf,
        spec: ExecSpec,
    },
    /// Descriptor: the mount.
    AttachTree {
        init: ProcessId,
        target: String,
        readonly: bool,
        root_ids: (u32, u32),
    },
    DetachTree {
        init: ProcessId,
        target: String,
    },
    /// Descriptor: the content.
    PutFile {
        init: ProcessId,
        namespaces: Namespaces,
        order: FileOrder,
    },
    RemoveFile {
        init: ProcessId,
        namespaces: Namespaces,
        path: PathBuf,
    },
}

/// What a monitor begins with.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Post {
    /// The container's, in the run folder.
    pub folder: PathBuf,
    /// The monitor's own cgroup.
    pub cgroup: String,
    pub hierarchies: Hierarchies,
}

/// The way to the spawner; shared by all threads.
#[derive(Debug)]
pub struct Spawner {
    line: Mutex<Option<Line>>,
    /// Understands `entry::HIDDEN_WORD`.
    program: PathBuf,
}

/// A spawner that was executed.
#[derive(Debug)]
struct Line {
    channel: OwnedFd,
    /// What was executed and forked the spawner: it ends at once, and only has to be reaped.
    launcher: Option<Child>,
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Some(mut launcher) = self.launcher.take() {
            let _ = launcher.wait();
        }
    }
}

impl Spawner {
    /// A spawner from this very program.
    pub fn of_this_program() -> Spawner {
        Spawner::from_program(Path::new("/proc/self/exe"))
    }

    /// A spawner from `program`, which understands `entry::HIDDEN_WORD`.
    pub fn from_program(program: &Path) -> Spawner {
        Spawner { line: Mutex::new(None), program: program.to_path_buf() }
    }

    /// Executes the spawner now, without waiting for it: it comes up while its first request is prepared.
    pub fn wake(&self) -> Result<()> {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        if line.is_none() {
            *line = Some(execute(&self.program)?);
        }
        Ok(())
    }

    /// The spawner's pid.
    pub fn pid(&self) -> Result<i32> {
        let reply = self.request(&Request::Identify, &[])?;
        match channel::answer(&reply, Process::Spawner)? {
            (Answer::Started { pid }, _) => Ok(pid),
            _ => Err(Error::Lost { process: "spawner" }),
        }
    }

    /// Sends a request and answers the end on which its child speaks.
    pub fn request(&self, request: &Request, descriptors: &[BorrowedFd<'_>]) -> Result<OwnedFd> {
        let (ours, theirs) = channel::pair()?;
        let all: Vec<BorrowedFd<'_>> =
            [theirs.as_fd()].into_iter().chain(descriptors.iter().copied()).collect();
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = line.as_mut().map(|line| line.send(request, &all));
        match sent {
            None | Some(Err(Error::Lost { .. })) => {
                line.insert(execute(&self.program)?).send(request, &all)?;
            }
            Some(sent) => sent?,
        }
        Ok(ours)
    }
}

impl Line {
    fn send(&mut self, request: &Request, descriptors: &[BorrowedFd<'_>]) -> Result<()> {
        let is_over = |launcher: &mut Child| launcher.try_wait().is_ok_and(|status| status.is_some());
        if self.launcher.as_mut().is_some_and(is_over) {
            self.launcher = None;
        }
        channel::send(&self.channel, request, descriptors)
    }
}

fn execute(program: &Path) -> Result<Line> {
    let (ours, theirs) = channel::pair()?;
    let sealed = sealed::open(program)?;
    // Still open when the kernel looks the path up, closed by execve itself.
    let launcher = Command::new(format!("/proc/self/fd/{}", sealed.as_raw_fd()))
        .arg0("bayplan")
        .args([entry::HIDDEN_WORD, entry::SPAWNER])
        .stdin(Stdio::from(theirs))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(call("execute the spawner"))?;
    Ok(Line { channel: ours, launcher: Some(launcher) })
}

/// The spawner's whole life.
pub fn serve(channel: &OwnedFd) -> i32 {
    let _ = rustix::process::setsid();
    let _ = rustix::thread::set_name(c"bayplan-spawner");
    let _ = rustix::process::chdir("/");
    if silence().is_err() {
        return 1;
    }
    linux::process::default_signals();
    linux::process::ignore_signal(libc::SIGCHLD);
    linux::process::ignore_signal(libc::SIGPIPE);
    loop {
        match channel::receive::<Request>(channel) {
            Ok(Some((request, descriptors))) => fulfil(&request, descriptors),
            Ok(None) => return 0,
            // A request that cannot be read has lost its reply end too: its caller sees that.
            Err(Error::Message { .. }) => {}
            Err(_) => return 1,
        }
    }
}

/// No terminal of the caller is kept.
fn silence() -> std::io::Result<()> {
    let null = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
    nix::unistd::dup2_stdin(&null)?;
    nix::unistd::dup2_stdout(&null)?;
    Ok(nix::unistd::dup2_stderr(&null)?)
}

fn fulfil(request: &Request, descriptors: Vec<OwnedFd>) {
    let Some(reply) = descriptors.first().and_then(|reply| reply.try_clone().ok()) else { return };
    if let Err(failure) = prepare_and_fork(request, descriptors, &reply) {
        let _ = channel::send(&reply, &failure.answer(Process::Spawner), &[]);
    }
}

fn prepare_and_fork(
    request: &Request,
    descriptors: Vec<OwnedFd>,
    reply: &OwnedFd,
) -> std::result::Result<(), Failure> {
    let cgroup = match request {
        Request::Identify => {
            let pid = rustix::process::getpid().as_raw_nonzero().get();
            return Ok(channel::send(reply, &Answer::Started { pid }, &[])?);
        }
        // A monitor outlives the service of whoever asked.
        Request::Start(post) | Request::Supervise(post) => Some(post.hierarchies.open_unified(&post.cgroup)?),
        _ => None,
    };
    let text = serde_json::to_vec(request).map_err(|source| Error::Message { source })?;
    let cgroup = cgroup.as_ref().map(AsFd::as_fd);
    linux::process::fork_keeping(descriptors, text, cgroup, child).map(drop).map_err(channel::step("fork"))
}

/// In the child: the request came through the spawner as text, so that nothing but it and the descriptors is shared.
fn child(mut descriptors: Vec<OwnedFd>, text: Vec<u8>) -> i32 {
    linux::process::default_signals();
    linux::process::ignore_signal(libc::SIGPIPE);
    let Ok(request) = serde_json::from_slice(&text) else { return 1 };
    drop(text);
    let reply = descriptors.remove(0);
    match request {
        Request::Identify => 1,
        Request::Start(post) => monitor::start(reply, &post),
        Request::Supervise(post) => monitor::supervise(&reply, &post),
        Request::Exec { folder, spec } => exec::help(&reply, descriptors, &folder, &spec),
        Request::AttachTree { init, target, readonly, root_ids } => {
            let tree = descriptors.pop();
            let attached = mounts::attach_inside(init, tree, Path::new(&target), readonly, root_ids);
            done(&reply, attached, Process::Mount)
        }
        Request::DetachTree { init, target } => {
            done(&reply, mounts::detach_inside(init, Path::new(&target)), Process::Mount)
        }
        Request::PutFile { init, namespaces, order } => {
            let content = descriptors.pop();
            done(&reply, files::put_in_child(init, namespaces, &order, content), Process::Files)
        }
        Request::RemoveFile { init, namespaces, path } => {
            done(&reply, files::remove_in_child(init, namespaces, &path), Process::Files)
        }
    }
}

fn done(reply: &OwnedFd, outcome: std::result::Result<(), Failure>, process: Process) -> i32 {
    let answer = outcome.map_or_else(|failure| failure.answer(process), |()| Answer::Done);
    i32::from(channel::send(reply, &answer, &[]).is_err())
}
