//! Pruning of what rendering makes: members of sets, objects that are placed elsewhere, files and secrets inside.

use crate::prune::*;
use crate::reconcile_support::*;
use crate::spec_load::text;
use bayplan::model::desired::Desired;
use bayplan::model::key::{Key, Kind};
use bayplan::model::prune::Deletion;
use bayplan::reconcile::goal::{DeletionApproval, Goal};
use bayplan::reconcile::propose;
use bayplan::reconcile::render::plan_json;
use bayplan::spec::{LoadContext, RenderFor, load, load_hosts};

/// Site `edge` with a set of so many runners; `metadata` is the set's besides its name.
fn runners(prune: &str, count: usize, metadata: &str) -> String {
    let spec = format!("{{replicas: {count}, name: \"runner-{{index:02}}\", template: {{image: tiny}}}}");
    site_of("edge", prune) + &image() + &document("ContainerSet", &format!("runner{metadata}"), &spec)
}

fn runner(index: usize) -> Key {
    Key::container(format!("runner-{index:02}"))
}

#[test]
fn a_smaller_set_is_one_intent_and_its_parked_members_are_members_no_more() {
    let host = host(&[&runners(AUTO, 14, "")]);
    let before = identity(&host, &runner(13));
    let plan = converge(&host, &Goal::Site(&desired(&runners(AUTO, 4, ""))), &options());
    golden("set-smaller", &plan);
    let intents: Vec<_> = plan.prune.iter().map(|intent| (intent.set.clone(), intent.count)).collect();
    assert_eq!(intents, [(Some(Key::set("runner")), 10)]);
    assert!(!runs(&host, &runner(13)) && root_of(&host, &runner(13)).is_some());
    let again = plan_of(&host, &runners(AUTO, 4, ""), &options());
    assert!(again.is_empty() && again.sets.is_empty() && again.parked.len() == 10, "{again:#?}");
    golden("set-parked", &again);
    // Larger again: those that are parked come back, the rest is new.
    let plan = converge(&host, &Goal::Site(&desired(&runners(AUTO, 15, ""))), &options());
    assert_eq!((plan.summary().undelete, plan.summary().create), (10, 1));
    golden("set-larger", &plan);
    assert_eq!(identity(&host, &runner(13)), before);
    assert!(runs(&host, &runner(13)) && runs(&host, &runner(14)));
    let again = plan_of(&host, &runners(AUTO, 15, ""), &options());
    assert!(again.is_empty() && again.sets.is_empty() && again.parked.is_empty(), "{again:#?}");
}

#[test]
fn a_smaller_set_waits_for_its_confirmation_and_says_so() {
    let confirm = "{max: 100%}";
    let host = host(&[&runners(confirm, 6, "")]);
    let plan = plan_of(&host, &runners(confirm, 2, ""), &options());
    assert!(plan.is_empty() && plan.pending.len() == 4, "{plan:#?}");
    golden("set-confirm", &plan);
    assert_eq!(plan_json(&plan)["sets"][0]["removed"].as_array().unwrap().len(), 4);
    let named = plan_of(&host, &runners(confirm, 2, ""), &allowing(DeletionApproval::AtMost(3)));
    assert_eq!(named.guards.len(), 1);
    let plan = plan_of(&host, &runners(confirm, 2, ""), &allowing(DeletionApproval::AtMost(4)));
    assert_eq!((plan.guards.len(), plan.summary().park), (0, 4));
    golden("set-off", &plan_of(&host, &runners("{mode: off}", 2, ""), &options()));
}

#[test]
fn a_sets_deletion_is_its_members() {
    for (deletion, way) in
        [("park", Deletion::Park), ("delete", Deletion::Delete), ("retain", Deletion::Retain)]
    {
        let with = |count| runners(AUTO, count, &format!(", deletion: {deletion}"));
        let host = host(&[&with(3)]);
        let plan = converge(&host, &Goal::Site(&desired(&with(1))), &options());
        assert_eq!((plan.prune[0].way, plan.prune[0].count, plan.prune.len()), (way, 2, 1));
        assert_eq!(root_of(&host, &runner(2)).is_some(), way != Deletion::Delete);
        assert_eq!(look(&host).records.contains_key(&runner(2)), way == Deletion::Park);
        assert_eq!(runs(&host, &runner(2)), way == Deletion::Retain);
        assert!(runs(&host, &runner(0)));
        let again = plan_of(&host, &with(1), &options());
        assert!(again.is_empty() && again.sets.is_empty(), "{again:#?}");
    }
}

#[test]
fn a_set_that_moves_to_a_site_of_another_name_keeps_its_members() {
    let host = host(&[&runners(AUTO, 3, "")]);
    let moved = runners(AUTO, 2, "").replace("{name: edge}", "{name: shore, movedFromSite: edge}");
    let plan = converge(&host, &Goal::Site(&desired(&moved)), &options());
    assert_eq!((plan.sets[0].before, plan.sets[0].after, plan.sets[0].added.len()), (3, 2, 0));
    assert_eq!(plan.sets[0].removed, [runner(2)]);
    assert!(plan_of(&host, &moved, &options()).sets.is_empty());
}

/// A load for two hosts: `web-1` is on both, `web-2` and its network on one.
fn placed(on: &str) -> String {
    let place = format!("placement: {{hosts: [{on}]}}");
    site_of("edge", AUTO)
        + &document("Host", "a", "{}")
        + &document("Host", "b", "{}")
        + &image()
        + &web("web-1")
        + &document("Network", "bay1", &format!("{{config: {{ipv4.address: 10.77.0.1/24}}, {place}}}"))
        + &document(
            "Container",
            "web-2",
            &format!("{{image: tiny, devices: {{eth0: {{network: bay1}}}}, {place}}}"),
        )
}

