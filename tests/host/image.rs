//! Images on a real file system, as root: owners, capabilities, holes; and archives that try to escape.

use bayplan::image::error::ImageError;
use bayplan::image::fingerprint::summarise;
use bayplan::image::source::Source;
use bayplan::image::store::{ImageStore, Verdict};
use bayplan::image::unpack::{Limits, unpack};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use tar::{EntryType, Header};
use tree::error::FileError;

/// One raw member; the name is written as it is, so that it may be hostile.
fn member(name: &str, kind: EntryType, link: &str, content: &[u8]) -> Vec<u8> {
    member_of_size(name, kind, link, content, content.len() as u64)
}

fn member_of_size(name: &str, kind: EntryType, link: &str, content: &[u8], size: u64) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_uid(33);
    header.set_gid(44);
    header.set_mtime(1_600_000_000);
    header.set_size(size);
    let old = header.as_old_mut();
    old.name[..name.len()].copy_from_slice(name.as_bytes());
    old.linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn archive(members: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = members.concat();
    bytes.extend([0; 1024]);
    bytes
}

/// Unpacks into `folder`/in, beside which a file `outside` stands.
fn unpack_beside(folder: &Path, bytes: &[u8]) -> Result<Vec<PathBuf>, ImageError> {
    let into = folder.join("in");
    std::fs::create_dir(&into).unwrap();
    std::fs::write(folder.join("outside"), "precious").unwrap();
    unpack(bytes, &into, Limits::default())
}

#[test]
fn archives_that_try_to_escape_are_refused_and_nothing_outside_changes() {
    let file = |name: &str| member(name, EntryType::Regular, "", b"evil");
    let link = |name: &str, to: &str| member(name, EntryType::Symlink, to, b"");
    let hard = |name: &str, to: &str| member(name, EntryType::Link, to, b"");
    let folder = |name: &str| member(name, EntryType::Directory, "", b"");
    let hostile = [
        vec![file("../outside")],
        vec![file("a/../../outside")],
        vec![file("/etc/bayplan-evil")],
        vec![link("up", ".."), file("up/outside")],
        vec![link("up", "/"), file("up/tmp/bayplan-evil")],
        vec![folder("a"), link("a/self", "/proc/self/cwd"), file("a/self/evil")],
        vec![link("up", ".."), folder("up/evil")],
        vec![link("up", ".."), hard("mine", "up/outside")],
        vec![hard("mine", "../outside")],
        vec![hard("mine", "/etc/passwd")],
        vec![file("a"), file("a/b")],
        vec![file("")],
        vec![file(".")],
    ];
    for (index, members) in hostile.iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let outcome = unpack_beside(folder.path(), &archive(members));
        assert!(matches!(outcome, Err(ImageError::Escape { .. })), "{index}: {outcome:?}");
        assert_eq!(std::fs::read(folder.path().join("outside")).unwrap(), b"precious", "{index}");
        assert_eq!(std::fs::metadata(folder.path().join("outside")).unwrap().nlink(), 1, "{index}");
        assert!(!Path::new("/tmp/bayplan-evil").exists() && !Path::new("/etc/bayplan-evil").exists());
    }
}

#[test]
fn a_link_is_replaced_not_written_through() {
    let folder = tempfile::tempdir().unwrap();
    let members = [
        member("x", EntryType::Symlink, "../outside", b""),
        member("x", EntryType::Regular, "", b"mine"),
        member("y", EntryType::Regular, "", b"first"),
        member("z", EntryType::Link, "y", b""),
        member("z", EntryType::Regular, "", b"second"),
        member("d", EntryType::Directory, "", b""),
        member("d", EntryType::Symlink, "..", b""),
    ];
    unpack_beside(folder.path(), &archive(&members)).unwrap();
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!((read("outside").as_str(), read("in/x").as_str()), ("precious", "mine"));
    assert_eq!((read("in/y").as_str(), read("in/z").as_str()), ("first", "second"));
    assert_eq!(std::fs::metadata(folder.path()).unwrap().uid(), 0, "the link's target was touched");
    let file = std::fs::metadata(folder.path().join("in/x")).unwrap();
    assert_eq!((file.uid(), file.gid(), file.mtime()), (33, 44, 1_600_000_000));
}

