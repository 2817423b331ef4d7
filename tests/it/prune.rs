//! What a site no longer declares: plans (`plans/prune-NAME.txt`), findings, and what becomes of the host.

use crate::golden::assert_golden;
use crate::reconcile_support::*;
use crate::spec_load::{load_text, text};
use bayplan::driver::faulty::{Fault, Faulty, Side};
use bayplan::driver::memory::Memory;
use bayplan::model::desired::Desired;
use bayplan::model::key::{Key, Kind};
use bayplan::model::observed::ExitCause;
use bayplan::model::prune::Deletion;
use bayplan::model::record::Identity;
use bayplan::reconcile::goal::{DeletionApproval, Goal, PlanOptions};
use bayplan::reconcile::plan::{Error as PlanError, Plan};
use bayplan::reconcile::render::{TextOptions, plan_json, plan_text, step_words};
use bayplan::reconcile::{Error, propose, reconcile};
use bayplan::spec::diagnostic::render_all;
use jiff::Timestamp;

/// Documents of the tests; each is `KIND NAME SPEC`, with metadata in braces behind the name where there is any.
pub fn document(kind: &str, metadata: &str, spec: &str) -> String {
    format!("apiVersion: bayplan/v1\nkind: {kind}\nmetadata: {{name: {metadata}}}\nspec: {spec}\n---\n")
}

pub fn site_of(name: &str, prune: &str) -> String {
    document("Site", name, &format!("{{prune: {prune}}}"))
}

pub fn image() -> String {
    document("Image", "tiny", "{source: {busybox: {}}}")
}

pub fn web(name: &str) -> String {
    document("Container", name, "{image: tiny}")
}

fn bay1() -> String {
    document("Network", "bay1", "{config: {ipv4.address: 10.77.0.1/24}}")
}

fn on_bay1(name: &str) -> String {
    document("Container", name, "{image: tiny, devices: {eth0: {network: bay1}}}")
}

pub fn desired(text: &str) -> Desired {
    load_text(text).unwrap_or_else(|findings| panic!("{findings:#?}")).desired
}

/// A host to which these texts were applied, one after the other.
pub fn host(texts: &[&str]) -> Memory {
    let host = server();
    for text in texts {
        converge(&host, &Goal::Site(&desired(text)), &options());
    }
    host
}

pub fn plan_of(host: &Memory, text: &str, options: &PlanOptions) -> Plan {
    planned(host, &Goal::Site(&desired(text)), options)
}

pub fn allowing(deletions: DeletionApproval) -> PlanOptions {
    PlanOptions { deletions, ..options() }
}

pub fn at(seconds: i64) -> PlanOptions {
    PlanOptions { now: Timestamp::from_second(SECOND + seconds).unwrap(), ..options() }
}

pub const DAY: i64 = 86_400;

#[track_caller]
pub fn golden(name: &str, plan: &Plan) {
    let text = plan_text(plan, TextOptions { steps: true, ..TextOptions::default() });
    assert_golden(&format!("tests/it/plans/prune-{name}.txt"), &text);
}

pub fn words(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(|step| format!("{} {}", step_words(&step.action), step.key.name)).collect()
}

pub fn identity(host: &Memory, key: &Key) -> Identity {
    look(host).records[key].identity.clone().unwrap()
}

/// The identity that stands beside a root, whatever records say.
pub fn root_of(host: &Memory, key: &Key) -> Option<Identity> {
    host.host().roots.into_values().find(|root| root.identity.key == *key).map(|root| root.identity.identity)
}

pub fn runs(host: &Memory, key: &Key) -> bool {
    host.host().runs.values().any(|run| run.run.key == *key)
}

pub fn message(error: Error) -> String {
    match error {
        Error::Plan(PlanError::Findings(findings)) => {
            findings.iter().map(|finding| finding.message.clone()).collect::<Vec<_>>().join("\n")
        }
        other => other.to_string(),
    }
}

/// Site `edge` with everything that this file prunes.
fn whole(prune: &str) -> String {
    site_of("edge", prune)
        + &image()
        + &document("StoragePool", "fast", "{driver: dir}")
        + &document("Profile", "plain", "{config: {user.note: x}}")
        + &bay1()
        + &web("web-1")
        + &web("web-2")
        + &on_bay1("web-3")
}

/// What is left of it.
fn less(prune: &str) -> String {
    site_of("edge", prune) + &image() + &web("web-1")
}

