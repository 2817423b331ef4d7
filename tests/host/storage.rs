//! A dir pool on a real file system, with real mounts in the way.

use bayplan::model::root::Root;
use bayplan::storage::dir::DirPool;
use bayplan::storage::error::StorageError;
use bayplan::storage::{Effect, Pool, Presence};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tree::error::FileError;
use uuid::Uuid;

const WEB: Uuid = Uuid::from_u128(0x11);

fn pool_in(source: PathBuf) -> Pool {
    Pool::Dir(DirPool { tag: "test".into(), name: "default".into(), source })
}

fn image_in(folder: &Path) -> PathBuf {
    let image = folder.join("image");
    std::fs::create_dir(&image).unwrap();
    std::os::unix::fs::chown(&image, Some(7), Some(8)).unwrap();
    std::fs::set_permissions(&image, std::fs::Permissions::from_mode(0o751)).unwrap();
    image
}

#[test]
fn a_pool_is_made_filled_emptied_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let pool = pool_in(folder.path().join("pool"));
    assert_eq!(pool.observe().unwrap().presence, Presence::Absent);
    assert_eq!(pool.ensure().unwrap(), Effect::Changed);
    assert_eq!(pool.ensure().unwrap(), Effect::Unchanged);

    let layers = vec![image_in(folder.path())];
    let (root, effect) = pool.create_root(WEB, layers.clone()).unwrap();
    assert_eq!(effect, Effect::Changed);
    assert_eq!(pool.create_root(WEB, layers).unwrap(), (root.clone(), Effect::Unchanged));
    let Root::Overlay { upper, work, .. } = &root else { panic!("{root:?}") };
    let upper = std::fs::metadata(upper).unwrap();
    assert_eq!((upper.uid(), upper.gid(), upper.mode() & 0o7777), (7, 8, 0o751));
    assert!(work.is_dir());
    let other = pool.create_root(WEB, vec![folder.path().to_owned()]);
    assert!(matches!(other, Err(StorageError::OtherLayers { .. })));

    assert_eq!(pool.write_identity(WEB, b"{\"mac\":1}").unwrap(), Effect::Changed);
    assert_eq!(pool.write_identity(WEB, b"{\"mac\":1}").unwrap(), Effect::Unchanged);
    let listed = pool.list_roots(None).unwrap();
    assert_eq!((listed.len(), &listed[0].root), (1, &root));
    assert_eq!(listed[0].identity.as_deref(), Some(&b"{\"mac\":1}"[..]));
    let state = pool.observe().unwrap();
    assert_eq!((state.presence, state.roots), (Presence::Ours, vec![WEB]));
    assert!(state.free_bytes > 0 && state.total_bytes >= state.free_bytes);

    assert!(matches!(pool.remove(), Err(StorageError::NotEmpty { count: 1, .. })));
    assert_eq!(pool.delete_root(WEB).unwrap(), Effect::Changed);
    assert_eq!(pool.delete_root(WEB).unwrap(), Effect::Unchanged);
    assert_eq!(pool.remove().unwrap(), Effect::Changed);
    assert_eq!(pool.remove().unwrap(), Effect::Unchanged);
    assert!(!folder.path().join("pool").exists());
}

#[test]
fn a_pool_that_gets_another_name_is_known_by_both_until_it_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let pool = |name: &str, source: &str| {
        Pool::Dir(DirPool { tag: "test".into(), name: name.into(), source: folder.path().join(source) })
    };
    let layers = vec![image_in(folder.path())];
    let has_root = |pool: &Pool| pool.observe().unwrap().roots == [WEB] && pool.root(WEB).unwrap().is_some();
    // With its name in its path, and without.
    for (from, to) in [(pool("a", "a"), pool("b", "b")), (pool("c", "own"), pool("d", "own"))] {
        from.begin_rename(&to).unwrap();
        from.end_rename(&to).unwrap();
        assert_eq!(to.observe().unwrap().presence, Presence::Absent, "there is nothing to rename");
        from.ensure().unwrap();
        from.create_root(WEB, layers.clone()).unwrap();
        from.begin_rename(&to).unwrap();
        from.begin_rename(&to).unwrap();
        assert!(has_root(&from), "a crash here hides nothing");
        from.end_rename(&to).unwrap();
        from.begin_rename(&to).unwrap();
        from.end_rename(&to).unwrap();
        assert!(has_root(&to));
        let presence = from.observe().unwrap().presence;
        assert!(matches!(presence, Presence::Absent | Presence::Foreign(_)), "{presence:?}");
    }
    // A crash between the folder's new path and its last mark.
    let (from, to) = (pool("b", "b"), pool("e", "e"));
    from.begin_rename(&to).unwrap();
    std::fs::rename(folder.path().join("b"), folder.path().join("e")).unwrap();
    assert!(has_root(&to));
    from.begin_rename(&to).unwrap();
    from.end_rename(&to).unwrap();
    assert!(has_root(&to));
}