#[test]
fn devices_are_left_out_and_named_and_fifos_kept() {
    let folder = tempfile::tempdir().unwrap();
    let members = [
        member("./dev/sda", EntryType::Block, "", b""),
        member("./dev/null", EntryType::Char, "", b""),
        member("./run/pipe", EntryType::Fifo, "", b""),
    ];
    let skipped = unpack_beside(folder.path(), &archive(&members)).unwrap();
    assert_eq!(skipped, [PathBuf::from("dev/sda"), PathBuf::from("dev/null")]);
    assert!(!folder.path().join("in/dev").exists());
    assert!(std::fs::metadata(folder.path().join("in/run/pipe")).unwrap().file_type().is_fifo());
}

#[test]
fn cut_and_oversized_archives_are_refused() {
    let huge = member_of_size("bomb", EntryType::Regular, "", b"x", 1 << 60);
    let cases: [(Vec<u8>, bool); 4] = [
        (archive(&[huge]), true),
        (member("a", EntryType::Regular, "", b"x"), false),
        (member_of_size("a", EntryType::Regular, "", b"x", 4096), false),
        (vec![7; 600], false),
    ];
    for (bytes, is_limit) in cases {
        let folder = tempfile::tempdir().unwrap();
        match unpack_beside(folder.path(), &bytes) {
            Err(ImageError::Limit { .. }) => assert!(is_limit),
            Err(ImageError::Archive { .. }) => assert!(!is_limit),
            other => panic!("{other:?}"),
        }
    }
}

