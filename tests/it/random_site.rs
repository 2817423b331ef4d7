//! Random sites and random breakage. Sites stay small (at most 6 containers), so that thousands of them are quick.

use crate::reconcile_support::*;
use bayplan::driver::memory::Memory;
use bayplan::model::content::{Content, Digest, SecretRef, SecretSource, SourceFile};
use bayplan::model::desired::Desired;
use bayplan::model::key::Key;
use bayplan::model::object::*;
use bayplan::model::observed::ExitCause;
use bayplan::model::run::CpuLimit;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// What a host had, what happened to it, and what it is to have.
#[derive(Debug, Clone)]
pub struct Story {
    pub before: RandomSite,
    pub breakages: Vec<Breakage>,
    pub after: RandomSite,
}

impl Story {
    /// Which content a lost record's image gives is known only after its import: that takes one more pass.
    pub fn loses_records_and_images(&self) -> bool {
        let has = |wanted: fn(&Breakage) -> bool| self.breakages.iter().any(wanted);
        has(|breakage| matches!(breakage, Breakage::LoseRecords))
            && has(|breakage| matches!(breakage, Breakage::LoseImages))
    }
}

#[derive(Debug, Clone)]
pub struct RandomSite {
    /// The second byte of bay0's and bay1's subnet.
    pub subnets: [u8; 2],
    pub nat: bool,
    pub containers: BTreeMap<u8, RandomContainer>,
}

#[derive(Debug, Clone)]
pub struct RandomContainer {
    other_image: bool,
    state: Power,
    options: Vec<usize>,
    devices: Vec<usize>,
    needs: Vec<u8>,
    ephemeral: bool,
    note: u8,
    files: Vec<(usize, usize)>,
    secrets: Vec<usize>,
    ignored: Vec<usize>,
    persisted: Vec<usize>,
    replaces: bool,
}

/// Folders that outlive the root.
pub const PERSISTED: [&str; 2] = ["/var/lib/a", "/var/lib/b"];

/// Fields to leave alone.
const IGNORED: [&str; 7] = [
    "config.limits.memory",
    "config.limits.processes",
    "config.security.nesting",
    "config.environment.TZ",
    "devices.eth1",
    "files./etc/app.conf",
    "environment.SECRET_A",
];

/// Settings to choose from; the same key twice: the later one wins.
pub const CONFIG: [(&str, &str); 15] = [
    ("limits.cpu", "2"),
    ("limits.cpu", "0-1"),
    ("limits.cpu.allowance", "50%"),
    ("limits.memory", "512MiB"),
    ("limits.memory", "1GiB"),
    ("limits.memory.enforce", "soft"),
    ("limits.processes", "200"),
    ("limits.kernel.nofile", "1024"),
    ("environment.TZ", "UTC"),
    ("user.note", "x"),
    ("boot.autostart", "false"),
    ("security.privileged", "true"),
    ("security.nesting", "true"),
    ("security.idmap.isolated", "true"),
    ("linux.sysctl.net.ipv4.ip_forward", "1"),
];

pub const PATHS: [&str; 3] = ["/etc/app.conf", "/etc/app.key", "/srv-own/deep/file"];

/// Contents to choose from.
fn file(number: usize) -> ContainerFile {
    let secret = |name: &str| SecretRef { name: None, from: SecretSource::Env(name.to_owned()) };
    let source = SourceFile { root: "/srv/site".into(), path: "app.conf".into() };
    let (from, mode, on_change): (_, _, &[&str]) = match number {
        0 => (Content::Text("one".to_owned()), "0644", &[]),
        1 => (Content::Text("two".to_owned()), "0644", &["reload"]),
        2 => (Content::File(source), "0600", &["reload"]),
        3 => (Content::Secret(secret("A")), "0400", &["reload", "key"]),
        _ => (Content::Secret(secret("B")), "0400", &[]),
    };
    ContainerFile {
        from,
        mode: mode.to_owned(),
        owner: "root".to_owned(),
        group: "root".to_owned(),
        on_change: on_change.iter().map(|word| (*word).to_owned()).collect(),
    }
}

