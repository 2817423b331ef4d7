//! The runtime alone: a busybox system container from start to nothing.

use bayplan::model::id_map::IdMap;
use bayplan::model::root::Root;
use bayplan::runtime::cgroup::limits::{CpuQuota, Limits};
use bayplan::runtime::cgroup::{self, Cgroup, Hierarchies};
use bayplan::runtime::channel::Process;
use bayplan::runtime::confinement::usual_paths;
use bayplan::runtime::console::Connection;
use bayplan::runtime::container::{self, Mounts, Place, Prepared, StopMode};
use bayplan::runtime::error::Error;
use bayplan::runtime::exec::{ExecSpec, Streams, Window, exec};
use bayplan::runtime::identity::boot_id;
use bayplan::runtime::observe;
use bayplan::runtime::records::{self, Cause};
use bayplan::runtime::spawner::Spawner;
use bayplan::runtime::start_spec::{Bind, Confinement, Rlimit, StartSpec};
use bayplan::runtime::{mounts, seccomp};
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use uuid::Uuid;

const PROGRAM: &str = env!("CARGO_BIN_EXE_bayplan");
const BASE: u32 = 1_000_000;

/// A place of its own for one test; ends what it started.
struct Bay {
    folder: tempfile::TempDir,
    spawner: Spawner,
    hierarchies: Hierarchies,
    tag: String,
    uuids: std::cell::RefCell<Vec<Uuid>>,
}

impl Bay {
    fn new() -> Bay {
        assert!(nix::unistd::geteuid().is_root(), "host tests run as root");
        let folder = tempfile::tempdir_in("/var/tmp").unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        make_busybox(&folder.path().join("layer"));
        let tag = format!("test-{}", &Uuid::new_v4().simple().to_string()[..8]);
        Bay {
            spawner: Spawner::execute(Path::new(PROGRAM)).unwrap(),
            hierarchies: Hierarchies::detect().unwrap(),
            folder,
            tag,
            uuids: Default::default(),
        }
    }

