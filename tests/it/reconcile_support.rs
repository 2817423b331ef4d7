//! Declared sites made by hand, and a modelled host to converge.

use bayplan::driver::memory::Memory;
use bayplan::driver::memory::host::HostModel;
use bayplan::driver::{Driver, Scope};
use bayplan::model::desired::Desired;
use bayplan::model::key::Key;
use bayplan::model::object::*;
use bayplan::model::observed::Observed;
use bayplan::model::ready::Ready;
use bayplan::reconcile::apply::{ApplyOptions, apply};
use bayplan::reconcile::goal::{Goal, PlanOptions};
use bayplan::reconcile::plan::Plan;
use bayplan::reconcile::propose;
use bayplan::reconcile::report::Report;
use bayplan::store::memory::MemoryRecords;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

pub const SECOND: i64 = 1_800_000_000;

/// A server with nothing on it.
pub fn server() -> Memory {
    Memory::new(HostModel::server(), Box::new(MemoryRecords::default()))
}

pub fn config(entries: &[(&str, &str)]) -> Config {
    entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

pub fn device(device_type: DeviceType, options: &[(&str, &str)]) -> Device {
    Device { device_type, options: config(options) }
}

pub fn object(spec: Spec) -> Object {
    Object { meta: Meta::default(), spec }
}

pub fn network(address: &str) -> Object {
    let config = config(&[("ipv4.address", address), ("ipv4.nat", "true")]);
    object(Spec::Network(Network { network_type: NetworkType::Bridge, config }))
}

pub fn pool() -> Object {
    object(Spec::StoragePool(StoragePool { driver: PoolDriver::Dir, source: None, config: Config::new() }))
}

pub fn busybox() -> Object {
    object(Spec::Image(Image { source: ImageSource::Busybox {}, fingerprint: None }))
}

/// A container on image `tiny`, pool `default` and network `bay0`.
pub fn container() -> Container {
    let devices = BTreeMap::from([
        ("root".to_owned(), device(DeviceType::Disk, &[("path", "/"), ("pool", "default")])),
        ("eth0".to_owned(), device(DeviceType::Nic, &[("network", "bay0")])),
    ]);
    Container {
        image: Key::image("tiny"),
        architecture: "amd64".to_owned(),
        profiles: vec!["default".to_owned()],
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
    }
}

/// Site `edge` with one network, pool and image, and these containers.
pub fn site(containers: &[(&str, Container)]) -> Desired {
    let mut desired = Desired { site: "edge".to_owned(), ..Desired::default() };
    desired.objects.insert(Key::site("edge"), object(Spec::Site(Site::default())));
    desired.objects.insert(Key::image("tiny"), busybox());
    desired.objects.insert(Key::pool("default"), pool());
    desired.objects.insert(Key::network("bay0"), network("10.66.0.1/24"));
    desired.objects.insert(Key::profile("default"), object(Spec::Profile(Profile::default())));
    desired.builtin.extend([Key::pool("default"), Key::network("bay0"), Key::profile("default")]);
    for (name, container) in containers {
        let spec = Spec::Container(Box::new(container.clone()));
        desired.objects.insert(Key::container(*name), object(spec));
    }
    desired
}

pub fn options() -> PlanOptions {
    PlanOptions::new(Timestamp::from_second(SECOND).unwrap(), [7; 16], "apply by test")
}

pub fn look(driver: &dyn Driver) -> Observed {
    driver.observe(&Scope::All).unwrap()
}

pub fn planned(driver: &dyn Driver, goal: &Goal<'_>, options: &PlanOptions) -> Plan {
    propose(driver, goal, options).unwrap()
}

/// A clock that stands still.
fn stopped_clock() -> Instant {
    static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);
    *BEGUN
}

/// One worker, without a deadline, in silence, in no time.
pub fn apply_options(cancel: &AtomicBool) -> ApplyOptions<'_> {
    ApplyOptions {
        workers: 1,
        cancel,
        deadline: None,
        progress: &|_| (),
        clock: &stopped_clock,
        now: options().now,
        actor: "apply by test",
    }
}

/// Carries out a plan with `workers`.
pub fn carry_out(driver: &dyn Driver, plan: &Plan, workers: usize) -> Report {
    let cancel = AtomicBool::new(false);
    apply(driver, plan, &ApplyOptions { workers, ..apply_options(&cancel) })
}

/// Plans and applies until done; every step must succeed.
pub fn converge(driver: &dyn Driver, goal: &Goal<'_>, options: &PlanOptions) -> Plan {
    let plan = planned(driver, goal, options);
    let report = carry_out(driver, &plan, 1);
    assert!(report.is_done(), "{report:#?}");
    plan
}
