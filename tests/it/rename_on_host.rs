//! Networks and pools that have another name now: what is on them goes on as it was.

use crate::golden::assert_golden;
use crate::properties::cases;
use crate::reconcile_support::*;
use crate::spec_load::load_text;
use bayplan::driver::faulty::{Fault, Faulty, Side};
use bayplan::driver::memory::Memory;
use bayplan::driver::rename;
use bayplan::model::desired::Desired;
use bayplan::model::key::{Key, Kind};
use bayplan::model::object::Spec;
use bayplan::model::observed::NetworkFacts;
use bayplan::model::record::Owner;
use bayplan::model::run::NicAttachment;
use bayplan::model::step::Action;
use bayplan::reconcile::goal::Goal;
use bayplan::reconcile::plan::{Error, Plan};
use bayplan::reconcile::render::{TextOptions, plan_text};
use bayplan::reconcile::{Error as PassError, propose};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// A site's names: of its network and of its pool, each with what stands behind the name in `metadata`.
#[derive(Clone, Copy)]
struct Names<'a> {
    network: &'a str,
    pool: &'a str,
}

const BEFORE: Names<'_> = Names { network: "lan", pool: "slow" };

/// The name in `lan0, renamedFrom: lan`.
fn bare(name: &str) -> &str {
    name.split(',').next().unwrap()
}

/// Two containers on a network and in a pool: `web` by its profile, `db` by its own devices; more documents behind.
fn site_with(names: Names<'_>, config: &str, more: &str) -> Desired {
    let (network, pool) = (bare(names.network), bare(names.pool));
    let text = format!(
        "apiVersion: bayplan/v1\nkind: Site\nmetadata: {{name: edge}}\nspec: {{prune: {{mode: auto, max: 100%}}}}\n\
         ---\nkind: Image\nmetadata: {{name: tiny}}\nspec: {{source: {{busybox: {{}}}}}}\n\
         ---\nkind: Network\nmetadata: {{name: {}}}\n\
         spec: {{type: bridge, config: {{ipv4.address: 10.73.1.1/24, {config}}}}}\n\
         ---\nkind: StoragePool\nmetadata: {{name: {}}}\nspec: {{driver: dir}}\n\
         ---\nkind: Profile\nmetadata: {{name: on}}\n\
         spec: {{devices: {{root: {{type: disk, path: /, pool: {pool}}}, eth0: {{type: nic, network: {network}}}}}}}\n\
         ---\nkind: Container\nmetadata: {{name: web}}\n\
         spec: {{image: tiny, profiles: [on], persist: [/var/lib/a]}}\n\
         ---\nkind: Container\nmetadata: {{name: db}}\nspec: {{image: tiny, profiles: [], devices: {{\
         root: {{type: disk, path: /, pool: {pool}}}, \
         eth0: {{type: nic, network: {network}, ipv4.address: 10.73.1.9}}, \
         eth1: {{type: nic, nictype: bridged, parent: {network}}}}}}}\n{more}",
        names.network, names.pool
    );
    load_text(&text).unwrap().desired
}

fn site(names: Names<'_>) -> Desired {
    site_with(names, "ipv4.nat: true", "")
}

fn renamed() -> Desired {
    site(Names { network: "lan0, renamedFrom: lan", pool: "fast, renamedFrom: slow" })
}

fn host() -> Memory {
    let host = server();
    converge(&host, &Goal::Site(&site(BEFORE)), &options());
    for name in ["web", "db"] {
        host.write_inside(&Key::container(name), "/own");
    }
    host.write_inside(&Key::container("web"), "/var/lib/a/own");
    host
}

fn shown(plan: &Plan) -> String {
    plan_text(plan, TextOptions { steps: true, ..TextOptions::default() })
}

fn pids(host: &Memory) -> BTreeMap<Uuid, u32> {
    host.host().runs.into_iter().map(|(uuid, run)| (uuid, run.pid)).collect()
}

/// Nothing has, names or stands on what it was called before.
#[track_caller]
fn has_only_new_names(host: &Memory) {
    let (model, observed) = (host.host(), look(host));
    for (former, now) in [(Key::network("lan"), Key::network("lan0")), (Key::pool("slow"), Key::pool("fast"))]
    {
        assert!(!observed.records.contains_key(&former) && observed.records[&now].renaming.is_none());
    }
    assert!(model.networks.contains_key("lan0") && !model.networks.contains_key("lan"));
    assert!(model.pools.keys().eq(["fast"]) && model.pools["fast"].source.ends_with("/fast"));
    assert!(model.roots.values().all(|root| root.pool == "fast"));
    for run in model.runs.values() {
        assert!(run.run.pool == "fast");
        assert!(run.nics.values().all(|nic| nic.bridge.as_deref() == Some("lan0")));
        let bridged = NicAttachment::Bridged { bridge: "lan0".to_owned() };
        assert!(run.run.nics.iter().all(|nic| nic.attachment == bridged));
    }
    let text = serde_json::to_string(&observed.records.values().map(|it| &it.applied).collect::<Vec<_>>());
    let text = text.unwrap();
    assert!(!text.contains("\"lan\"") && !text.contains("\"slow\""), "{text}");
}

