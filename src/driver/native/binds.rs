//! What a container is started with besides its root: its resolver, folders that outlive the root, disks.

use super::failure::failed;
use super::{Native, disks, pools};
use crate::driver::Error;
use crate::model::run::{ContainerRun, Disk};
use crate::runtime::container::Mounts;
use crate::runtime::error::Error as RuntimeError;
use crate::runtime::records;
use crate::runtime::rootfs::{self, Shift};
use crate::runtime::start_spec::Bind;
use linux::mount::Reach;
use std::os::fd::OwnedFd;

/// What is bound into a container, and where.
pub enum Source<'a> {
    Resolver,
    /// A folder that outlives the root.
    Persisted(&'a str),
    Disk(&'a Disk),
}

pub fn binds(run: &ContainerRun) -> Vec<(Bind, Source<'_>)> {
    let resolver = Bind { target: "/etc/resolv.conf".to_owned(), readonly: false };
    let resolver = (!run.nics.is_empty()).then_some((resolver, Source::Resolver));
    let disks = run.disks.iter().filter(|disk| disks::is_there(disk)).map(|disk| {
        (Bind { target: disk.path.display().to_string(), readonly: disk.readonly }, Source::Disk(disk))
    });
    let persisted = run
        .persist
        .iter()
        .map(|path| (Bind { target: path.clone(), readonly: false }, Source::Persisted(path)));
    resolver.into_iter().chain(persisted).chain(disks).collect()
}

/// All of a container's mounts, attached nowhere.
pub fn mounts(
    native: &Native,
    run: &ContainerRun,
    binds: &[(Bind, Source<'_>)],
    shift: Option<Shift<'_>>,
) -> Result<Mounts, Error> {
    let key = &run.key;
    let root = pools::root(key, &native.pool(&run.pool)?, run.uuid)?;
    let root = rootfs::detached(&root, shift).map_err(|failure| {
        failed(format!("{key}: its root could not be mounted"), RuntimeError::from(failure))
    })?;
    let trees = binds.iter().map(|(_, source)| match source {
        Source::Resolver => resolver_tree(native, run, shift.map(|shift| shift.root_ids)),
        Source::Persisted(path) => persisted_tree(native, run, path, shift),
        Source::Disk(disk) => disks::tree(key, disk, shift),
    });
    Ok(Mounts { root, binds: trees.collect::<Result<_, _>>()?, secrets: None })
}

/// The container's /etc/resolv.conf: a file of its run folder that belongs to its own root.
fn resolver_tree(native: &Native, run: &ContainerRun, owner: Option<(u32, u32)>) -> Result<OwnedFd, Error> {
    let what = || format!("{}: its resolv.conf could not be made", run.key);
    let text = crate::network::resolver::of_host().map_err(|error| failed(what(), error))?;
    let path = records::folder(&native.layout.run, &run.uuid).join("resolv.conf");
    std::fs::write(&path, text).map_err(|error| failed(what(), error))?;
    let (uid, gid) = owner.unwrap_or_default();
    std::os::unix::fs::chown(&path, Some(uid), Some(gid)).map_err(|error| failed(what(), error))?;
    rootfs::clone_tree(&path, None, Reach::One).map_err(|failure| failed(what(), RuntimeError::from(failure)))
}

/// A folder that outlives the root, with the container's own ids.
pub fn persisted_tree(
    native: &Native,
    run: &ContainerRun,
    path: &str,
    shift: Option<Shift<'_>>,
) -> Result<OwnedFd, Error> {
    let what = || format!("{}: {path} cannot be bound", run.key);
    let folder = native.pool(&run.pool)?.persisted(run.uuid, path);
    let namespace = shift.map(|shift| shift.namespace);
    rootfs::clone_tree(&folder, namespace, Reach::One)
        .map_err(|failure| failed(what(), RuntimeError::from(failure)))
}