pub const CONFIRM: &str = "{}";
pub const AUTO: &str = "{mode: auto, max: 100%}";

#[test]
fn what_needs_a_confirmation_waits_for_it_and_the_rest_is_applied() {
    let host = host(&[&whole(CONFIRM)]);
    let text = less("{max: 5}").replace("{image: tiny}", "{image: tiny, config: {user.note: new}}");
    let plan = plan_of(&host, &text, &options());
    golden("confirm", &plan);
    assert_golden(
        "tests/it/plans/prune-confirm.json",
        &(serde_json::to_string_pretty(&plan_json(&plan)).unwrap() + "\n"),
    );
    converge(&host, &Goal::Site(&desired(&text)), &options());
    let again = plan_of(&host, &text, &options());
    assert!(again.is_empty() && again.exit_code() == 0 && again.pending.len() == 5, "{again:#?}");
    assert!(runs(&host, &Key::container("web-2")));
    for approval in [DeletionApproval::Confirmed, DeletionApproval::AtMost(5), DeletionApproval::Any] {
        assert!(words(&plan_of(&host, &text, &allowing(approval))).contains(&"park web-2".to_owned()));
    }
}

#[test]
fn auto_parks_containers_and_what_they_need_forgets_pools_and_deletes_the_rest() {
    let host = host(&[&whole(AUTO)]);
    let before = identity(&host, &Key::container("web-3"));
    let plan = converge(&host, &Goal::Site(&desired(&less(AUTO))), &options());
    golden("auto", &plan);
    assert!(!runs(&host, &Key::container("web-2")) && !runs(&host, &Key::container("web-3")));
    assert!(runs(&host, &Key::container("web-1")));
    assert_eq!(root_of(&host, &Key::container("web-3")), Some(before));
    let records = look(&host).records;
    assert!(records[&Key::network("bay1")].parked.is_some(), "what web-3 needs is kept with it");
    assert!(!records.contains_key(&Key::pool("fast")) && host.host().pools.contains_key("fast"));
    assert!(!records.contains_key(&Key::profile("plain")));
    let again = plan_of(&host, &less(AUTO), &options());
    assert!(again.is_empty(), "{:#?}", again.steps);
    golden("parked", &again);
}

#[test]
fn guards_stop_the_whole_apply_before_its_first_step() {
    let host = host(&[&whole("{mode: auto}")]);
    let text = less("{mode: auto}");
    let plan = plan_of(&host, &text, &options());
    golden("guard-max", &plan);
    assert_eq!(plan.exit_code(), 2);
    golden("guard-empty", &plan_of(&host, &site_of("edge", AUTO), &options()));
    let named = plan_of(&host, &text, &allowing(DeletionApproval::AtMost(2)));
    golden("guard-delete", &named);
    let before = (host.host(), look(&host).records);
    let wanted = desired(&text);
    let cancel = std::sync::atomic::AtomicBool::new(false);
    let apply_options = apply_options(&cancel);
    for options in [options(), allowing(DeletionApproval::AtMost(2)), allowing(DeletionApproval::Confirmed)] {
        let error = reconcile(&host, &Goal::Site(&wanted), &options, &apply_options).unwrap_err();
        assert!(matches!(error, Error::Guarded { .. }), "{error}");
        assert_eq!(before, (host.host(), look(&host).records));
    }
    for approval in [DeletionApproval::AtMost(5), DeletionApproval::Any] {
        assert!(plan_of(&host, &text, &allowing(approval)).guards.is_empty());
    }
    // A guard is about the load: it stands in its way even where a confirmation is missing too.
    let waiting = plan_of(&self::host(&[&whole(CONFIRM)]), &less(CONFIRM), &options());
    assert!(waiting.is_empty() && waiting.exit_code() == 2 && waiting.guards.len() == 1, "{waiting:#?}");
    // One object is within any share; an empty load that is meant says so.
    let one = plan_of(&host, &whole("{mode: auto, max: 1%}").replace(&web("web-2"), ""), &options());
    assert!(one.guards.is_empty(), "{:#?}", one.guards);
    let empty = site_of("edge", "{mode: auto, max: 100%, empty: allow}");
    assert!(plan_of(&host, &empty, &options()).guards.is_empty());
}

