//! The root mount of a container, made from what storage describes.
//!
//! One function serves start, file transfer, publish and restore. It runs on a thread of its own, which unshares its
//! mount namespace, changes the ids that it makes files with, and then ends.
//!
//! Why an overlay is made this way (each of these was tried): mounted inside the user namespace it cannot rename
//! folders (EXDEV) and loses replaced ones (EIO); mounted by plain root over an idmapped upper it is read-only.

use crate::model::id_map::{IdMap, IdRange};
use crate::model::root::Root;
use crate::runtime::channel::{Failure, step};
use linux::mount::Reach;
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags,
    fsconfig_create, fsconfig_set_string, fsmount, fsopen, mount_change, move_mount, open_tree,
};
use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Before Linux 6.5 fsconfig cuts a string at this length.
const LONGEST_VALUE: usize = 255;

/// Through what ids are shifted: a user namespace with the container's map, and the host ids of its root.
#[derive(Debug, Clone, Copy)]
pub struct Shift<'a> {
    pub namespace: BorrowedFd<'a>,
    pub root_ids: (u32, u32),
}

/// Makes the mount, attached nowhere. Ids on disk are the container's own; with a shift they appear shifted.
pub fn detached(root: &Root, shift: Option<Shift<'_>>) -> Result<OwnedFd, Failure> {
    let namespace = shift.map(|shift| shift.namespace);
    match root {
        Root::Subvolume { path } => {
            let tree = clone_tree(path, namespace, Reach::One)?;
            if namespace.is_some() {
                linux::mount::set_flags(tree.as_fd(), linux::mount::NO_DEV, Reach::One)
                    .map_err(step("forbid devices on the root"))?;
            }
            Ok(tree)
        }
        Root::Overlay { layers, upper, work } => on_own_thread(|| {
            let sources = Sources::attach(layers, Some((upper, work)), namespace)?;
            if let Some(Shift { root_ids: (uid, gid), .. }) = shift {
                linux::ids::act_on_files_as(uid, gid).map_err(step("act as the container's root"))?;
            }
            overlay(&sources, namespace.is_some())
        }),
    }
}

/// The root to look at alone, attached nowhere; ids are as they are inside. A mount that may write sweeps the overlay's
/// work folder, and would take from another mount of the same root what that is just copying up.
pub fn to_read(root: &Root) -> Result<OwnedFd, Failure> {
    let tree = match root {
        Root::Subvolume { path } => clone_tree(path, None, Reach::One)?,
        Root::Overlay { layers, upper, .. } => on_own_thread(|| {
            let all: Vec<PathBuf> = std::iter::once(upper).chain(layers).cloned().collect();
            overlay(&Sources::attach(&all, None, None)?, false)
        })?,
    };
    linux::mount::set_flags(tree.as_fd(), linux::mount::READ_ONLY, Reach::One)
        .map_err(step("keep the root from being written"))?;
    Ok(tree)
}

/// Namespace and ids that the work takes on end with it.
fn on_own_thread<T: Send>(work: impl FnOnce() -> Result<T, Failure> + Send) -> Result<T, Failure> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().spawn_scoped(scope, work).map_err(step("start a thread"))?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// A clone of a folder's mount, attached nowhere, with shifted ids when a user namespace is given. It is private: where
/// the host shares its mounts (systemd does), a container's root could else mount things on the host.
pub fn clone_tree(path: &Path, namespace: Option<BorrowedFd<'_>>, reach: Reach) -> Result<OwnedFd, Failure> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    if reach == Reach::Tree {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    let tree = open_tree(CWD, path, flags).map_err(step(format!("open {}", path.display())))?;
    linux::mount::set_private(tree.as_fd(), reach)
        .map_err(step(format!("keep {} private", path.display())))?;
    if let Some(namespace) = namespace {
        linux::mount::set_id_map(tree.as_fd(), namespace, reach)
            .map_err(|error| shift_failure(path, error))?;
    }
    Ok(tree)
}

/// mount_setattr(2): EINVAL where the file system takes no id-mapped mounts (tmpfs before Linux 6.3, overlay, virtiofs).
fn shift_failure(path: &Path, error: std::io::Error) -> Failure {
    let advice = match error.raw_os_error() {
        Some(libc::EINVAL) => {
            " (its file system takes no id-mapped mounts on this kernel: use a folder on ext4, btrfs or xfs)"
        }
        _ => "",
    };
    step(format!("shift the ids of {}{advice}", path.display()))(error)
}

