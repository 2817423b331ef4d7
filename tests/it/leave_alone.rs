//! What is left alone: ignored fields of containers, and containers that no site owns.

use crate::golden::assert_golden;
use crate::plan_goldens::{desired, manifest};
use crate::reconcile_support::*;
use crate::spec_load::load_text;
use bayplan::driver::memory::Memory;
use bayplan::model::desired::Desired;
use bayplan::model::key::Key;
use bayplan::model::object::Power;
use bayplan::model::run::{MemoryEnforce, MemoryLimit};
use bayplan::model::step::Action;
use bayplan::reconcile::drift::drift;
use bayplan::reconcile::goal::{Goal, HoldTerms, PlanOptions};
use bayplan::reconcile::plan::Error;
use bayplan::reconcile::render::{TextOptions, plan_text};
use bayplan::reconcile::{Error as PassError, propose};

const BEFORE: &[&str] = &[
    "config: {limits.memory: 512MiB, limits.processes: 100, security.nesting: false, environment.COLOUR: blue}",
    "files: {/etc/motd: {content: hello}}",
];
const IGNORED: &str = "ignore: [config.limits.memory, config.security.nesting, devices.eth0, files./etc/motd, environment.COLOUR]";

fn web() -> Key {
    Key::container("web-1")
}

/// A host that has web-1 with ignored fields.
fn host() -> Memory {
    let host = server();
    converge(&host, &Goal::Site(&desired(&[("web-1", &[BEFORE, &[IGNORED]].concat())])), &options());
    host
}

fn memory(bytes: u64) -> Option<MemoryLimit> {
    Some(MemoryLimit { bytes, enforce: MemoryEnforce::Hard })
}

#[test]
fn an_ignored_field_serves_creation() {
    let run = look(&host()).containers.values().next().unwrap().run.clone().unwrap();
    assert_eq!(run.limits.memory, memory(512 << 20));
    assert_eq!(run.run.environment["COLOUR"], "blue");
}

#[test]
fn what_is_ignored_is_neither_compared_nor_written() {
    let host = host();
    let changed = [
        "config: {limits.memory: 1GiB, limits.processes: 100, security.nesting: true, environment.COLOUR: red}",
        "devices: {eth0: {type: nic, network: bay0, mtu: 1400}}",
        "files: {/etc/motd: {content: changed}}",
        IGNORED,
    ];
    // By hand, and in the manifest.
    assert!(host.edit_limits(&web(), |limits| limits.memory = memory(64 << 20)));
    assert!(host.set_nic_down(&web(), "eth0") && host.remove_file(&web(), "/etc/motd"));
    assert!(planned(&host, &Goal::Recorded, &options()).is_empty());
    let goal = desired(&[("web-1", &changed)]);
    let approving = PlanOptions { allow_restart: true, ..options() };
    let plan = converge(&host, &Goal::Site(&goal), &approving);
    assert!(plan.steps.iter().all(|step| matches!(step.action, Action::PutRecord(_))), "{:#?}", plan.steps);
    assert!(plan.pending.is_empty());
    assert!(planned(&host, &Goal::Site(&goal), &approving).is_empty());
    // Another limit beside it is written; the ignored one stays as it is in force.
    let more: Vec<&str> = [
        &changed[1..],
        &["config: {limits.memory: 1GiB, limits.processes: 50, security.nesting: \
        true, environment.COLOUR: red}"],
    ]
    .concat();
    let plan = converge(&host, &Goal::Site(&desired(&[("web-1", &more)])), &approving);
    let said = plan_text(&plan, TextOptions::default());
    assert!(said.contains("+config.limits.processes") && !said.contains("+config.limits.memory"), "{said}");
    let run = look(&host).containers.values().next().unwrap().run.clone().unwrap();
    assert_eq!((run.limits.memory, run.limits.processes), (memory(64 << 20), Some(50)));
    assert!(!run.nics["eth0"].up && !run.run.nesting);
    // Not ignored any more: all of it is a change, and drift.
    let plan = planned(&host, &Goal::Site(&desired(&[("web-1", &more[..2])])), &options());
    assert!(!plan.is_empty());
}

#[test]
fn a_restart_gives_the_present_value_of_an_ignored_secret() {
    let host = server();
    let spec = |nesting: bool| {
        let config = format!("config: {{security.nesting: {nesting}}}");
        let secret = "environment: {TOKEN: {secretRef: {env: TOKEN}}}";
        desired(&[("web-1", &[&config, secret, "ignore: [environment.TOKEN]"])])
    };
    let given = || {
        let run = look(&host).containers.values().next().unwrap().run.clone().unwrap();
        run.run.secrets["TOKEN"].digest.clone()
    };
    converge(&host, &Goal::Site(&spec(false)), &options());
    let first = given();
    host.change_content("the secret in environment variable TOKEN", "rotated");
    assert!(planned(&host, &Goal::Site(&spec(false)), &options()).is_empty());
    // The former value is nowhere any more: a restart that needs it would leave the container stopped.
    let approving = PlanOptions { allow_restart: true, ..options() };
    converge(&host, &Goal::Site(&spec(true)), &approving);
    assert_ne!(given(), first);
    assert!(planned(&host, &Goal::Site(&spec(true)), &approving).is_empty());
}