#[test]
fn a_declaration_brings_a_parked_container_back_as_it_was() {
    let host = host(&[&whole(AUTO)]);
    let key = Key::container("web-3");
    let before = identity(&host, &key);
    converge(&host, &Goal::Site(&desired(&less(AUTO))), &options());
    let plan = plan_of(&host, &whole(AUTO), &options());
    golden("undelete", &plan);
    assert_eq!(plan.summary().undelete, 3, "web-2, web-3, and bay1, which it needs");
    assert!(plan.steps.iter().all(|step| !step_words(&step.action).contains("root")), "{plan:#?}");
    converge(&host, &Goal::Site(&desired(&whole(AUTO))), &options());
    assert!(runs(&host, &key));
    assert_eq!((identity(&host, &key), root_of(&host, &key)), (before.clone(), Some(before)));
    assert!(plan_of(&host, &whole(AUTO), &options()).is_empty());
}

#[test]
fn undelete_by_hand_keeps_it_until_it_is_declared_again() {
    let host = host(&[&whole(AUTO)]);
    let key = Key::container("web-3");
    let before = identity(&host, &key);
    converge(&host, &Goal::Site(&desired(&less(AUTO))), &options());
    let plan = converge(&host, &Goal::Undelete([key.clone()].into()), &options());
    golden("undelete-by-hand", &plan);
    assert!(runs(&host, &key));
    assert_eq!(identity(&host, &key), before);
    // Nothing declares it, and nothing takes it; not even long after its time.
    for options in [options(), at(30 * DAY)] {
        for goal in [Goal::Recorded, Goal::Site(&desired(&less(AUTO)))] {
            let plan = planned(&host, &goal, &options);
            assert!(
                !words(&plan).iter().any(|step| step.contains("web-3") || step.contains("bay1")),
                "{plan:#?}"
            );
        }
    }
    let kept = plan_of(&host, &less(AUTO), &options());
    assert!(kept.is_empty());
    golden("undeleted", &kept);
    // Declared and removed again, it is pruned as any other.
    converge(&host, &Goal::Site(&desired(&whole(AUTO))), &options());
    assert!(words(&plan_of(&host, &less(AUTO), &options())).contains(&"park web-3".to_owned()));
    let error = propose(&host, &Goal::Undelete([key].into()), &options()).unwrap_err();
    assert_eq!(message(error), "container/web-3 is not parked");
}

#[test]
fn what_is_parked_goes_when_its_time_is_over_and_no_sooner() {
    let host = host(&[&whole(AUTO)]);
    let text = less("{mode: auto, max: 100%, grace: 2d}");
    converge(&host, &Goal::Site(&desired(&text)), &options());
    for goal in [Goal::Recorded, Goal::Site(&desired(&text))] {
        assert!(planned(&host, &goal, &at(2 * DAY - 1)).is_empty());
        assert!(words(&planned(&host, &goal, &at(2 * DAY))).contains(&"delete root web-3".to_owned()));
    }
    // Nothing has to be confirmed again, and no guard counts it: that was said when it was parked.
    let strict = less("{mode: confirm, max: 0}");
    let plan = plan_of(&host, &strict, &at(2 * DAY));
    golden("expired", &plan);
    assert!(plan.guards.is_empty() && plan.pending.is_empty());
    let only = PlanOptions { only: [Key::container("web-1")].into(), ..at(2 * DAY) };
    assert!(plan_of(&host, &strict, &only).is_empty());
    converge(&host, &Goal::Site(&desired(&strict)), &at(2 * DAY));
    assert_eq!(root_of(&host, &Key::container("web-3")), None);
    assert!(!look(&host).records.contains_key(&Key::network("bay1")));
    assert!(plan_of(&host, &strict, &at(2 * DAY)).is_empty());
}

#[test]
fn parking_that_is_interrupted_is_completed_and_loses_nothing() {
    let texts = (whole(AUTO), less(AUTO));
    for step in 0..12 {
        for side in [Side::Before, Side::After] {
            let host = host(&[&texts.0]);
            let before = root_of(&host, &Key::container("web-2"));
            let plan = plan_of(&host, &texts.1, &options());
            carry_out(&Faulty::new(&host, Fault::Crash { at: step, side }), &plan, 1);
            // Healing alone goes on with what was begun, and brings up nothing that is parked.
            let healed = host.host().runs.len();
            converge(&host, &Goal::Recorded, &options());
            assert!(host.host().runs.len() <= healed, "step {step} {side:?}");
            converge(&host, &Goal::Site(&desired(&texts.1)), &options());
            assert!(plan_of(&host, &texts.1, &options()).is_empty(), "step {step} {side:?}");
            assert_eq!(host.host().runs.len(), 1);
            assert_eq!(root_of(&host, &Key::container("web-2")), before);
            converge(&host, &Goal::Undelete([Key::container("web-2")].into()), &options());
            assert!(runs(&host, &Key::container("web-2")));
        }
    }
}

