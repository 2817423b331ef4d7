//! Main cases of planning, end to end on the modelled host.

use crate::reconcile_support::*;
use bayplan::driver::memory::Memory;
use bayplan::model::key::Key;
use bayplan::model::object::{Container, DeviceType, Power};
use bayplan::reconcile::drift::drift;
use bayplan::reconcile::goal::Goal;
use bayplan::reconcile::propose;

#[test]
fn a_small_site_is_made_and_the_next_plan_is_empty() {
    let host = server();
    let desired = site(&[("web-1", container()), ("web-2", container())]);
    let plan = converge(&host, &Goal::Site(&desired), &options());
    assert!(!plan.is_empty());
    let again = planned(&host, &Goal::Site(&desired), &options());
    assert!(again.is_empty(), "{:#?}", again.steps);
    let healed = planned(&host, &Goal::Recorded, &options());
    assert!(healed.is_empty(), "{:#?}", healed.steps);
}

fn web() -> Container {
    let mut container = container();
    container.config = config(&[("limits.memory", "512MiB")]);
    container
        .devices
        .insert("data".to_owned(), device(DeviceType::Disk, &[("source", "/srv/a"), ("path", "/srv")]));
    container
}

#[test]
fn each_way_to_break_a_host_is_drift_with_its_cause_and_is_repaired() {
    let key = Key::container("web-1");
    type Break = fn(&Memory, &Key) -> bool;
    let table: [(&str, Break, &str, &str); 13] = [
        ("container/web-1", |host, key| host.kill_init(key), "state", "init was killed (signal 9)"),
        ("container/web-1", |host, key| host.power_off_inside(key), "state", "powered off from inside"),
        (
            "container/web-1",
            |host, key| host.edit_limits(key, |l| l.memory = None),
            "config.limits.memory",
            "",
        ),
        ("container/web-1", |host, key| host.leave_cgroup(key), "cgroup", "init is outside its cgroup"),
        ("container/web-1", |host, key| host.remove_nic(key, "eth0"), "devices.eth0", "the nic is gone"),
        (
            "container/web-1",
            |host, key| host.detach_bridge(key, "eth0"),
            "devices.eth0",
            "off its bridge bay0",
        ),
        ("container/web-1", |host, key| host.set_nic_down(key, "eth0"), "devices.eth0", "the nic is down"),
        (
            "container/web-1",
            |host, key| host.unmount_disk(key, "data"),
            "devices.data",
            "nothing is mounted at /srv",
        ),
        ("container/web-1", |host, key| host.kill_monitor(key), "monitor", "its monitor is gone"),
        ("container/web-1", |host, key| host.set_frozen(key, true), "state", ""),
        (
            "network/bay0",
            |host, _| host.change_address("bay0", "192.0.2.1/24".parse().unwrap()),
            "config.ipv4.address",
            "were changed",
        ),
        ("network/bay0", |host, _| host.delete_bridge("bay0"), "", "bridge bay0 is gone"),
        ("network/bay0", |host, _| host.flush_rules(), "rules", "flushed"),
    ];
    for (object, strike, field, cause) in table {
        let host = server();
        let desired = site(&[("web-1", web()), ("web-2", web())]);
        converge(&host, &Goal::Site(&desired), &options());
        let other = look(&host).containers.into_values().filter_map(|facts| facts.run);
        let other = other.into_iter().find(|run| run.run.key == Key::container("web-2")).unwrap();
        assert!(strike(&host, &key), "{object} {field}");
        let drift = drift(&planned(&host, &Goal::Recorded, &options()));
        let row = drift.rows.iter().find(|row| row.key.to_string() == object && row.field == field);
        let row = row.unwrap_or_else(|| panic!("{object} {field}: {:#?}", drift.rows));
        assert!(row.cause.clone().unwrap_or_default().contains(cause), "{row:?}");
        converge(&host, &Goal::Recorded, &options());
        assert!(planned(&host, &Goal::Site(&desired), &options()).is_empty(), "{object} {field}");
        let runs = host.host().runs;
        assert_eq!(runs.get(&other.run.uuid), Some(&other), "{object} {field}: web-2 was touched");
    }
}

#[test]
fn a_stop_by_hand_is_a_hold_that_a_start_ends() {
    let host = server();
    let desired = site(&[("web-1", web())]);
    let key = Key::container("web-1");
    converge(&host, &Goal::Site(&desired), &options());
    let until = Some(jiff::Timestamp::from_second(SECOND + 3600).unwrap());
    converge(&host, &Goal::Power { key: key.clone(), power: Power::Stopped, until }, &options());
    let plan = planned(&host, &Goal::Site(&desired), &options());
    assert!(plan.is_empty() && plan.holds.len() == 1, "{plan:#?}");
    assert!(host.host().runs.is_empty());
    converge(&host, &Goal::Power { key, power: Power::Running, until }, &options());
    let plan = planned(&host, &Goal::Site(&desired), &options());
    assert!(plan.is_empty() && plan.holds.is_empty() && host.host().runs.len() == 1, "{plan:#?}");
}

#[test]
fn a_restart_waits_for_approval_and_counts_as_nothing_to_do() {
    let host = server();
    converge(&host, &Goal::Site(&site(&[("web-1", web())])), &options());
    let mut nested = web();
    nested.config.insert("security.nesting".to_owned(), "true".to_owned());
    let desired = site(&[("web-1", nested)]);
    converge(&host, &Goal::Site(&desired), &options());
    let plan = planned(&host, &Goal::Site(&desired), &options());
    assert!(plan.is_empty() && plan.pending.len() == 1 && plan.exit_code() == 0, "{plan:#?}");
    let approved = bayplan::reconcile::goal::PlanOptions { allow_restart: true, ..options() };
    converge(&host, &Goal::Site(&desired), &approved);
    let plan = planned(&host, &Goal::Site(&desired), &options());
    assert!(plan.is_empty() && plan.pending.is_empty(), "{plan:#?}");
}

#[test]
fn a_cycle_is_an_error_with_its_path() {
    let mut first = web();
    first.depends_on = vec![Key::container("b")];
    let mut second = web();
    second.depends_on = vec![Key::container("a")];
    let desired = site(&[("a", first), ("b", second)]);
    let error = propose(&server(), &Goal::Site(&desired), &options()).unwrap_err();
    assert_eq!(error.to_string(), "dependency cycle: container/a -> container/b -> container/a");
}
