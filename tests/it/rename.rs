//! Objects that have another name now: they stay what they are.

use crate::golden::assert_golden;
use crate::properties::cases;
use crate::reconcile_support::*;
use crate::spec_load::load_text;
use bayplan::driver::faulty::{Fault, Faulty, Side};
use bayplan::driver::memory::Memory;
use bayplan::model::desired::Desired;
use bayplan::model::key::Key;
use bayplan::model::object::Power;
use bayplan::model::record::Owner;
use bayplan::model::step::{Action, Class};
use bayplan::reconcile::goal::{Goal, HoldTerms, PlanOptions};
use bayplan::reconcile::plan::{Error, Plan};
use bayplan::reconcile::render::{TextOptions, plan_text};
use bayplan::reconcile::{Error as PassError, propose};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// A site with these container documents: metadata and spec in flow style without braces.
fn site(containers: &[(&str, &str)]) -> Desired {
    let mut text = "apiVersion: bayplan/v1\nkind: Site\nmetadata: {name: edge}\n---\nkind: Image\nmetadata: {name: tiny}\n\
                    spec: {source: {busybox: {}}}\n"
        .to_owned();
    for (metadata, spec) in containers {
        text += &format!("---\nkind: Container\nmetadata: {{{metadata}}}\nspec: {{image: tiny, {spec}}}\n");
    }
    load_text(&text).unwrap().desired
}

const WEB: &str = "config: {limits.memory: 512MiB}, files: {/etc/motd: {content: hello}}";

fn text(plan: &Plan) -> String {
    plan_text(plan, TextOptions { steps: true, ..TextOptions::default() })
}

/// A host that has `front`, and `app`, which depends on it.
fn host() -> Memory {
    let host = server();
    let before = site(&[("name: front", WEB), ("name: app", "dependsOn: [front]")]);
    converge(&host, &Goal::Site(&before), &options());
    host
}

fn renamed() -> Desired {
    site(&[("name: web-1, renamedFrom: front", WEB), ("name: app", "dependsOn: [web-1]")])
}

fn front() -> Key {
    Key::container("front")
}

fn web() -> Key {
    Key::container("web-1")
}

#[test]
fn a_renamed_container_keeps_all_and_is_not_stopped() {
    let host = host();
    let (before, record) = (host.host(), look(&host).records[&front()].clone());
    let plan = planned(&host, &Goal::Site(&renamed()), &options());
    assert_golden("tests/it/plans/renamed.txt", &text(&plan));
    assert!(
        !plan.steps.iter().any(|step| matches!(step.action, Action::Stop { .. } | Action::DeleteRoot { .. }))
    );
    converge(&host, &Goal::Site(&renamed()), &options());
    let after = look(&host);
    assert!(!after.records.contains_key(&front()));
    assert_eq!(after.records[&web()].identity, record.identity);
    assert_eq!(after.records[&web()].files, record.files);
    let uuid = record.identity.unwrap().uuid;
    assert_eq!(after.containers[&uuid].root.as_ref().unwrap().identity.key, web());
    assert_eq!(after.containers[&uuid].run.as_ref().unwrap().pid, before.runs[&uuid].pid);
    // The host name inside is taken with the next start: that waits.
    let left = planned(&host, &Goal::Site(&renamed()), &options());
    assert!(
        left.is_empty() && left.pending.len() == 1 && left.pending[0].class == Class::Restart,
        "{left:#?}"
    );
    converge(&host, &Goal::Site(&renamed()), &PlanOptions { allow_restart: true, ..options() });
    assert_eq!(look(&host).containers[&uuid].run.as_ref().unwrap().run.hostname, "web-1");
    // It may stay in the manifest.
    let left = planned(&host, &Goal::Site(&renamed()), &options());
    assert!(left.is_empty() && left.pending.is_empty(), "{left:#?}");
    assert!(planned(&host, &Goal::Recorded, &options()).is_empty());
}