#[test]
fn deletion_says_how_one_object_goes() {
    let with = |deletion: &str| {
        site_of("edge", AUTO)
            + &image()
            + &document("Container", &format!("web-1, deletion: {deletion}"), "{image: tiny}")
            + &web("web-2")
    };
    let without = site_of("edge", AUTO) + &image() + &web("web-2");
    let key = Key::container("web-1");
    for (deletion, way) in
        [("park", Deletion::Park), ("delete", Deletion::Delete), ("retain", Deletion::Retain)]
    {
        let host = host(&[&with(deletion)]);
        let plan = converge(&host, &Goal::Site(&desired(&without)), &options());
        assert_eq!(plan.prune[0].way, way);
        assert_eq!(root_of(&host, &key).is_some(), way != Deletion::Delete);
        assert_eq!(runs(&host, &key), way == Deletion::Retain);
        assert_eq!(look(&host).records.contains_key(&key), way == Deletion::Park);
        assert!(plan_of(&host, &without, &options()).is_empty());
        // What was retained is adopted as it stands once it is declared again.
        let pid = host.host().runs.values().find(|run| run.run.key == key).map(|run| run.pid);
        converge(&host, &Goal::Site(&desired(&with(deletion))), &options());
        let now = host.host().runs.values().find(|run| run.run.key == key).map(|run| run.pid);
        assert!(now.is_some() && (way != Deletion::Retain || now == pid), "{deletion}");
    }
    // An ephemeral container has nothing to keep.
    let job = with("park").replace("web-1, deletion: park", "web-1").replacen(
        "{image: tiny}",
        "{image: tiny, ephemeral: true}",
        1,
    );
    let host = host(&[&job]);
    assert_eq!(plan_of(&host, &without, &options()).prune[0].way, Deletion::Delete);
}

#[test]
fn partial_loads_sites_without_a_document_and_mode_off_never_prune() {
    let host = host(&[&whole(AUTO)]);
    let only = PlanOptions { only: [Key::container("web-1")].into(), ..options() };
    assert!(plan_of(&host, &less(AUTO), &only).is_empty());
    let off = plan_of(&host, &less("{mode: off}"), &options());
    assert!(off.kept.len() == 5 && off.prune.is_empty() && off.guards.is_empty());
    golden("off", &off);
    // Without a Site document, and with one of the name `default`.
    let host = self::host(&[&(image() + &web("web-1") + &web("web-2"))]);
    for text in [image() + &web("web-1"), site_of("default", AUTO) + &image() + &web("web-1")] {
        converge(&host, &Goal::Site(&desired(&text)), &options());
        let plan = plan_of(&host, &text, &allowing(DeletionApproval::Any));
        assert!(plan.is_empty() && plan.kept == [Key::container("web-2")], "{plan:#?}");
        assert_eq!(plan.kept_because[&Key::container("web-2")], "site default is never pruned");
    }
}

#[test]
fn what_another_site_uses_is_kept_and_nothing_of_it_is_touched() {
    let shared = site_of("edge", AUTO) + &image() + &bay1() + &web("web-1");
    let external = |kind: &str, name: &str| document(kind, name, "{external: true}");
    let other =
        site_of("core", AUTO) + &external("Network", "bay1") + &external("Image", "tiny") + &on_bay1("db-1");
    let host = host(&[&shared, &other]);
    assert!(plan_of(&host, &other, &options()).is_empty());
    let before = host.host().runs;
    let less = site_of("edge", "{mode: auto, max: 100%, empty: allow}");
    let plan = converge(&host, &Goal::Site(&desired(&less)), &options());
    golden("shared", &plan);
    let db = Key::container("db-1");
    let (mut left, mut kept) = (before, host.host().runs);
    left.retain(|_, run| run.run.key == db);
    kept.retain(|_, run| run.run.key == db);
    assert!(left == kept && left.len() == 1);
    assert!(look(&host).records[&Key::network("bay1")].parked.is_none());
    let error = propose(&host, &Goal::Delete([Key::network("bay1")].into()), &options()).unwrap_err();
    assert_eq!(message(error), "network/bay1 is used by container/db-1");
    assert!(plan_of(&host, &less, &options()).is_empty());
}

