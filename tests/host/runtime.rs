//! The runtime alone: a busybox system container from start to nothing.

use crate::product::{patient, skipped};
use bayplan::model::id_map::IdMap;
use bayplan::model::root::Root;
use bayplan::model::run::Rlimit;
use bayplan::runtime::cgroup::limits::{CpuQuota, Limits};
use bayplan::runtime::cgroup::{self, Cgroup, Hierarchies};
use bayplan::runtime::channel::Process;
use bayplan::runtime::confinement::usual_paths;
use bayplan::runtime::console::Connection;
use bayplan::runtime::container::{self, IdShift, Mounts, Place, Prepared, StopMode};
use bayplan::runtime::error::Error;
use bayplan::runtime::exec::{ExecSpec, Streams, Window, exec};
use bayplan::runtime::identity::boot_id;
use bayplan::runtime::observe;
use bayplan::runtime::records::{self, Cause};
use bayplan::runtime::rootfs::{self, Shift};
use bayplan::runtime::spawner::Spawner;
use bayplan::runtime::start_spec::{Bind, Confinement, StartSpec};
use bayplan::runtime::{mount_table, mounts, seccomp};
use linux::mount::Reach;
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd};
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
            spawner: Spawner::from_program(Path::new(PROGRAM)),
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
            has_secrets: false,
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

    /// The container's root on `layer`.
    fn mounts(&self, spec: &StartSpec, prepared: &Prepared, layer: &Path) -> Mounts {
        let own = self.folder.path().join(spec.uuid.to_string());
        let (upper, work) = (own.join("upper"), own.join("work"));
        fs::create_dir_all(&upper).unwrap();
        fs::create_dir_all(&work).unwrap();
        fs::set_permissions(&own, fs::Permissions::from_mode(0o755)).unwrap();
        let root = Root::Overlay { layers: vec![layer.to_path_buf()], upper, work };
        Mounts { root: rootfs::detached(&root, prepared.shift()).unwrap(), binds: Vec::new(), secrets: None }
    }

    fn prepare(&self, spec: &StartSpec) -> Prepared {
        self.at(|place| container::prepare(place, spec)).unwrap()
    }

    fn release(&self, spec: &StartSpec, prepared: Prepared) -> Result<(), Error> {
        let mounts = self.mounts(spec, &prepared, &self.folder.path().join("layer"));
        prepared.release(mounts)
    }

    fn start(&self, spec: &StartSpec) -> i32 {
        let prepared = self.prepare(spec);
        let pid = prepared.init.pid;
        self.release(spec, prepared).unwrap();
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
        let running = exec(&self.spawner, &self.folder_of(spec), &what, Some(streams), None).unwrap();
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
            assert!(started.elapsed() < patient(15), "no exit record");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Bay {
    fn drop(&mut self) {
        for uuid in self.uuids.borrow().iter() {
            let _ = self.at(|place| container::stop(place, uuid, StopMode::Forced));
        }
        self.hierarchies.remove_empty(&format!("bayplan/{}", self.tag), patient(5));
    }
}

fn to_nowhere() -> Option<Streams> {
    let null = || fs::OpenOptions::new().read(true).write(true).open("/dev/null").unwrap().into();
    Some(Streams { stdin: null(), stdout: null(), stderr: null() })
}

fn exec_spec(arguments: &[&str]) -> ExecSpec {
    ExecSpec {
        arguments: arguments.iter().map(|text| (*text).to_owned()).collect(),
        environment: BTreeMap::new(),
        has_secrets: false,
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
    fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nweb:x:33:33::/home:/bin/sh\n")
        .unwrap();
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
    assert_eq!(
        bay.sh(&spec, "id -u; hostname; echo $container; exit 7"),
        (7, "0\nalpha\nbayplan\n".to_owned())
    );
    assert_eq!(bay.sh(&spec, "cat /proc/1/comm; readlink /proc/1/exe").1, "init\n/bin/busybox\n");
    assert_eq!(bay.sh(&spec, "cat /sys/class/net/lo/flags").1.trim(), "0x9");

    let seen = observe::one(&bay.run(), &spec.uuid).unwrap().unwrap();
    assert_eq!(seen.init.unwrap().pid, pid);
    assert!(seen.is_supervised);
    let facts = observe::cgroup(&bay.hierarchies, &spec, seen.init.unwrap()).unwrap();
    assert!(facts.is_whole && facts.has_init && !facts.is_frozen);

    let exit = bay.stop(&spec, StopMode::Clean { timeout: patient(10) });
    assert_eq!((exit.cause, exit.signal), (Cause::PowerOff, Some(libc::SIGINT)));
    assert!(bay.cgroup(&spec).is_gone());
    assert!(observe::one(&bay.run(), &spec.uuid).unwrap().unwrap().init.is_none());
    let log = fs::read_to_string(bay.folder_of(&spec).join(records::CONSOLE)).unwrap();
    assert!(log.contains("booted"), "{log}");
}

#[test]
fn nothing_of_the_host_is_inside() {
    let bay = Bay::new();
    let spec = bay.spec("tight");
    bay.start(&spec);
    assert_eq!(
        bay.sh(&spec, "ls -l /proc/1/fd | grep -v '^total' | sed 's/.*-> //' | sort -u").1,
        "/dev/console\n"
    );
    // The shell's own descriptors, read by others: `ls` would list the folder that it reads itself.
    let own =
        bay.sh(&spec, "for fd in /proc/$$/fd/*; do readlink $fd; done | grep -v -e pipe: -e /dev/null").1;
    assert_eq!(own, "");
    let status = bay.sh(&spec, "grep -e CapBnd -e Seccomp: -e NoNewPrivs /proc/1/status /proc/self/status").1;
    let dropped: u64 = (1 << 16) | (1 << 17) | (1 << 25) | (1 << 32) | (1 << 33);
    for line in status.lines().filter(|line| line.contains("CapBnd")) {
        let set = u64::from_str_radix(line.split_whitespace().last().unwrap(), 16).unwrap();
        assert_eq!(set & dropped, 0, "{status}");
        assert_ne!(set & (1 << 21), 0, "CAP_SYS_ADMIN stays, it is the namespace's own");
    }
    assert_eq!(status.matches("Seccomp:\t2").count(), 2, "{status}");
    assert_eq!(status.matches("NoNewPrivs:\t0").count(), 2, "{status}");
    assert_eq!(
        bay.sh(
            &spec,
            "cat /proc/kcore /proc/keys /proc/timer_list 2>/dev/null | wc -c; ls /sys/firmware | wc -l"
        )
        .1,
        "0\n0\n"
    );
    assert_ne!(bay.sh(&spec, "echo h > /proc/sysrq-trigger").0, 0);
    assert_ne!(bay.sh(&spec, "mknod /tmp/sda b 8 0").0, 0);
    assert_eq!(
        bay.sh(&spec, "echo x > /dev/null && head -c 1 /dev/zero | wc -c; [ -c /dev/full ]; echo $?").1,
        "1\n0\n"
    );
    let table = bay.sh(&spec, "cat /proc/self/mountinfo").1;
    assert!(!table.contains("/dev/vda") && !table.contains("oldroot"), "{table}");
    assert_eq!(bay.sh(&spec, "stat -c %u:%g / /dev/null /etc").1, "0:0\n0:0\n0:0\n");
    assert_eq!(bay.sh(&spec, "cat /proc/self/cgroup | grep ^0:").1, "0::/\n");
}

#[test]
fn a_device_outside_the_list_cannot_be_opened_even_by_a_privileged_container() {
    let bay = Bay::new();
    let spec = StartSpec { confinement: Confinement::Privileged, ..bay.spec("priv") };
    let pid = bay.start(&spec);
    assert!(host_ids_of(pid).contains("\t0\t0\t0"));
    // 1:1 is /dev/mem, 1:11 is /dev/kmsg.
    let (status, text) = bay.sh(&spec, "mknod /dev/k c 1 11 && cat /dev/k");
    assert_ne!(status, 0);
    assert!(text.contains("Operation not permitted"), "{text}");
    assert_eq!(bay.sh(&spec, "mknod /dev/z c 1 5 && head -c 2 /dev/z | wc -c"), (0, "2\n".to_owned()));
    let (_, text) = bay.sh(&spec, ": >>/sys/module/kernel/parameters/panic");
    assert!(text.contains("Read-only file system"), "the host's settings are out of reach: {text}");
    let (_, text) = bay.sh(&spec, ": >>/proc/sys/vm/swappiness");
    assert!(text.contains("Read-only file system"), "the host's parameters are out of reach: {text}");
    let forward = "echo 1 >/proc/sys/net/ipv4/ip_forward && cat /proc/sys/net/ipv4/ip_forward";
    assert_eq!(bay.sh(&spec, forward), (0, "1\n".to_owned()), "its own network's are not");
    let length = "cd /sys/devices/virtual/net/lo && echo 77 >tx_queue_len && cat tx_queue_len";
    assert_eq!(bay.sh(&spec, length), (0, "77\n".to_owned()), "its own links are not");
    let exit = bay.stop(&spec, StopMode::Forced);
    assert_eq!(exit.cause, Cause::Killed);
}

#[test]
fn limits_are_in_force_and_change_under_a_running_container() {
    let bay = Bay::new();
    let limits = Limits {
        cpu_set: Some("0".to_owned()),
        cpu_quota: Some(CpuQuota { quota_us: 25_000, period_us: 100_000 }),
        cpu_weight_percent: Some(50),
        memory_bytes: Some(100_000_001),
        memory_soft_bytes: None,
        pids: Some(50),
    };
    let spec = StartSpec { limits: limits.clone(), ..bay.spec("small") };
    let pid = bay.start(&spec);
    let cgroup = bay.cgroup(&spec);
    assert_eq!(cgroup.read().unwrap(), bay.hierarchies.normalise(&limits));
    assert_eq!(bay.sh(&spec, "grep Cpus_allowed_list /proc/self/status | cut -f2").1, "0\n");
    assert!(!cgroup.apply(&limits).unwrap(), "the same limits again are no change");
    let wider =
        Limits { memory_soft_bytes: Some(50 << 20), memory_bytes: None, pids: None, ..Limits::default() };
    assert!(cgroup.apply(&wider).unwrap());
    assert_eq!(cgroup.read().unwrap(), wider);
    let all = Limits { cpu_set: bay.hierarchies.all_cpus(), ..Limits::default() };
    assert!(cgroup.apply(&all).unwrap());
    assert!(!cgroup.apply(&Limits::default()).unwrap(), "all CPUs are no limit");
    assert_eq!(cgroup.read().unwrap(), Limits::default());
    let usage = cgroup.usage().unwrap();
    assert!(usage.processes >= 2 && usage.memory_bytes > 0 && usage.cpu_us > 0, "{usage:?}");
    assert!(cgroup.contains(pid).unwrap());
}

#[test]
fn a_lost_cgroup_is_made_again_and_its_processes_come_back() {
    let bay = Bay::new();
    let spec = StartSpec { limits: Limits { pids: Some(60), ..Limits::default() }, ..bay.spec("astray") };
    let pid = bay.start(&spec);
    let cgroup = bay.cgroup(&spec);
    let rules = spec.device_rules();
    let blueprint = container::blueprint(&spec, &rules);
    assert!(!cgroup.repair(&blueprint, pid).unwrap());
    let (unified, v1) =
        bay.hierarchies.folders_in(&fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap());
    let outer = unified.parent().unwrap().to_path_buf();
    for folder in v1.into_iter().filter(|folder| folder.ends_with(&spec.cgroup)).chain([unified, outer]) {
        let root = folder.ancestors().nth(if folder.ends_with("payload") { 4 } else { 3 }).unwrap();
        // One that is forked or ends just now keeps the folder busy for a moment.
        crate::product::eventually(5, "the cgroup is lost", || {
            for process in fs::read_to_string(folder.join("cgroup.procs")).unwrap().lines() {
                // Where init is must not matter: it goes to a service of its own on the host.
                let _ = fs::write(root.join("cgroup.procs"), process);
            }
            fs::remove_dir(&folder).is_ok()
        });
    }
    assert!(!cgroup.contains(pid).unwrap());
    assert!(!cgroup.is_whole());
    assert!(cgroup.repair(&blueprint, pid).unwrap());
    assert!(cgroup.contains(pid).unwrap());
    assert_eq!(cgroup.read().unwrap().pids, Some(60));
    assert_eq!(cgroup.usage().unwrap().processes, 2);
}

#[test]
fn a_process_that_has_ended_is_not_moved_back() {
    let bay = Bay::new();
    let spec = bay.spec("zombie");
    let pid = bay.start(&spec);
    // Its first child ends, and nobody waits for it.
    let line = "sleep 0 & exec sleep 1000";
    let parent =
        exec(&bay.spawner, &bay.folder_of(&spec), &exec_spec(&["/bin/sh", "-c", line]), to_nowhere(), None)
            .unwrap();
    let rules = spec.device_rules();
    let blueprint = container::blueprint(&spec, &rules);
    crate::product::eventually(5, "a child that has ended", || {
        bay.sh(&spec, "grep -q '^State:.Z' /proc/[0-9]*/status").0 == 0
    });
    assert!(!bay.cgroup(&spec).repair(&blueprint, pid).unwrap());
    drop(parent);
}

#[test]
fn a_frozen_container_stands_still_and_can_be_stopped() {
    let bay = Bay::new();
    let spec = bay.spec("cold");
    bay.start(&spec);
    bay.at(|place| container::freeze(place, &spec)).unwrap();
    assert!(bay.cgroup(&spec).is_frozen());
    bay.at(|place| container::unfreeze(place, &spec)).unwrap();
    assert_eq!(bay.sh(&spec, "true").0, 0);
    bay.at(|place| container::freeze(place, &spec)).unwrap();
    assert_eq!(bay.stop(&spec, StopMode::Forced).cause, Cause::Killed);
}

#[test]
fn the_causes_of_death_are_told_apart() {
    let bay = Bay::new();
    let reboot = bay.spec("again");
    bay.start(&reboot);
    bay.sh(&reboot, "reboot -f");
    assert_eq!(bay.wait_exit(&reboot).cause, Cause::Reboot);
    let off = bay.spec("off");
    bay.start(&off);
    bay.sh(&off, "poweroff -f");
    assert_eq!(bay.wait_exit(&off).cause, Cause::PowerOff);
    let killed = bay.spec("killed");
    kill_hard(bay.start(&killed));
    assert_eq!(bay.wait_exit(&killed).cause, Cause::Killed);
    let failed =
        StartSpec { init: vec!["/bin/sh".into(), "-c".into(), "exit 3".into()], ..bay.spec("failed") };
    bay.start(&failed);
    let exit = bay.wait_exit(&failed);
    assert_eq!((exit.cause, exit.code), (Cause::Failed, Some(3)));
    let hungry = StartSpec {
        limits: Limits { memory_bytes: Some(32 << 20), ..Limits::default() },
        init: vec!["/bin/sh".into(), "-c".into(), "sleep 0.2; x=y; while :; do x=$x$x; done".into()],
        ..bay.spec("hungry")
    };
    bay.start(&hungry);
    assert_eq!(bay.wait_exit(&hungry).cause, Cause::Oom);
}

#[test]
fn a_kill_is_not_blamed_on_memory_that_another_process_ran_out_of_before() {
    let bay = Bay::new();
    let line = "sleep 0.2; (x=y; while :; do x=$x$x; done); while :; do sleep 1; done";
    let spec = StartSpec {
        limits: Limits { memory_bytes: Some(32 << 20), ..Limits::default() },
        init: vec!["/bin/sh".into(), "-c".into(), line.into()],
        ..bay.spec("outliver")
    };
    let pid = bay.start(&spec);
    let started = Instant::now();
    while cgroup::memory::kills(&bay.cgroup(&spec)).unwrap() == 0 {
        assert!(started.elapsed() < patient(20), "nothing ran out of memory");
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::sleep(Duration::from_millis(2500));
    kill_hard(pid);
    assert_eq!(bay.wait_exit(&spec).cause, Cause::Killed);
}

#[test]
fn a_reboot_without_a_controller_runs_the_given_command() {
    let bay = Bay::new();
    let mark = bay.folder.path().join("rebooted");
    let command = vec!["/bin/touch".to_owned(), mark.to_string_lossy().into_owned()];
    let spec = StartSpec { on_reboot: command.clone(), ..bay.spec("alone") };
    bay.start(&spec);
    bay.sh(&spec, "reboot -f");
    bay.wait_exit(&spec);
    let started = Instant::now();
    while !mark.exists() {
        assert!(started.elapsed() < patient(5));
        std::thread::sleep(Duration::from_millis(5));
    }
    fs::remove_file(&mark).unwrap();
    let attended = StartSpec { on_reboot: command, ..bay.spec("attended") };
    bay.start(&attended);
    let held = Connection::open(&bay.folder_of(&attended)).unwrap().attend().unwrap();
    bay.sh(&attended, "reboot -f");
    bay.wait_exit(&attended);
    std::thread::sleep(Duration::from_millis(200));
    assert!(!mark.exists());
    drop(held);
}

#[test]
fn a_start_that_fails_names_its_step_and_leaves_nothing() {
    let bay = Bay::new();
    let spec = StartSpec { init: vec!["/bin/absent".into()], ..bay.spec("absent") };
    let prepared = bay.prepare(&spec);
    let pid = prepared.init.pid;
    match bay.release(&spec, prepared) {
        Err(Error::Step { process, step, source }) => {
            assert_eq!((process, step.as_str()), (Process::Init.name(), "execute /bin/absent"));
            assert_eq!(source.raw_os_error(), Some(libc::ENOENT));
        }
        other => panic!("{other:?}"),
    }
    assert_gone(&bay, &spec, pid);
    let unknown =
        StartSpec { sysctls: [("net.no.such".to_owned(), "1".to_owned())].into(), ..bay.spec("sysctl") };
    let failure = bay.release(&unknown, bay.prepare(&unknown)).unwrap_err().to_string();
    assert!(failure.contains("set linux.sysctl.net.no.such"), "{failure}");
}

fn assert_gone(bay: &Bay, spec: &StartSpec, pid: i32) {
    let started = Instant::now();
    while Path::new(&format!("/proc/{pid}")).exists() || !bay.cgroup(spec).is_gone() {
        assert!(started.elapsed() < patient(5), "something is left");
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(!bay.folder_of(spec).join(records::SOCKET).exists());
    assert!(!bay.folder_of(spec).join(records::STARTED).exists());
}

#[test]
fn a_controller_that_goes_between_prepare_and_release_leaves_nothing() {
    let bay = Bay::new();
    let spec = bay.spec("half");
    let prepared = bay.prepare(&spec);
    let pid = prepared.init.pid;
    assert!(bay.cgroup(&spec).contains(pid).unwrap());
    assert_eq!(
        fs::read_to_string(format!("/proc/{pid}/uid_map")).unwrap().split_whitespace().nth(1),
        Some("1000000")
    );
    drop(prepared);
    assert_gone(&bay, &spec, pid);
}

#[test]
fn a_monitor_killed_between_prepare_and_release_is_lost_and_leaves_nothing() {
    let bay = Bay::new();
    let spec = bay.spec("orphan");
    let prepared = bay.prepare(&spec);
    let pid = prepared.init.pid;
    let mounts = bay.mounts(&spec, &prepared, &bay.folder.path().join("layer"));
    kill_hard(parent_of(pid));
    assert!(matches!(prepared.release(mounts), Err(Error::Lost { .. } | Error::Call { .. })));
    let started = Instant::now();
    while !bay.cgroup(&spec).is_gone() {
        assert!(started.elapsed() < patient(5));
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn parent_of(pid: i32) -> i32 {
    bayplan::runtime::identity::parent_and_start(pid).unwrap().0
}

#[test]
fn a_killed_monitor_leaves_init_alone_and_is_replaced() {
    let bay = Bay::new();
    let spec = bay.spec("lonely");
    let pid = bay.start(&spec);
    kill_hard(parent_of(pid));
    let started = Instant::now();
    loop {
        let seen = observe::one(&bay.run(), &spec.uuid).unwrap().unwrap();
        assert_eq!(seen.init.map(|init| init.pid), Some(pid));
        if !seen.is_supervised {
            break;
        }
        assert!(started.elapsed() < patient(5));
        std::thread::sleep(Duration::from_millis(1));
    }
    // A process that another test forks just now may hold the socket for a moment.
    crate::product::eventually(5, "the monitor's socket is dead", || {
        Connection::open(&bay.folder_of(&spec)).is_err()
    });
    bay.at(|place| container::supervise(place, &spec)).unwrap();
    assert!(observe::one(&bay.run(), &spec.uuid).unwrap().unwrap().is_supervised);
    assert!(Connection::open(&bay.folder_of(&spec)).unwrap().status().is_ok());
    assert_eq!(bay.sh(&spec, "echo here").1, "here\n");
    kill_hard(pid);
    let exit = bay.wait_exit(&spec);
    assert!(matches!(exit.cause, Cause::Killed | Cause::Unknown), "{exit:?}");
}

#[test]
fn a_container_without_a_monitor_can_be_stopped() {
    let bay = Bay::new();
    let spec = bay.spec("adrift");
    let pid = bay.start(&spec);
    kill_hard(parent_of(pid));
    let exit = bay.stop(&spec, StopMode::Forced);
    assert!(matches!(exit.cause, Cause::Killed | Cause::Unknown), "{exit:?}");
    assert!(bay.cgroup(&spec).is_gone());
}

#[test]
fn a_monitor_is_in_its_own_cgroup_and_the_spawner_stays_where_it_was() {
    let bay = Bay::new();
    let spec = bay.spec("places");
    let monitor = parent_of(bay.start(&spec));
    let unified = |pid: i32| {
        let table = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
        table.lines().find_map(|line| line.strip_prefix("0::/")).unwrap().to_owned()
    };
    assert_eq!(unified(monitor), spec.monitor_cgroup);
    assert_eq!(unified(bay.spawner.pid().unwrap()), unified(std::process::id() as i32));
}

#[test]
fn a_killed_spawner_is_replaced_and_containers_do_not_notice() {
    let bay = Bay::new();
    let spec = bay.spec("steady");
    let pid = bay.start(&spec);
    let spawner = bay.spawner.pid().unwrap();
    kill_hard(spawner);
    let started = Instant::now();
    while Path::new(&format!("/proc/{spawner}")).exists() {
        assert!(started.elapsed() < patient(5));
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(bay.sh(&spec, "echo still").1, "still\n");
    assert_ne!(bay.spawner.pid().unwrap(), spawner);
    assert_eq!(observe::one(&bay.run(), &spec.uuid).unwrap().unwrap().init.unwrap().pid, pid);
}

#[test]
fn exec_honours_user_folder_environment_and_signals() {
    let bay = Bay::new();
    let spec = StartSpec { environment: [("SHIP".to_owned(), "ever".to_owned())].into(), ..bay.spec("exec") };
    bay.start(&spec);
    let who = ExecSpec {
        user: Some("web".to_owned()),
        ..exec_spec(&["/bin/sh", "-c", "id; pwd; echo $HOME $SHIP $PORT"])
    };
    let who = ExecSpec { environment: [("PORT".to_owned(), "a".to_owned())].into(), ..who };
    let text = bay.exec(&spec, who).1;
    assert_eq!(text, "uid=33(web) gid=33(web) groups=40(logs)\n/home\n/home ever a\n");
    let there = ExecSpec { folder: Some("/etc".to_owned()), ..exec_spec(&["pwd"]) };
    assert_eq!(bay.exec(&spec, there).1, "/etc\n");
    assert_eq!(bay.sh(&spec, "kill -9 $$").0, 137);
    assert_eq!(bay.sh(&spec, "cat /proc/1/environ | tr '\\0' '\\n' | grep SHIP").1, "SHIP=ever\n");

    let folder = bay.folder_of(&spec);
    let long = exec(&bay.spawner, &folder, &exec_spec(&["sleep", "100"]), to_nowhere(), None).unwrap();
    long.signal(libc::SIGTERM).unwrap();
    assert_eq!(long.wait().unwrap().status(), 128 + libc::SIGTERM);
    let unknown =
        exec(&bay.spawner, &folder, &exec_spec(&["no-such-program"]), to_nowhere(), None).unwrap_err();
    assert!(unknown.to_string().contains("execute no-such-program"), "{unknown}");
    let nobody = ExecSpec { user: Some("nobody-here".to_owned()), ..exec_spec(&["true"]) };
    assert!(exec(&bay.spawner, &folder, &nobody, to_nowhere(), None).is_err());
}

#[test]
fn exec_ends_with_its_program_its_client_and_its_helper() {
    let bay = Bay::new();
    let spec = bay.spec("ends");
    bay.start(&spec);
    let folder = bay.folder_of(&spec);
    let run = |line: &str| {
        let null = || fs::OpenOptions::new().read(true).write(true).open("/dev/null").unwrap().into();
        let streams = Streams { stdin: null(), stdout: null(), stderr: null() };
        exec(&bay.spawner, &folder, &exec_spec(&["/bin/sh", "-c", line]), Some(streams), None).unwrap()
    };
    let started = Instant::now();
    assert_eq!(run("sleep 30 & exit 4").wait().unwrap().status(), 4);
    assert!(started.elapsed() < patient(5), "a background process does not hold it");

    let abandoned = run("exec sleep 100");
    let pid = abandoned.pid;
    drop(abandoned);
    wait_gone(pid);

    let lost = run("exec sleep 100");
    kill_hard(parent_of(lost.pid));
    assert!(matches!(lost.wait(), Err(Error::Lost { .. })));
    wait_gone(lost.pid);

    let killed = run("exec sleep 100");
    bay.stop(&spec, StopMode::Forced);
    assert_eq!(killed.wait().unwrap().status(), 137);
}

#[test]
fn exec_into_a_container_that_was_frozen_meanwhile_fails_and_leaves_nothing() {
    let bay = Bay::new();
    let spec = bay.spec("frozen");
    bay.start(&spec);
    bay.at(|place| container::freeze(place, &spec)).unwrap();
    let folder = bay.folder_of(&spec);
    let (sender, receiver) = std::sync::mpsc::channel();
    let ended = std::thread::scope(|scope| {
        scope.spawn(|| {
            let tried = exec(&bay.spawner, &folder, &exec_spec(&["touch", "/ran"]), to_nowhere(), None);
            sender.send(tried.map(|running| running.pid)).unwrap();
        });
        let ended = receiver.recv_timeout(patient(5));
        bay.at(|place| container::unfreeze(place, &spec)).unwrap();
        ended
    });
    let said = ended.expect("exec ends").unwrap_err().to_string();
    assert!(said.contains("frozen"), "{said}");
    assert_eq!(bay.sh(&spec, "test -e /ran").0, 1, "nor does it run later");
    let text = bay.sh(&spec, "cat /proc/[0-9]*/stat").1;
    assert!(!text.contains("bayplan"), "{text}");
}

fn wait_gone(pid: i32) {
    let started = Instant::now();
    while bayplan::runtime::identity::ProcessId::of(pid).is_some_and(|process| process.is_alive()) {
        assert!(started.elapsed() < patient(5), "{pid} lives");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn exec_with_a_terminal_has_one() {
    let bay = Bay::new();
    let spec = bay.spec("tty");
    bay.start(&spec);
    let window = Window { columns: 90, rows: 30 };
    let line = "tty; stty size; read x; stty size; echo got $x";
    let what = ExecSpec { terminal: Some(window), ..exec_spec(&["/bin/sh", "-c", line]) };
    let mut running = exec(&bay.spawner, &bay.folder_of(&spec), &what, None, None).unwrap();
    let mut terminal = fs::File::from(running.terminal.as_ref().unwrap().try_clone().unwrap());
    let first = read_until(&mut terminal, "30 90");
    assert!(first.contains("/dev/pts/"), "{first}");
    running.resize(Window { columns: 100, rows: 40 }).unwrap();
    terminal.write_all(b"word\n").unwrap();
    assert!(read_until(&mut terminal, "got word").contains("40 100"));
    assert_eq!(running.wait().unwrap().status(), 0);
    running.terminal = None;
}

fn read_until(from: &mut impl Read, mark: &str) -> String {
    let mut text = String::new();
    let mut bytes = [0u8; 512];
    while !text.contains(mark) {
        let length = from.read(&mut bytes).unwrap();
        assert_ne!(length, 0, "ended after: {text}");
        text.push_str(&String::from_utf8_lossy(&bytes[..length]));
    }
    text
}

#[test]
fn the_console_can_be_attached_and_is_logged_below_its_cap() {
    let bay = Bay::new();
    let spec = StartSpec {
        init: vec!["/bin/sh".into(), "-c".into(), "while read x; do echo said $x; done".into()],
        console_log_bytes: 20_000,
        ..bay.spec("console")
    };
    bay.start(&spec);
    let connection = Connection::open(&bay.folder_of(&spec)).unwrap();
    let mut stream = fs::File::from(connection.attach(80, 24).unwrap());
    stream.write_all(b"ahoy\n").unwrap();
    read_until(&mut stream, "said ahoy");
    for _ in 0..40 {
        stream.write_all(&[b"x".repeat(1000), b"\n".to_vec()].concat()).unwrap();
        read_until(&mut stream, "said x");
    }
    assert_eq!(connection.fds().unwrap().len(), 2);
    let folder = bay.folder_of(&spec);
    let size = |name: &str| fs::metadata(folder.join(name)).map_or(0, |facts| facts.len());
    assert!(size("console.log.1") > 0 && size("console.log") + size("console.log.1") <= 20_000);
}

#[test]
fn a_look_at_a_root_sees_what_was_written_and_takes_nothing_from_who_writes() {
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    let [layer, upper, work] = ["layer", "upper", "work"].map(|name| folder.path().join(name));
    for made in [&layer.join("srv"), &layer.join("gone"), &upper, &work] {
        fs::create_dir_all(made).unwrap();
    }
    fs::write(layer.join("srv/old"), "old").unwrap();
    let root = Root::Overlay { layers: vec![layer], upper, work };
    let written = rootfs::detached(&root, None).unwrap();
    let at = |fd: &std::os::fd::OwnedFd, path: &str| {
        PathBuf::from(format!("/proc/self/fd/{}/{path}", fd.as_raw_fd()))
    };
    fs::remove_dir(at(&written, "gone")).unwrap();
    fs::rename(at(&written, "srv"), at(&written, "moved")).unwrap();
    let looked = rootfs::to_read(&root).unwrap();
    assert!(!at(&looked, "gone").exists() && !at(&looked, "srv").exists());
    assert_eq!(fs::read_to_string(at(&looked, "moved/old")).unwrap(), "old");
    assert!(fs::write(at(&looked, "moved/new"), "").is_err(), "it is to be looked at");
    // The folder below is copied up only now.
    fs::write(at(&written, "moved/old"), "new").unwrap();
    fs::create_dir(at(&written, "made")).unwrap();
    assert_eq!(fs::read_to_string(at(&rootfs::to_read(&root).unwrap(), "moved/old")).unwrap(), "new");
}

#[test]
fn mounts_come_and_go_in_a_running_container() {
    let bay = Bay::new();
    let spec = bay.spec("disks");
    let host = bay.folder.path().join("share");
    fs::create_dir(&host).unwrap();
    fs::write(host.join("note"), "from the host").unwrap();
    let tree = |shift: Option<Shift<'_>>| {
        rootfs::clone_tree(&host, shift.map(|shift| shift.namespace), Reach::One).unwrap()
    };
    let spec = StartSpec { binds: vec![Bind { target: "/srv/first".into(), readonly: true }], ..spec };
    let prepared = bay.prepare(&spec);
    let init = prepared.init;
    let mut all = bay.mounts(&spec, &prepared, &bay.folder.path().join("layer"));
    all.binds.push(tree(None));
    prepared.release(all).unwrap();
    assert_eq!(bay.sh(&spec, "cat /srv/first/note").1, "from the host");
    assert_ne!(bay.sh(&spec, "touch /srv/first/x").0, 0);

    let bind = Bind { target: "/srv/second".into(), readonly: false };
    let shift = IdShift::of(init, spec.root_ids()).unwrap();
    mounts::attach(&bay.spawner, init, &tree(Some(shift.borrow())), &bind, spec.root_ids()).unwrap();
    assert_eq!(bay.sh(&spec, "cat /srv/second/note; echo new > /srv/second/new").0, 0);
    assert_eq!(fs::metadata(host.join("new")).unwrap().uid(), 0, "ids are shifted back");
    assert!(mount_table::of(init.pid).unwrap().stands_at(Path::new("/srv/second")));
    mounts::detach(&bay.spawner, init, "/srv/second").unwrap();
    assert!(!mount_table::of(init.pid).unwrap().stands_at(Path::new("/srv/second")));

    assert_eq!(bay.sh(&spec, "umount /srv/first").0, 0);
    assert!(!mount_table::of(init.pid).unwrap().stands_at(Path::new("/srv/first")));

    // A link that points out leads to the same path inside.
    bay.sh(&spec, "ln -s /../../../../mnt /out");
    let bind = Bind { target: "/out/deep".into(), readonly: true };
    mounts::attach(&bay.spawner, init, &tree(None), &bind, spec.root_ids()).unwrap();
    assert!(mount_table::of(init.pid).unwrap().stands_at(Path::new("/mnt/deep")));
    assert!(!Path::new("/mnt/deep").exists());
}

#[test]
fn a_user_namespace_that_init_made_itself_shifts_no_mount() {
    let bay = Bay::new();
    let line = "exec unshare -U sleep 1000";
    let init = ["/bin/sh", "-c", line].map(str::to_owned).to_vec();
    let spec = StartSpec { init, ..bay.spec("nested") };
    let pid = bay.start(&spec);
    crate::product::eventually(5, "init is in its own namespace", || {
        fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "sleep")
    });
    let init = observe::one(&bay.run(), &spec.uuid).unwrap().unwrap().init.unwrap();
    let refused = IdShift::of(init, spec.root_ids()).unwrap_err();
    assert!(matches!(&refused, Error::Call { source, .. } if source.raw_os_error() == Some(libc::EXDEV)));
}

#[test]
fn kernel_limits_and_sysctls_are_set() {
    let bay = Bay::new();
    let rlimit = Rlimit { soft: Some(512), hard: Some(1024) };
    let spec = StartSpec {
        rlimits: [("nofile".to_owned(), rlimit)].into(),
        sysctls: [("net.ipv4.ip_forward".to_owned(), "1".to_owned())].into(),
        ..bay.spec("tuned")
    };
    bay.start(&spec);
    assert_eq!(bay.sh(&spec, "ulimit -n; ulimit -Hn; cat /proc/sys/net/ipv4/ip_forward").1, "512\n1024\n1\n");
    assert!(bay.sh(&spec, "grep 'open files' /proc/1/limits").1.contains("512                  1024"));
    let wrong = StartSpec { rlimits: [("sails".to_owned(), rlimit)].into(), ..bay.spec("wrong") };
    let error = bay.at(|place| container::prepare(place, &wrong)).unwrap_err();
    assert!(error.to_string().contains("sails"), "{error}");
    assert!(bay.cgroup(&wrong).is_gone());
}

#[test]
fn kernel_limits_are_raised_above_our_own_where_we_may() {
    let bay = Bay::new();
    let both = |value| Rlimit { soft: Some(value), hard: Some(value) };
    let spec = StartSpec {
        rlimits: [("nice".to_owned(), both(25)), ("rtprio".to_owned(), both(7))].into(),
        ..bay.spec("raised")
    };
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:\t")).unwrap();
    let may_raise = u64::from_str_radix(effective, 16).unwrap() & (1 << 24) != 0; // CAP_SYS_RESOURCE
    if !may_raise {
        let error = bay.at(|place| container::prepare(place, &spec)).unwrap_err();
        assert!(error.to_string().contains("limits.kernel.nice"), "{error}");
        skipped("this root has no CAP_SYS_RESOURCE: raising limits is tested in the VMs");
        return;
    }
    let pid = bay.start(&spec);
    for limits in
        [fs::read_to_string(format!("/proc/{pid}/limits")).unwrap(), bay.sh(&spec, "cat /proc/self/limits").1]
    {
        let of = |name: &str| limits.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
        assert_eq!(of("Max nice priority").split_whitespace().nth(4), Some("25"), "{limits}");
        assert_eq!(of("Max realtime priority").split_whitespace().nth(4), Some("7"), "{limits}");
    }
}

#[test]
fn the_program_cannot_be_written_through_the_process_that_runs_it() {
    let bay = Bay::new();
    let program = bay.folder.path().join("bayplan");
    fs::copy(PROGRAM, &program).unwrap();
    let spawner = Spawner::from_program(&program);
    let pid = spawner.pid().unwrap();
    let flags = rustix::fs::OFlags::PATH | rustix::fs::OFlags::CLOEXEC;
    let held = rustix::fs::open(format!("/proc/{pid}/exe"), flags, rustix::fs::Mode::empty()).unwrap();
    let before = (fs::metadata(&program).unwrap(), rustix::fs::fstat(&held).unwrap());
    assert_eq!(before.0.ino(), before.1.st_ino, "it runs from the file's own pages");
    drop(spawner);
    wait_gone(pid);
    // Once nobody runs it any more only the mount protects it, and nobody can change that.
    let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&held));
    let refused = || fs::OpenOptions::new().write(true).open(&path).unwrap_err().raw_os_error();
    // A process on its way out still runs it for a moment.
    crate::product::eventually(5, "nobody runs it", || refused() != Some(libc::ETXTBSY));
    assert_eq!(refused(), Some(libc::EROFS));
    let flags = rustix::mount::MountFlags::BIND;
    assert!(rustix::mount::mount_remount(path.as_str(), flags, c"").is_err());
    let held = std::os::fd::AsFd::as_fd(&held);
    let changed = linux::mount::set_flags(held, linux::mount::NO_DEV, linux::mount::Reach::One);
    assert_eq!(changed.unwrap_err().raw_os_error(), Some(libc::EINVAL));
}

#[test]
fn the_root_is_a_whole_file_system_with_portable_ids() {
    let bay = Bay::new();
    let spec = bay.spec("root");
    bay.start(&spec);
    // Each of these fails on an overlay that is made another way.
    assert_eq!(
        bay.sh(&spec, "mv /home /home2 && mkdir /home && rm -r /mnt && mkdir /mnt && touch /mnt/a").0,
        0
    );
    assert_eq!(bay.sh(&spec, "touch /tmp/mine && chown 33:44 /tmp/mine && chown -R 5:5 /home2").0, 0);
    let upper = bay.folder.path().join(spec.uuid.to_string()).join("upper");
    let facts = fs::metadata(upper.join("tmp/mine")).unwrap();
    assert_eq!((facts.uid(), facts.gid()), (33, 44));
    assert_eq!(fs::metadata("/dev/null").unwrap().uid(), 0);
    assert_eq!(bay.sh(&spec, "chown 7 /dev/null /dev/zero").0, 0);
    assert_eq!(fs::metadata("/dev/null").unwrap().uid(), 0, "the host's node is another");
}

#[test]
fn a_second_start_of_a_running_container_is_refused() {
    let bay = Bay::new();
    let spec = bay.spec("once");
    let pid = bay.start(&spec);
    let again = bay.at(|place| container::prepare(place, &spec));
    assert!(matches!(again, Err(Error::AlreadyRunning { pid: running }) if running == pid));
    assert_eq!(bay.sh(&spec, "true").0, 0);
}

#[test]
fn a_monitor_stays_small() {
    let bay = Bay::new();
    let spec = bay.spec("light");
    let monitor = parent_of(bay.start(&spec));
    let text = fs::read_to_string(format!("/proc/{monitor}/smaps_rollup")).unwrap();
    let kib = |name: &str| -> u64 {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    println!("monitor: Pss {} KiB, private dirty {} KiB", kib("Pss:"), kib("Private_Dirty:"));
    assert!(kib("Private_Dirty:") < 512, "{text}");
}

#[test]
fn a_debian_boots_to_running_and_powers_off_cleanly() {
    let folder = std::env::var_os("BAYPLAN_TEST_DEBIAN");
    let folder = folder.map_or_else(|| PathBuf::from("/var/tmp/bayplan-debian-root"), PathBuf::from);
    let layer = folder.as_path();
    if !layer.join("usr/lib/systemd/systemd").exists() {
        skipped(&format!(
            "make it by mmdebstrap --variant=minbase --include=systemd-sysv,dbus bookworm {}",
            layer.display()
        ));
        return;
    }
    let bay = Bay::new();
    let spec = bay.spec("debian");
    let begun = Instant::now();
    let prepared = bay.prepare(&spec);
    let init = prepared.init;
    let mounts = bay.mounts(&spec, &prepared, layer);
    prepared.release(mounts).unwrap();
    let state = loop {
        let (_, state) = bay.sh(&spec, "systemctl is-system-running 2>&1");
        if !["initializing\n", "starting\n", "offline\n"].contains(&state.as_str())
            && !state.contains("Failed to connect")
        {
            break state;
        }
        assert!(begun.elapsed() < patient(60), "{state}");
        std::thread::sleep(Duration::from_millis(20));
    };
    println!("{} after {:?}", state.trim(), begun.elapsed());
    let failed = bay.sh(&spec, "systemctl --failed --no-legend --plain").1;
    assert_eq!((state.as_str(), failed.as_str()), ("running\n", ""));
    assert!(bay.cgroup(&spec).contains(init.pid).unwrap());
    let exit = bay.stop(&spec, StopMode::Clean { timeout: patient(60) });
    assert_eq!(exit.cause, Cause::PowerOff);
}

#[test]
fn with_nesting_a_container_can_make_namespaces_with_their_own_proc() {
    let bay = Bay::new();
    let paths = usual_paths(true);
    let spec = bay.spec("nest");
    let spec =
        StartSpec { nesting: true, masked_paths: paths.masked, readonly_paths: paths.readonly, ..spec };
    bay.start(&spec);
    let line = "unshare -U -r -m -p -f /bin/sh -c 'mount -t proc proc /proc && cat /proc/self/stat | cut -d\" \" -f1'";
    let (status, text) = bay.sh(&spec, line);
    assert_eq!(status, 0, "{text}");
    assert_eq!(bay.sh(&spec, "ls /dev/.bayplan/proc/1 | wc -l").0, 0);
}

#[test]
fn a_file_system_that_takes_no_shifted_ids_is_named_with_what_to_do() {
    let bay = Bay::new();
    let pid = bay.start(&bay.spec("shifts"));
    let namespace = linux::ids::user_namespace(pid).unwrap();
    let failure = rootfs::clone_tree(Path::new("/proc"), Some(namespace.as_fd()), Reach::One).unwrap_err();
    let error = Error::from(failure).to_string();
    assert!(error.contains("/proc") && error.contains("ext4"), "{error}");
}
