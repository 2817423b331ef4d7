//! Main cases of planning, end to end on the modelled host.

use crate::reconcile_support::*;
use bayplan::driver::faulty::{Fault, Faulty, Side};
use bayplan::driver::memory::Memory;
use bayplan::model::key::Key;
use bayplan::model::object::{
    Container, DeviceType, Image, ImageSource, Meta, Object, Power, RestartPolicy, Spec,
};
use bayplan::model::prune::Deletion;
use bayplan::model::step::{Action, Cause, Step};
use bayplan::reconcile::apply::ApplyOptions;
use bayplan::reconcile::controller::Controller;
use bayplan::reconcile::drift::drift;
use bayplan::reconcile::goal::{Goal, HoldTerms, PlanOptions};
use bayplan::reconcile::propose;
use bayplan::reconcile::render::step_words;
use bayplan::reconcile::why::{Subject, explain};
use jiff::Timestamp;

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
    container.devices.insert(
        "data".to_owned(),
        device(DeviceType::Disk, &[("source", "/srv/a"), ("path", "/srv"), ("readonly", "true")]),
    );
    container
}

#[test]
fn each_way_to_break_a_host_is_drift_with_its_cause_and_is_repaired() {
    let key = Key::container("web-1");
    type Break = fn(&Memory, &Key) -> bool;
    let table: [(&str, Break, &str, &str); 16] = [
        ("container/web-1", |host, key| host.kill_init(key), "state", "init was killed (signal 9)"),
        ("container/web-1", |host, key| host.power_off_inside(key), "state", "powered off from inside"),
        (
            "container/web-1",
            |host, key| host.edit_limits(key, |l| l.memory = None),
            "config.limits.memory",
            "",
        ),
        ("container/web-1", |host, key| host.leave_cgroup(key), "cgroup", "init is outside its cgroup"),
        ("container/web-1", |host, key| host.remove_nic(key, "eth0"), "devices.eth0.type", "the nic is gone"),
        (
            "container/web-1",
            |host, key| host.detach_bridge(key, "eth0"),
            "devices.eth0",
            "off its bridge bay0",
        ),
        (
            "container/web-1",
            |host, key| host.move_nic(key, "eth0", "bay1"),
            "devices.eth0.network",
            "a port of bay1, not of bay0",
        ),
        (
            "container/web-1",
            |host, key| host.unlock_disk(key, "data"),
            "devices.data.readonly",
            "was made writable",
        ),
        ("container/web-1", |host, key| host.set_nic_down(key, "eth0"), "devices.eth0", "the nic is down"),
        (
            "container/web-1",
            |host, key| host.unmount_disk(key, "data"),
            "devices.data.type",
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
        ("network/bay0", |host, _| host.stop_forwarding(), "forwarding", "turned off"),
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
    converge(
        &host,
        &Goal::Power {
            keys: [key.clone()].into(),
            power: Power::Stopped,
            hold: HoldTerms { until, reason: None },
        },
        &options(),
    );
    let plan = planned(&host, &Goal::Site(&desired), &options());
    assert!(plan.is_empty() && plan.holds.len() == 1, "{plan:#?}");
    assert!(host.host().runs.is_empty());
    converge(
        &host,
        &Goal::Power { keys: [key].into(), power: Power::Running, hold: HoldTerms { until, reason: None } },
        &options(),
    );
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
fn a_delete_that_was_interrupted_is_completed_by_the_next_pass_of_any_kind() {
    let desired = site(&[("web-1", web()), ("web-2", web())]);
    let key = Key::container("web-1");
    let without = site(&[("web-2", web())]);
    for (goal, comes_back) in
        [(Goal::Recorded, false), (Goal::Site(&without), false), (Goal::Site(&desired), true)]
    {
        for at in 0..4 {
            let host = server();
            converge(&host, &Goal::Site(&desired), &options());
            let plan = planned(&host, &Goal::Delete([key.clone()].into()), &options());
            let words: Vec<String> = plan.steps.iter().map(|step| step_words(&step.action)).collect();
            assert_eq!(words, ["retire", "stop", "delete root", "forget"]);
            carry_out(&Faulty::new(&host, Fault::Crash { at, side: Side::After }), &plan, 1);
            converge(&host, &goal, &options());
            let keys: Vec<Key> = host.host().runs.into_values().map(|run| run.run.key).collect();
            assert_eq!(keys.contains(&key), comes_back, "{goal:?} after step {at}");
            assert_eq!(look(&host).records.contains_key(&key), comes_back, "{goal:?} after step {at}");
            assert!(keys.contains(&Key::container("web-2")));
            let again = planned(&host, &goal, &options());
            assert!(again.is_empty() && again.kept.is_empty(), "{:#?}", again.steps);
        }
    }
}

#[test]
fn a_verb_on_what_is_being_deleted_is_refused() {
    let host = server();
    converge(&host, &Goal::Site(&site(&[("web-1", web())])), &options());
    let key = Key::container("web-1");
    let plan = planned(&host, &Goal::Delete([key.clone()].into()), &options());
    carry_out(&Faulty::new(&host, Fault::Crash { at: 1, side: Side::After }), &plan, 1);
    let error = propose(&host, &Goal::Restart([key].into()), &options()).unwrap_err();
    assert_eq!(error.to_string(), "container/web-1 is being deleted");
}

#[test]
fn a_network_that_drifts_and_changes_shows_both() {
    let host = server();
    converge(&host, &Goal::Site(&site(&[])), &options());
    assert!(host.change_address("bay0", "192.0.2.1/24".parse().unwrap()) && host.flush_rules());
    let mut desired = site(&[]);
    desired.objects.insert(Key::network("bay0"), network("10.77.0.1/24"));
    let plan = planned(&host, &Goal::Site(&desired), &options());
    let reasons: Vec<_> = plan.steps.iter().flat_map(|step| &step.reasons).collect();
    let of = |field: &str, cause: Cause| {
        let found = reasons.iter().find(|reason| reason.field == field && reason.cause == cause);
        (*found.unwrap_or_else(|| panic!("{field}: {reasons:#?}"))).clone()
    };
    let address = of("config.ipv4.address", Cause::ChangeAndDrift);
    let values = (address.from.as_deref(), address.to.as_deref());
    assert_eq!(values, (Some("192.0.2.1/24"), Some("10.77.0.1/24")));
    of("rules", Cause::Drift);
    assert_eq!(drift(&plan).rows.len(), 2);
    converge(&host, &Goal::Site(&desired), &options());
    assert!(planned(&host, &Goal::Site(&desired), &options()).is_empty());
}

#[test]
fn a_mark_for_what_the_site_does_not_declare_is_no_error() {
    let host = server();
    let desired = site(&[("web-1", web())]);
    converge(&host, &Goal::Site(&desired), &options());
    let second = |number| jiff::Timestamp::from_second(SECOND + number).unwrap();
    let mut controller =
        Controller::new(second(0), jiff::SignedDuration::from_secs(1), jiff::SignedDuration::from_secs(60));
    let cancel = std::sync::atomic::AtomicBool::new(false);
    let pass = |controller: &mut Controller, number| {
        let apply_options = ApplyOptions { now: second(number), actor: "daemon", ..apply_options(&cancel) };
        let plan_options = PlanOptions { now: second(number), ..options() };
        controller.pass(&host, &Goal::Site(&desired), &plan_options, &apply_options).unwrap()
    };
    assert!(pass(&mut controller, 0).unwrap().plan.is_empty());
    controller.mark_dirty([Key::container("stranger")], second(1));
    assert!(pass(&mut controller, 2).is_none());
    host.kill_init(&Key::container("web-1"));
    controller.mark_dirty([Key::container("stranger"), Key::container("web-1")], second(3));
    let done = pass(&mut controller, 4).unwrap();
    assert!(done.report.is_done() && done.report.changed(), "{:#?}", done.plan);
    assert_eq!(controller.next_wakeup(second(5)), second(60));
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

#[test]
fn a_container_that_must_wait_for_its_start_is_pending_and_counts_as_nothing_to_do() {
    let host = server();
    let desired = site(&[("web-1", Container { ephemeral: true, ..web() })]);
    converge(&host, &Goal::Site(&desired), &options());
    let key = Key::container("web-1");
    for broken in [Memory::kill_init, Memory::power_off_inside] {
        assert!(broken(&host, &key));
        let mut later = options();
        later.not_before.insert(key.clone(), Timestamp::from_second(SECOND + 8).unwrap());
        let plan = planned(&host, &Goal::Recorded, &later);
        assert!(plan.is_empty(), "{:#?}", plan.steps);
        assert_eq!(plan.pending[0].key, key);
        assert!(plan.pending[0].waits_for.contains("its inits end as soon as they begin"));
        later.now = Timestamp::from_second(SECOND + 8).unwrap();
        let plan = planned(&host, &Goal::Recorded, &later);
        assert!(plan.steps.iter().any(|step| matches!(step.action, Action::Start(_))));
        converge(&host, &Goal::Recorded, &options());
    }
}

#[test]
fn an_ephemeral_container_counts_how_often_it_was_made_afresh() {
    let host = server();
    let desired = site(&[("web-1", Container { ephemeral: true, ..web() })]);
    converge(&host, &Goal::Site(&desired), &options());
    let key = Key::container("web-1");
    let remakes = || look(&host).records[&key].applied.as_ref().unwrap().remakes;
    assert_eq!(remakes(), 0);
    for count in [1, 2] {
        assert!(host.power_off_inside(&key));
        converge(&host, &Goal::Recorded, &options());
        assert_eq!(remakes(), count);
    }
    assert!(host.kill_init(&key));
    converge(&host, &Goal::Recorded, &options());
    assert_eq!(remakes(), 2, "what was killed is not complete: it goes on with its root");
    assert!(planned(&host, &Goal::Site(&desired), &options()).is_empty());
}

#[test]
fn a_container_that_bayplan_stopped_and_could_not_start_again_was_not_powered_off_from_inside() {
    for ephemeral in [false, true] {
        let host = server();
        let desired = |nesting: &str| {
            let mut container = Container { ephemeral, ..web() };
            container.config.insert("security.nesting".to_owned(), nesting.to_owned());
            site(&[("web-1", container)])
        };
        converge(&host, &Goal::Site(&desired("false")), &options());
        let goal = desired("true");
        let plan = planned(&host, &Goal::Site(&goal), &PlanOptions { allow_restart: true, ..options() });
        let at = plan.steps.iter().position(|step| matches!(step.action, Action::Start(_))).unwrap() as u64;
        let report = carry_out(&Faulty::new(&host, Fault::Once { at, side: Side::Before }), &plan, 1);
        assert!(!report.is_done());
        let next = converge(&host, &Goal::Recorded, &options());
        let told: Vec<_> = next
            .steps
            .iter()
            .flat_map(|step| &step.reasons)
            .filter_map(|reason| reason.note.as_deref())
            .collect();
        assert!(told.contains(&"stopped by Bayplan, and not started again"), "{told:?}");
        assert!(
            !next.steps.iter().any(|step| matches!(step.action, Action::DeleteRoot { .. })),
            "its root stays"
        );
    }
}

#[test]
fn a_route_to_a_p2p_nic_that_is_gone_is_drift_and_is_set_again() {
    let host = server();
    let mut container = container();
    let options_of_wire = [("nictype", "p2p"), ("ipv4.routes", "10.98.0.0/24,10.98.1.0/24")];
    container.devices.insert("wire".to_owned(), device(DeviceType::Nic, &options_of_wire));
    let desired = site(&[("web-1", container)]);
    converge(&host, &Goal::Site(&desired), &options());
    let key = Key::container("web-1");
    assert!(host.flush_routes(&key, "wire"));
    let rows = drift(&planned(&host, &Goal::Recorded, &options())).rows;
    assert_eq!(rows.len(), 1, "{rows:#?}");
    assert_eq!(rows[0].field, "devices.wire");
    assert_eq!(rows[0].cause.as_deref(), Some("the host does not route 10.98.0.0/24, 10.98.1.0/24 to it"));
    converge(&host, &Goal::Recorded, &options());
    assert!(planned(&host, &Goal::Site(&desired), &options()).is_empty());
}

#[test]
fn content_that_nothing_names_any_more_goes_with_the_next_image_that_goes() {
    let host = server();
    let mut desired = site(&[("web-1", container()), ("web-2", container())]);
    desired.objects.insert(Key::image("other"), other_image("/srv/other"));
    converge(&host, &Goal::Site(&desired), &options());
    let old = look(&host).records[&Key::image("tiny")].applied.clone().unwrap().fingerprint.unwrap();
    desired.objects.insert(Key::image("tiny"), other_image("/srv/tiny"));
    converge(&host, &Goal::Site(&desired), &options());
    assert_eq!(look(&host).images.len(), 3, "its containers stand on the old content");

    let delete = |keys: &[Key]| converge(&host, &Goal::Delete(keys.iter().cloned().collect()), &options());
    delete(&[Key::container("web-1")]);
    delete(&[Key::image("other")]);
    assert!(look(&host).images.contains_key(&old), "one container stands on it yet");
    assert_eq!(look(&host).images.len(), 2);
    delete(&[Key::container("web-2"), Key::image("tiny")]);
    assert!(look(&host).images.is_empty(), "{:?}", look(&host).images);
}

#[test]
fn content_that_nothing_names_goes_once_when_several_images_go() {
    let host = server();
    let mut desired = site(&[("web-1", container())]);
    desired.objects.insert(Key::image("a"), other_image("/srv/a"));
    desired.objects.insert(Key::image("z"), other_image("/srv/z"));
    converge(&host, &Goal::Site(&desired), &options());
    desired.objects.insert(Key::image("a"), other_image("/srv/b"));
    converge(&host, &Goal::Site(&desired), &options());
    assert_eq!(look(&host).images.len(), 4);
    let all: Vec<Key> = look(&host).records.keys().cloned().collect();
    let plan = converge(&host, &Goal::Delete(all.into_iter().collect()), &options());
    assert!(look(&host).images.is_empty());
    let deletes = plan.steps.iter().filter(|step| matches!(step.action, Action::DeleteImage { .. }));
    assert_eq!(deletes.count(), 4);
}

#[test]
fn content_that_two_images_name_goes_once_when_both_go_and_after_all_roots_on_it() {
    for (first, second) in [("web-1", "web-2"), ("web-2", "web-1")] {
        let host = server();
        let mut desired = site(&[(first, container())]);
        desired.objects.insert(Key::image("also"), object(desired.objects[&Key::image("tiny")].spec.clone()));
        let other = Container { image: Key::image("also"), ..container() };
        desired.objects.insert(Key::container(second), object(Spec::Container(Box::new(other))));
        converge(&host, &Goal::Site(&desired), &options());
        assert_eq!(look(&host).images.len(), 1, "both have the same content");
        let all = look(&host).records.keys().cloned().collect();
        let plan = converge(&host, &Goal::Delete(all), &options());
        assert!(look(&host).images.is_empty());
        let places = |wanted: fn(&Action) -> bool| -> Vec<usize> {
            let found = plan.steps.iter().enumerate().filter(|(_, step)| wanted(&step.action));
            found.map(|(at, _)| at).collect()
        };
        let deletes = places(|action| matches!(action, Action::DeleteImage { .. }));
        assert_eq!(deletes.len(), 1, "{:#?}", plan.steps);
        for root in places(|action| matches!(action, Action::DeleteRoot { .. })) {
            assert!(waits(&plan.steps, deletes[0], root), "{:#?}", plan.steps);
        }
    }
}

/// Found by the edit property: the image was taken for what its container's root stands on, and could not be made anew.
#[test]
fn an_image_that_is_adopted_is_what_its_source_gives_not_what_a_stale_root_stands_on() {
    let host = server();
    let mut desired = site(&[("web-1", container())]);
    desired.objects.insert(Key::image("moved"), other_image("/srv/old"));
    let stale = Container { image: Key::image("moved"), ..container() };
    desired.objects.insert(Key::container("web-2"), object(Spec::Container(Box::new(stale))));
    converge(&host, &Goal::Site(&desired), &options());
    desired.objects.insert(Key::image("moved"), busybox());
    converge(&host, &Goal::Site(&desired), &options());
    let content =
        |host: &Memory| look(host).records[&Key::image("moved")].applied.clone().unwrap().fingerprint;
    let before = content(&host);
    host.lose_records().unwrap();
    converge(&host, &Goal::Site(&desired), &options());
    assert_eq!(content(&host), before);
    host.edit_host(|host| host.images.clear());
    let plan = converge(&host, &Goal::Site(&desired), &options());
    let told: Vec<&str> = plan.broken.iter().map(|broken| broken.help.as_str()).collect();
    assert!(told[0].contains("bayplan restart web-1"), "its content was made anew: {told:?}");
    assert!(told[1].contains("bring the same content back"), "nothing gives what the image was: {told:?}");
}

fn other_image(path: &str) -> Object {
    object(Spec::Image(Image { source: ImageSource::Directory { path: path.into() }, fingerprint: None }))
}

#[test]
fn containers_that_become_isolated_no_longer_share_their_ids() {
    let host = server();
    let names = ["web-1", "web-2", "web-3"];
    converge(&host, &Goal::Site(&site(&names.map(|name| (name, container())))), &options());
    let bases = || {
        let records = look(&host).records;
        names.map(|name| records[&Key::container(name)].identity.as_ref().unwrap().id_base)
    };
    let [shared, ..] = bases();
    assert_eq!(bases(), [shared; 3]);
    let isolated = || Container { config: config(&[("security.idmap.isolated", "true")]), ..container() };
    let desired = site(&names.map(|name| (name, isolated())));
    let options = PlanOptions { allow_restart: true, ..options() };
    converge(&host, &Goal::Site(&desired), &options);
    let [a, b, c] = bases();
    assert!(a != b && b != c && a != c, "{:?}", bases());
    let plan = planned(&host, &Goal::Site(&desired), &options);
    assert!(plan.is_empty(), "{:#?}", plan.steps);
}

/// The state folder and the store are lost, and the first pass after that loses one of its steps.
#[test]
fn content_that_a_root_lacks_comes_back_though_another_root_could_name_its_image() {
    let tree = Image { source: ImageSource::Directory { path: "/srv/tree".into() }, fingerprint: None };
    let with_tree = |containers: &[(&str, Container)]| {
        let mut desired = site(containers);
        desired.objects.insert(Key::image("tree"), object(Spec::Image(tree.clone())));
        desired
    };
    let on_tree = Container { image: Key::image("tree"), ..container() };
    let host = server();
    converge(&host, &Goal::Site(&with_tree(&[("web-1", container()), ("web-2", on_tree)])), &options());
    host.reboot_host();
    host.lose_records().unwrap();
    host.edit_host(|host| host.images.clear());
    // web-2's root stands on the tree; declared is the other image.
    let desired = with_tree(&[("web-1", container()), ("web-2", container())]);
    let mut plan = planned(&host, &Goal::Site(&desired), &options());
    plan.steps.retain(|step| step.key == Key::image("tree"));
    assert!(carry_out(&host, &plan, 1).is_done());
    for _ in 0..2 {
        converge(&host, &Goal::Site(&desired), &options());
    }
    let plan = planned(&host, &Goal::Site(&desired), &options());
    assert!(plan.is_empty() && plan.broken.is_empty(), "{:#?} {:#?}", plan.steps, plan.broken);
    assert_eq!(host.host().runs.len(), 2);
}

type Edit = fn(&mut Meta);

#[test]
fn every_change_of_metadata_has_its_reason() {
    let host = server();
    converge(&host, &Goal::Site(&site(&[("web-1", container())])), &options());
    let mut desired = site(&[("web-1", container())]);
    let key = Key::container("web-1");
    let edits: [(&str, Edit); 5] = [
        ("labels.tier", |meta| drop(meta.labels.insert("tier".to_owned(), "front".to_owned()))),
        ("annotations.a.b/c", |meta| drop(meta.annotations.insert("a.b/c".to_owned(), "1".to_owned()))),
        ("description", |meta| meta.description = "the first".to_owned()),
        ("deletion", |meta| meta.deletion = Some(Deletion::Delete)),
        ("memberOf", |meta| meta.member_of = Some(Key::set("web"))),
    ];
    for (field, edit) in edits {
        edit(&mut desired.objects.get_mut(&key).unwrap().meta);
        let plan = planned(&host, &Goal::Site(&desired), &options());
        let note = plan.steps.iter().find(|step| step.action == Action::Note).unwrap();
        let fields: Vec<&str> = note.reasons.iter().map(|reason| reason.field.as_str()).collect();
        assert_eq!(fields, [field]);
        let subject = Subject {
            key: &key,
            plan: &plan,
            observed: &look(&host),
            desired: Some(&desired),
            elsewhere: None,
        };
        let explanation = explain(&subject).unwrap();
        let told = explanation.values.iter().find(|value| value.field == field).unwrap();
        assert_eq!(told.changes.len(), 1, "{field}");
        converge(&host, &Goal::Site(&desired), &options());
    }
}

#[test]
fn a_lost_content_that_two_images_name_is_brought_back_once_before_the_root_that_needs_it() {
    let host = server();
    let mut desired = site(&[("web-1", container())]);
    desired.objects.insert(Key::image("again"), busybox());
    converge(&host, &Goal::Site(&desired), &options());
    host.edit_host(|host| host.images.clear());
    // On the image whose import is not needed.
    let Spec::Container(again) = desired.objects[&Key::container("web-1")].spec.clone() else { panic!() };
    desired.objects.insert(Key::container("web-2"), object(Spec::Container(again)));
    let plan = converge(&host, &Goal::Site(&desired), &options());
    let imports = plan.steps.iter().filter(|step| matches!(step.action, Action::ImportImage { .. }));
    let imports: Vec<&Key> = imports.map(|step| &step.key).collect();
    assert_eq!(imports, [&Key::image("again")]);
    let place =
        |wanted: fn(&Action) -> bool| plan.steps.iter().position(|step| wanted(&step.action)).unwrap();
    let (import, root) = (
        place(|action| matches!(action, Action::ImportImage { .. })),
        place(|action| matches!(action, Action::CreateRoot { .. })),
    );
    assert!(waits(&plan.steps, root, import), "{:#?}", plan.steps);
    assert!(planned(&host, &Goal::Site(&desired), &options()).is_empty());
}

/// Whether a step waits for another one, by others or not.
fn waits(steps: &[Step], one: usize, other: usize) -> bool {
    let mut open = vec![one];
    while let Some(at) = open.pop() {
        if at == other {
            return true;
        }
        open.extend(steps[at].after.iter().map(|id| id.0 as usize));
    }
    false
}

#[test]
fn what_restarts_with_a_container_whose_root_was_lost_restarts_in_the_same_apply() {
    let host = server();
    let mut follower = container();
    follower.restart_with = [Key::container("db")].into();
    follower.depends_on = vec![Key::container("db")];
    follower.update.restart = RestartPolicy::Allow;
    let desired = site(&[("db", container()), ("web", follower)]);
    converge(&host, &Goal::Site(&desired), &options());
    let db = Key::container("db");
    assert!(host.kill_init(&db) && host.lose_root(&db));
    let plan = converge(&host, &Goal::Site(&desired), &options());
    let stops = plan.steps.iter().any(|step| matches!(step.action, Action::Stop { .. }));
    assert!(stops, "{:#?}", plan.steps);
    assert!(planned(&host, &Goal::Site(&desired), &options()).is_empty());
}
