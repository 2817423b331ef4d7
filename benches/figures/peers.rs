//! Debian's crun and lxc-start on the same root file system, with the same confinement as a Bayplan container: user,
//! pid, mount, net, uts and ipc namespaces, the same masks, capabilities and system-call denylist.

use crate::measure::time;
use crate::ours::Net;
use anyhow::{Context, Result, ensure};
use nix::mount::MsFlags;
use nix::sched::{CloneFlags, setns, unshare};
use serde_json::{Value, json};
use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Outside ids of the peers' containers: those that Bayplan's begin with.
pub const FIRST_ID: u32 = 1_000_000;
const IDS: u32 = 65_536;
const DENIED: [&str; 13] = [
    "kexec_load",
    "kexec_file_load",
    "open_by_handle_at",
    "init_module",
    "finit_module",
    "delete_module",
    "create_module",
    "query_module",
    "get_kernel_syms",
    "swapon",
    "swapoff",
    "iopl",
    "ioperm",
];
const DROPPED: [&str; 5] = ["SYS_TIME", "SYS_MODULE", "SYS_RAWIO", "MAC_ADMIN", "MAC_OVERRIDE"];
const CAPABILITIES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// Runs a program; an error has what it said.
pub fn run(command: &mut Command) -> Result<()> {
    let output = command.stdin(nothing()?).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} ended with {}: {said}", output.status);
    Ok(())
}

/// Runs a program whose descriptors become a container's: of a pipe the end would not come before the container's.
fn run_detached(command: &mut Command, said: &Path) -> Result<()> {
    let file = fs::File::create(said)?;
    let status = command.stdin(nothing()?).stdout(file.try_clone()?).stderr(file).status()?;
    ensure!(status.success(), "{command:?} ended with {status}: {}", fs::read_to_string(said)?);
    Ok(())
}

/// A bridge for the peers' nics, gone with this.
pub struct Bridge(pub String);

impl Bridge {
    pub fn new() -> Result<Bridge> {
        let name = format!("bpp{}", std::process::id() % 100_000);
        run(Command::new("ip").args(["link", "add", &name, "type", "bridge"]))?;
        let bridge = Bridge(name);
        run(Command::new("ip").args(["address", "add", "10.214.0.1/16", "dev", &bridge.0]))?;
        run(Command::new("ip").args(["link", "set", &bridge.0, "up"]))?;
        Ok(bridge)
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        if let Err(error) = run(Command::new("ip").args(["link", "delete", &self.0])) {
            crate::complain(&format!("{error:#}"));
        }
    }
}

/// What crun is asked to do, or to leave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Full,
    NoSeccomp,
    NoCgroup,
}

/// A mount namespace without a unified cgroup hierarchy: beside v1 ones crun refuses one with controllers.
fn without_unified_cgroups() -> Result<OwnedFd> {
    let enter = || {
        unshare(CloneFlags::CLONE_NEWNS)?;
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        nix::mount::mount(None::<&str>, "/", None::<&str>, private, None::<&str>)?;
        if Path::new("/sys/fs/cgroup/unified").exists() {
            nix::mount::umount("/sys/fs/cgroup/unified")?;
        }
        Ok(fs::File::open("/proc/thread-self/ns/mnt")?.into())
    };
    std::thread::spawn(enter).join().map_err(|_| anyhow::anyhow!("a thread failed"))?
}

/// crun with bundles of its own.
pub struct Crun {
    folder: PathBuf,
    namespace: OwnedFd,
    bridge: String,
}

impl Crun {
    /// `rootfs` belongs to `FIRST_ID`.
    pub fn new(base: &Path, rootfs: &Path, bridge: &str) -> Result<Crun> {
        let folder = base.join("crun");
        for (name, seccomp) in [("plain", None), ("filtered", Some(denylist()))] {
            let bundle = folder.join(name);
            fs::create_dir_all(&bundle)?;
            let mut config = bundle_config(rootfs);
            if let Some(seccomp) = seccomp {
                config["linux"]["seccomp"] = seccomp;
            }
            fs::write(bundle.join("config.json"), serde_json::to_vec(&config)?)?;
        }
        Ok(Crun { folder, namespace: without_unified_cgroups()?, bridge: bridge.to_owned() })
    }

    /// From nothing to a running init.
    pub fn start(&self, id: &str, way: Way, net: Net) -> Result<Duration> {
        self.inside(|| match net {
            Net::None => self.create("run", id, way, &["--detach"]),
            Net::Bridged => {
                let file = self.folder.join("pid");
                self.create("create", id, way, &["--pid-file", &file.to_string_lossy()])?;
                self.attach(id, &fs::read_to_string(&file)?)?;
                run(self.command().args(["start", id]))
            }
        })
    }

