//! The mounts that a process has, as the kernel tells them (proc_pid_mountinfo(5)).
//!
//! A mount whose path leads through a link inside is told under another name; there it is known by what it shows.

use crate::runtime::error::{Result, file};
use std::path::{Path, PathBuf};

#[derive(Debug, Default)]
pub struct Table {
    mounts: Vec<Mount>,
}

#[derive(Debug)]
struct Mount {
    shown: Shown,
    target: PathBuf,
    /// Whether nothing can be written through this mount.
    readonly: bool,
    /// The file system's type.
    kind: String,
}

/// A file or folder by its file system: the same whichever mount shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The file system's number, as `254:0`.
    device: String,
    /// Where it lies in the file system.
    path: PathBuf,
}

/// The mounts of a process, with the paths that it sees.
pub fn of(pid: i32) -> Result<Table> {
    read(&PathBuf::from(format!("/proc/{pid}/mountinfo")))
}

/// Our own.
pub fn of_host() -> Result<Table> {
    read(Path::new("/proc/self/mountinfo"))
}

fn read(path: &Path) -> Result<Table> {
    std::fs::read_to_string(path).map(|text| parse(&text)).map_err(file("read", path))
}

fn parse(text: &str) -> Table {
    let mount = |line: &str| {
        let mut columns = line.split(' ').skip(2);
        let device = columns.next()?.to_owned();
        let path = unescape(columns.next()?);
        let target = unescape(columns.next()?);
        let readonly = columns.next()?.split(',').any(|option| option == "ro");
        // Options of unknown number come before the dash.
        let kind = columns.skip_while(|column| *column != "-").nth(1).unwrap_or_default().to_owned();
        Some(Mount { shown: Shown { device, path }, target, readonly, kind })
    };
    Table { mounts: text.lines().filter_map(mount).collect() }
}

impl Table {
    /// Whether something is mounted there.
    pub fn stands_at(&self, target: &Path) -> bool {
        self.mounts.iter().any(|mount| mount.target == target)
    }

    /// Whether the mount there lets files be written.
    pub fn is_writable_at(&self, target: &Path) -> bool {
        let mut mounts = self.mounts.iter().rev();
        mounts.find(|mount| mount.target == target).is_some_and(|mount| !mount.readonly)
    }

    /// Whether a program may answer what is asked of the file system there, as with FUSE: also where no mount is told,
    /// as of a root inside one.
    pub fn is_served_by_programs(&self, target: &Path) -> bool {
        let mut mounts = self.mounts.iter().rev();
        mounts.find(|mount| mount.target == target).is_none_or(|mount| mount.kind.starts_with("fuse"))
    }

    /// Whether a mount shows a folder that ends with this path, wherever it stands.
    pub fn shows(&self, end: &Path) -> bool {
        self.mounts.iter().any(|mount| mount.shown.path.ends_with(end))
    }

    /// Where this is shown, a place as often as it is mounted there.
    pub fn targets_of<'a>(&'a self, shown: &'a Shown) -> impl Iterator<Item = &'a Path> {
        self.mounts.iter().filter(move |mount| mount.shown == *shown).map(|mount| mount.target.as_path())
    }

    /// What lies at a path free of links.
    pub fn shown_at(&self, path: &Path) -> Option<Shown> {
        let above = self.mounts.iter().filter(|mount| path.starts_with(&mount.target));
        // Of mounts at one place the last covers the others.
        let mount = above.max_by_key(|mount| mount.target.components().count())?;
        let below = path.strip_prefix(&mount.target).ok()?;
        // `join` with nothing would end the path of a file with a slash.
        let inner = if below.as_os_str().is_empty() {
            mount.shown.path.clone()
        } else {
            mount.shown.path.join(below)
        };
        Some(Shown { device: mount.shown.device.clone(), path: inner })
    }
}

/// mountinfo writes space, tab, newline and backslash as octal.
fn unescape(text: &str) -> PathBuf {
    let plain = text.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n");
    PathBuf::from(plain.replace("\\134", "\\"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "22 1 254:0 / / rw - ext4 /dev/vda rw\n\
                        30 22 0:5 /sub /srv/a\\040b rw - tmpfs x rw\n\
                        31 30 0:6 / /srv/a\\040b rw - tmpfs y rw\n";

    #[test]
    fn what_lies_at_a_path_is_told_by_the_mount_on_top() {
        let host = parse(HOST);
        let shown = |device: &str, path: &str| Some(Shown { device: device.into(), path: path.into() });
        assert_eq!(host.shown_at(Path::new("/srv/web")), shown("254:0", "/srv/web"));
        assert_eq!(host.shown_at(Path::new("/srv/a b/x")), shown("0:6", "/x"));
        assert_eq!(host.shown_at(Path::new("/srv/a b")), shown("0:6", "/"));
    }

    #[test]
    fn a_mount_is_found_by_what_it_shows_as_often_as_it_stands() {
        let inside = parse("46 72 254:0 /srv/web /run/x rw\n47 46 254:0 /srv/web /run/x rw\n");
        let shown = parse(HOST).shown_at(Path::new("/srv/web")).unwrap();
        assert_eq!(inside.targets_of(&shown).count(), 2);
        assert!(inside.stands_at(Path::new("/run/x")) && !inside.stands_at(Path::new("/link/x")));
        assert!(!parse(HOST).is_served_by_programs(Path::new("/")));
        let fuse = parse("22 1 0:9 / / rw shared:1 - fuse.x x rw\n");
        assert!(fuse.is_served_by_programs(Path::new("/")));
        let root_below_fuse = parse("30 22 0:9 / /data rw - tmpfs x rw\n");
        assert!(root_below_fuse.is_served_by_programs(Path::new("/")));
        let other = parse(HOST).shown_at(Path::new("/srv/other")).unwrap();
        assert_eq!(inside.targets_of(&other).count(), 0);
    }
}