#[test]
fn what_a_changed_container_lets_go_of_goes_after_it_in_the_same_apply() {
    let before = site_of("edge", AUTO) + &image() + &bay1() + &on_bay1("web-1");
    let after = site_of("edge", AUTO) + &image() + &web("web-1");
    let host = host(&[&before]);
    let plan = converge(&host, &Goal::Site(&desired(&after)), &options());
    let words = words(&plan);
    let place =
        |step: &str| words.iter().position(|word| word == step).unwrap_or_else(|| panic!("{words:?}"));
    assert!(place("attach nic eth0 web-1") < place("delete network bay1"), "{words:?}");
    assert!(plan_of(&host, &after, &options()).is_empty());
}

#[test]
fn a_container_goes_although_one_that_depended_on_it_stays_on_the_same_image() {
    let site = site_of("edge", "{mode: auto, max: 100%}") + &image();
    let app = |needs: &str| document("Container", "app", &format!("{{image: tiny, dependsOn: [{needs}]}}"));
    let host = host(&[&(site.clone() + &web("db") + &app("db"))]);
    let after = site + &app("");
    let plan = converge(&host, &Goal::Site(&desired(&after)), &options());
    let parks = plan.steps.iter().any(|step| step_words(&step.action).starts_with("park"));
    assert!(parks, "{:#?}", plan.steps);
    let records = look(&host).records;
    assert!(records[&Key::container("db")].parked.is_some() && host.host().runs.len() == 1);
    let app = records[&Key::container("app")].desired.clone();
    assert_eq!(app, desired(&after).objects.get(&Key::container("app")).cloned());
    assert!(plan_of(&host, &after, &options()).is_empty());
}

#[test]
fn an_external_object_must_be_there_and_is_never_changed() {
    let text = site_of("edge", AUTO)
        + &image()
        + &document("Network", "lan", "{external: true}")
        + &document("Container", "web-1", "{image: tiny, devices: {eth0: {network: lan}}}");
    let host = server();
    assert_findings("external", &host, &text, &options());
    host.edit_host(|host| {
        let facts = bayplan::model::observed::NetworkFacts { up: true, mtu: 1500, ..Default::default() };
        host.networks.insert("lan".to_owned(), facts);
    });
    converge(&host, &Goal::Site(&desired(&text)), &options());
    let run = host.host().runs.into_values().next().unwrap();
    assert_eq!(run.nics["eth0"].bridge.as_deref(), Some("lan"));
    let observed = look(&host);
    assert!(!observed.records.contains_key(&Key::network("lan")) && !observed.networks["lan"].ours);
    assert!(plan_of(&host, &text, &options()).is_empty());
}

#[test]
fn an_address_on_another_sites_network_is_one_of_its_own_and_nobody_elses() {
    let external = |kind: &str, name: &str| document(kind, name, "{external: true}");
    let at = |name: &str, nic: &str| {
        let spec = format!("{{image: tiny, devices: {{eth0: {{network: bay1{nic}}}}}}}");
        document("Container", name, &spec)
    };
    let fixed = |name: &str, address: &str| at(name, &format!(", ipv4.address: {address}"));
    let shared = site_of("edge", AUTO) + &image() + &bay1() + &fixed("web-1", "10.77.0.7") + &at("web-2", "");
    let host = host(&[&shared]);
    let leased = look(&host).records[&Key::container("web-2")].identity.clone().unwrap().leases["eth0"];
    let core = site_of("core", AUTO) + &external("Network", "bay1") + &external("Image", "tiny");
    let wrong =
        [("db-1", "10.77.0.7"), ("db-2", &leased.to_string()), ("db-3", "10.99.0.7"), ("db-4", "10.77.0.1")];
    let wrong: String = wrong.iter().map(|(name, address)| fixed(name, address)).collect();
    assert_findings("addresses-elsewhere", &host, &(core.clone() + &wrong), &options());
    let right = core + &fixed("db-1", "10.77.0.8") + &at("db-2", "");
    converge(&host, &Goal::Site(&desired(&right)), &options());
    assert!(plan_of(&host, &right, &options()).is_empty());
    // The owner of the network sees what the other site has there, too.
    let more = shared + &fixed("web-3", "10.77.0.8");
    assert!(propose(&host, &Goal::Site(&desired(&more)), &options()).is_err());
}