#[test]
fn a_hold_goes_along() {
    let host = host();
    let until = Some(jiff::Timestamp::from_second(SECOND + 3600).unwrap());
    converge(
        &host,
        &Goal::Power {
            keys: [front()].into(),
            power: Power::Stopped,
            hold: HoldTerms { until, reason: None },
        },
        &options(),
    );
    converge(&host, &Goal::Site(&renamed()), &options());
    let plan = planned(&host, &Goal::Site(&renamed()), &options());
    assert!(plan.is_empty() && plan.holds.len() == 1 && plan.holds[0].key == web(), "{plan:#?}");
    assert_eq!(host.host().runs.len(), 1, "it is held");
}

#[test]
fn a_lost_state_folder_gives_it_back_under_its_new_name() {
    let host = host();
    converge(&host, &Goal::Site(&renamed()), &options());
    let before = host.host();
    host.lose_records().unwrap();
    converge(&host, &Goal::Site(&renamed()), &options());
    assert_eq!(host.host().roots, before.roots);
}

#[test]
fn on_a_host_that_never_had_it_it_is_made() {
    let host = server();
    converge(&host, &Goal::Site(&renamed()), &options());
    assert!(planned(&host, &Goal::Site(&renamed()), &options()).is_empty());
}

#[test]
fn another_sites_object_is_not_taken_by_a_rename() {
    let host = host();
    let mut record = look(&host).records[&front()].clone();
    record.owner = Owner::Site("other".to_owned());
    host.records().put(&front(), &record).unwrap();
    match propose(&host, &Goal::Site(&renamed()), &options()) {
        Err(PassError::Plan(error)) => {
            let said = error.to_string();
            assert!(
                said.contains("container/web-1 is renamed from container/front, which belongs to site other"),
                "{said}"
            );
        }
        other => panic!("{other:#?}"),
    }
}

#[test]
fn a_rename_onto_a_name_that_is_in_service_is_refused_and_names_both() {
    let host = server();
    let both = site(&[("name: front", WEB), ("name: web-1", ""), ("name: app", "")]);
    converge(&host, &Goal::Site(&both), &options());
    let records = look(&host).records;
    match propose(&host, &Goal::Site(&renamed()), &options()) {
        Err(PassError::Plan(Error::Findings(findings))) => {
            let said: Vec<(&str, &str)> =
                findings.iter().map(|finding| (finding.code, finding.message.as_str())).collect();
            let both = "container/web-1 is renamed from container/front, and another container/web-1 is there beside it";
            assert_eq!(said, [("renamed-taken", both)]);
            assert!(findings[0].place.is_some() && findings[0].help.is_some());
        }
        other => panic!("{other:#?}"),
    }
    converge(&host, &Goal::Delete([web()].into()), &options());
    converge(&host, &Goal::Site(&renamed()), &options());
    assert_eq!(look(&host).records[&web()].identity, records[&front()].identity);
}

#[test]
fn a_rename_onto_the_name_of_what_is_parked_is_refused_until_that_is_gone() {
    let host = server();
    let both = site(&[("name: front", WEB), ("name: web-1", ""), ("name: app", "")]);
    converge(&host, &Goal::Site(&both), &options());
    converge(&host, &Goal::Park([web()].into()), &options());
    let uuid = look(&host).records[&front()].identity.as_ref().unwrap().uuid;
    match propose(&host, &Goal::Site(&renamed()), &options()) {
        Err(PassError::Plan(error)) => {
            let said = error.to_string();
            assert!(said.contains("and another container/web-1 is parked until"), "{said}");
        }
        other => panic!("{other:#?}"),
    }
    converge(&host, &Goal::Delete([web()].into()), &options());
    converge(&host, &Goal::Site(&renamed()), &options());
    assert_eq!(look(&host).records[&web()].identity.as_ref().unwrap().uuid, uuid);
}