pub const STATES: [Power; 4] = [Power::Running, Power::Stopped, Power::Frozen, Power::Any];

fn devices(number: usize) -> (&'static str, Device) {
    match number {
        0 => ("eth0", device(DeviceType::Nic, &[("network", "bay0"), ("mtu", "1400")])),
        1 => ("eth0", device(DeviceType::Nic, &[("network", "bay1")])),
        2 => ("eth1", device(DeviceType::Nic, &[("network", "bay1"), ("ipv4.address", "none")])),
        3 => ("wire", device(DeviceType::Nic, &[("nictype", "p2p"), ("name", "eth9")])),
        4 => ("data", device(DeviceType::Disk, &[("source", "/srv/a"), ("path", "/srv")])),
        5 => ("data", device(DeviceType::Disk, &[("source", "/srv/a"), ("path", "/mnt")])),
        _ => (
            "more",
            device(DeviceType::Disk, &[("source", "/srv/b"), ("path", "/opt"), ("readonly", "true")]),
        ),
    }
}

pub fn story() -> impl Strategy<Value = Story> {
    (site_strategy(), prop::collection::vec(breakage(), 0..5), site_strategy())
        .prop_map(|(before, breakages, after)| Story { before, breakages, after })
}

fn site_strategy() -> impl Strategy<Value = RandomSite> {
    let containers = prop::collection::btree_map(0_u8..6, container_strategy(), 0..=6);
    (prop::array::uniform2(prop_oneof![3 => Just(0_u8), 1 => Just(1)]), any::<bool>(), containers)
        .prop_map(|(subnets, nat, containers)| RandomSite { subnets, nat, containers })
}

prop_compose! {
    fn container_strategy()(
        other_image in prop::bool::weighted(0.2),
        state in prop::sample::select(vec![Power::Running, Power::Running, STATES[1], STATES[2], STATES[3]]),
        options in prop::collection::vec(0..CONFIG.len(), 0..4),
        devices in prop::collection::vec(0_usize..7, 0..3),
        needs in prop::collection::vec(0_u8..6, 0..2),
        ephemeral in prop::bool::weighted(0.1),
        note in 0_u8..2,
        files in prop::collection::vec((0..PATHS.len(), 0_usize..5), 0..3),
        secrets in prop::collection::vec(0_usize..2, 0..2),
        ignored in prop_oneof![3 => Just(vec![]), 1 => prop::collection::vec(0..IGNORED.len(), 1..3)],
        persisted in prop::collection::vec(0..PERSISTED.len(), 0..2),
        replaces in prop::bool::weighted(0.4),
    ) -> RandomContainer {
        RandomContainer {
            other_image,
            state,
            options,
            devices,
            needs,
            ephemeral,
            note,
            files,
            secrets,
            ignored,
            persisted,
            replaces,
        }
    }
}

fn name(number: u8) -> String {
    format!("c{number}")
}

fn key(number: u8) -> Key {
    Key::container(name(number))
}

impl RandomSite {
    pub fn desired(&self) -> Desired {
        let mut desired = site(&[]);
        let tree = ImageSource::Directory { path: "/srv/tree".into() };
        desired
            .objects
            .insert(Key::image("tree"), object(Spec::Image(Image { source: tree, fingerprint: None })));
        desired.objects.insert(Key::pool("fast"), pool());
        for (bridge, subnet) in self.subnets.iter().enumerate() {
            let mut network = network(&format!("10.{}.0.1/24", 66 + 2 * bridge + usize::from(*subnet)));
            if let (Spec::Network(network), false) = (&mut network.spec, self.nat) {
                network.config.remove("ipv4.nat");
            }
            desired.objects.insert(Key::network(format!("bay{bridge}")), network);
        }
        for (number, random) in &self.containers {
            let container = self.container(*number, random);
            let mut made = object(Spec::Container(Box::new(container)));
            if random.note > 0 {
                made.meta.description = "noted".to_owned();
            }
            desired.objects.insert(key(*number), made);
        }
        desired
    }