#[track_caller]
fn assert_findings(name: &str, host: &Memory, source: &str, options: &PlanOptions) {
    let before = (host.host(), look(host).records);
    match propose(host, &Goal::Site(&desired(source)), options) {
        Err(Error::Plan(PlanError::Findings(findings))) => {
            let shown = render_all(&findings, &[text("site.yaml", source)]);
            assert_golden(&format!("tests/it/plans/findings-{name}.txt"), &shown);
        }
        other => panic!("{other:#?}"),
    }
    assert_eq!(before, (host.host(), look(host).records));
}

#[test]
fn a_parked_name_belongs_to_its_site() {
    let host = host(&[&whole(AUTO)]);
    converge(&host, &Goal::Site(&desired(&less(AUTO))), &options());
    let other = site_of("core", AUTO)
        + &document("Image", "small", "{source: {busybox: {}}}")
        + &document("Container", "web-2", "{image: small}");
    assert_findings("parked-elsewhere", &host, &other, &options());
}

#[test]
fn a_renamed_site_is_told_and_movedfromsite_takes_all_along() {
    let host = host(&[&whole(AUTO)]);
    let renamed = less(AUTO).replace("{name: edge}", "{name: shore}");
    assert_findings("renamed-site", &host, &renamed, &options());
    let moved = renamed.replace("{name: shore}", "{name: shore, movedFromSite: edge}");
    let plan = converge(&host, &Goal::Site(&desired(&moved)), &options());
    golden("moved", &plan);
    let pid = host.host().runs.into_values().map(|run| run.pid).collect::<Vec<_>>();
    assert_eq!(pid.len(), 1);
    assert!(plan_of(&host, &moved, &options()).is_empty());
    // Once the last parked one is gone, so is the old name's record.
    converge(&host, &Goal::Site(&desired(&moved)), &at(8 * DAY));
    assert!(plan_of(&host, &moved, &at(8 * DAY)).is_empty());
    assert!(!look(&host).records.contains_key(&Key::site("edge")));
}

#[test]
fn protection_from_delete_refuses_every_plan_that_would_delete() {
    let protected =
        document("Container", "web-2", "{image: tiny, config: {security.protection.delete: true}}");
    let text = site_of("edge", AUTO) + &image() + &web("web-1") + &protected;
    let host = host(&[&text]);
    let key = Key::container("web-2");
    for prune in [AUTO, CONFIRM] {
        let without = site_of("edge", prune) + &image() + &web("web-1");
        assert_findings("protected-delete", &host, &without, &options());
        assert_findings("protected-delete", &host, &without, &allowing(DeletionApproval::Any));
    }
    for goal in [Goal::Delete([key.clone()].into()), Goal::Park([key.clone()].into())] {
        let said = message(propose(&host, &goal, &options()).unwrap_err());
        assert!(
            said.contains("container/web-2 is protected by security.protection.delete (site.yaml:"),
            "{said}"
        );
    }
    assert!(runs(&host, &key));
    // Switched off it goes; and what prune.mode off or deletion: retain leaves is not in danger.
    let off = site_of("edge", "{mode: off}") + &image() + &web("web-1");
    assert!(
        plan_of(&host, &off, &options()).is_empty() || !words(&plan_of(&host, &off, &options())).is_empty()
    );
    let open = text.replace("security.protection.delete: true", "security.protection.delete: false");
    converge(&host, &Goal::Site(&desired(&open)), &options());
    converge(&host, &Goal::Delete([key.clone()].into()), &options());
    assert_eq!(root_of(&host, &key), None);
}

#[test]
fn the_end_of_a_protected_ephemeral_run_refuses_the_plan_and_healing_keeps_its_root() {
    let job = document(
        "Container",
        "job",
        "{image: tiny, ephemeral: true, config: {security.protection.delete: true}}",
    );
    let text = site_of("edge", AUTO) + &image() + &job;
    let host = host(&[&text]);
    let key = Key::container("job");
    assert!(host.end_init(&key, ExitCause::PowerOff));
    assert_findings("protected-ephemeral", &host, &text, &options());
    assert_eq!(words(&planned(&host, &Goal::Recorded, &options())), ["start job", "wait until ready job"]);
}

