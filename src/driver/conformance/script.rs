//! The steps of the suite: what a planner would make of the fixture.

use super::Fixture;
use crate::model::content::{Content, Digest};
use crate::model::id_map::IdMap;
use crate::model::key::Key;
use crate::model::object::*;
use crate::model::ready::{HttpProbe, Ready, ReadyProbe};
use crate::model::record::{Applied, Identity, Owner};
use crate::model::run::{ContainerRun, Disk, Limits, MemoryEnforce, MemoryLimit, Nic, NicAttachment};
use crate::model::step::*;
use crate::model::time_span::TimeSpan;
use ipnet::Ipv4Net;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::num::NonZeroU16;

/// The port of the service that the suite starts inside.
pub const SERVED: NonZeroU16 = NonZeroU16::new(8080).expect("it is not zero");

/// A port that nobody serves, and a page that the service does not have.
pub fn unserved() -> [ReadyProbe; 2] {
    const CLOSED: NonZeroU16 = NonZeroU16::new(9).expect("it is not zero");
    let missing = HttpProbe { port: SERVED, path: "/missing".to_owned() };
    [ReadyProbe::Tcp(CLOSED), ReadyProbe::Http(missing)]
}

/// A step with nothing around it.
pub fn step(key: &Key, action: Action) -> Step {
    Step {
        id: StepId(0),
        key: key.clone(),
        action,
        class: Class::Live,
        reasons: vec![],
        downtime_ms: 0,
        after: vec![],
        after_end: vec![],
        applied: None,
    }
}

fn object(spec: Spec) -> Object {
    Object { meta: Meta::default(), spec }
}

impl Fixture {
    pub fn image_key(&self) -> Key {
        Key::image("conformance")
    }

    pub fn pool_key(&self) -> Key {
        Key::pool(self.pool.clone())
    }

    pub fn network_key(&self) -> Key {
        Key::network(self.bridge.clone())
    }

    pub fn container_key(&self) -> Key {
        Key::container(self.container.clone())
    }

    pub fn image_object(&self) -> Object {
        object(Spec::Image(self.image.clone()))
    }

    pub fn pool_object(&self) -> Object {
        object(Spec::StoragePool(StoragePool {
            driver: PoolDriver::Dir,
            source: None,
            config: Config::new(),
        }))
    }

    pub fn network_object(&self, address: Ipv4Net) -> Object {
        let config = BTreeMap::from([
            ("ipv4.address".to_owned(), address.to_string()),
            ("ipv4.nat".to_owned(), "true".to_owned()),
            ("ipv6.address".to_owned(), "none".to_owned()),
        ]);
        object(Spec::Network(Network { network_type: NetworkType::Bridge, config }))
    }

    pub fn container_object(&self) -> Object {
        let device = |device_type, entries: &[(&str, &str)]| Device {
            device_type,
            options: entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        };
        let devices = BTreeMap::from([
            ("root".to_owned(), device(DeviceType::Disk, &[("path", "/"), ("pool", self.pool.as_str())])),
            ("eth0".to_owned(), device(DeviceType::Nic, &[("network", self.bridge.as_str())])),
        ]);
        object(Spec::Container(Box::new(Container {
            image: self.image_key(),
            architecture: "amd64".to_owned(),
            profiles: vec![],
            config: Config::new(),
            devices,
            files: BTreeMap::new(),
            environment: BTreeMap::new(),
            state: Power::Running,
            depends_on: vec![],
            restart_with: Default::default(),
            ready: Ready::default(),
            update: Update::default(),
            persist: Default::default(),
            ignore: Default::default(),
            ephemeral: false,
        })))
    }

    pub fn identity(&self) -> Identity {
        Identity {
            uuid: self.uuid,
            id_base: self.id_base,
            id_count: 65_536,
            macs: BTreeMap::from([("eth0".to_owned(), "02:00:00:c0:ff:01".to_owned())]),
            leases: BTreeMap::new(),
        }
    }

    /// The record of an object; a container's with its identity.
    pub fn put(&self, key: &Key, object: &Object, owner: &str) -> Step {
        let identity = matches!(object.spec, Spec::Container(_)).then(|| self.identity());
        let update = RecordUpdate {
            owner: Owner::Site(owner.to_owned()),
            generation: 1,
            desired: Some(object.clone()),
            origins: Default::default(),
            identity,
            overrides: None,
            adopted: None,
            undeleted: false,
        };
        step(key, Action::PutRecord(Box::new(update)))
    }

    pub fn forget(&self, key: &Key) -> Step {
        step(key, Action::ForgetRecord)
    }

    pub fn import(&self) -> Step {
        let import = step(&self.image_key(), Action::ImportImage { image: self.image.clone() });
        establishing(import, self.image_object())
    }

    pub fn ensure_pool(&self) -> Step {
        let pool = StoragePool { driver: PoolDriver::Dir, source: None, config: Config::new() };
        establishing(step(&self.pool_key(), Action::EnsurePool { pool }), self.pool_object())
    }

    /// The bridge with `address`.
    pub fn ensure_network(&self, address: Ipv4Net) -> Step {
        let action = Action::EnsureNetwork(Box::new(self.network(address)));
        establishing(step(&self.network_key(), action), self.network_object(address))
    }

    pub fn network(&self, address: Ipv4Net) -> BridgeNetwork {
        BridgeNetwork {
            name: self.bridge.clone(),
            ipv4: Some(address),
            ipv6: None,
            ipv4_nat: true,
            ipv6_nat: false,
            mtu: None,
            mac: None,
        }
    }

