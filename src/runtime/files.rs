//! Files of a container's root, by a descriptor of the root: looked at, put there, removed.
//!
//! Every path is resolved by openat2(2) inside the root: links lead nowhere else, and no mount is crossed, so that
//! nothing that the container has mounted (a FUSE that never answers) is touched. A running container's files are
//! changed by a child of the spawner that has entered its user and mount namespaces: it can do what root inside can,
//! and no more.

use crate::runtime::channel::{self, Failure, Process, step};
use crate::runtime::error::Result;
use crate::runtime::identity::ProcessId;
use crate::runtime::spawner::{Request, Spawner};
use nix::sched::CloneFlags;
use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, ResolveFlags, Uid, fchmod, fchown, fstat, mkdirat, openat,
    openat2, renameat, unlinkat,
};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

/// What is at a path.
#[derive(Debug)]
pub enum Found {
    Missing,
    Regular {
        file: File,
        mode: u32,
        uid: u32,
        gid: u32,
    },
    /// In a word.
    Other(&'static str),
}

/// A file to put into a root; ids as whoever writes sees them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FileOrder {
    /// Absolute, inside, without `..`.
    pub path: PathBuf,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
}

const INSIDE: ResolveFlags =
    ResolveFlags::IN_ROOT.union(ResolveFlags::NO_MAGICLINKS).union(ResolveFlags::NO_XDEV);

/// The root of a process, for looking only.
pub fn root_of(init: ProcessId) -> io::Result<OwnedFd> {
    let path = format!("/proc/{}/root", init.pid);
    let root = openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    // In this order: the root is of the process that is then found alive.
    if init.is_alive() { Ok(root) } else { Err(io::Error::from_raw_os_error(libc::ESRCH)) }
}

/// What is at `path`; a link at its end is not followed.
pub fn look(root: BorrowedFd<'_>, path: &Path) -> io::Result<Found> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let place = match openat2(root, path, flags, Mode::empty(), INSIDE) {
        Ok(place) => place,
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(Found::Missing),
        Err(Errno::XDEV) => return Ok(Found::Other("thing on another mount")),
        Err(Errno::LOOP) => return Ok(Found::Other("loop of links")),
        Err(error) => return Err(error.into()),
    };
    let facts = fstat(&place)?;
    Ok(match FileType::from_raw_mode(facts.st_mode) {
        FileType::RegularFile => {
            // The very file that was looked at, whatever is at its path now.
            let open = File::open(format!("/proc/self/fd/{}", place.as_raw_fd()))?;
            Found::Regular { file: open, mode: facts.st_mode & 0o7777, uid: facts.st_uid, gid: facts.st_gid }
        }
        FileType::Directory => Found::Other("folder"),
        FileType::Symlink => Found::Other("link"),
        _ => Found::Other("special file"),
    })
}

/// Puts the file at its path in a running container.
pub fn put_inside(
    spawner: &Spawner,
    (init, namespaces): (ProcessId, Namespaces),
    order: &FileOrder,
    content: BorrowedFd<'_>,
) -> Result<()> {
    let request = Request::PutFile { init, namespaces, order: order.clone() };
    let reply = spawner.request(&request, &[content])?;
    channel::answer(&reply, Process::Files).map(drop)
}

/// Removes what is at a path in a running container.
pub fn remove_inside(
    spawner: &Spawner,
    (init, namespaces): (ProcessId, Namespaces),
    path: &Path,
) -> Result<()> {
    let request = Request::RemoveFile { init, namespaces, path: path.to_owned() };
    let reply = spawner.request(&request, &[])?;
    channel::answer(&reply, Process::Files).map(drop)
}

/// Which namespaces a container's files are changed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Namespaces {
    UserAndMount,
    /// A privileged container.
    Mount,
}

/// In a child of the spawner.
pub fn put_in_child(
    init: ProcessId,
    namespaces: Namespaces,
    order: &FileOrder,
    content: Option<OwnedFd>,
) -> std::result::Result<(), Failure> {
    let content =
        content.ok_or_else(|| Failure { step: "get the content".to_owned(), errno: libc::EBADF })?;
    put(enter(init, namespaces)?.as_fd(), order, &mut File::from(content))
}