fn rendered(host: &str, source: &str) -> Desired {
    let context = LoadContext { render_for: RenderFor::Named(host.to_owned()), ..LoadContext::new("amd64") };
    load(&[text("site.yaml", source)], &context).unwrap_or_else(|findings| panic!("{findings:#?}")).desired
}

#[test]
fn what_is_placed_elsewhere_now_is_pruned_here_within_the_guards() {
    let (host_a, host_b) = (server(), server());
    converge(&host_a, &Goal::Site(&rendered("a", &placed("a"))), &options());
    converge(&host_b, &Goal::Site(&rendered("b", &placed("a"))), &options());
    assert!(runs(&host_a, &Key::container("web-2")) && !runs(&host_b, &Key::container("web-2")));
    // Looking at the load as it is for the other host is no apply of it.
    let all = load_hosts(&[text("site.yaml", &placed("b"))], "amd64").unwrap();
    assert_eq!(all.hosts.len(), 2);
    let strict = placed("b").replace(AUTO, "{mode: auto, max: 1}");
    let guarded = planned(&host_a, &Goal::Site(&rendered("a", &strict)), &options());
    assert_eq!(guarded.guards.len(), 1, "{guarded:#?}");
    let plan = converge(&host_a, &Goal::Site(&rendered("a", &placed("b"))), &options());
    let told: Vec<&Key> = plan.prune.iter().flat_map(|intent| &intent.keys).collect();
    assert_eq!(told, [&Key::network("bay1"), &Key::container("web-2")]);
    assert!(look(&host_a).records[&Key::container("web-2")].parked.is_some());
    assert!(runs(&host_a, &Key::container("web-1")));
    let plan = converge(&host_b, &Goal::Site(&rendered("b", &placed("b"))), &options());
    assert!(plan.prune.is_empty() && runs(&host_b, &Key::container("web-2")));
    // And back: the same container, not another one.
    let before = identity(&host_a, &Key::container("web-2"));
    converge(&host_a, &Goal::Site(&rendered("a", &placed("a"))), &options());
    assert_eq!(identity(&host_a, &Key::container("web-2")), before);
}

#[test]
fn a_load_that_is_for_other_hosts_never_gets_as_far_as_pruning() {
    let source = placed("a").replace("{prune: ", "{targets: [a], prune: ");
    let context = LoadContext { render_for: RenderFor::Named("b".to_owned()), ..LoadContext::new("amd64") };
    assert_eq!(load(&[text("site.yaml", &source)], &context).unwrap_err()[0].code, "other-host");
}

/// A container with a file and a secret variable.
fn with_contents(name: &str) -> String {
    let spec = "{image: tiny, files: {/etc/app: {content: one}}, environment: {KEY: {secretRef: key}}}";
    document("Container", name, spec)
}

#[test]
fn the_files_of_a_parked_container_are_left_alone_until_it_comes_back() {
    let secret = document("Secret", "key", "{env: KEY}");
    let whole = site_of("edge", AUTO) + &image() + &web("web-1") + &secret + &with_contents("web-2");
    let less = site_of("edge", AUTO) + &image() + &web("web-1");
    let key = Key::container("web-2");
    for by_hand in [true, false] {
        let host = host(&[&whole]);
        let plan = converge(&host, &Goal::Site(&desired(&less)), &options());
        assert!(words(&plan).contains(&"park key".to_owned()), "the secret comes back with it: {plan:#?}");
        assert!(host.remove_file(&key, "/etc/app"));
        host.edit_host(|host| {
            host.lost_contents.extend(["secret key (environment variable KEY)".to_owned()]);
        });
        for goal in [Goal::Recorded, Goal::Site(&desired(&less))] {
            let plan = planned(&host, &goal, &options());
            assert!(plan.is_empty() && plan.broken.is_empty(), "{plan:#?}");
        }
        let back = desired(&whole);
        let goal = if by_hand { Goal::Undelete([key.clone()].into()) } else { Goal::Site(&back) };
        let said = match propose(&host, &goal, &options()) {
            // It comes back and is repaired, and cannot start for now.
            Ok(plan) => plan.broken.into_iter().map(|broken| broken.message).collect(),
            Err(error) => message(error),
        };
        assert!(said.contains("environment variable KEY"), "{said}");
        host.edit_host(|host| host.lost_contents.clear());
        let words = words(&converge(&host, &goal, &options()));
        let place = |step: &str| words.iter().position(|word| word == step);
        assert!(place("write file /etc/app web-2").is_some(), "{words:?}");
        assert!(place("write file /etc/app web-2") < place("start web-2"), "{words:?}");
        assert!(runs(&host, &key) && planned(&host, &Goal::Recorded, &options()).is_empty());
    }
}

#[test]
fn a_secret_that_nothing_uses_goes_at_once_and_a_parked_one_with_what_needs_it() {
    let secret = document("Secret", "key", "{env: KEY}");
    let unused = document("Secret", "other", "{env: OTHER}");
    let whole =
        site_of("edge", AUTO) + &image() + &web("web-1") + &secret + &unused + &with_contents("web-2");
    let less = site_of("edge", AUTO) + &image() + &web("web-1");
    let host = host(&[&whole]);
    converge(&host, &Goal::Site(&desired(&less)), &options());
    assert!(!look(&host).records.contains_key(&Key::secret("other")));
    assert!(look(&host).records[&Key::secret("key")].parked.is_some());
    converge(&host, &Goal::Recorded, &at(8 * DAY));
    let records = look(&host).records;
    assert!(records.keys().all(|key| key.kind != Kind::Secret), "{:?}", records.keys());
}
