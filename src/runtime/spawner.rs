//! The small process that forks all others.
//!
//! A program with threads must not fork. So the spawner is executed, from a file that nobody can write (`sealed`):
//! for a moment init and every program of exec still are that file, inside a container. It stays single-threaded
//! and small, because each monitor begins as a copy of it, takes requests from its channel, forks one child for
//! each, and ends when the channel does. A request carries its own reply end: the child answers its caller
//! directly, and many run side by side. If the spawner is lost a fresh one is executed; nothing that it has started
//! depends on it.

use crate::model::id_map::IdMap;
use crate::model::root::Root;
use crate::runtime::cgroup::Hierarchies;
use crate::runtime::channel::{self, Answer, Failure, Process};
use crate::runtime::error::{Error, Result, call};
use crate::runtime::exec::ExecSpec;
use crate::runtime::files::{self, FileOrder, Namespaces};
use crate::runtime::identity::ProcessId;
use crate::runtime::{entry, exec, monitor, mounts, rootfs, sealed};
use serde::{Deserialize, Serialize};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// What the spawner can be asked; each message's first descriptor is the reply end.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Request {
    /// Answers [`Answer::Started`] with the spawner's own pid.
    Identify,
    /// A monitor that starts `folder`'s spec. Descriptors: root, then the binds.
    Start {
        folder: PathBuf,
        monitor_cgroup: String,
    },
    /// A monitor for a container that lost its own.
    Supervise {
        folder: PathBuf,
        monitor_cgroup: String,
    },
    /// Descriptors: pidfd of init, and three streams unless a terminal is wanted.
    Exec {
        folder: PathBuf,
        spec: ExecSpec,
    },
    /// Answers with the mount.
    MountRoot {
        root: Root,
        id_map: Option<IdMap>,
    },
    /// Answers with the mount.
    CloneTree {
        source: PathBuf,
        recursive: bool,
        id_map: Option<IdMap>,
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

/// The way to the spawner; shared by all threads.
#[derive(Debug)]
pub struct Spawner {
    channel: Mutex<OwnedFd>,
    /// Executed when the spawner is lost; understands `entry::HIDDEN_WORD`.
    program: PathBuf,
}

impl Spawner {
    /// Executes a spawner from this very program, which understands `entry::HIDDEN_WORD`.
    pub fn start() -> Result<Spawner> {
        Spawner::execute(Path::new("/proc/self/exe"))
    }

    /// Executes a spawner from `program`, which understands `entry::HIDDEN_WORD`.
    pub fn execute(program: &Path) -> Result<Spawner> {
        let channel = Mutex::new(execute(program)?);
        Ok(Spawner { channel, program: program.to_path_buf() })
    }

    /// The spawner's pid.
    pub fn pid(&self) -> Result<i32> {
        let reply = self.request(&Request::Identify, &[])?;
        match channel::answer(&reply, Process::Spawner)? {
            (Answer::Started { pid }, _) => Ok(pid),
            _ => Err(Error::Lost { process: "spawner" }),
        }
    }

    /// The root of a container as a detached mount; see `rootfs`.
    pub fn mount_root(&self, root: &Root, id_map: Option<&IdMap>) -> Result<OwnedFd> {
        self.mount(&Request::MountRoot { root: root.clone(), id_map: id_map.cloned() })
    }

    /// A clone of a host folder's or file's mount, detached; with a map its ids are shifted.
    pub fn clone_tree(&self, source: &Path, recursive: bool, id_map: Option<&IdMap>) -> Result<OwnedFd> {
        let source = source.to_path_buf();
        self.mount(&Request::CloneTree { source, recursive, id_map: id_map.cloned() })
    }

    fn mount(&self, request: &Request) -> Result<OwnedFd> {
        let reply = self.request(request, &[])?;
        let (_, mut descriptors) = channel::answer(&reply, Process::Mount)?;
        descriptors.pop().ok_or(Error::Lost { process: "mount helper" })
    }

    /// Sends a request and answers the end on which its child speaks.
    pub fn request(&self, request: &Request, descriptors: &[BorrowedFd<'_>]) -> Result<OwnedFd> {
        let (ours, theirs) = channel::pair()?;
        let all: Vec<BorrowedFd<'_>> =
            [theirs.as_fd()].into_iter().chain(descriptors.iter().copied()).collect();
        let mut channel = self.channel.lock().unwrap_or_else(PoisonError::into_inner);
        match channel::send(&*channel, request, &all) {
            Err(Error::Lost { .. }) => {
                *channel = execute(&self.program)?;
                channel::send(&*channel, request, &all)?;
            }
            sent => sent?,
        }
        Ok(ours)
    }
}

fn execute(program: &Path) -> Result<OwnedFd> {
    let (ours, theirs) = channel::pair()?;
    let sealed = sealed::open(program)?;
    // Still open when the kernel looks the path up, closed by execve itself.
    let status = Command::new(format!("/proc/self/fd/{}", sealed.as_raw_fd()))
        .arg0("bayplan")
        .args([entry::HIDDEN_WORD, entry::SPAWNER])
        .stdin(Stdio::from(theirs))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map_err(call("execute the spawner"))?;
    if status.success() { Ok(ours) } else { Err(Error::Lost { process: "spawner" }) }
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
    let mut joined = None;
    loop {
        match channel::receive::<Request>(channel) {
            Ok(Some((request, descriptors))) => fulfil(request, descriptors, &mut joined),
            Ok(None) => {
                leave(joined.as_deref());
                return 0;
            }
            // A request that cannot be read has lost its reply end too: its caller sees that.
            Err(Error::Message { .. }) => {}
            Err(_) => return 1,
        }
    }
}

/// The last one to leave the monitors' cgroup takes it away; while monitors are in it the kernel keeps it.
fn leave(joined: Option<&str>) {
    if let (Some(path), Ok(hierarchies)) = (joined, Hierarchies::detect()) {
        hierarchies.leave();
        hierarchies.remove_empty(path);
    }
}

/// No terminal of the caller is kept.
fn silence() -> std::io::Result<()> {
    let null = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
    nix::unistd::dup2_stdin(&null)?;
    nix::unistd::dup2_stdout(&null)?;
    Ok(nix::unistd::dup2_stderr(&null)?)
}

fn fulfil(request: Request, descriptors: Vec<OwnedFd>, joined: &mut Option<String>) {
    let Some(reply) = descriptors.first().and_then(|reply| reply.try_clone().ok()) else { return };
    if let Err(failure) = prepare_and_fork(&request, descriptors, &reply, joined) {
        let _ = channel::send(&reply, &failure.answer(Process::Spawner), &[]);
    }
}

fn prepare_and_fork(
    request: &Request,
    descriptors: Vec<OwnedFd>,
    reply: &OwnedFd,
    joined: &mut Option<String>,
) -> std::result::Result<(), Failure> {
    match request {
        Request::Identify => {
            let pid = rustix::process::getpid().as_raw_nonzero().get();
            return Ok(channel::send(reply, &Answer::Started { pid }, &[])?);
        }
        // Monitors inherit this process's cgroups: once it has left the caller's service, so have they.
        Request::Start { monitor_cgroup, .. } | Request::Supervise { monitor_cgroup, .. }
            if joined.as_ref() != Some(monitor_cgroup) =>
        {
            Hierarchies::detect()?.join(monitor_cgroup)?;
            *joined = Some(monitor_cgroup.clone());
        }
        _ => {}
    }
    let text = serde_json::to_vec(request).map_err(|source| Error::Message { source })?;
    linux::process::fork_keeping(descriptors, text, child).map(drop).map_err(channel::step("fork"))
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
        Request::Start { folder, .. } => monitor::start(reply, descriptors, &folder),
        Request::Supervise { folder, .. } => monitor::supervise(&reply, &folder),
        Request::Exec { folder, spec } => exec::help(&reply, descriptors, &folder, &spec),
        Request::MountRoot { root, id_map } => give(&reply, rootfs::detached(&root, id_map.as_ref())),
        Request::CloneTree { source, recursive, id_map } => {
            give(&reply, mounts::clone(&source, recursive, id_map.as_ref()))
        }
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

fn give(reply: &OwnedFd, mount: std::result::Result<OwnedFd, Failure>) -> i32 {
    let sent = match mount {
        Ok(mount) => channel::send(reply, &Answer::Done, &[mount.as_fd()]),
        Err(failure) => channel::send(reply, &failure.answer(Process::Mount), &[]),
    };
    i32::from(sent.is_err())
}

fn done(reply: &OwnedFd, outcome: std::result::Result<(), Failure>, process: Process) -> i32 {
    let answer = outcome.map_or_else(|failure| failure.answer(process), |()| Answer::Done);
    i32::from(channel::send(reply, &answer, &[]).is_err())
}