    pub fn delete(&self, id: &str) -> Result<Duration> {
        self.inside(|| run(self.command().args(["delete", "--force", id])))
    }

    pub fn list(&self) -> Result<Duration> {
        self.inside(|| run(self.command().args(["list"])))
    }

    /// The time of `work`, on a thread in our mount namespace: what it starts is there too.
    fn inside(&self, work: impl FnOnce() -> Result<()> + Send) -> Result<Duration> {
        let entered = || {
            unshare(CloneFlags::CLONE_FS)?;
            setns(&self.namespace, CloneFlags::CLONE_NEWNS)?;
            time(work)
        };
        std::thread::scope(|scope| scope.spawn(entered).join())
            .map_err(|_| anyhow::anyhow!("a thread failed"))?
    }

    fn create(&self, verb: &str, id: &str, way: Way, more: &[&str]) -> Result<()> {
        let bundle = self.folder.join(if way == Way::NoSeccomp { "plain" } else { "filtered" });
        let mut command = self.command();
        if way == Way::NoCgroup {
            command.arg("--cgroup-manager=disabled");
        }
        command.arg(verb).args(more).arg("--bundle").arg(bundle).arg(id);
        run_detached(&mut command, &self.folder.join("said"))
    }

    /// What crun leaves to its caller, in two processes.
    fn attach(&self, id: &str, pid: &str) -> Result<()> {
        let (outside, inside) = (self.folder.join("outside"), self.folder.join("inside"));
        let number: u32 = id.trim_start_matches('c').parse()?;
        let host = format!("{}v{number}", self.bridge);
        let bridge = &self.bridge;
        fs::write(
            &outside,
            format!("link add {host} up master {bridge} type veth peer name eth0 netns {pid}\n"),
        )?;
        let address = format!("10.214.{}.{}", 1 + number / 250, 2 + number % 250);
        let lines = format!(
            "address add {address}/16 dev eth0\nlink set eth0 up\nlink set lo up\nroute add default via 10.214.0.1\n"
        );
        fs::write(&inside, lines)?;
        run(Command::new("ip").arg("-batch").arg(outside))?;
        run(Command::new("nsenter").args(["-t", pid, "-n", "ip", "-batch"]).arg(inside))
    }

    fn command(&self) -> Command {
        let mut command = Command::new("crun");
        command.arg("--root").arg(self.folder.join("state"));
        command
    }
}

fn denylist() -> Value {
    json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
        "syscalls": [
            {"names": DENIED, "action": "SCMP_ACT_ERRNO", "errnoRet": 1},
            {"names": ["umount2"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13,
                "args": [{"index": 1, "value": 1, "valueTwo": 1, "op": "SCMP_CMP_MASKED_EQ"}]},
        ],
    })
}