#[test]
fn an_ignored_field_is_declared_again_once_the_ignore_is_gone() {
    let host = host();
    let plain = desired(&[("web-1", BEFORE)]);
    assert!(host.edit_limits(&web(), |limits| limits.memory = memory(64 << 20)));
    converge(&host, &Goal::Site(&plain), &options());
    let run = look(&host).containers.values().next().unwrap().run.clone().unwrap();
    assert_eq!(run.limits.memory, memory(512 << 20));
    assert!(planned(&host, &Goal::Site(&plain), &options()).is_empty());
}

#[test]
fn what_an_ignored_device_is_on_is_not_pruned() {
    let text = |networks: &str, nic: &str| {
        format!(
            "apiVersion: bayplan/v1\nkind: Site\nmetadata: {{name: edge}}\nspec: {{prune: {{mode: auto, max: 100%}}}}\n---\n\
             kind: Image\nmetadata: {{name: tiny}}\nspec: {{source: {{busybox: {{}}}}}}\n---\n{networks}\
             kind: Container\nmetadata: {{name: web-1}}\nspec: {{image: tiny, ignore: [devices.eth0], {nic}}}\n"
        )
    };
    let bay1 = "kind: Network\nmetadata: {name: bay1}\nspec: {config: {ipv4.address: 10.77.0.1/24}}\n---\n";
    let before = load_text(&text(bay1, "devices: {eth0: {network: bay1}}")).unwrap().desired;
    let after = load_text(&text("", "state: running")).unwrap().desired;
    let host = server();
    converge(&host, &Goal::Site(&before), &options());
    let plan = converge(&host, &Goal::Site(&after), &options());
    assert_eq!(plan.kept_because[&Key::network("bay1")], "container/web-1 uses it");
    assert!(host.host().networks.contains_key("bay1"));
    // It is made again with what needs it, also where that is asked for alone.
    host.reboot_host();
    let only = PlanOptions { only: [web()].into(), ..options() };
    let plan = planned(&host, &Goal::Site(&after), &only);
    assert!(plan.steps.iter().any(|step| step.key == Key::network("bay1")), "{plan:#?}");
    converge(&host, &Goal::Site(&after), &options());
    assert!(host.host().runs.len() == 1 && host.host().networks.contains_key("bay1"));
    assert!(planned(&host, &Goal::Site(&after), &options()).is_empty());
}

fn with_policy(policy: &str, containers: &[(&str, &[&str])]) -> Desired {
    let text = manifest("source: {busybox: {}}", containers);
    load_text(&text.replacen("heal: always", &format!("unmanaged: {policy}"), 1)).unwrap().desired
}

/// A host where web-2 runs without a record, and web-1 as declared.
fn with_a_stranger() -> Memory {
    let host = server();
    converge(&host, &Goal::Site(&desired(&[("web-1", &[]), ("web-2", &[])])), &options());
    host.records().forget(&Key::container("web-2")).unwrap();
    host
}

#[test]
fn containers_that_no_site_owns_are_listed_or_refused_as_the_site_says() {
    let host = with_a_stranger();
    let plan = |policy| propose(&host, &Goal::Site(&with_policy(policy, &[("web-1", &[])])), &options());
    let quiet = plan("ignore").unwrap();
    assert_eq!(quiet.unmanaged.len(), 1);
    assert!(!plan_text(&quiet, TextOptions::default()).contains("unmanaged"));
    let told = plan("report").unwrap();
    assert_golden("tests/it/plans/unmanaged.txt", &plan_text(&told, TextOptions::default()));
    match plan("fail") {
        Err(PassError::Plan(Error::Findings(findings))) => {
            let texts: Vec<&str> = findings.iter().map(|finding| finding.message.as_str()).collect();
            assert_eq!(
                texts,
                ["container/web-2 belongs to no site: it has no record; it was last of site edge"]
            );
            assert!(findings[0].place.as_ref().is_some_and(|place| place.line == 5), "{findings:#?}");
        }
        other => panic!("{other:#?}"),
    }
    assert_eq!(drift(&planned(&host, &Goal::Recorded, &options())).unmanaged.len(), 1);
    // What is declared is adopted, what is asked about alone is no reason to fail.
    let both = with_policy("fail", &[("web-1", &[]), ("web-2", &[])]);
    assert!(planned(&host, &Goal::Site(&both), &options()).unmanaged.is_empty());
    let only = PlanOptions { only: [web()].into(), ..options() };
    planned(&host, &Goal::Site(&with_policy("fail", &[("web-1", &[])])), &only);
    let stopped = Goal::Power { keys: [web()].into(), power: Power::Stopped, hold: HoldTerms::default() };
    planned(&host, &stopped, &options());
}

#[test]
fn a_power_state_that_is_not_managed_stays_so_through_verbs_and_restarts() {
    let host = server();
    let spec = |nesting: bool| {
        desired(&[("web-1", &["state: any", &format!("config: {{security.nesting: {nesting}}}")])])
    };
    converge(&host, &Goal::Site(&spec(false)), &options());
    for power in [Power::Running, Power::Frozen, Power::Running, Power::Stopped, Power::Running] {
        converge(&host, &Goal::Power { keys: [web()].into(), power, hold: HoldTerms::default() }, &options());
        assert!(planned(&host, &Goal::Site(&spec(false)), &options()).is_empty(), "{power:?}");
        assert!(planned(&host, &Goal::Recorded, &options()).is_empty(), "{power:?}");
    }
    let approving = PlanOptions { allow_restart: true, ..options() };
    converge(&host, &Goal::Site(&spec(true)), &approving);
    assert!(look(&host).containers.values().next().unwrap().run.is_some());
    assert!(planned(&host, &Goal::Site(&spec(true)), &approving).is_empty());
}
