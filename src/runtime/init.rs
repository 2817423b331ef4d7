//! From clone to execve: the one list of what the first process of a container does.
//!
//! It runs in the new namespaces, single-threaded, and must not do anything that the list does not say. What fails
//! is reported to the monitor as {step, errno}; success shows as the channel's end, which execve closes.

use crate::runtime::channel::{self, Failure, step};
use crate::runtime::start_spec::{Bind, StartSpec};
use crate::runtime::{confinement, mounts};
use nix::sched::CloneFlags;
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::mount::{
    MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount, mount_bind,
    mount_change, mount_remount, move_mount, open_tree, unmount,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ffi::CString;
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// What init tells the monitor.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Report {
    /// In its cgroups; waits for [`Go`].
    Joined,
    /// With master and slave of the console.
    Console,
    Failed {
        step: String,
        errno: i32,
    },
}

/// The monitor's word to go on. Descriptors: root, then the binds.
#[derive(Debug, Serialize, Deserialize)]
pub struct Go;

/// All that init works with.
#[derive(Debug)]
pub struct Context {
    pub spec: StartSpec,
    pub channel: OwnedFd,
    /// `tasks` files of the v1 cgroups.
    pub tasks: Vec<OwnedFd>,
    pub devices: OwnedFd,
    pub seccomp: Vec<u8>,
}

/// Where the root is attached for a moment: a folder that every host has.
const STAGING: &str = "/dev";
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const INITS: [&str; 4] = ["/sbin/init", "/etc/init", "/bin/init", "/bin/sh"];

/// Runs the list; returns to nobody.
pub fn run(context: Context) -> ! {
    let channel = context.channel.try_clone();
    let Err(failure) = steps(context);
    if let Ok(channel) = channel {
        let report = Report::Failed { step: failure.step, errno: failure.errno };
        let _ = channel::send(&channel, &report, &[]);
    }
    linux::process::end(1)
}