/// A tree with all that is easily lost. Gives the number of its names.
fn rich_tree(top: &Path) {
    std::fs::create_dir_all(top.join("usr/bin")).unwrap();
    std::fs::write(top.join("usr/bin/ping"), "ping").unwrap();
    std::os::unix::fs::chown(top.join("usr/bin/ping"), Some(33), Some(44)).unwrap();
    std::fs::set_permissions(top.join("usr/bin/ping"), PermissionsExt::from_mode(0o6755)).unwrap();
    // cap_net_raw+ep, version 2 (capabilities(7), linux/capability.h), with a newline among its bytes.
    let capability = [1, 0, 0, 2, 10, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    xattr::set(top.join("usr/bin/ping"), "security.capability", &capability).unwrap();
    xattr::set(top.join("usr"), "user.note", b"a\nb").unwrap();
    std::fs::hard_link(top.join("usr/bin/ping"), top.join("usr/bin/ping6")).unwrap();
    symlink("/etc/passwd", top.join("absolute")).unwrap();
    symlink("usr/bin", top.join("bin")).unwrap();
    let sparse = std::fs::File::create(top.join("sparse")).unwrap();
    sparse.set_len(64 << 20).unwrap();
    for place in [0u64, 20 << 20, 40 << 20] {
        std::os::unix::fs::FileExt::write_all_at(&sparse, b"data", place).unwrap();
    }
    std::fs::create_dir(top.join("empty")).unwrap();
    std::fs::set_permissions(top.join("empty"), PermissionsExt::from_mode(0o1777)).unwrap();
    std::fs::write(top.join(format!("{}-long", "n".repeat(150))), "long").unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        top.join("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
}

#[test]
fn what_gnu_tar_packs_is_unpacked_the_same_in_each_of_its_formats() {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("tree");
    std::fs::create_dir(&tree).unwrap();
    rich_tree(&tree);
    let expected = summarise(&tree).unwrap().fingerprint;
    for version in ["0.0", "0.1", "1.0"] {
        let options = format!("--format=pax --sparse-version={version} --xattrs --xattrs-include=* -S -z");
        let file = folder.path().join("image.tar.gz");
        let status = Command::new("tar")
            .args(options.split(' '))
            .args(["-C".as_ref(), tree.as_os_str(), "-cf".as_ref(), file.as_os_str(), ".".as_ref()])
            .status()
            .unwrap();
        assert!(status.success());
        let store = ImageStore::open(&folder.path().join(format!("store-{version}"))).unwrap();
        let imported = store.import(&Source::Archive { path: file }, &|_| {}).unwrap();
        let image = store.lookup(&imported.fingerprint).unwrap().unwrap();
        assert_eq!(imported.fingerprint, expected, "sparse version {version}");
        assert_whole(&image.rootfs);
    }
}

#[test]
fn gnu_sparse_members_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("tree");
    std::fs::create_dir(&tree).unwrap();
    // More pieces than fit in the header: extension blocks are read.
    let sparse = std::fs::File::create(tree.join("sparse")).unwrap();
    for piece in 0..60u64 {
        std::os::unix::fs::FileExt::write_all_at(&sparse, b"data", piece << 20).unwrap();
    }
    std::fs::write(tree.join("tail"), "after").unwrap();
    let output = Command::new("tar").args(["--format=gnu", "-S", "-C"]).arg(&tree).args(["-c", "."]).output();
    let into = folder.path().join("in");
    std::fs::create_dir(&into).unwrap();
    unpack(output.unwrap().stdout.as_slice(), &into, Limits::default()).unwrap();
    assert_eq!(summarise(&into).unwrap().fingerprint, summarise(&tree).unwrap().fingerprint);
    assert!(std::fs::metadata(into.join("sparse")).unwrap().blocks() * 512 < 1 << 20);
}

fn assert_whole(rootfs: &Path) {
    let ping = std::fs::metadata(rootfs.join("usr/bin/ping")).unwrap();
    assert_eq!((ping.uid(), ping.gid(), ping.mode() & 0o7777, ping.nlink()), (33, 44, 0o6755, 2));
    assert!(xattr::get(rootfs.join("usr/bin/ping"), "security.capability").unwrap().is_some());
    assert_eq!(xattr::get(rootfs.join("usr"), "user.note").unwrap().unwrap(), b"a\nb");
    let sparse = std::fs::metadata(rootfs.join("sparse")).unwrap();
    assert_eq!(sparse.len(), 64 << 20);
    assert!(sparse.blocks() * 512 < 1 << 20, "holes were filled: {} blocks", sparse.blocks());
    assert_eq!(std::fs::read_link(rootfs.join("absolute")).unwrap(), Path::new("/etc/passwd"));
}

#[test]
fn a_directory_is_imported_as_it_is_and_comes_back_the_same_when_lost() {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("tree");
    std::fs::create_dir(&tree).unwrap();
    rich_tree(&tree);
    let _socket = std::os::unix::net::UnixListener::bind(tree.join("socket")).unwrap();
    let store = ImageStore::open(&folder.path().join("images")).unwrap();
    let source = Source::Directory { path: tree };
    let first = store.import(&source, &|_| {}).unwrap();
    assert!(first.changed);
    assert_eq!(source.fingerprint().unwrap().as_deref(), Some(first.fingerprint.as_str()));
    let image = store.lookup(&first.fingerprint).unwrap().unwrap();
    assert_whole(&image.rootfs);
    assert_eq!(image.meta.skipped, [PathBuf::from("socket")]);
    assert!(!store.import(&source, &|_| {}).unwrap().changed);

    std::fs::write(image.rootfs.join("usr/bin/ping"), "pong").unwrap();
    assert!(matches!(store.verify(&first.fingerprint).unwrap(), Verdict::Altered { .. }));
    tree::remove::remove(image.rootfs.parent().unwrap(), Path::new("rootfs")).unwrap();
    assert_eq!(store.verify(&first.fingerprint).unwrap(), Verdict::Missing);
    let again = store.import(&source, &|_| {}).unwrap();
    assert_eq!((again.changed, &again.fingerprint), (true, &first.fingerprint));
    assert_eq!(store.verify(&first.fingerprint).unwrap(), Verdict::Intact);
    assert_eq!(store.list().unwrap().len(), 1);
    assert!(store.delete(&first.fingerprint).unwrap());
    assert!(!store.delete(&first.fingerprint).unwrap());
    assert_eq!(std::fs::read_dir(folder.path().join("images")).unwrap().count(), 0);
}

#[test]
fn a_directory_with_a_mount_in_it_is_refused_and_a_link_out_of_it_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("tree");
    std::fs::create_dir_all(tree.join("mnt")).unwrap();
    symlink("/", tree.join("host")).unwrap();
    let store = ImageStore::open(&folder.path().join("images")).unwrap();
    let source = Source::Directory { path: tree.clone() };
    mount("tmpfs", tree.join("mnt"), "tmpfs", MountFlags::empty(), None).unwrap();
    let refused = store.import(&source, &|_| {});
    unmount(tree.join("mnt"), UnmountFlags::DETACH).unwrap();
    assert!(matches!(refused, Err(ImageError::CrossesMount { .. })), "{refused:?}");
    let imported = store.import(&source, &|_| {}).unwrap();
    let image = store.lookup(&imported.fingerprint).unwrap().unwrap();
    assert_eq!(image.meta.names, 3);
}