#[test]
fn what_vanishes_and_comes_alike_is_proposed() {
    let host = host();
    let other = site(&[("name: web-1", WEB), ("name: app", "")]);
    let plan = planned(&host, &Goal::Site(&other), &options());
    assert_golden("tests/it/plans/perhaps-renamed.txt", &plan_text(&plan, TextOptions::default()));
    // Not alike, or two that are alike: nobody knows.
    for unlike in [
        site(&[("name: web-1", "config: {limits.memory: 1GiB}"), ("name: app", "")]),
        site(&[("name: web-1", WEB), ("name: app", ""), ("name: front", WEB)]),
    ] {
        assert!(planned(&host, &Goal::Site(&unlike), &options()).warnings.is_empty());
    }
}

#[test]
fn images_profiles_and_secrets_are_renamed_in_their_records() {
    let load = |image: &str, profile: &str, secret: &str, names: [&str; 3]| {
        let text = format!(
            "apiVersion: bayplan/v1\nkind: Site\nmetadata: {{name: edge}}\nspec: {{prune: {{mode: auto, max: 100%}}}}\n\
             ---\nkind: Image\nmetadata: {{{image}}}\nspec: {{source: {{busybox: {{}}}}}}\n\
             ---\nkind: Profile\nmetadata: {{{profile}}}\nspec: {{config: {{user.a: b}}}}\n\
             ---\nkind: Secret\nmetadata: {{{secret}}}\nspec: {{env: TOKEN}}\n\
             ---\nkind: Container\nmetadata: {{name: web-1}}\nspec: {{image: {}, profiles: [default, {}], \
             environment: {{TOKEN: {{secretRef: {}}}}}}}\n",
            names[0], names[1], names[2]
        );
        load_text(&text).unwrap().desired
    };
    let host = server();
    let before = load("name: a", "name: p", "name: s", ["a", "p", "s"]);
    converge(&host, &Goal::Site(&before), &options());
    let model = host.host();
    let after = load(
        "name: b, renamedFrom: a",
        "name: q, renamedFrom: p",
        "name: t, renamedFrom: s",
        ["b", "q", "t"],
    );
    converge(&host, &Goal::Site(&after), &options());
    let (now, observed) = (host.host(), look(&host));
    assert_eq!((now.images, now.roots), (model.images, model.roots));
    let pids = |runs: BTreeMap<_, bayplan::model::observed::RunFacts>| {
        runs.into_values().map(|run| run.pid).collect::<Vec<_>>()
    };
    assert_eq!(pids(now.runs), pids(model.runs));
    for gone in [Key::image("a"), Key::profile("p"), Key::secret("s")] {
        assert!(!observed.records.contains_key(&gone), "{gone}");
    }
    let plan = planned(&host, &Goal::Site(&after), &options());
    assert!(plan.is_empty() && plan.pending.is_empty() && plan.stale.is_empty(), "{plan:#?}");
}

/// A site with one set: metadata and spec in flow style without braces.
fn with_set(metadata: &str, spec: &str) -> Desired {
    let text = format!(
        "apiVersion: bayplan/v1\nkind: Site\nmetadata: {{name: edge}}\nspec: {{prune: {{mode: auto, max: 100%}}}}\n---\n\
         kind: Image\nmetadata: {{name: tiny}}\nspec: {{source: {{busybox: {{}}}}}}\n---\n\
         kind: ContainerSet\nmetadata: {{{metadata}}}\nspec: {{{spec}, template: {{image: tiny}}}}\n"
    );
    load_text(&text).unwrap().desired
}

/// Converges from one set to the other; the members' new names by their former ones, roots and inits kept.
#[track_caller]
fn members_keep_all(before: &Desired, after: &Desired, names: &[(&str, &str)]) {
    let host = server();
    converge(&host, &Goal::Site(before), &options());
    let (model, records) = (host.host(), look(&host).records);
    let plan = converge(&host, &Goal::Site(after), &options());
    assert!(plan.sets.is_empty() && plan.prune.is_empty(), "{:#?} {:#?}", plan.sets, plan.prune);
    let now = look(&host);
    for (former, name) in names {
        let identity = &records[&Key::container(*former)].identity;
        assert_eq!(now.records[&Key::container(*name)].identity, *identity, "{former} -> {name}");
    }
    assert!(host.host().roots.keys().eq(model.roots.keys()));
    let pids = |host: &Memory| host.host().runs.into_values().map(|run| run.pid).collect::<Vec<_>>();
    assert_eq!(pids(&host), model.runs.into_values().map(|run| run.pid).collect::<Vec<_>>());
    let left = planned(&host, &Goal::Site(after), &options());
    assert!(left.is_empty(), "{:#?}", left.steps);
    // A first apply on another host makes them as they are called now.
    let other = server();
    converge(&other, &Goal::Site(after), &options());
    assert!(planned(&other, &Goal::Site(after), &options()).is_empty());
}