#[track_caller]
fn is_settled(host: &Memory, desired: &Desired) {
    for goal in [Goal::Site(desired), Goal::Recorded] {
        let left = planned(host, &goal, &options());
        assert!(left.is_empty() && left.pending.is_empty(), "{}", shown(&left));
    }
}

#[test]
fn a_renamed_network_and_pool_take_along_what_is_on_them_and_nothing_is_stopped() {
    let host = host();
    let (model, running) = (host.host(), pids(&host));
    let plan = converge(&host, &Goal::Site(&renamed()), &options());
    assert_golden("tests/it/plans/renamed-on-host.txt", &shown(&plan));
    assert!(plan.steps.iter().all(|step| matches!(step.action, Action::Rename { .. })), "{}", shown(&plan));
    assert_eq!(pids(&host), running);
    has_only_new_names(&host);
    let roots = host.host().roots;
    for (uuid, before) in model.roots {
        let now = &roots[&uuid];
        assert_eq!(
            (&now.identity, &now.written, &now.persisted),
            (&before.identity, &before.written, &before.persisted)
        );
    }
    // It may stay in the manifest.
    is_settled(&host, &renamed());
    is_settled(&host, &site(Names { network: "lan0", pool: "fast" }));
    // And back.
    let back = site(Names { network: "lan, renamedFrom: lan0", pool: "slow, renamedFrom: fast" });
    converge(&host, &Goal::Site(&back), &options());
    assert_eq!(pids(&host), running);
    is_settled(&host, &back);
}

#[test]
fn on_a_host_that_never_had_it_it_is_made() {
    let host = server();
    converge(&host, &Goal::Site(&renamed()), &options());
    has_only_new_names(&host);
    is_settled(&host, &renamed());
}

#[test]
fn a_rename_comes_before_all_that_else_changes_and_goes() {
    let host = host();
    let more = "---\nkind: Container\nmetadata: {name: old, deletion: delete}\nspec: {image: tiny, profiles: [on]}\n";
    converge(&host, &Goal::Site(&site_with(BEFORE, "ipv4.nat: true", more)), &options());
    let running = pids(&host).len();
    let names = Names { network: "lan0, renamedFrom: lan", pool: "fast, renamedFrom: slow" };
    let after = site_with(names, "ipv4.nat: false", "");
    let plan = converge(&host, &Goal::Site(&after), &options());
    let first: Vec<String> = plan.steps[..2].iter().map(|step| step.key.to_string()).collect();
    assert_eq!(first, ["storagepool/fast", "network/lan0"], "{}", shown(&plan));
    let last = plan.steps[1].id;
    for step in &plan.steps[2..] {
        let own = plan.steps.iter().filter(|other| step.after.contains(&other.id));
        assert!(step.after.contains(&last) || own.map(|it| &it.key).any(|key| *key == step.key));
    }
    has_only_new_names(&host);
    assert_eq!(host.host().roots.len(), 2, "{}", shown(&plan));
    assert_eq!(pids(&host).len(), running - 1);
    is_settled(&host, &after);
}

#[test]
fn drift_of_a_renamed_network_is_told_and_mended_beside() {
    let host = host();
    host.set_bridge_down("lan");
    host.flush_rules();
    let plan = planned(&host, &Goal::Site(&renamed()), &options());
    let of_network: Vec<&Action> =
        plan.steps.iter().filter(|step| step.key == Key::network("lan0")).map(|step| &step.action).collect();
    assert!(matches!(of_network[..], [Action::Rename { .. }, Action::EnsureNetwork(_)]), "{}", shown(&plan));
    assert!(shown(&plan).contains("bridge lan0 is down"), "{}", shown(&plan));
    converge(&host, &Goal::Site(&renamed()), &options());
    has_only_new_names(&host);
    // Without a bridge the record moves, and the bridge is made anew.
    host.delete_bridge("lan0");
    let back = site(Names { network: "lan, renamedFrom: lan0", pool: "fast" });
    converge(&host, &Goal::Site(&back), &options());
    is_settled(&host, &back);
}

/// What the planner says of it.
fn refusals(host: &Memory, desired: &Desired) -> Vec<(&'static str, String)> {
    match propose(host, &Goal::Site(desired), &options()) {
        Err(PassError::Plan(Error::Findings(findings))) => {
            findings.into_iter().map(|finding| (finding.code, finding.message)).collect()
        }
        other => panic!("{other:#?}"),
    }
}