    fn container(&self, number: u8, random: &RandomContainer) -> Container {
        let mut container = container();
        if random.other_image {
            container.image = Key::image("tree");
        }
        let pool = if number.is_multiple_of(2) { "default" } else { "fast" };
        container
            .devices
            .insert("root".to_owned(), device(DeviceType::Disk, &[("path", "/"), ("pool", pool)]));
        for (name, device) in random.devices.iter().map(|number| devices(*number)) {
            container.devices.insert(name.to_owned(), device);
        }
        let settings = random.options.iter().map(|at| CONFIG[*at]);
        container.config = settings.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        container.state = random.state;
        container.ephemeral = random.ephemeral;
        if !random.ephemeral {
            container.persist = random.persisted.iter().map(|at| PERSISTED[*at].to_owned()).collect();
        }
        if random.replaces {
            container.update.image = ImagePolicy::Replace;
        }
        container.files =
            random.files.iter().map(|(path, number)| (PATHS[*path].to_owned(), file(*number))).collect();
        let secrets = random.secrets.iter().map(|number| {
            let name = ["A", "B"][*number];
            (format!("SECRET_{name}"), SecretRef { name: None, from: SecretSource::Env(name.to_owned()) })
        });
        container.environment = secrets.collect();
        container.ignore = random.ignored.iter().map(|at| IGNORED[*at].to_owned()).collect();
        // Only to lower numbers: no cycle.
        let lower = |other: &&u8| **other < number && self.containers.contains_key(*other);
        container.depends_on = random.needs.iter().filter(lower).map(|other| key(*other)).collect();
        container
    }
}

/// Something that happens to a host; where there is no such thing, nothing happens.
#[derive(Debug, Clone)]
pub enum Breakage {
    EndInit(u8, ExitCause),
    KillMonitor(u8),
    EditMemory(u8),
    EditCpus(u8),
    LeaveCgroup(u8),
    Freeze(u8, bool),
    RemoveNic(u8),
    DetachBridge(u8),
    NicDown(u8),
    Unmount(u8),
    Unlock(u8),
    MoveNic(u8, bool),
    ChangeAddress(bool),
    BridgeDown(bool),
    ChangeMtu(bool),
    DeleteBridge(bool),
    FlushRules,
    StopForwarding,
    LoseImages,
    LoseRoot(u8),
    LoseRecords,
    Reboot,
    EditFile(u8, usize),
    RemoveFile(u8, usize),
    /// A secret has another value from now on.
    Rotate(bool),
}