#[test]
fn the_members_of_a_renamed_set_keep_their_roots() {
    let names = [("old-0", "new-0"), ("old-1", "new-1")];
    let old = with_set("name: old", "replicas: 2");
    members_keep_all(&old, &with_set("name: new, renamedFrom: old", "replicas: 2"), &names);
    // With a pattern of its own the set's name is in no member's; another pattern says the former one.
    let runners = |set: &str| with_set(set, "replicas: 2, name: \"runner-{index:02}\"");
    let same = [("runner-00", "runner-00"), ("runner-01", "runner-01")];
    members_keep_all(&runners("name: old"), &runners("name: new, renamedFrom: old"), &same);
    let worker =
        with_set("name: old, renamedFrom: \"runner-{index:02}\"", "replicas: 2, name: \"worker-{index}\"");
    members_keep_all(&runners("name: old"), &worker, &[("runner-00", "worker-0"), ("runner-01", "worker-1")]);
}

#[test]
fn a_member_with_another_key_keeps_its_root() {
    let before = with_set("name: s", "for: {a: {}, b: {}}");
    let after = with_set("name: s", "for: {c: {renamedFrom: a}, b: {}}");
    members_keep_all(&before, &after, &[("s-a", "s-c"), ("s-b", "s-b")]);
    let both = with_set("name: t, renamedFrom: s", "for: {c: {renamedFrom: a}, b: {}}");
    members_keep_all(&before, &both, &[("s-a", "t-c"), ("s-b", "t-b")]);
}

#[test]
fn a_renamed_set_that_shrinks_and_grows_loses_and_makes_only_those() {
    let host = server();
    converge(&host, &Goal::Site(&with_set("name: old", "for: {a: {}, b: {}}")), &options());
    let after = with_set("name: new, renamedFrom: old", "for: {b: {}, c: {}}");
    let plan = converge(&host, &Goal::Site(&after), &options());
    let parked: Vec<String> = plan.prune.iter().flat_map(|intent| &intent.keys).map(Key::to_string).collect();
    assert_eq!(parked, ["container/old-a"]);
    assert!(planned(&host, &Goal::Site(&after), &options()).is_empty());
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_rename_that_is_cut_short_is_made_good(at in 0_u64..8, after in any::<bool>(), crash in any::<bool>(), heal in any::<bool>()) {
        let host = host();
        let uuid = look(&host).records[&front()].identity.as_ref().unwrap().uuid;
        let side = if after { Side::After } else { Side::Before };
        let fault = if crash { Fault::Crash { at, side } } else { Fault::Once { at, side } };
        let approving = PlanOptions { allow_restart: true, ..options() };
        let plan = planned(&host, &Goal::Site(&renamed()), &approving);
        carry_out(&Faulty::new(&host, fault), &plan, 2);
        if heal {
            converge(&host, &Goal::Recorded, &options());
        }
        converge(&host, &Goal::Site(&renamed()), &approving);
        let observed = look(&host);
        prop_assert_eq!(observed.records[&web()].identity.as_ref().map(|identity| identity.uuid), Some(uuid));
        prop_assert!(!observed.records.contains_key(&front()));
        let left = planned(&host, &Goal::Site(&renamed()), &approving);
        prop_assert!(left.is_empty() && left.pending.is_empty(), "{:#?}", left.steps);
        prop_assert_eq!(host.host().roots.len(), 2);
    }
}
