//! /dev of a container: a tmpfs that the host makes, with nodes of its own, owned by the container's ids.
//!
//! The host's device inodes are never bound: a `chown -R` inside would change them. A tmpfs that the host mounted
//! carries working nodes into a user namespace, where mknod itself is refused.

use crate::model::id_map::IdMap;
use crate::runtime::channel::{Failure, step};
use crate::runtime::start_spec::{DeviceKind, DeviceNode, StartSpec, root_ids};
use linux::device_filter::{Kind, MAKE, READ, Rule, WRITE};
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Uid, chownat, makedev, mkdirat, mknodat, openat, symlinkat,
};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_string, fsmount, fsopen,
};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// Name below /dev, major, minor.
const NODES: [(&str, u32, u32); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];
/// There only when the host has them.
const OPTIONAL_NODES: [(&str, u32, u32); 2] = [("fuse", 10, 229), ("net/tun", 10, 200)];
const LINKS: [(&str, &str); 5] = [
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
    ("pts/ptmx", "ptmx"),
];
const FOLDERS: [&str; 3] = ["pts", "shm", "mqueue"];

/// Devices that every container may use, as LXC allows them: making any node (it cannot be opened), the nodes
/// above, consoles and pseudo-terminals.
pub fn usual_rules() -> Vec<Rule> {
    let any = |kind| Rule { kind, major: None, minor: None, access: MAKE };
    let open =
        |major, minor| Rule { kind: Kind::Character, major: Some(major), minor, access: READ | WRITE | MAKE };
    let nodes = NODES.iter().chain(&OPTIONAL_NODES).map(|(_, major, minor)| open(*major, Some(*minor)));
    let terminals = [open(5, Some(1)), open(5, Some(2)), open(136, None)];
    [any(Kind::Character), any(Kind::Block)].into_iter().chain(nodes).chain(terminals).collect()
}

/// Makes the tmpfs with all nodes, as a detached mount.
pub fn tree(spec: &StartSpec) -> Result<OwnedFd, Failure> {
    let (uid, gid) = root_ids(spec.id_map());
    let mount = tmpfs(uid, gid)?;
    let owner = (Uid::from_raw(uid), Gid::from_raw(gid));
    for name in FOLDERS {
        mkdirat(&mount, name, Mode::from_raw_mode(0o755)).map_err(step(format!("make /dev/{name}")))?;
        give(&mount, name, owner)?;
    }
    for (target, name) in LINKS {
        symlinkat(target, &mount, name).map_err(step(format!("link /dev/{name}")))?;
        give(&mount, name, owner)?;
    }
    let console = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC;
    openat(&mount, "console", console, Mode::from_raw_mode(0o620)).map_err(step("make /dev/console"))?;
    give(&mount, "console", owner)?;
    let there = OPTIONAL_NODES.into_iter().filter(|(name, ..)| Path::new("/dev").join(name).exists());
    for (name, major, minor) in NODES.into_iter().chain(there) {
        let path = name.to_owned();
        node(
            &mount,
            &DeviceNode { path, kind: DeviceKind::Character, major, minor, mode: 0o666, uid: 0, gid: 0 },
            spec,
        )?;
    }
    for extra in &spec.devices {
        node(&mount, extra, spec)?;
    }
    Ok(mount)
}

fn tmpfs(uid: u32, gid: u32) -> Result<OwnedFd, Failure> {
    let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC).map_err(step("open tmpfs for /dev"))?;
    let (uid, gid) = (uid.to_string(), gid.to_string());
    for (key, value) in [("source", "dev"), ("mode", "0755"), ("size", "512k"), ("uid", &uid), ("gid", &gid)]
    {
        fsconfig_set_string(context.as_fd(), key, value).map_err(step(format!("set {key} of /dev")))?;
    }
    fsconfig_create(context.as_fd()).map_err(step("make /dev"))?;
    let flags = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, flags).map_err(step("mount /dev"))
}

fn node(mount: &OwnedFd, node: &DeviceNode, spec: &StartSpec) -> Result<(), Failure> {
    let name = node.path.as_str();
    let owner = host_owner(spec.id_map(), node);
    let mut folder = String::new();
    for part in name.split('/').collect::<Vec<_>>().split_last().map_or(&[][..], |(_, above)| above) {
        folder.push_str(part);
        match mkdirat(mount, folder.as_str(), Mode::from_raw_mode(0o755)) {
            Ok(()) => give(mount, &folder, host_root(spec.id_map()))?,
            Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(step(format!("make /dev/{folder}"))(error)),
        }
        folder.push('/');
    }
    let kind = match node.kind {
        DeviceKind::Block => FileType::BlockDevice,
        DeviceKind::Character => FileType::CharacterDevice,
    };
    let number = makedev(node.major, node.minor);
    // The mode is set apart: mknod's is cut by the umask.
    mknodat(mount, name, kind, Mode::from_raw_mode(0), number).map_err(step(format!("make /dev/{name}")))?;
    rustix::fs::chmodat(mount, name, Mode::from_raw_mode(node.mode), AtFlags::empty())
        .map_err(step(format!("set the mode of /dev/{name}")))?;
    give(mount, name, owner)
}

fn host_owner(map: Option<&IdMap>, node: &DeviceNode) -> (Uid, Gid) {
    let uid = map.map_or(Some(node.uid), |map| map.host_uid(node.uid));
    let gid = map.map_or(Some(node.gid), |map| map.host_gid(node.gid));
    let (root_uid, root_gid) = root_ids(map);
    (Uid::from_raw(uid.unwrap_or(root_uid)), Gid::from_raw(gid.unwrap_or(root_gid)))
}

fn host_root(map: Option<&IdMap>) -> (Uid, Gid) {
    let (uid, gid) = root_ids(map);
    (Uid::from_raw(uid), Gid::from_raw(gid))
}

fn give(mount: &OwnedFd, name: &str, owner: (Uid, Gid)) -> Result<(), Failure> {
    chownat(mount, name, Some(owner.0), Some(owner.1), AtFlags::SYMLINK_NOFOLLOW)
        .map_err(step(format!("give away /dev/{name}")))
}