    /// The subnet's host with this number.
    pub fn member(&self, number: u32) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.address.network()) + number)
    }

    pub fn delete_network(&self) -> Step {
        step(&self.network_key(), Action::DeleteNetwork { name: self.bridge.clone() })
    }

    pub fn create_root(&self, image: ImageContent) -> Step {
        let root = RootSeed { owner: Owner::Site("conformance".to_owned()), identity: self.identity() };
        let action = Action::CreateRoot { pool: self.pool.clone(), image, root: Box::new(root) };
        establishing(step(&self.container_key(), action), self.container_object())
    }

    pub fn delete_root(&self) -> Step {
        self.act(Action::DeleteRoot { pool: self.pool.clone(), uuid: self.uuid })
    }

    /// A step on the container.
    pub fn act(&self, action: Action) -> Step {
        step(&self.container_key(), action)
    }

    pub fn start(&self, run: &ContainerRun) -> Step {
        self.act(Action::Start(Box::new(run.clone())))
    }

    pub fn kill(&self) -> Step {
        self.act(Action::Stop { uuid: self.uuid, how: StopHow::Forced })
    }

    pub fn container_run(&self) -> ContainerRun {
        let memory = Some(MemoryLimit { bytes: 64 << 20, enforce: MemoryEnforce::Hard });
        ContainerRun {
            key: self.container_key(),
            uuid: self.uuid,
            pool: self.pool.clone(),
            hostname: self.container.clone(),
            id_map: Some(IdMap::contiguous(self.id_base, 65_536)),
            nesting: false,
            limits: Limits { memory, processes: Some(100), ..Limits::default() },
            rlimits: BTreeMap::new(),
            sysctls: BTreeMap::new(),
            environment: BTreeMap::new(),
            secrets: BTreeMap::new(),
            nics: vec![self.nic()],
            disks: vec![],
            persist: Default::default(),
        }
    }

    /// For a second at most.
    pub fn wait_ready(&self, probe: &ReadyProbe) -> Step {
        let time = TimeSpan::of_milliseconds;
        let ready = Ready { probe: probe.clone(), timeout: time(1_000), interval: time(50) };
        self.act(Action::WaitReady { uuid: self.uuid, ready })
    }

    /// A file of the container's root with this text, whose digest the driver has told.
    pub fn write(&self, path: &str, text: &str, digest: &Digest) -> Step {
        let file = FileWrite {
            path: path.to_owned(),
            from: Content::Text(text.to_owned()),
            digest: digest.clone(),
            mode: "0640".to_owned(),
            owner: "0".to_owned(),
            group: "root".to_owned(),
            settles: true,
        };
        self.act(Action::WriteFile { pool: self.pool.clone(), uuid: self.uuid, file: Box::new(file) })
    }

    pub fn remove_file(&self, path: &str) -> Step {
        self.act(Action::RemoveFile { pool: self.pool.clone(), uuid: self.uuid, path: path.to_owned() })
    }

    pub fn follow(&self, command: &[&str], path: &str) -> Step {
        let command = command.iter().map(|word| (*word).to_owned()).collect();
        self.act(Action::RunInside { uuid: self.uuid, command, files: vec![path.to_owned()] })
    }

    /// On the bridge.
    pub fn nic(&self) -> Nic {
        Nic {
            device: "eth0".to_owned(),
            name: "eth0".to_owned(),
            attachment: NicAttachment::Bridged { bridge: self.bridge.clone() },
            mac: "02:00:00:c0:ff:01".to_owned(),
            mtu: None,
            ipv4: Ipv4Net::new(self.member(10), self.address.prefix_len()).ok(),
            ipv4_gateway: Some(self.address.addr()),
            ipv6: None,
            ipv6_gateway: None,
            ipv4_routes: vec![],
            ipv6_routes: vec![],
            host_name: None,
        }
    }

    /// On no bridge.
    pub fn wire(&self) -> Nic {
        Nic {
            device: "wire".to_owned(),
            name: "eth9".to_owned(),
            attachment: NicAttachment::PointToPoint,
            mac: "02:00:00:c0:ff:09".to_owned(),
            ipv4: None,
            ipv4_gateway: None,
            ..self.nic()
        }
    }

    /// The fixture's folder at `path`.
    pub fn disk(&self, path: &str) -> Disk {
        Disk {
            device: "data".to_owned(),
            source: self.folder.clone(),
            path: path.into(),
            readonly: false,
            recursive: false,
            shift: false,
            required: true,
        }
    }

    /// All steps from nothing to a running container.
    pub fn up(&self) -> Vec<Step> {
        vec![
            self.put(&self.image_key(), &self.image_object(), "conformance"),
            self.import(),
            self.put(&self.pool_key(), &self.pool_object(), "conformance"),
            self.ensure_pool(),
            self.put(&self.network_key(), &self.network_object(self.address), "conformance"),
            self.ensure_network(self.address),
            self.put(&self.container_key(), &self.container_object(), "conformance"),
            self.create_root(ImageContent::ImportOf(self.image_key())),
            self.start(&self.container_run()),
            self.act(Action::WaitReady { uuid: self.uuid, ready: Ready::default() }),
            self.act(Action::Freeze { uuid: self.uuid }),
        ]
    }

    /// All steps back to nothing; `fingerprint` is the image's content.
    pub fn down(&self, fingerprint: &str) -> Vec<Step> {
        let image = Action::DeleteImage { fingerprint: fingerprint.to_owned() };
        vec![
            self.kill(),
            self.delete_root(),
            self.forget(&self.container_key()),
            self.delete_network(),
            self.forget(&self.network_key()),
            step(&self.pool_key(), Action::DeletePool),
            self.forget(&self.pool_key()),
            step(&self.image_key(), image),
            self.forget(&self.image_key()),
        ]
    }
}

fn establishing(step: Step, object: Object) -> Step {
    Step { applied: Some(Box::new(Applied::plain(object))), ..step }
}