#[test]
fn a_pool_whose_folder_cannot_be_renamed_is_left_as_it_is() {
    let folder = tempfile::Builder::new().prefix("bayplan-test-").tempdir_in("/var/tmp").unwrap();
    let pool = |name: &str| {
        Pool::Dir(DirPool { tag: "test".into(), name: name.into(), source: folder.path().join(name) })
    };
    let (from, to) = (pool("a"), pool("b"));
    let place = folder.path().join("a");
    std::fs::create_dir(&place).unwrap();
    mount("tmpfs", &place, "tmpfs", MountFlags::empty(), None).unwrap();
    from.ensure().unwrap();
    let state = from.observe().unwrap();
    let refused = from.begin_rename(&to);
    let after = from.observe().unwrap();
    unmount(&place, UnmountFlags::DETACH).unwrap();
    assert!(state.is_mount_point && matches!(refused, Err(StorageError::MountPoint { .. })), "{refused:?}");
    assert_eq!(after.presence, Presence::Ours);
    from.ensure().unwrap();
    std::fs::create_dir(folder.path().join("b")).unwrap();
    assert!(matches!(from.begin_rename(&to), Err(StorageError::Taken { .. })));
    assert_eq!(from.observe().unwrap().presence, Presence::Ours);
}

#[test]
fn a_folder_with_foreign_content_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("precious"), "x").unwrap();
    let pool = pool_in(folder.path().to_owned());
    assert!(matches!(pool.ensure(), Err(StorageError::Foreign { .. })));
    assert!(matches!(pool.create_root(WEB, vec![]), Err(StorageError::Foreign { .. })));
    std::fs::remove_file(folder.path().join("precious")).unwrap();
    assert_eq!(pool.ensure().unwrap(), Effect::Changed);
    let DirPool { source, .. } = match &pool {
        Pool::Dir(pool) => pool.clone(),
    };
    let theirs = Pool::Dir(DirPool { tag: "other".into(), name: "default".into(), source });
    assert!(matches!(theirs.ensure(), Err(StorageError::Foreign { .. })));
    pool.remove().unwrap();
    assert!(folder.path().exists());
}

#[test]
fn a_root_with_a_mount_below_is_not_removed_and_trash_is_swept() {
    let folder = tempfile::tempdir().unwrap();
    let pool = pool_in(folder.path().join("pool"));
    pool.ensure().unwrap();
    let (root, _) = pool.create_root(WEB, vec![image_in(folder.path())]).unwrap();
    let Root::Overlay { upper, .. } = root else { panic!("not an overlay") };
    let target = upper.join("mnt");
    std::fs::create_dir(&target).unwrap();
    mount("tmpfs", &target, "tmpfs", MountFlags::empty(), None).unwrap();
    std::fs::write(target.join("kept"), "x").unwrap();
    let refused = pool.delete_root(WEB);
    let kept = target.join("kept").exists();
    let by_descriptor = tree_remove(&upper);
    let still_kept = target.join("kept").exists();
    unmount(&target, UnmountFlags::DETACH).unwrap();
    assert!(matches!(refused, Err(StorageError::Mounted { .. })), "{refused:?}");
    assert!(kept && still_kept);
    assert_eq!(by_descriptor, Some(libc::EXDEV));

    std::fs::create_dir_all(folder.path().join("pool/.trash/x.0/deep")).unwrap();
    std::fs::create_dir_all(folder.path().join("pool/.making/y")).unwrap();
    assert_eq!(pool.clean_trash().unwrap(), 2);
    assert_eq!(pool.clean_trash().unwrap(), 0);
    pool.delete_root(WEB).unwrap();
    pool.remove().unwrap();
}

/// The descriptor walk stops at a mount even when nobody looked for mounts before.
fn tree_remove(upper: &Path) -> Option<i32> {
    tree::remove::remove(upper.parent().unwrap(), Path::new("upper")).unwrap_err().raw_os_error()
}

#[test]
fn a_full_disk_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let small = folder.path().join("small");
    std::fs::create_dir(&small).unwrap();
    mount("tmpfs", &small, "tmpfs", MountFlags::empty(), Some(c"nr_inodes=7")).unwrap();
    let pool = pool_in(small.clone());
    let ensured = pool.ensure();
    let created = pool.create_root(WEB, vec![image_in(folder.path())]);
    unmount(&small, UnmountFlags::DETACH).unwrap();
    ensured.unwrap();
    assert!(matches!(created, Err(StorageError::File(FileError::Full { .. }))), "{created:?}");
}