fn bundle_config(rootfs: &Path) -> Value {
    let mount = |kind: &str, target: &str, options: &[&str]| json!({"destination": target, "type": kind, "source": kind, "options": options});
    let map = json!([{"containerID": 0, "hostID": FIRST_ID, "size": IDS}]);
    let kept: Vec<String> = CAPABILITIES
        .iter()
        .filter(|name| !DROPPED.contains(name))
        .map(|name| format!("CAP_{name}"))
        .collect();
    let namespaces = ["pid", "network", "ipc", "uts", "mount", "user", "cgroup"];
    json!({
        "ociVersion": "1.0.0",
        "root": {"path": rootfs},
        "hostname": "c0",
        "process": {
            "terminal": false,
            "user": {"uid": 0, "gid": 0},
            "args": ["/sbin/init"],
            "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TERM=linux"],
            "cwd": "/",
            "capabilities": {"bounding": kept, "effective": kept, "permitted": kept},
        },
        "mounts": [
            mount("proc", "/proc", &["nosuid", "noexec", "nodev"]),
            mount("sysfs", "/sys", &["nosuid", "noexec", "nodev"]),
            mount("tmpfs", "/dev", &["nosuid", "strictatime", "mode=755"]),
            mount("devpts", "/dev/pts", &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
            mount("tmpfs", "/dev/shm", &["nosuid", "nodev", "mode=1777"]),
            mount("mqueue", "/dev/mqueue", &["nosuid", "noexec", "nodev"]),
            mount("tmpfs", "/run", &["nosuid", "nodev", "mode=755"]),
        ],
        "linux": {
            "uidMappings": map,
            "gidMappings": map,
            "namespaces": namespaces.map(|name| json!({"type": name})),
            "maskedPaths": ["/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
                "/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/sys/firmware"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sysrq-trigger"],
        },
    })
}

/// LXC with containers of its own, all on one root file system.
pub struct Lxc {
    folder: PathBuf,
    rootfs: PathBuf,
    bridge: String,
}

impl Lxc {
    /// `rootfs` belongs to `FIRST_ID`.
    pub fn new(base: &Path, rootfs: &Path, bridge: &str) -> Result<Lxc> {
        let folder = base.join("lxc");
        fs::create_dir_all(&folder)?;
        let names = DENIED.map(|name| format!("{name} errno 1\n")).concat();
        fs::write(folder.join("filter"), format!("2\ndenylist\nreject_force_umount\n[all]\n{names}"))?;
        Ok(Lxc { folder, rootfs: rootfs.to_owned(), bridge: bridge.to_owned() })
    }

    /// Writes a container's configuration; LXC makes nothing before a start.
    pub fn declare(&self, id: &str, net: Net) -> Result<()> {
        let (rootfs, filter) = (self.rootfs.display(), self.folder.join("filter"));
        let net = match net {
            Net::None => "lxc.net.0.type = empty\n".to_owned(),
            Net::Bridged => {
                let number: u32 = id.trim_start_matches('c').parse()?;
                format!(
                    "lxc.net.0.type = veth\nlxc.net.0.link = {}\nlxc.net.0.flags = up\nlxc.net.0.name = eth0\n\
                     lxc.net.0.ipv4.address = 10.214.{}.{}/16\nlxc.net.0.ipv4.gateway = 10.214.0.1\n",
                    self.bridge,
                    101 + number / 250,
                    2 + number % 250
                )
            }
        };
        let text = format!(
            "lxc.rootfs.path = dir:{rootfs}\nlxc.uts.name = {id}\nlxc.init.cmd = /sbin/init\n\
             lxc.idmap = u 0 {FIRST_ID} {IDS}\nlxc.idmap = g 0 {FIRST_ID} {IDS}\n\
             lxc.mount.auto = proc:mixed sys:rw\nlxc.pty.max = 1024\nlxc.tty.max = 0\n\
             lxc.cap.drop = sys_time sys_module sys_rawio mac_admin mac_override\n\
             lxc.seccomp.profile = {}\n{net}",
            filter.display()
        );
        fs::create_dir_all(self.folder.join(id))?;
        Ok(fs::write(self.folder.join(id).join("config"), text)?)
    }

    pub fn start(&self, id: &str) -> Result<Duration> {
        let mut command = self.command("lxc-start");
        time(|| run_detached(command.args(["-n", id, "-d"]), &self.folder.join("said")))
    }

    pub fn kill(&self, id: &str) -> Result<Duration> {
        let spent = time(|| run(self.command("lxc-stop").args(["-n", id, "-k"])))?;
        // It leaves these behind; the next start of that name would have to find another one.
        for folder in cgroups(&[&format!("lxc.monitor.{id}"), &format!("lxc.payload.{id}")]) {
            remove_soon(&folder);
        }
        Ok(spent)
    }

    pub fn list(&self) -> Result<Duration> {
        time(|| run(&mut self.list_command()))
    }

    fn list_command(&self) -> Command {
        let mut command = self.command("lxc-ls");
        command.arg("--fancy");
        command
    }

    /// The pid of a container's monitor: the parent of its init.
    pub fn monitor(&self, id: &str) -> Result<i32> {
        let output = self.command("lxc-info").args(["-n", id, "-p", "-H"]).output()?;
        let init = String::from_utf8(output.stdout)?.trim().to_owned();
        let status = fs::read_to_string(format!("/proc/{init}/status"))?;
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:")).context("no parent")?;
        Ok(parent.trim().parse()?)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(Path::new("/usr/bin").join(program));
        // With newuidmap at hand LXC asks it, and root has no line in /etc/subuid: without, it writes the map itself.
        command.env("PATH", "/nowhere").arg("-P").arg(&self.folder);
        command
    }
}

impl Drop for Lxc {
    fn drop(&mut self) {
        cgroups(&["lxc.pivot"]).iter().for_each(|folder| remove_soon(folder));
    }
}

/// The cgroups of these names in every hierarchy.
fn cgroups(names: &[&str]) -> Vec<PathBuf> {
    let hierarchies =
        fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten().map(|entry| entry.path());
    let roots: Vec<PathBuf> = hierarchies.chain([PathBuf::from("/sys/fs/cgroup")]).collect();
    let all = names.iter().flat_map(|name| roots.iter().map(move |root| root.join(name)));
    all.filter(|folder| folder.exists()).collect()
}

/// Its last process may still be ending.
fn remove_soon(cgroup: &Path) {
    for _ in 0..200 {
        match fs::remove_dir(cgroup) {
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
                std::thread::sleep(Duration::from_millis(2));
            }
            _ => return,
        }
    }
}

/// Standard input with nothing in it. Not /dev/null: crun gives its standard streams away to the container's root, and
/// that would be the host's own device.
fn nothing() -> std::io::Result<std::io::PipeReader> {
    let (reader, writer) = std::io::pipe()?;
    drop(writer);
    Ok(reader)
}
