//! The native driver passes the suite of every driver; what it does to a site is recorded for the modelled host.

use bayplan::driver::conformance::{self, Fixture};
use bayplan::driver::memory::Memory;
use bayplan::driver::memory::host::HostModel;
use bayplan::driver::native::{Layout, Native};
use bayplan::driver::{Driver, Scope, StepContext};
use bayplan::model::object::{Image, ImageSource};
use bayplan::model::step::{Outcome, Step};
use bayplan::reconcile::goal::{Goal, PlanOptions};
use bayplan::reconcile::propose;
use bayplan::runtime::spawner::Spawner;
use bayplan::spec::{LoadContext, SourceText, TextRole, load};
use bayplan::store::memory::MemoryRecords;
use jiff::Timestamp;
use serde_json::json;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use uuid::Uuid;

/// A native driver with folders of its own; whatever it made is removed at the end, also of a test that failed.
struct Host {
    native: Native,
    fixture: Fixture,
    _folder: tempfile::TempDir,
}

impl Host {
    fn new(number: u8) -> Host {
        assert!(nix::unistd::geteuid().is_root(), "the host tests make real containers: run them as root");
        let folder = tempfile::Builder::new().prefix("bayplan-test-").tempdir_in("/var/tmp").unwrap();
        let program = Path::new(env!("CARGO_BIN_EXE_bayplan"));
        let layout = Layout::new(&folder.path().join("state"), None).unwrap();
        let spawner = Spawner::from_program(program);
        let native = Native::new(layout, spawner, program.to_owned()).unwrap();
        let shared = folder.path().join("shared");
        std::fs::create_dir(&shared).unwrap();
        // Names and addresses of this run's own: another worktree may test on the same host.
        let uuid = Uuid::new_v4();
        let [third, hex @ ..] = uuid.into_bytes();
        let third = third % 250;
        let fixture = Fixture {
            image: Image { source: ImageSource::Busybox {}, fingerprint: None },
            bridge: format!("bpconf{number}{:02x}{:02x}{:02x}", hex[0], hex[1], hex[2]),
            address: format!("10.{}.{third}.1/24", 211 + number).parse().unwrap(),
            pool: "conf".to_owned(),
            container: "conf".to_owned(),
            uuid,
            id_base: 1_900_000_000,
            folder: shared,
            now: Timestamp::now(),
        };
        Host { native, fixture, _folder: folder }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        conformance::clear(&self.native, &self.fixture);
        let _ = std::fs::remove_dir_all(&self.native.layout().run);
    }
}

#[test]
fn the_real_host_conforms() {
    let host = Host::new(0);
    conformance::run(&host.native, &host.fixture, &|name| println!("{name}"));
}

fn execute(driver: &dyn Driver, step: &Step, fixture: &Fixture) -> Outcome {
    let cancel = AtomicBool::new(false);
    let now = fixture.now;
    let context = StepContext { cancel: &cancel, deadline: None, progress: &|_| (), now, actor: "test" };
    driver.execute(step, &context).unwrap_or_else(|error| panic!("{error:?}: {step:#?}"))
}

/// The site's containers with these specs.
fn site(fixture: &Fixture, containers: &[(&str, String)]) -> String {
    let mut text = format!(
        "apiVersion: bayplan/v1\nkind: Image\nmetadata: {{name: tiny}}\nspec: {{source: {{busybox: {{}}}}}}\n---\n\
         apiVersion: bayplan/v1\nkind: Network\nmetadata: {{name: {}}}\n\
         spec: {{type: bridge, config: {{ipv4.address: {}, ipv4.nat: true, ipv6.address: none}}}}\n---\n\
         apiVersion: bayplan/v1\nkind: Profile\nmetadata: {{name: p}}\nspec: {{devices: {{root: {{type: disk, \
         path: /, pool: conf}}, eth0: {{type: nic, network: {}}}}}}}\n---\n\
         apiVersion: bayplan/v1\nkind: StoragePool\nmetadata: {{name: conf}}\nspec: {{driver: dir}}\n",
        fixture.bridge, fixture.address, fixture.bridge
    );
    for (name, spec) in containers {
        text += &format!(
            "---\napiVersion: bayplan/v1\nkind: Container\nmetadata: {{name: {name}}}\n\
             spec: {{image: tiny, profiles: [p], {spec}}}\n"
        );
    }
    text
}

#[test]
fn a_recorded_plan_has_the_same_outcomes_on_the_modelled_host() {
    let host = Host::new(1);
    let fixture = &host.fixture;
    let data = format!("data: {{type: disk, source: {}, path: /srv/data}}", fixture.folder.display());
    let sites = [
        site(
            fixture,
            &[("a", "config: {limits.memory: 64MiB}".to_owned()), ("b", "state: frozen".to_owned())],
        ),
        site(
            fixture,
            &[
                ("a", format!("config: {{limits.memory: 96MiB, user.x: y}}, devices: {{{data}}}")),
                ("b", "config: {security.nesting: true}".to_owned()),
            ],
        ),
        site(
            fixture,
            &[
                ("a", "devices: {wire: {type: nic, nictype: p2p}}".to_owned()),
                ("b", "state: stopped".to_owned()),
            ],
        ),
    ];
    let memory = Memory::new(HostModel::server(), Box::new(MemoryRecords::default()));
    let mut recorded = vec![];
    let mut replay = |steps: &[Step]| {
        for step in steps {
            let text = serde_json::to_string(step).unwrap();
            let step: Step = serde_json::from_str(&text).unwrap();
            let outcome = execute(&host.native, &step, fixture);
            if let (Some(given), bayplan::model::step::Action::ImportImage { image }) =
                (outcome.outputs.get("fingerprint"), &step.action)
            {
                memory.change_source(&image.source, given);
            }
            let modelled = execute(&memory, &step, fixture);
            assert_eq!(outcome, modelled, "{step:#?}");
            recorded.push(json!({"step": step, "outcome": outcome}));
        }
    };
    let seed = fixture.uuid.into_bytes();
    let options = PlanOptions { allow_restart: true, ..PlanOptions::new(fixture.now, seed, "apply by test") };
    for text in &sites {
        let base = fixture.folder.clone();
        let texts = [SourceText {
            path: "site.yaml".to_owned(),
            text: text.clone(),
            root: base.clone(),
            base,
            role: TextRole::Manifest,
        }];
        let loaded = load(&texts, &LoadContext::new("amd64")).unwrap();
        let goal = Goal::Site(&loaded.desired);
        replay(&propose(&host.native, &goal, &options).unwrap().steps);
        let left = propose(&host.native, &goal, &options).unwrap();
        assert!(left.is_empty() && left.pending.is_empty(), "{:#?}", left.steps);
    }
    let keys = host.native.observe(&Scope::All).unwrap().records.into_keys().collect();
    replay(&propose(&host.native, &Goal::Delete(keys), &options).unwrap().steps);
    assert!(host.native.observe(&Scope::All).unwrap().containers.is_empty());
    if std::env::var_os("BAYPLAN_BLESS").is_some() {
        let lines: Vec<String> = recorded.iter().map(|entry| entry.to_string()).collect();
        let text = format!("[\n{}\n]\n", lines.join(",\n"));
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/recorded/native.json");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}