#[allow(clippy::too_many_lines, reason = "one linear list, in the order in which the kernel sees it")]
fn steps(context: Context) -> Result<Infallible, Failure> {
    let Context { spec, channel, tasks, devices, seccomp } = context;

    // 1. Into the v1 cgroups (the unified one was entered by clone3), then wait: the controller hangs network
    //    devices into this namespace meanwhile. Its death, or the monitor's, ends the channel and so this process.
    for file in tasks {
        rustix::io::write(&file, b"0").map_err(step("enter a cgroup"))?;
    }
    channel::send(&channel, &Report::Joined, &[])?;
    let Some((Go, mut mounts)) = channel::receive::<Go>(&channel)? else { linux::process::end(0) };
    if mounts.is_empty() {
        return Err(Failure { step: "get the root".to_owned(), errno: libc::EBADF });
    }
    let root = mounts.remove(0);
    let secrets = if spec.has_secrets { mounts.pop() } else { None };
    let binds = mounts;

    // 2. Who we are: root inside, leader of a session, default signals, the payload cgroup as `/`.
    linux::process::default_signals();
    rustix::process::setsid().map_err(step("start a session"))?;
    rustix::process::umask(Mode::from_raw_mode(0o022));
    nix::unistd::setgroups(&[]).map_err(step("drop groups"))?;
    nix::unistd::setresgid(0.into(), 0.into(), 0.into()).map_err(step("become group 0"))?;
    nix::unistd::setresuid(0.into(), 0.into(), 0.into()).map_err(step("become user 0"))?;
    nix::sched::unshare(CloneFlags::CLONE_NEWCGROUP).map_err(step("make a cgroup namespace"))?;

    // 3. The root. From pivot_root on every path is resolved inside it: a link in the image leads nowhere else.
    //    The host's tree stays below until step 6, because proc and sysfs are given to a user namespace only while
    //    it sees whole ones.
    mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)
        .map_err(step("let no mount out"))?;
    let host = open_folder("/")?;
    move_mount(&root, "", CWD, STAGING, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        .map_err(step("attach the root"))?;
    rustix::process::fchdir(&root).map_err(step("enter the root"))?;
    rustix::process::pivot_root(".", ".").map_err(step("pivot the root"))?;
    rustix::process::chdir("/").map_err(step("enter the new root"))?;
    drop(root);

    // 4. The kernel's file systems.
    let plain = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount_new("proc", "/proc", plain, "")?;
    mount_new("sysfs", "/sys", plain, "")?;
    if spec.has_host_root() && !spec.nesting {
        protect_sys(plain)?;
    }
    mount_new("cgroup2", "/sys/fs/cgroup", plain, "")?;
    make_folder("/dev")?;
    move_mount(&devices, "", CWD, "/dev", MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        .map_err(step("attach /dev"))?;
    drop(devices);
    mount_devpts(&spec)?;
    mount_new("tmpfs", "/dev/shm", MountFlags::NOSUID | MountFlags::NODEV, "mode=1777")?;
    mount_new("mqueue", "/dev/mqueue", plain, "")?;
    mount_new("tmpfs", "/run", MountFlags::NOSUID | MountFlags::NODEV, "mode=0755")?;
    if spec.nesting {
        // Whole ones for the containers inside, whatever is mounted over the usual places later.
        mount_new("proc", "/dev/.bayplan/proc", plain, "")?;
        mount_new("sysfs", "/dev/.bayplan/sys", plain, "")?;
    }
    let console = open_console(&channel)?;

    // 5. What the spec says about files: sysctls before their files may be covered, then disks, then covers.
    for (name, value) in &spec.sysctls {
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        fs::write(&path, value).map_err(step(format!("set linux.sysctl.{name}")))?;
    }
    let null = openat(CWD, "/dev/null", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
        .map_err(step("open /dev/null"))?;
    for (tree, bind) in binds.into_iter().zip(&spec.binds) {
        attach_bind(&tree, bind)?;
    }
    spec.masked_paths.iter().try_for_each(|path| mask(path, &null))?;
    spec.readonly_paths.iter().try_for_each(|path| make_readonly(path))?;
    if spec.has_host_root() && !spec.nesting {
        protect_parameters()?;
    }

    // 6. Let the host's tree go.
    rustix::process::fchdir(&host).map_err(step("enter the old root"))?;
    mount_change(".", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)
        .map_err(step("let no unmount out"))?;
    unmount(".", UnmountFlags::DETACH).map_err(step("detach the old root"))?;
    rustix::process::chdir("/").map_err(step("enter the root again"))?;
    drop(host);

    // 7. Names and the loopback link.
    nix::unistd::sethostname(&spec.hostname).map_err(step("set the host name"))?;
    linux::link::raise_loopback().map_err(step("raise lo"))?;

    // 8. The console as standard streams; nothing else survives execve.
    nix::unistd::dup2_stdin(&console).map_err(step("set standard input"))?;
    nix::unistd::dup2_stdout(&console).map_err(step("set standard output"))?;
    nix::unistd::dup2_stderr(&console).map_err(step("set standard error"))?;
    linux::process::close_on_exec_from(3).map_err(step("close descriptors"))?;

    // 9. What must never be done inside. no_new_privs stays off: a system container has setuid programs.
    confinement::drop_capabilities()?;
    if !seccomp.is_empty() {
        linux::seccomp::load(&seccomp).map_err(step("load the seccomp filter"))?;
    }

    // 10. Become the container's init.
    let arguments = arguments(&spec)?;
    let environment = environment(&spec, secrets)?;
    nix::unistd::execve(&arguments[0], &arguments, &environment)
        .map_err(step(format!("execute {}", arguments[0].to_string_lossy())))
}

fn mount_new(kind: &str, target: &str, flags: MountFlags, options: &str) -> Result<(), Failure> {
    make_folder(target)?;
    let options = CString::new(options).unwrap_or_default();
    mount(kind, target, kind, flags, options.as_c_str()).map_err(step(format!("mount {kind} on {target}")))
}

/// The host's devices and modules are out of the reach of a root that is the host's, its own links are not (LXC's `sys:mixed`).
fn protect_sys(plain: MountFlags) -> Result<(), Failure> {
    const LINKS: &str = "/sys/devices/virtual/net";
    mount_bind(LINKS, LINKS).map_err(step(format!("bind {LINKS}")))?;
    mount_remount("/sys", plain | MountFlags::BIND | MountFlags::RDONLY, c"")
        .map_err(step("make /sys read-only"))
}

/// The host's kernel parameters are out of the reach of a root that is the host's, those of its own network are not (LXC's
/// `proc:mixed`).
fn protect_parameters() -> Result<(), Failure> {
    const NETWORK: &str = "/proc/sys/net";
    mount_bind(NETWORK, NETWORK).map_err(step(format!("bind {NETWORK}")))?;
    make_readonly("/proc/sys")
}

/// Group 5 is `tty` on every distribution; a map that lacks it cannot have it.
fn mount_devpts(spec: &StartSpec) -> Result<(), Failure> {
    let has_tty = spec.id_map().is_none_or(|map| map.host_gid(5).is_some());
    let group = if has_tty { ",gid=5" } else { "" };
    let options = format!("newinstance,ptmxmode=0666,mode=0620{group}");
    mount_new("devpts", "/dev/pts", MountFlags::NOSUID | MountFlags::NOEXEC, &options)
}

/// A pseudo-terminal of the container's own devpts, so that its name is true inside. The monitor gets the master,
/// and a slave that keeps the terminal alive while nobody inside has it open.
fn open_console(channel: &OwnedFd) -> Result<OwnedFd, Failure> {
    let (master, slave, name) = open_terminal()?;
    mount_bind(name.as_str(), "/dev/console").map_err(step("bind /dev/console"))?;
    channel::send(channel, &Report::Console, &[master.as_fd(), slave.as_fd()])?;
    // By the name that programs know.
    openat(CWD, "/dev/console", OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())
        .map_err(step("open /dev/console"))
}

/// Opens a new pseudo-terminal in /dev/pts: master, slave, the slave's path.
pub fn open_terminal() -> Result<(OwnedFd, OwnedFd, String), Failure> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let master = openat(CWD, "/dev/pts/ptmx", flags, Mode::empty()).map_err(step("open /dev/pts/ptmx"))?;
    rustix::pty::unlockpt(&master).map_err(step("unlock a terminal"))?;
    let name = rustix::pty::ptsname(&master, Vec::new()).map_err(step("name a terminal"))?;
    let name = name.to_string_lossy().into_owned();
    let slave = openat(CWD, name.as_str(), flags, Mode::empty()).map_err(step(format!("open {name}")))?;
    Ok((master, slave, name))
}

fn attach_bind(tree: &OwnedFd, bind: &Bind) -> Result<(), Failure> {
    if bind.readonly {
        linux::mount::set_flags(tree.as_fd(), linux::mount::READ_ONLY, linux::mount::Reach::Tree)
            .map_err(step(format!("make {} read-only", bind.target)))?;
    }
    mounts::put(tree, Path::new(&bind.target))
}

/// A folder or an empty file, like what is mounted on it.
pub fn make_target(tree: &OwnedFd, target: &Path) -> Result<(), Failure> {
    let facts = rustix::fs::fstat(tree).map_err(step("look at a mount"))?;
    if rustix::fs::FileType::from_raw_mode(facts.st_mode) == rustix::fs::FileType::Directory {
        return make_folder(&target.to_string_lossy());
    }
    if target.exists() {
        return Ok(());
    }
    if let Some(above) = target.parent() {
        make_folder(&above.to_string_lossy())?;
    }
    fs::File::create(target).map(drop).map_err(step(format!("make {}", target.display())))
}

fn make_folder(path: &str) -> Result<(), Failure> {
    if Path::new(path).is_dir() {
        return Ok(());
    }
    let made = fs::DirBuilder::new().recursive(true).mode(0o755).create(path);
    made.map_err(step(format!("make {path}")))
}

/// Hides a file behind /dev/null, a folder behind an empty one. What is not there needs no cover.
fn mask(path: &str, null: &OwnedFd) -> Result<(), Failure> {
    let Ok(facts) = fs::metadata(path) else { return Ok(()) };
    let failed = step(format!("mask {path}"));
    if facts.is_dir() {
        let flags = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        mount("tmpfs", path, "tmpfs", flags, c"size=0k").map_err(failed)
    } else {
        // By its descriptor: a disk may cover /dev.
        let flags =
            OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
        let tree = open_tree(null, "", flags).map_err(step("copy /dev/null"))?;
        move_mount(&tree, "", CWD, path, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH).map_err(failed)
    }
}

fn make_readonly(path: &str) -> Result<(), Failure> {
    if !Path::new(path).exists() {
        return Ok(());
    }
    rustix::mount::mount_bind_recursive(path, path).map_err(step(format!("bind {path}")))?;
    let flags =
        MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount_remount(path, flags, c"").map_err(step(format!("make {path} read-only")))
}

fn open_folder(path: &str) -> Result<OwnedFd, Failure> {
    openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(step(format!("open {path}")))
}

fn arguments(spec: &StartSpec) -> Result<Vec<CString>, Failure> {
    if !spec.init.is_empty() {
        return strings(spec.init.iter().cloned());
    }
    let found = INITS.into_iter().find(|path| Path::new(path).exists());
    let init = found.ok_or_else(|| Failure { step: "find an init".to_owned(), errno: libc::ENOENT })?;
    strings([init.to_owned()])
}

fn environment(spec: &StartSpec, secrets: Option<OwnedFd>) -> Result<Vec<CString>, Failure> {
    let mut all = variables(spec);
    all.extend(crate::runtime::secrets::read(secrets)?);
    strings(all.iter().map(|(name, value)| format!("{name}={value}")))
}

/// The usual variables; the spec's own win.
pub fn variables(spec: &StartSpec) -> BTreeMap<String, String> {
    let usual = [("PATH", PATH), ("TERM", "linux"), ("HOME", "/root"), ("container", "bayplan")];
    let mut all: BTreeMap<String, String> =
        usual.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    all.extend(spec.environment.clone());
    all
}

/// As execve wants them.
pub fn strings(list: impl IntoIterator<Item = String>) -> Result<Vec<CString>, Failure> {
    let texts = list.into_iter().map(CString::new).collect::<Result<_, _>>();
    texts.map_err(|_| Failure { step: "pass a text with a zero byte".to_owned(), errno: libc::EINVAL })
}