    fn run(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    fn at<T>(&self, act: impl FnOnce(Place<'_>) -> T) -> T {
        let run = self.run();
        act(Place { spawner: &self.spawner, hierarchies: &self.hierarchies, run: &run })
    }

    fn spec(&self, name: &str) -> StartSpec {
        let uuid = Uuid::new_v4();
        self.uuids.borrow_mut().push(uuid);
        let paths = usual_paths(false);
        StartSpec {
            version: records::VERSION,
            boot_id: boot_id().unwrap(),
            incarnation: 1,
            uuid,
            name: name.to_owned(),
            hostname: name.to_owned(),
            init: Vec::new(),
            environment: BTreeMap::new(),
            confinement: Confinement::Namespaced { id_map: IdMap::contiguous(BASE, 65536) },
            nesting: false,
            cgroup: cgroup::container_path(&self.tag, &uuid, 1),
            monitor_cgroup: cgroup::monitor_path(&self.tag),
            limits: Limits::default(),
            rlimits: BTreeMap::new(),
            sysctls: BTreeMap::new(),
            binds: Vec::new(),
            devices: Vec::new(),
            masked_paths: paths.masked,
            readonly_paths: paths.readonly,
            seccomp_filter: Some(seccomp::cached(self.folder.path()).unwrap()),
            console_log_bytes: 1 << 20,
            stop_signal: None,
            on_reboot: Vec::new(),
            checkpoint: None,
        }
    }

    fn root(&self, spec: &StartSpec, layer: &Path) -> OwnedFd {
        let own = self.folder.path().join(spec.uuid.to_string());
        let (upper, work) = (own.join("upper"), own.join("work"));
        fs::create_dir_all(&upper).unwrap();
        fs::create_dir_all(&work).unwrap();
        fs::set_permissions(&own, fs::Permissions::from_mode(0o755)).unwrap();
        let root = Root::Overlay { layers: vec![layer.to_path_buf()], upper, work };
        self.spawner.mount_root(&root, spec.id_map()).unwrap()
    }

    fn prepare(&self, spec: &StartSpec) -> Prepared {
        let root = self.root(spec, &self.folder.path().join("layer"));
        self.at(|place| container::prepare(place, spec, Mounts { root, binds: Vec::new() })).unwrap()
    }

    fn start(&self, spec: &StartSpec) -> i32 {
        let prepared = self.prepare(spec);
        let pid = prepared.init.pid;
        prepared.release().unwrap();
        pid
    }

    fn folder_of(&self, spec: &StartSpec) -> PathBuf {
        records::folder(&self.run(), &spec.uuid)
    }

    fn cgroup<'a>(&'a self, spec: &'a StartSpec) -> Cgroup<'a> {
        Cgroup { hierarchies: &self.hierarchies, path: &spec.cgroup }
    }

    /// Runs a shell line inside; status and output.
    fn sh(&self, spec: &StartSpec, line: &str) -> (i32, String) {
        self.exec(spec, exec_spec(&["/bin/sh", "-c", line]))
    }

    fn exec(&self, spec: &StartSpec, what: ExecSpec) -> (i32, String) {
        let (mut output, stdout) = std::io::pipe().unwrap();
        let stderr = stdout.try_clone().unwrap();
        let stdin = fs::File::open("/dev/null").unwrap();
        let streams = Streams { stdin: stdin.into(), stdout: stdout.into(), stderr: stderr.into() };
        let running = exec(&self.spawner, &self.folder_of(spec), &what, Some(streams)).unwrap();
        let mut text = String::new();
        output.read_to_string(&mut text).unwrap();
        (running.wait().unwrap().status(), text)
    }

    fn stop(&self, spec: &StartSpec, mode: StopMode) -> records::Exit {
        self.at(|place| container::stop(place, &spec.uuid, mode)).unwrap().unwrap()
    }

    /// The exit record, when the monitor has written it and removed the cgroup.
    fn wait_exit(&self, spec: &StartSpec) -> records::Exit {
        let started = Instant::now();
        loop {
            let exit = records::read(&self.folder_of(spec), records::EXIT).unwrap();
            if let Some(exit) = exit.filter(|_| self.cgroup(spec).is_gone()) {
                return exit;
            }
            assert!(started.elapsed() < Duration::from_secs(15), "no exit record");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Bay {
    fn drop(&mut self) {
        for uuid in self.uuids.borrow().iter() {
            let _ = self.at(|place| container::stop(place, uuid, StopMode::Forced));
        }
        let path = format!("bayplan/{}", self.tag);
        let leftovers = Cgroup { hierarchies: &self.hierarchies, path: &path };
        // The spawner sits in the monitors' cgroup until its channel ends; replace it to end it.
        if let Ok(pid) = self.spawner.pid() {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
        }
        let _ = leftovers.remove_everywhere(Duration::from_secs(5));
    }
}

fn exec_spec(arguments: &[&str]) -> ExecSpec {
    ExecSpec {
        arguments: arguments.iter().map(|text| (*text).to_owned()).collect(),
        environment: BTreeMap::new(),
        user: None,
        folder: None,
        terminal: None,
    }
}

fn make_busybox(root: &Path) {
    for folder in ["bin", "sbin", "etc", "proc", "sys", "dev", "tmp", "root", "run", "mnt", "home"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    fs::copy("/bin/busybox", root.join("bin/busybox")).unwrap();
    let list = Command::new("/bin/busybox").arg("--list").output().unwrap();
    for applet in String::from_utf8(list.stdout).unwrap().lines().filter(|applet| *applet != "busybox") {
        symlink("busybox", root.join("bin").join(applet)).unwrap();
    }
    symlink("/bin/busybox", root.join("sbin/init")).unwrap();
    fs::write(root.join("etc/inittab"), "::sysinit:/bin/echo booted\n::respawn:/bin/sleep 1000\n").unwrap();
    fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nweb:x:33:33::/home:/bin/sh\n").unwrap();
    fs::write(root.join("etc/group"), "root:x:0:\nweb:x:33:\nlogs:x:40:web\n").unwrap();
}

fn host_ids_of(pid: i32) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    status.lines().find(|line| line.starts_with("Uid:")).unwrap().to_owned()
}

fn kill_hard(pid: i32) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).unwrap();
}

#[test]
fn a_container_starts_runs_programs_and_powers_off() {
    let bay = Bay::new();
    let spec = bay.spec("alpha");
    let pid = bay.start(&spec);
    assert!(host_ids_of(pid).contains(&BASE.to_string()));
    assert_eq!(bay.sh(&spec, "id -u; hostname; echo $container; exit 7"), (7, "0\nalpha\nbayplan\n".to_owned()));
    assert_eq!(bay.sh(&spec, "cat /proc/1/comm; readlink /proc/1/exe").1, "init\n/bin/busybox\n");
    assert_eq!(bay.sh(&spec, "cat /sys/class/net/lo/flags").1.trim(), "0x9");

    let seen = observe::one(&bay.run(), &spec.uuid).unwrap().unwrap();
    assert_eq!(seen.init.unwrap().pid, pid);
    assert!(seen.is_supervised);
    let facts = observe::cgroup(&bay.hierarchies, &spec, seen.init.unwrap()).unwrap();
    assert!(facts.is_whole && facts.has_init && !facts.is_frozen);

    let exit = bay.stop(&spec, StopMode::Clean { timeout: Duration::from_secs(10) });
    assert_eq!((exit.cause, exit.signal), (Cause::PowerOff, Some(libc::SIGINT)));
    assert!(bay.cgroup(&spec).is_gone());
    assert!(observe::one(&bay.run(), &spec.uuid).unwrap().unwrap().init.is_none());
    let log = fs::read_to_string(bay.folder_of(&spec).join(records::CONSOLE)).unwrap();
    assert!(log.contains("booted"), "{log}");
}