pub fn breakage() -> impl Strategy<Value = Breakage> {
    let causes = vec![
        ExitCause::Killed,
        ExitCause::PowerOff,
        ExitCause::Reboot,
        ExitCause::Failed,
        ExitCause::Oom,
        ExitCause::Unknown,
    ];
    prop_oneof![
        4 => (0_u8..6, prop::sample::select(causes)).prop_map(|(at, cause)| Breakage::EndInit(at, cause)),
        1 => (0_u8..6).prop_map(Breakage::KillMonitor),
        1 => (0_u8..6).prop_map(Breakage::EditMemory),
        1 => (0_u8..6).prop_map(Breakage::EditCpus),
        1 => (0_u8..6).prop_map(Breakage::LeaveCgroup),
        1 => (0_u8..6, any::<bool>()).prop_map(|(at, frozen)| Breakage::Freeze(at, frozen)),
        1 => (0_u8..6).prop_map(Breakage::RemoveNic),
        1 => (0_u8..6).prop_map(Breakage::DetachBridge),
        1 => (0_u8..6).prop_map(Breakage::NicDown),
        1 => (0_u8..6).prop_map(Breakage::Unmount),
        1 => (0_u8..6).prop_map(Breakage::Unlock),
        1 => (0_u8..6, any::<bool>()).prop_map(|(at, first)| Breakage::MoveNic(at, first)),
        1 => any::<bool>().prop_map(Breakage::ChangeAddress),
        1 => any::<bool>().prop_map(Breakage::BridgeDown),
        1 => any::<bool>().prop_map(Breakage::DeleteBridge),
        1 => Just(Breakage::FlushRules),
        1 => Just(Breakage::StopForwarding),
        1 => Just(Breakage::LoseImages),
        1 => (0_u8..6).prop_map(Breakage::LoseRoot),
        1 => Just(Breakage::LoseRecords),
        1 => Just(Breakage::Reboot),
        1 => (0_u8..6, 0..PATHS.len()).prop_map(|(at, path)| Breakage::EditFile(at, path)),
        1 => (0_u8..6, 0..PATHS.len()).prop_map(|(at, path)| Breakage::RemoveFile(at, path)),
        1 => any::<bool>().prop_map(Breakage::Rotate),
        1 => any::<bool>().prop_map(Breakage::ChangeMtu),
    ]
}

impl Breakage {
    pub fn strike(&self, host: &Memory) {
        let bridge = |first: bool| if first { "bay0" } else { "bay1" };
        match *self {
            Breakage::EndInit(at, cause) => host.end_init(&key(at), cause),
            Breakage::KillMonitor(at) => host.kill_monitor(&key(at)),
            Breakage::EditMemory(at) => host.edit_limits(&key(at), |limits| limits.memory = None),
            Breakage::EditCpus(at) => {
                host.edit_limits(&key(at), |limits| limits.cpus = Some(CpuLimit::Set("3".to_owned())))
            }
            Breakage::LeaveCgroup(at) => host.leave_cgroup(&key(at)),
            Breakage::Freeze(at, frozen) => host.set_frozen(&key(at), frozen),
            Breakage::RemoveNic(at) => host.remove_nic(&key(at), "eth0"),
            Breakage::DetachBridge(at) => host.detach_bridge(&key(at), "eth0"),
            Breakage::NicDown(at) => host.set_nic_down(&key(at), "eth0"),
            Breakage::Unmount(at) => host.unmount_disk(&key(at), "data"),
            Breakage::Unlock(at) => host.unlock_disk(&key(at), "data"),
            Breakage::MoveNic(at, first) => host.move_nic(&key(at), "eth0", bridge(first)),
            Breakage::ChangeAddress(first) => {
                host.change_address(bridge(first), "192.0.2.1/24".parse().unwrap())
            }
            Breakage::BridgeDown(first) => host.set_bridge_down(bridge(first)),
            Breakage::ChangeMtu(first) => host.change_mtu(bridge(first), 1280),
            Breakage::DeleteBridge(first) => host.delete_bridge(bridge(first)),
            Breakage::FlushRules => host.flush_rules(),
            Breakage::StopForwarding => host.stop_forwarding(),
            Breakage::LoseImages => {
                host.edit_host(|host| host.images.clear());
                true
            }
            Breakage::LoseRoot(at) => host.lose_root(&key(at)),
            Breakage::LoseRecords => host.lose_records().is_ok(),
            Breakage::Reboot => {
                host.reboot_host();
                true
            }
            Breakage::EditFile(at, path) => host.edit_file(&key(at), PATHS[path], |file| {
                file.digest = Digest("edited".to_owned());
            }),
            Breakage::RemoveFile(at, path) => host.remove_file(&key(at), PATHS[path]),
            Breakage::Rotate(first) => {
                let name = if first { "A" } else { "B" };
                host.change_content(&format!("the secret in environment variable {name}"), "rotated");
                true
            }
        };
    }
}