/// In a child of the spawner.
pub fn remove_in_child(
    init: ProcessId,
    namespaces: Namespaces,
    path: &Path,
) -> std::result::Result<(), Failure> {
    remove(enter(init, namespaces)?.as_fd(), path)
}

/// Becomes root inside; answers the root.
fn enter(init: ProcessId, namespaces: Namespaces) -> std::result::Result<OwnedFd, Failure> {
    let gone = || Failure { step: format!("enter process {}", init.pid), errno: libc::ESRCH };
    let behavior = rustix::process::DumpableBehavior::NotDumpable;
    rustix::process::set_dumpable_behavior(behavior).map_err(step("become undumpable"))?;
    let pid = rustix::process::Pid::from_raw(init.pid).ok_or_else(gone)?;
    let pidfd = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty());
    let pidfd = pidfd.map_err(step("open a pidfd"))?;
    if !init.is_alive() {
        return Err(gone());
    }
    let flags = match namespaces {
        Namespaces::UserAndMount => CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUSER,
        Namespaces::Mount => CloneFlags::CLONE_NEWNS,
    };
    nix::sched::setns(&pidfd, flags).map_err(step("enter the container's namespaces"))?;
    nix::unistd::setgroups(&[]).map_err(step("drop groups"))?;
    nix::unistd::setresgid(0.into(), 0.into(), 0.into()).map_err(step("become group 0"))?;
    nix::unistd::setresuid(0.into(), 0.into(), 0.into()).map_err(step("become user 0"))?;
    openat(CWD, "/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(step("open the container's root"))
}

/// Writes a file beside its path and renames it there: a reader sees the old one or the new one. Nothing is synced: a
/// file that a power cut has emptied is seen by its digest, and written again.
pub fn put(root: BorrowedFd<'_>, order: &FileOrder, content: &mut File) -> std::result::Result<(), Failure> {
    let (folder, name) = folder_of(root, &order.path)?;
    let new = temporary(&order.path);
    remove_at(&folder, &new, &order.path)?;
    let written = write(&folder, &new, order, content).and_then(|()| {
        renameat(&folder, new.as_str(), &folder, name)
            .map_err(step(format!("put {} in its place", order.path.display())))
    });
    if written.is_err() {
        // The first error says more.
        let _ = remove_at(&folder, &new, &order.path);
    }
    written
}

fn write(
    folder: &OwnedFd,
    new: &str,
    order: &FileOrder,
    content: &mut File,
) -> std::result::Result<(), Failure> {
    let what = || format!("write {}", order.path.display());
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(folder, new, flags, Mode::RUSR | Mode::WUSR).map_err(step(what()))?;
    let mut file = File::from(file);
    io::copy(content, &mut file).map_err(step(what()))?;
    let owner = format!("give {} to {}:{}", order.path.display(), order.uid, order.gid);
    fchown(&file, Some(Uid::from_raw(order.uid)), Some(Gid::from_raw(order.gid))).map_err(step(owner))?;
    // After the owner: a change of it clears setuid.
    fchmod(&file, Mode::from_raw_mode(order.mode)).map_err(step(what()))
}

/// Removes a file or a link; a folder is left, and an error. Nothing there is nothing to do.
pub fn remove(root: BorrowedFd<'_>, path: &Path) -> std::result::Result<(), Failure> {
    let name = path.file_name().unwrap_or_default();
    let above = path.parent().unwrap_or(Path::new("/"));
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    match openat2(root, above, flags, Mode::empty(), INSIDE) {
        Ok(folder) => remove_at(&folder, name, path),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(()),
        Err(error) => Err(step(format!("find {}", above.display()))(error)),
    }
}

fn remove_at<P: rustix::path::Arg>(
    folder: &OwnedFd,
    name: P,
    path: &Path,
) -> std::result::Result<(), Failure> {
    match unlinkat(folder, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(step(format!("remove {}", path.display()))(error)),
    }
}

/// One name for one path: what a crash left is found again.
fn temporary(path: &Path) -> String {
    let hash = Sha256::digest(path.as_os_str().as_encoded_bytes());
    format!(".bayplan-{}", hex::encode(&hash[..8]))
}