#[test]
fn busybox_gives_the_same_system_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let first = ImageStore::open(&folder.path().join("a")).unwrap();
    let second = ImageStore::open(&folder.path().join("b")).unwrap();
    let imported = first.import(&Source::Busybox, &|_| {}).unwrap();
    assert_eq!(second.import(&Source::Busybox, &|_| {}).unwrap(), imported);
    assert!(!first.import(&Source::Busybox, &|_| {}).unwrap().changed);
    let rootfs = first.lookup(&imported.fingerprint).unwrap().unwrap().rootfs;
    let output = Command::new("chroot")
        .arg(&rootfs)
        .args(["/bin/sh", "-c", "test -x /sbin/init && test -L /sbin/poweroff && cat /etc/inittab && id -un"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("::respawn:-/bin/sh") && text.ends_with("root\n"), "{output:?}");
    assert_eq!(first.verify(&imported.fingerprint).unwrap(), Verdict::Intact);
}

#[test]
fn what_a_crash_left_is_removed_and_what_another_imports_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let images = folder.path().join("images");
    let store = ImageStore::open(&images).unwrap();
    for name in [".partial-0", ".partial-1"] {
        std::fs::create_dir_all(images.join(name).join("rootfs")).unwrap();
    }
    let live = std::fs::File::open(images.join(".partial-1")).unwrap();
    rustix::fs::flock(&live, rustix::fs::FlockOperation::LockExclusive).unwrap();
    store.import(&Source::Busybox, &|_| {}).unwrap();
    assert!(!images.join(".partial-0").exists());
    assert!(images.join(".partial-1/rootfs").exists());
}

#[test]
fn a_full_disk_is_named_and_leaves_no_part_of_an_image() {
    let folder = tempfile::tempdir().unwrap();
    mount("tmpfs", folder.path(), "tmpfs", MountFlags::empty(), Some(c"size=512k")).unwrap();
    let outcome =
        ImageStore::open(&folder.path().join("images")).map(|store| store.import(&Source::Busybox, &|_| {}));
    let left = std::fs::read_dir(folder.path().join("images")).unwrap().count();
    // Lazily: a container that another test starts just now may hold a copy of the mount for a moment.
    unmount(folder.path(), UnmountFlags::DETACH).unwrap();
    assert!(matches!(outcome, Ok(Err(ImageError::File(FileError::Full { .. })))), "{outcome:?}");
    assert_eq!(left, 0);
}

