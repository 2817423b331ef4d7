//! The suite that every driver passes: it speaks steps and [`Observed`] only. A driver that does not conform makes
//! it panic with what was expected.
//!
//! | file | what |
//! | --- | --- |
//! | `things` | records, images, pools, networks, roots |
//! | `roots` | roots beside the one in use, folders that outlive them |
//! | `runs` | start to stop, live changes, what a stopped container refuses |
//! | `files` | files inside, the commands that follow them, the environment |
//! | `faults` | a failure or a crash at each step, then the same steps again |
//! | `script` | the steps themselves |

mod faults;
mod files;
mod roots;
mod runs;
pub mod script;
mod things;

use super::{Driver, Error, Scope, StepContext};
use crate::model::key::{Key, Kind};
use crate::model::object::Image;
use crate::model::observed::{ContainerFacts, Observed};
use crate::model::step::{Action, Outcome, Step, StopHow};
use ipnet::Ipv4Net;
use jiff::Timestamp;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use uuid::Uuid;

/// What the suite may use of a host; nothing else there is touched.
#[derive(Debug, Clone)]
pub struct Fixture {
    /// A quick one, without a pin.
    pub image: Image,
    /// A bridge's name that no link has.
    pub bridge: String,
    /// The bridge's address, in a subnet that the host does not use.
    pub address: Ipv4Net,
    pub pool: String,
    pub container: String,
    /// The container's. The names of its cgroup and its links are made from it: two runs of the suite that share a host
    /// have different ones.
    pub uuid: Uuid,
    /// The first of 65,536 host ids that nothing uses.
    pub id_base: u32,
    /// An existing folder, to be bound into containers.
    pub folder: PathBuf,
    pub now: Timestamp,
}

/// One part of the suite: begins with nothing of the fixture on the host, and leaves nothing.
pub type Case = fn(&Bench<'_>);

/// The whole suite, each case with what it holds.
pub const SUITE: [(&str, Case); 19] = [
    ("records are written, noted and forgotten", things::records),
    ("images are imported once and deleted", things::images),
    ("pools are made and deleted", things::pools),
    ("networks are set up, changed and deleted", things::networks),
    ("roots need a pool and a content, and keep both", things::roots),
    ("the identity beside a root follows its record", things::identity_beside_root),
    ("a container that runs gets another name and stays what it is", things::renaming),
    ("a network and a pool get other names while a container runs on them", things::renaming_on_host),
    ("another root takes the place of one, and is taken back", roots::beside),
    ("a container starts, runs as asked, stops and starts anew", runs::life),
    ("a container is ready once its service answers", runs::readiness),
    ("a container is parked, and comes back as it was", runs::parking),
    ("a container is frozen and thawed", runs::freezing),
    ("limits are changed while it runs", runs::limits),
    ("nics and disks come and go while it runs", runs::devices),
    ("files are written, repaired and removed, running or stopped", files::files),
    ("a command follows a change of a running container's file", files::commands),
    ("what does not run refuses live changes", runs::stopped),
    ("a fault at any step is made good by the same steps again", faults::everywhere),
];

/// A driver on the bench.
pub struct Bench<'a> {
    pub driver: &'a dyn Driver,
    pub fixture: &'a Fixture,
}

/// Runs every case; `told` hears each one's name before it.
pub fn run(driver: &dyn Driver, fixture: &Fixture, told: &dyn Fn(&str)) {
    for (name, case) in SUITE {
        told(name);
        let bench = Bench { driver, fixture };
        case(&bench);
        bench.clear();
        let left = bench.look();
        assert!(left.records.is_empty(), "{name}: records are left: {:?}", left.records.keys());
        assert!(left.containers.is_empty(), "{name}: containers are left: {:?}", left.containers);
        assert!(left.images.is_empty() && left.pools.is_empty(), "{name}: images or pools are left");
        assert!(!left.networks.contains_key(&fixture.bridge), "{name}: the bridge is left");
    }
}

/// Removes everything that a driver has of its own, whatever state it is in; what fails is left.
pub fn clear(driver: &dyn Driver, fixture: &Fixture) {
    Bench { driver, fixture }.clear();
}

