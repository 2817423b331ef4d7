//! The modelled host passes the suite of every driver, and behaves as recordings of the real one say.

use crate::golden::folder;
use crate::reconcile_support::{SECOND, look, server};
use bayplan::driver::conformance::{self, Fixture};
use bayplan::driver::{Driver, StepContext};
use bayplan::model::object::{Image, ImageSource};
use bayplan::model::ready::ReadyProbe;
use bayplan::model::step::{Action, Outcome, Step};
use jiff::Timestamp;
use serde::Deserialize;
use std::sync::atomic::AtomicBool;
use uuid::Uuid;

fn fixture() -> Fixture {
    Fixture {
        image: Image { source: ImageSource::Busybox {}, fingerprint: None },
        bridge: "bayconf".to_owned(),
        address: "10.99.0.1/24".parse().unwrap(),
        pool: "conf".to_owned(),
        container: "conf".to_owned(),
        uuid: Uuid::from_u128(1),
        id_base: 1_000_000,
        folder: "/srv".into(),
        now: Timestamp::from_second(SECOND).unwrap(),
    }
}

#[test]
fn the_modelled_host_conforms() {
    let host = server();
    let unserved = conformance::script::unserved().map(|probe| match probe {
        ReadyProbe::Tcp(port) => port.to_string(),
        ReadyProbe::Http(probe) => format!("{}{}", probe.port, probe.path),
        other => panic!("nobody serves {other:?}"),
    });
    host.edit_host(|host| host.unserved.extend(unserved));
    conformance::run(&host, &fixture(), &|name| println!("{name}"));
}

/// One step of a recording, and what the real host made of it (tests/host/conformance.rs writes them).
#[derive(Deserialize)]
struct Recorded {
    step: Step,
    outcome: Outcome,
}

#[test]
fn plans_recorded_on_a_real_host_have_the_same_outcomes_on_the_modelled_one() {
    let text = std::fs::read_to_string(folder("tests/it/recorded/native.json")).unwrap();
    let recorded: Vec<Recorded> = serde_json::from_str(&text).unwrap();
    assert!(recorded.len() > 30, "only {} steps", recorded.len());
    let host = server();
    let cancel = AtomicBool::new(false);
    let now = Timestamp::from_second(SECOND).unwrap();
    let context = StepContext { cancel: &cancel, deadline: None, progress: &|_| (), now, actor: "test" };
    for (at, Recorded { step, outcome }) in recorded.iter().enumerate() {
        if let (Action::ImportImage { image }, Some(given)) =
            (&step.action, outcome.outputs.get("fingerprint"))
        {
            host.change_source(&image.source, given);
        }
        let modelled = host.execute(step, &context);
        let modelled = modelled.unwrap_or_else(|error| panic!("step {at}: {error}: {step:#?}"));
        assert_eq!(modelled, *outcome, "step {at}: {step:#?}");
    }
    assert!(look(&host).records.is_empty() && host.host().roots.is_empty(), "{:#?}", host.host());
}