#[test]
fn compressions_that_come_later_are_refused_by_name() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&[0x28, 0xb5, 0x2f, 0xfd, 0, 0, 0]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let store = ImageStore::open(folder.path()).unwrap();
    let refused = store.import(&Source::Archive { path: file.path().to_owned() }, &|_| {});
    assert_eq!(refused.unwrap_err().to_string(), "zstd compression is not supported yet");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_failed_bootstrap_tells_mmdebstraps_own_words_and_leaves_nothing() {
    use bayplan::image::bootstrap::BootstrapSpec;
    let folder = tempfile::tempdir().unwrap();
    let store = ImageStore::open(folder.path()).unwrap();
    let mirror = Some("file:///nowhere/debian".to_owned());
    let spec =
        BootstrapSpec { suite: "bookworm".into(), include: vec![], variant: None, mirror, snapshot: None };
    match store.import(&Source::Bootstrap(spec), &|_| {}) {
        Err(ImageError::Bootstrap { output, .. }) => assert!(output.contains("/nowhere/debian"), "{output}"),
        Err(ImageError::NoMmdebstrap) => crate::product::skipped("this host lacks mmdebstrap"),
        other => panic!("{other:?}"),
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// Minutes on a slow mirror: run by `make test-long`.
#[test]
#[ignore = "downloads a Debian from the host's mirror"]
fn bootstrap_makes_a_debian_with_an_init() {
    use bayplan::image::bootstrap::BootstrapSpec;
    let folder = tempfile::tempdir().unwrap();
    let store = ImageStore::open(folder.path()).unwrap();
    let suite = "bookworm".to_owned();
    let spec = BootstrapSpec { suite, include: vec![], variant: None, mirror: None, snapshot: None };
    let imported = store.import(&Source::Bootstrap(spec), &|line| println!("{line}")).unwrap();
    let image = store.lookup(&imported.fingerprint).unwrap().unwrap();
    println!("{imported:?} {:?}", image.meta);
    assert!(image.rootfs.join("usr/lib/systemd/systemd").exists());
    assert_eq!(std::fs::metadata(image.rootfs.join("etc/machine-id")).unwrap().len(), 0);
}

/// Without our runtime: what it sends to stop busybox's init is enough, and a shell and rcS run before.
#[test]
fn the_busybox_system_boots_and_powers_off_by_sigusr2() {
    use std::os::unix::process::ExitStatusExt;
    let folder = tempfile::tempdir().unwrap();
    let store = ImageStore::open(folder.path()).unwrap();
    let imported = store.import(&Source::Busybox, &|_| {}).unwrap();
    let rootfs = store.lookup(&imported.fingerprint).unwrap().unwrap().rootfs;
    std::fs::write(rootfs.join("etc/rc.local"), "#!/bin/sh\necho up > /run/booted\n").unwrap();
    std::fs::set_permissions(rootfs.join("etc/rc.local"), PermissionsExt::from_mode(0o755)).unwrap();
    let mut child = Command::new("unshare")
        .args(["--pid", "--fork", "--kill-child", "--mount", "--uts", "--ipc", "--net", "chroot"])
        .arg(&rootfs)
        .arg("/sbin/init")
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let has_booted = wait_for(|| rootfs.join("run/booted").exists());
    let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id())).unwrap();
    let init = rustix::process::Pid::from_raw(children.trim().parse().unwrap()).unwrap();
    rustix::process::kill_process(init, rustix::process::Signal::USR2).unwrap();
    let has_ended = wait_for(|| child.try_wait().unwrap().is_some());
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert!(has_booted && has_ended, "booted {has_booted}, ended {has_ended}");
    // reboot(2): a power-off in a pid namespace shows as init's death by SIGINT.
    assert_eq!(status.signal(), Some(libc::SIGINT), "{status:?}");
}

fn wait_for(mut condition: impl FnMut() -> bool) -> bool {
    let begun = std::time::Instant::now();
    while begun.elapsed() < crate::product::patient(10) {
        if condition() {
            return true;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    condition()
}