impl Bench<'_> {
    pub fn look(&self) -> Observed {
        self.driver.observe(&Scope::All).expect("a look at the host")
    }

    /// The facts of the fixture's container.
    pub fn facts(&self) -> ContainerFacts {
        self.look().containers.remove(&self.fixture.uuid).unwrap_or_default()
    }

    pub fn execute(&self, step: &Step) -> Result<Outcome, Error> {
        self.execute_on(self.driver, step)
    }

    fn execute_on(&self, driver: &dyn Driver, step: &Step) -> Result<Outcome, Error> {
        let cancel = AtomicBool::new(false);
        let now = self.fixture.now;
        let context =
            StepContext { cancel: &cancel, deadline: None, progress: &|_| (), now, actor: "conformance" };
        driver.execute(step, &context)
    }

    /// The step succeeds, whether or not it changes something.
    #[track_caller]
    pub fn does(&self, step: &Step) -> Outcome {
        let done = self.execute(step);
        assert!(done.is_ok(), "{step:#?}: {done:#?}");
        done.unwrap_or_default()
    }

    /// The step changes something; carried out again it does not, and has the same outputs.
    #[track_caller]
    pub fn changes(&self, step: &Step) -> Outcome {
        let first = self.does(step);
        assert!(first.changed, "nothing changed: {step:#?}");
        let again = self.does(step);
        assert!(!again.changed, "changed again: {step:#?}");
        assert_eq!(first.outputs, again.outputs, "other outputs: {step:#?}");
        first
    }

    #[track_caller]
    pub fn leaves(&self, step: &Step) {
        assert!(!self.does(step).changed, "changed: {step:#?}");
    }

    /// The step's precondition does not hold: it says so and changes nothing.
    #[track_caller]
    pub fn refuses(&self, step: &Step) {
        let before = steady(self.look());
        let done = self.execute(step);
        assert!(matches!(done, Err(Error::Precondition { .. })), "{step:#?}: {done:#?}");
        assert_eq!(before, steady(self.look()), "a refused step changed something: {step:#?}");
    }

    fn clear(&self) {
        let Ok(observed) = self.driver.observe(&Scope::All) else { return };
        let key = |facts: &ContainerFacts| facts.root.as_ref().map(|root| root.identity.key.clone());
        for (uuid, facts) in &observed.containers {
            let key = key(facts).unwrap_or_else(|| Key::container(self.fixture.container.clone()));
            let pool =
                facts.root.as_ref().map_or_else(|| self.fixture.pool.clone(), |root| root.pool.clone());
            self.gone(&key, Action::Stop { uuid: *uuid, how: StopHow::Forced });
            self.gone(&key, Action::DeleteRoot { pool, uuid: *uuid });
        }
        for name in observed.networks.iter().filter(|(_, facts)| facts.ours).map(|(name, _)| name) {
            self.gone(&Key::network(name), Action::DeleteNetwork { name: name.clone() });
        }
        for fingerprint in observed.images.keys() {
            self.gone(&Key::image("any"), Action::DeleteImage { fingerprint: fingerprint.clone() });
        }
        for name in observed.pools.keys() {
            self.gone(&Key::pool(name), Action::DeletePool);
        }
        let mut keys: Vec<&Key> = observed.records.keys().collect();
        keys.sort_by_key(|key| key.kind == Kind::StoragePool);
        for key in keys {
            self.gone(key, Action::ForgetRecord);
        }
    }

    fn gone(&self, key: &Key, action: Action) {
        let _ = self.execute(&script::step(key, action));
    }
}

/// A look without what changes by itself.
fn steady(mut observed: Observed) -> Observed {
    for pool in observed.pools.values_mut() {
        pool.free = 0;
    }
    for run in observed.containers.values_mut().filter_map(|facts| facts.run.as_mut()) {
        run.usage = Default::default();
    }
    observed.networks.retain(|_, facts| facts.ours);
    observed.host = Default::default();
    observed
}

/// A uuid that nothing has.
fn nobody() -> Uuid {
    Uuid::from_u128(0xdead)
}
