//! Mounts put into and taken out of a running container.
//!
//! The `…_inside` functions run in a child of the spawner: they enter the container's mount namespace and end there.

use crate::runtime::channel::{self, Failure, Process, step};
use crate::runtime::error::Result;
use crate::runtime::identity::ProcessId;
use crate::runtime::init;
use crate::runtime::spawner::{Request, Spawner};
use linux::mount::Reach;
use nix::sched::CloneFlags;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use rustix::mount::{MoveMountFlags, UnmountFlags, move_mount, unmount};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// Mounts a detached tree on `target` in a running container. `root_ids` own what has to be made for it.
pub fn attach(
    spawner: &Spawner,
    init: ProcessId,
    tree: &OwnedFd,
    bind: &crate::runtime::start_spec::Bind,
    root_ids: (u32, u32),
) -> Result<()> {
    let (target, readonly) = (bind.target.clone(), bind.readonly);
    let request = Request::AttachTree { init, target, readonly, root_ids };
    let reply = spawner.request(&request, &[tree.as_fd()])?;
    channel::answer(&reply, Process::Mount).map(drop)
}

/// Unmounts `target` in a running container: the mount's own place, without links.
pub fn detach(spawner: &Spawner, init: ProcessId, target: &str) -> Result<()> {
    let reply = spawner.request(&Request::DetachTree { init, target: target.to_owned() }, &[])?;
    channel::answer(&reply, Process::Mount).map(drop)
}

pub fn attach_inside(
    init: ProcessId,
    tree: Option<OwnedFd>,
    target: &Path,
    readonly: bool,
    root_ids: (u32, u32),
) -> std::result::Result<(), Failure> {
    let tree = tree.ok_or_else(|| Failure { step: "get the mount".to_owned(), errno: libc::EBADF })?;
    if readonly {
        linux::mount::set_flags(tree.as_fd(), linux::mount::READ_ONLY, Reach::Tree)
            .map_err(step(format!("make {} read-only", target.display())))?;
    }
    enter(init)?;
    linux::ids::act_on_files_as(root_ids.0, root_ids.1).map_err(step("act as the container's root"))?;
    put(&tree, target)
}

/// Mounts a tree in a root that is this process's own: at `target`, or where a link at its end leads.
pub fn put(tree: &OwnedFd, target: &Path) -> std::result::Result<(), Failure> {
    init::make_target(tree, target)?;
    let place = resolve(target)?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(tree, "", &place, "", flags).map_err(step(format!("mount {}", target.display())))
}

pub fn detach_inside(init: ProcessId, target: &Path) -> std::result::Result<(), Failure> {
    enter(init)?;
    // This process's root is the container's now, so no link leads out of it.
    unmount(target, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW)
        .map_err(step(format!("unmount {}", target.display())))
}

/// Into the container's mount namespace, whose root becomes this process's: no path leads out of it.
fn enter(init: ProcessId) -> std::result::Result<(), Failure> {
    let pid = rustix::process::Pid::from_raw(init.pid);
    let gone = || Failure { step: format!("enter process {}", init.pid), errno: libc::ESRCH };
    let flags = rustix::process::PidfdFlags::empty();
    let pidfd = rustix::process::pidfd_open(pid.ok_or_else(gone)?, flags).map_err(step("open a pidfd"))?;
    if !init.is_alive() {
        return Err(gone());
    }
    nix::sched::setns(&pidfd, CloneFlags::CLONE_NEWNS).map_err(step("enter the mount namespace"))
}

fn resolve(target: &Path) -> std::result::Result<OwnedFd, Failure> {
    let root = rustix::fs::openat(CWD, "/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
        .map_err(step("open /"))?;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    openat2(&root, target, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve)
        .map_err(step(format!("find {}", target.display())))
}