#[test]
fn a_name_that_something_else_on_the_host_has_is_refused() {
    let host = host();
    host.edit_host(|model| {
        model.networks.insert("lan0".to_owned(), NetworkFacts { ours: false, ..NetworkFacts::default() });
        let slow = model.pools["slow"].clone();
        model.pools.insert("fast".to_owned(), slow);
    });
    let before = host.host();
    let link = "network/lan0 is renamed from network/lan, and the host has another link lan0";
    let pool = "storagepool/fast is renamed from storagepool/slow, and the host has another pool fast";
    let expected = [("renamed-taken", link.to_owned()), ("renamed-taken", pool.to_owned())];
    let mut said = refusals(&host, &renamed());
    said.sort();
    assert_eq!(said, expected);
    assert_eq!(host.host(), before);
}

#[test]
fn a_rename_onto_an_object_that_is_in_service_is_refused_though_both_are_alike() {
    let host = server();
    let both = site_with(BEFORE, "", "---\nkind: StoragePool\nmetadata: {name: fast}\nspec: {driver: dir}\n");
    converge(&host, &Goal::Site(&both), &options());
    let said = refusals(&host, &site(Names { network: "lan", pool: "fast, renamedFrom: slow" }));
    let both =
        "storagepool/fast is renamed from storagepool/slow, and another storagepool/fast is there beside it";
    assert!(said.contains(&("renamed-taken", both.to_owned())), "{said:?}");
}

#[test]
fn what_another_site_names_is_not_renamed() {
    let host = host();
    let mut record = look(&host).records[&Key::container("db")].clone();
    record.owner = Owner::Site("core".to_owned());
    host.records().put(&Key::container("core-1"), &record).unwrap();
    let network = "network/lan0 is renamed from network/lan, which container/core-1 of site core names, too";
    let pool =
        "storagepool/fast is renamed from storagepool/slow, which container/core-1 of site core names, too";
    let said = refusals(&host, &renamed());
    for expected in [network, pool] {
        assert!(said.contains(&("renamed-used", expected.to_owned())), "{said:?}");
    }
}

#[test]
fn a_built_in_name_that_is_still_referred_to_is_not_renamed() {
    let load = |name: &str| {
        let text = format!(
            "apiVersion: bayplan/v1\nkind: Site\nmetadata: {{name: edge}}\n---\nkind: Network\nmetadata: {{name: {name}}}\n\
             spec: {{type: bridge, config: {{ipv4.address: 10.73.2.1/24}}}}\n---\nkind: Image\nmetadata: {{name: tiny}}\n\
             spec: {{source: {{busybox: {{}}}}}}\n---\nkind: Container\nmetadata: {{name: web}}\nspec: {{image: tiny}}\n"
        );
        load_text(&text).unwrap().desired
    };
    let host = server();
    converge(&host, &Goal::Site(&load("bay0")), &options());
    let said = refusals(&host, &load("lan, renamedFrom: bay0"));
    let expected = "network/lan is renamed from network/bay0, which profile/default still names";
    assert_eq!(said, [("renamed-used", expected.to_owned())]);
}

#[test]
fn a_pool_whose_folder_is_a_mount_point_keeps_its_name_unless_it_has_a_source() {
    let host = host();
    host.edit_host(|model| model.pools.get_mut("slow").unwrap().is_mount_point = true);
    let said = refusals(&host, &renamed());
    assert!(said[0].0 == "refused" && said[0].1.contains("is a mount point"), "{said:?}");
    // Where the manifest names the folder, it stays.
    let load = |name: &str| {
        let text = format!(
            "apiVersion: bayplan/v1\nkind: StoragePool\nmetadata: {{name: {name}}}\nspec: {{driver: dir, source: /srv/pool}}\n"
        );
        load_text(&text).unwrap().desired
    };
    let host = server();
    converge(&host, &Goal::Site(&load("a")), &options());
    host.edit_host(|model| model.pools.get_mut("a").unwrap().is_mount_point = true);
    converge(&host, &Goal::Site(&load("b, renamedFrom: a")), &options());
    assert_eq!(host.host().pools["b"].source, "/srv/pool");
    is_settled(&host, &load("b, renamedFrom: a"));
}

#[test]
fn parked_and_held_containers_and_replaced_roots_follow() {
    let host = host();
    converge(&host, &Goal::Park([Key::container("web")].into()), &options());
    let after = site(Names { network: "lan0, renamedFrom: lan", pool: "fast, renamedFrom: slow" });
    converge(&host, &Goal::Site(&after), &options());
    is_settled(&host, &after);
    let model = host.host();
    let web = model.roots.values().find(|root| root.identity.key == Key::container("web")).unwrap();
    assert!(
        web.pool == "fast"
            && web.written.contains("/own")
            && web.persisted["/var/lib/a"].contains("/var/lib/a/own")
    );
}