/// The folder of a path, made where it is missing (mode 0755, root's), and the name in it.
fn folder_of<'p>(
    root: BorrowedFd<'_>,
    path: &'p Path,
) -> std::result::Result<(OwnedFd, &'p std::ffi::OsStr), Failure> {
    let name = path.file_name();
    let name =
        name.ok_or_else(|| Failure { step: format!("name {}", path.display()), errno: libc::EINVAL })?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let open = |path: &Path| openat2(root, path, flags, Mode::empty(), INSIDE);
    let mut above = PathBuf::from("/");
    let mut folder = open(&above).map_err(step("open the root"))?;
    for component in path.parent().unwrap_or(Path::new("/")).components() {
        let Component::Normal(part) = component else { continue };
        above.push(part);
        let failed = || step(format!("make the folder {}", above.display()));
        folder = match open(&above) {
            Err(Errno::NOENT) => {
                mkdirat(&folder, part, Mode::from_raw_mode(0o755)).map_err(failed())?;
                let made = open(&above).map_err(failed())?;
                // Whatever the umask is.
                fchmod(&made, Mode::from_raw_mode(0o755)).map_err(failed())?;
                made
            }
            other => other.map_err(step(format!("open the folder {}", above.display())))?,
        };
    }
    Ok((folder, name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Seek, Write};

    fn root(path: &Path) -> OwnedFd {
        openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap()
    }

    fn put_text(root: &OwnedFd, path: &str, text: &str) -> std::result::Result<(), Failure> {
        let mut content = tempfile::tempfile().unwrap();
        content.write_all(text.as_bytes()).unwrap();
        content.rewind().unwrap();
        let (uid, gid) = (nix::unistd::getuid().as_raw(), nix::unistd::getgid().as_raw());
        put(root.as_fd(), &FileOrder { path: path.into(), mode: 0o640, uid, gid }, &mut content)
    }

    #[test]
    fn links_lead_nowhere_outside_the_root() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("root");
        let outside = folder.path().join("outside");
        std::fs::create_dir_all(inside.join("usr/lib")).unwrap();
        std::fs::create_dir(&outside).unwrap();
        std::os::unix::fs::symlink("/usr/lib", inside.join("lib")).unwrap();
        std::os::unix::fs::symlink(&outside, inside.join("escape")).unwrap();
        std::os::unix::fs::symlink("../../outside", inside.join("usr/up")).unwrap();
        let root = root(&inside);
        put_text(&root, "/lib/app/x.conf", "one").unwrap();
        assert_eq!(std::fs::read_to_string(inside.join("usr/lib/app/x.conf")).unwrap(), "one");
        assert!(put_text(&root, "/escape/x", "two").is_err(), "a link to what is not inside");
        assert!(put_text(&root, "/usr/up/x", "three").is_err());
        assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
    }

    #[test]
    fn a_link_at_the_end_is_replaced_and_what_it_named_is_left() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("target"), "old").unwrap();
        std::os::unix::fs::symlink("target", folder.path().join("x")).unwrap();
        let root = root(folder.path());
        assert!(matches!(look(root.as_fd(), Path::new("/x")).unwrap(), Found::Other("link")));
        put_text(&root, "/x", "new").unwrap();
        assert_eq!(std::fs::read_to_string(folder.path().join("target")).unwrap(), "old");
        let Found::Regular { mut file, mode, .. } = look(root.as_fd(), Path::new("/x")).unwrap() else {
            panic!("no regular file")
        };
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), mode), ("new", 0o640));
        remove(root.as_fd(), Path::new("/x")).unwrap();
        remove(root.as_fd(), Path::new("/x")).unwrap();
        remove(root.as_fd(), Path::new("/no/such")).unwrap();
        assert!(matches!(look(root.as_fd(), Path::new("/x")).unwrap(), Found::Missing));
        let left: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["target"]);
    }

    #[test]
    fn a_folder_in_the_way_stays_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("x")).unwrap();
        let root = root(folder.path());
        assert!(put_text(&root, "/x", "new").is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