/// Gives the user namespace of a new process its maps; the kernel takes each once.
pub fn write_maps(pid: i32, map: &IdMap) -> Result<(), Failure> {
    for (file, ranges) in [("uid_map", &map.uids), ("gid_map", &map.gids)] {
        fs::write(format!("/proc/{pid}/{file}"), map_text(ranges)).map_err(step(format!("write {file}")))?;
    }
    Ok(())
}

fn map_text(ranges: &[IdRange]) -> String {
    ranges.iter().map(|range| format!("{} {} {}\n", range.inside, range.outside, range.count)).collect()
}

/// The folders of an overlay as descriptors: their /proc/self/fd paths are short and free of `:` and `,`.
struct Sources {
    layers: Vec<OwnedFd>,
    /// The upper and the work folder; none: nothing is written.
    written: Option<(OwnedFd, OwnedFd)>,
}

impl Sources {
    /// Shifted clones must be attached somewhere in this mount namespace before Linux 6.13 takes them as layers:
    /// each goes on top of its own folder, in a namespace that ends with this process.
    fn attach(
        layers: &[PathBuf],
        written: Option<(&PathBuf, &PathBuf)>,
        namespace: Option<BorrowedFd<'_>>,
    ) -> Result<Sources, Failure> {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).map_err(step("make a mount namespace"))?;
        mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
            .map_err(step("keep mounts private"))?;
        // Upper and work must be on one mount: a clone of the folder that holds both.
        let above = written.map(|(upper, work)| common_parent(upper, work));
        let mut trees = Vec::new();
        for path in layers.iter().chain(&above) {
            trees.push((clone_tree(path, namespace, Reach::One)?, path));
        }
        for (tree, path) in &trees {
            move_mount(tree, "", CWD, path.as_path(), MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
                .map_err(step(format!("attach {}", path.display())))?;
        }
        let mut layers: Vec<OwnedFd> = trees.into_iter().map(|(tree, _)| tree).collect();
        let Some(((upper, work), above)) = written.zip(above) else {
            return Ok(Sources { layers, written: None });
        };
        let Some(shared) = layers.pop() else {
            return Err(Failure { step: "open the upper folder".to_owned(), errno: libc::EINVAL });
        };
        let written = Some((below(&shared, &above, upper)?, below(&shared, &above, work)?));
        Ok(Sources { layers, written })
    }
}

fn overlay(sources: &Sources, is_shifted: bool) -> Result<OwnedFd, Failure> {
    let path = |fd: &OwnedFd| format!("/proc/self/fd/{}", fd.as_raw_fd());
    let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).map_err(step("open overlay"))?;
    let set = |key: &str, value: &str| {
        fsconfig_set_string(context.as_fd(), key, value).map_err(step(format!("set overlay {key}={value}")))
    };
    set("source", "bayplan")?;
    let layers: Vec<String> = sources.layers.iter().map(path).collect();
    let joined = layers.join(":");
    if joined.len() <= LONGEST_VALUE {
        set("lowerdir", &joined)?;
    } else {
        layers.iter().try_for_each(|layer| set("lowerdir+", layer))?;
    }
    match &sources.written {
        Some((upper, work)) => {
            set("upperdir", &path(upper))?;
            set("workdir", &path(work))?;
            set("redirect_dir", "on")?;
        }
        None => set("redirect_dir", "follow")?,
    }
    set("index", "off")?;
    set("metacopy", "off")?;
    fsconfig_create(context.as_fd()).map_err(step("make the overlay"))?;
    let flags = if is_shifted { MountAttrFlags::MOUNT_ATTR_NODEV } else { MountAttrFlags::empty() };
    fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, flags).map_err(step("mount the overlay"))
}

fn common_parent(first: &Path, second: &Path) -> PathBuf {
    let shared = first.components().zip(second.components()).take_while(|(a, b)| a == b);
    shared.map(|(component, _)| component).collect()
}

fn below(tree: &OwnedFd, above: &Path, path: &Path) -> Result<OwnedFd, Failure> {
    let relative = path.strip_prefix(above).unwrap_or(path);
    let relative = if relative.as_os_str().is_empty() { Path::new(".") } else { relative };
    openat(tree, relative, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(step(format!("open {}", path.display())))
}