#[test]
fn protection_from_start_refuses_every_plan_that_would_start() {
    let held = document("Container", "web-1", "{image: tiny, config: {security.protection.start: true}}");
    let text = site_of("edge", AUTO) + &image() + &held;
    assert_findings("protected-start", &server(), &text, &options());
    // One that runs goes on, and is not started again.
    let host = host(&[&(site_of("edge", AUTO) + &image() + &web("web-1"))]);
    converge(&host, &Goal::Site(&desired(&text)), &options());
    let key = Key::container("web-1");
    assert!(runs(&host, &key));
    let said = message(propose(&host, &Goal::Restart([key.clone()].into()), &options()).unwrap_err());
    assert!(said.contains("security.protection.start forbids it"), "{said}");
    host.kill_init(&key);
    let healed = planned(&host, &Goal::Recorded, &options());
    assert!(healed.is_empty() && healed.broken.len() == 1 && healed.exit_code() == 2, "{healed:#?}");
    // Declared stopped it is made, and left alone.
    let stopped = text.replace("{image: tiny, config", "{image: tiny, state: stopped, config");
    converge(&server(), &Goal::Site(&desired(&stopped)), &options());
}

#[test]
fn by_hand_a_container_is_parked_or_deleted_at_once() {
    let text = site_of("edge", "{grace: 1h}") + &image() + &web("web-1") + &web("web-2");
    let host = host(&[&text]);
    let key = Key::container("web-1");
    let park = Goal::Park([key.clone()].into());
    converge(&host, &park, &options());
    assert!(!runs(&host, &key) && root_of(&host, &key).is_some());
    let until = look(&host).records[&key].parked.clone().unwrap().until;
    assert_eq!(until, Timestamp::from_second(SECOND + 3600).unwrap(), "its site's grace");
    assert!(planned(&host, &park, &options()).is_empty());
    for goal in [Goal::Restart([key.clone()].into()), Goal::Resume([key.clone()].into())] {
        let said = message(propose(&host, &goal, &options()).unwrap_err());
        assert!(said.starts_with("container/web-1 is parked until "), "{said}");
    }
    let refused = propose(&host, &Goal::Park([Key::image("tiny")].into()), &options());
    assert!(message(refused.unwrap_err()).contains("image/tiny is used by"));
    converge(&host, &Goal::Undelete([key.clone()].into()), &options());
    assert!(runs(&host, &key) && plan_of(&host, &text, &options()).steps.len() == 1, "only the mark goes");
    converge(&host, &Goal::Delete([key.clone()].into()), &options());
    assert_eq!(root_of(&host, &key), None);
    // A parked one is deleted at once, too.
    let key = Key::container("web-2");
    converge(&host, &Goal::Park([key.clone()].into()), &options());
    converge(&host, &Goal::Delete([key.clone()].into()), &options());
    assert!(root_of(&host, &key).is_none() && !look(&host).records.contains_key(&key));
}

#[test]
fn what_is_parked_keeps_its_ids_and_addresses_from_others() {
    let isolated =
        |name: &str| document("Container", name, "{image: tiny, config: {security.idmap.isolated: true}}");
    let host = host(&[&(site_of("edge", AUTO) + &image() + &isolated("web-1"))]);
    let before = identity(&host, &Key::container("web-1"));
    let mut text = site_of("edge", AUTO) + &image();
    for number in 10..40 {
        text += &isolated(&format!("other-{number}"));
    }
    converge(&host, &Goal::Site(&desired(&text)), &options());
    for (key, record) in look(&host).records.iter().filter(|(key, _)| key.kind == Kind::Container) {
        let other = record.identity.clone().unwrap();
        if key.name != "web-1" {
            assert!(other.id_base != before.id_base && other.leases != before.leases, "{key}");
        }
    }
    converge(&host, &Goal::Undelete([Key::container("web-1")].into()), &options());
    assert_eq!(identity(&host, &Key::container("web-1")), before);
}

#[test]
fn an_address_that_was_given_away_is_told_before_it_is_taken_twice() {
    let fixed =
        |name: &str| document("Container", name, "{image: tiny, devices: {eth0: {ipv4.address: 10.66.0.9}}}");
    let host = host(&[&(site_of("edge", AUTO) + &image() + &fixed("web-1"))]);
    converge(&host, &Goal::Site(&desired(&(site_of("edge", AUTO) + &image() + &fixed("web-2")))), &options());
    let said =
        message(propose(&host, &Goal::Undelete([Key::container("web-1")].into()), &options()).unwrap_err());
    assert_eq!(said, "container/web-1 has the address 10.66.0.9 on bay0, and container/web-2 has it now");
}
