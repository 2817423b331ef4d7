//! Where a path leads inside a running container, told from outside.
//!
//! Never enters a file system that is mounted inside: one that the container serves itself (FUSE) could hold us for
//! ever. Behind such a mount a path is taken by its words.

use crate::runtime::mount_table::Table;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2, readlinkat};
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

/// As many links as the kernel follows in one path (path_resolution(7)).
const LINKS: u32 = 40;
/// As long a path as the kernel takes: links inside may be made to lead to ever longer ones.
const BYTES: usize = libc::PATH_MAX as usize;

/// The path without links; `table` has the container's mounts, `pid` is its init's. None: it cannot be told.
pub fn real(pid: i32, table: &Table, path: &Path) -> Option<PathBuf> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = openat(CWD, format!("/proc/{pid}/root"), flags, Mode::empty()).ok()?;
    if table.is_served_by_programs(Path::new("/")) {
        return None;
    }
    walk(path, &|place| table.stands_at(place), &|place| link_at(&root, place))
}

fn link_at(root: &OwnedFd, place: &Path) -> Option<PathBuf> {
    let resolve = ResolveFlags::IN_ROOT
        | ResolveFlags::NO_XDEV
        | ResolveFlags::NO_SYMLINKS
        | ResolveFlags::NO_MAGICLINKS;
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let open = openat2(root, place, flags, Mode::empty(), resolve).ok()?;
    let target = readlinkat(&open, "", Vec::new()).ok()?;
    Some(PathBuf::from(OsString::from_vec(target.into_bytes())))
}

fn walk(
    path: &Path,
    is_mount: &dyn Fn(&Path) -> bool,
    link_at: &dyn Fn(&Path) -> Option<PathBuf>,
) -> Option<PathBuf> {
    let (mut place, mut rest, mut links) = (PathBuf::from("/"), words(path), 0);
    while let Some(word) = rest.pop_front() {
        if word == OsStr::new("..") {
            place.pop();
            continue;
        }
        let next = place.join(word);
        if next.as_os_str().len() >= BYTES {
            return None;
        }
        if is_mount(&next) {
            place = rest.iter().fold(next, |place, word| place.join(word));
            return Some(place);
        }
        let Some(target) = link_at(&next) else {
            place = next;
            continue;
        };
        links += 1;
        if links > LINKS {
            return None;
        }
        if target.is_absolute() {
            place = PathBuf::from("/");
        }
        rest = words(&target).into_iter().chain(rest).collect();
    }
    Some(place)
}

fn words(path: &Path) -> VecDeque<OsString> {
    let named = |component: Component<'_>| match component {
        Component::Normal(word) => Some(word.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        _ => None,
    };
    path.components().filter_map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn led(path: &str) -> Option<String> {
        let long = "/b".repeat(1500);
        let links = [
            ("/link", "real"),
            ("/far/up", "../b"),
            ("/to-run", "/run"),
            ("/ring", "ring"),
            ("/grows", long.as_str()),
        ];
        let link_at = |place: &Path| {
            let found = links.iter().find(|(name, _)| Path::new(name) == place);
            found.map(|(_, target)| PathBuf::from(target))
        };
        let place = walk(Path::new(path), &|place| place == Path::new("/run"), &link_at)?;
        Some(place.display().to_string())
    }

    #[test]
    fn links_are_followed_up_to_the_first_mount() {
        assert_eq!(led("/link/x").as_deref(), Some("/real/x"));
        assert_eq!(led("/far/up/../y").as_deref(), Some("/y"));
        assert_eq!(led("/to-run/link").as_deref(), Some("/run/link"));
        assert_eq!(led("/ring"), None, "a ring leads nowhere");
        assert!(led("/grows").is_some());
        assert_eq!(led(&format!("/grows{}", "/c".repeat(1000))), None, "longer than any path");
    }
}