#[test]
fn networks_and_pools_that_vanish_and_come_alike_are_proposed() {
    let host = host();
    let after = site(Names { network: "lan0", pool: "slow" });
    let plan = planned(&host, &Goal::Site(&after), &options());
    let text = plan_text(&plan, TextOptions::default());
    assert_golden("tests/it/plans/perhaps-renamed-network.txt", &text);
    let other = site_with(Names { network: "lan0", pool: "slow" }, "ipv4.nat: false", "");
    assert!(planned(&host, &Goal::Site(&other), &options()).warnings.is_empty(), "not alike");
}

#[test]
fn a_rename_that_was_cut_short_within_its_step_is_finished_by_whoever_comes_next() {
    let pairs = [(Key::network("lan"), Key::network("lan0")), (Key::pool("slow"), Key::pool("fast"))];
    for heals in [false, true] {
        let host = host();
        let running = pids(&host);
        for (from, to) in &pairs {
            let record = look(&host).records[from].clone();
            rename::begin(host.records(), &record, (from, to), "test").unwrap();
            // A machine that goes down forgets that the old record went.
            host.records().put(from, &record).unwrap();
        }
        if heals {
            converge(&host, &Goal::Recorded, &options());
            has_only_new_names(&host);
        }
        let plan = converge(&host, &Goal::Site(&renamed()), &options());
        assert!(
            plan.steps.iter().all(|step| matches!(step.action, Action::Rename { .. })),
            "{}",
            shown(&plan)
        );
        has_only_new_names(&host);
        assert_eq!(pids(&host), running);
        is_settled(&host, &renamed());
    }
}

#[test]
fn a_verb_on_what_is_on_it_finishes_a_rename_first_and_a_deletion_finds_all_of_it() {
    let begun = || {
        let host = host();
        for (from, to) in
            [(Key::network("lan"), Key::network("lan0")), (Key::pool("slow"), Key::pool("fast"))]
        {
            let record = look(&host).records[&from].clone();
            rename::begin(host.records(), &record, (&from, &to), "test").unwrap();
        }
        host
    };
    let host = begun();
    let web = || Goal::Restart([Key::container("web")].into());
    let plan = planned(&host, &web(), &options());
    let changed = plan.objects.iter().filter(|(_, change)| change.after.is_none());
    assert_eq!(changed.count(), 0, "{}", shown(&plan));
    assert!(carry_out(&host, &plan, 1).is_done(), "{}", shown(&plan));
    has_only_new_names(&host);
    is_settled(&host, &renamed());

    let host = begun();
    let all: BTreeSet<Key> =
        look(&host).records.keys().filter(|key| key.kind != Kind::Site).cloned().collect();
    converge(&host, &Goal::Delete(all), &options());
    let left = host.host();
    assert!(left.networks.is_empty() && left.pools.is_empty() && left.roots.is_empty(), "{left:#?}");
}

#[test]
fn what_is_not_established_yet_is_renamed_in_its_record() {
    let host = server();
    let plan = planned(&host, &Goal::Site(&site(BEFORE)), &options());
    // Its record is written, and no more.
    let at = plan.steps.iter().position(|step| matches!(step.action, Action::EnsureNetwork(_))).unwrap();
    let fault = Fault::Crash { at: at as u64, side: Side::Before };
    carry_out(&Faulty::new(&host, fault), &plan, 1);
    let record = look(&host).records[&Key::network("lan")].clone();
    assert!(record.applied.is_none() && matches!(record.desired.unwrap().spec, Spec::Network(_)));
    converge(&host, &Goal::Site(&renamed()), &options());
    has_only_new_names(&host);
    is_settled(&host, &renamed());
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_rename_that_is_cut_short_between_steps_is_made_good(at in 0_u64..8, after in any::<bool>(), crash in any::<bool>(), heal in any::<bool>()) {
        let host = host();
        let running = pids(&host);
        let side = if after { Side::After } else { Side::Before };
        let fault = if crash { Fault::Crash { at, side } } else { Fault::Once { at, side } };
        let names = Names { network: "lan0, renamedFrom: lan", pool: "fast, renamedFrom: slow" };
        let desired = site_with(names, "ipv4.nat: false", "");
        let plan = planned(&host, &Goal::Site(&desired), &options());
        carry_out(&Faulty::new(&host, fault), &plan, 2);
        if heal {
            converge(&host, &Goal::Recorded, &options());
        }
        converge(&host, &Goal::Site(&desired), &options());
        has_only_new_names(&host);
        prop_assert_eq!(pids(&host), running);
        is_settled(&host, &desired);
    }
}
