//! A new root in the place of the old one: what is kept, what is counted, what is taken back.

use crate::golden::assert_golden;
use crate::properties::cases;
use crate::reconcile_support::*;
use crate::spec_load::load_text;
use bayplan::driver::faulty::{Fault, Faulty, Side};
use bayplan::driver::memory::Memory;
use bayplan::model::desired::Desired;
use bayplan::model::key::{Key, Kind};
use bayplan::model::object::{Power, Spec};
use bayplan::model::observed::RootFacts;
use bayplan::model::prune::Deletion;
use bayplan::model::record::{Applied, Identity};
use bayplan::model::step::{Action, Cause, Class};
use bayplan::reconcile::goal::{Goal, HoldTerms, PlanOptions};
use bayplan::reconcile::plan::Plan;
use bayplan::reconcile::render::markdown::markdown;
use bayplan::reconcile::render::{TextOptions, outline, plan_json, plan_text, report_text};
use bayplan::reconcile::rollback;
use jiff::Timestamp;
use proptest::prelude::*;

const PROBE: &[&str] = &["check", "it"];
const OLD: &str = "busybox: {}";
const NEW: &str = "directory: /srv/tree";

/// One container on an image with this source, which is replaced; more of its spec in flow style.
fn site(source: &str, update: &str, more: &str) -> Desired {
    let text = format!(
        "apiVersion: bayplan/v1\nkind: Site\nmetadata: {{name: edge}}\n---\nkind: Image\nmetadata: {{name: tiny}}\n\
         spec: {{source: {{{source}}}}}\n---\nkind: Container\nmetadata: {{name: web-1}}\nspec: {{image: tiny, update: \
         {{{update}}}, persist: [/var/lib/app], files: {{/etc/motd: {{content: hello}}}}, ready: {{exec: [check, it]}}\
         {more}}}\n"
    );
    load_text(&text).unwrap().desired
}

fn web() -> Key {
    Key::container("web-1")
}

fn approving() -> PlanOptions {
    PlanOptions { allow_replace: true, ..options() }
}

fn on_day(day: i64) -> PlanOptions {
    PlanOptions { now: Timestamp::from_second(SECOND + day * 86_400).unwrap(), ..approving() }
}

/// A host where the container runs on the old content and has written some.
fn host() -> Memory {
    let host = server();
    converge(&host, &Goal::Site(&site(OLD, "image: replace", "")), &options());
    for path in ["/var/lib/app/kept", "/root/lost", "/var/log/lost too"] {
        assert!(host.write_inside(&web(), path));
    }
    host
}

fn root(host: &Memory) -> RootFacts {
    look(host).containers.into_values().find_map(|facts| facts.root).unwrap()
}

fn applied(host: &Memory) -> Applied {
    look(host).records[&web()].applied.clone().unwrap()
}

fn identity(host: &Memory) -> Identity {
    look(host).records[&web()].identity.clone().unwrap()
}

fn kept(host: &Memory) -> bool {
    host.host().roots.values().all(|root| root.persisted["/var/lib/app"].contains("/var/lib/app/kept"))
}

fn fail_probe(host: &Memory) {
    host.edit_host(|host| {
        host.failing_commands.insert(PROBE.iter().map(|word| (*word).to_owned()).collect());
    });
}

fn text(plan: &Plan) -> String {
    plan_text(plan, TextOptions { steps: true, ..TextOptions::default() })
}

#[test]
fn a_replace_waits_for_approval_and_counts_what_it_would_drop() {
    let host = host();
    let goal = site(NEW, "image: replace", "");
    let plan = converge(&host, &Goal::Site(&goal), &options());
    assert_eq!(plan.pending[0].class, Class::Replace);
    let plan = planned(&host, &Goal::Site(&goal), &options());
    assert!(plan.is_empty() && plan.exit_code() == 0);
    assert_golden("tests/it/plans/replace-pending.txt", &text(&plan));
    assert_eq!(plan.dropped[&web()].some, ["/root/lost", "/var/log/lost too"]);
    let json = serde_json::to_string_pretty(&plan_json(&plan)).unwrap() + "\n";
    assert_golden("tests/it/plans/replace-pending.json", &json);
}

/// What a plan says of data that goes for good, as text and in a merge request's comment.
fn losses(plan: &Plan) -> Vec<String> {
    let comment = markdown(&outline::plan(plan));
    let said = text(plan);
    let lines = said.lines().filter(|line| line.contains("drops ") || line.contains("deletes what"));
    lines
        .map(str::trim)
        .inspect(|line| assert!(comment.contains(line.rsplit(": ").next().unwrap()), "{comment}"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_files_name_that_a_container_chose_cannot_forge_a_line_of_a_plan() {
    let host = host();
    assert!(host.write_inside(&web(), "/a\u{1b}[2J\nplan: nothing to do"));
    let plan = planned(&host, &Goal::Site(&site(NEW, "image: replace", "")), &approving());
    assert!(!text(&plan).contains('\u{1b}') && !text(&plan).contains("\nplan: nothing"), "{}", text(&plan));
    assert_eq!(losses(&plan).len(), 1);
}

#[test]
fn a_deletion_names_the_persisted_folders_that_go_with_it() {
    let host = host();
    let asked = planned(&host, &Goal::Delete([web()].into()), &options());
    assert_eq!(losses(&asked), ["deletes what it persists: /var/lib/app"]);
    let parked = planned(&host, &Goal::Park([web()].into()), &options());
    assert!(losses(&parked).is_empty(), "{}", text(&parked));
    // Not declared any more: at once, or once a yes confirms it.
    let gone = load_text(
        "apiVersion: bayplan/v1\nkind: Site\nmetadata: {name: edge}\nspec: {prune: {empty: allow, max: 100%}}\n",
    );
    let mut declared = site(OLD, "image: replace", "");
    declared.objects.get_mut(&web()).unwrap().meta.deletion = Some(Deletion::Delete);
    converge(&host, &Goal::Site(&declared), &options());
    let waits = planned(&host, &Goal::Site(&gone.unwrap().desired), &options());
    assert_eq!(losses(&waits), ["container/web-1 deletes what it persists: /var/lib/app"]);
}

#[test]
fn a_new_root_takes_the_old_ones_place_and_identity_and_persisted_folders_stay() {
    let host = host();
    let (before, old) = (identity(&host), root(&host));
    let goal = site(NEW, "image: replace", "");
    let plan = planned(&host, &Goal::Site(&goal), &approving());
    assert_golden("tests/it/plans/replace.txt", &text(&plan));
    converge(&host, &Goal::Site(&goal), &approving());
    let now = root(&host);
    assert_eq!(identity(&host), before);
    assert_eq!(now.identity.identity, before);
    assert!(now.identity.fingerprint != old.identity.fingerprint);
    assert_eq!(now.replaced, Some(old.identity.fingerprint.clone()));
    assert!(kept(&host) && host.host().roots.values().all(|root| root.written.is_empty()));
    assert!(host.host().roots.values().all(|root| root.files.contains_key("/etc/motd")));
    assert_eq!(look(&host).containers.values().next().unwrap().run.as_ref().unwrap().incarnation, 2);
    let left = planned(&host, &Goal::Site(&goal), &approving());
    assert!(left.is_empty() && left.pending.is_empty() && left.stale.is_empty(), "{:#?}", left.steps);
    // The former root stays for its time, with the content below it; then it goes by itself.
    assert!(planned(&host, &Goal::Recorded, &on_day(6)).is_empty());
    let plan = converge(&host, &Goal::Recorded, &on_day(8));
    assert_golden("tests/it/plans/replace-over.txt", &text(&plan));
    assert_eq!((root(&host).replaced, applied(&host).replaced), (None, None));
    assert!(planned(&host, &Goal::Site(&goal), &on_day(8)).is_empty());
}

#[test]
fn a_new_root_has_no_step_for_a_file_that_is_no_longer_declared() {
    for power in [Power::Running, Power::Stopped] {
        let host = host();
        let mut goal = site(NEW, "image: replace", "");
        let Spec::Container(container) = &mut goal.objects.get_mut(&web()).unwrap().spec else { panic!() };
        container.files.clear();
        container.state = power;
        let plan = converge(&host, &Goal::Site(&goal), &approving());
        assert!(plan.steps.iter().any(|step| matches!(step.action, Action::SwapRoot { .. })));
        assert!(!plan.steps.iter().any(|step| matches!(step.action, Action::RemoveFile { .. })));
        let left = planned(&host, &Goal::Site(&goal), &approving());
        assert!(left.is_empty(), "{:#?}", left.steps);
        assert!(host.host().roots.values().all(|root| root.files.is_empty()));
    }
}

#[test]
fn a_lost_state_folder_does_not_take_a_replaced_container_back_to_an_older_content() {
    let with_older = |source: &str| {
        let mut goal = site(source, "image: replace, restart: allow", "");
        let mut older = goal.objects[&web()].clone();
        let Spec::Container(container) = &mut older.spec else { panic!() };
        container.update = Default::default();
        goal.objects.insert(Key::container("older"), older);
        goal
    };
    let host = server();
    converge(&host, &Goal::Site(&with_older(OLD)), &options());
    converge(&host, &Goal::Site(&with_older(NEW)), &options());
    let before = host.host();
    host.lose_records().unwrap();
    let plan = converge(&host, &Goal::Site(&with_older(NEW)), &options());
    assert_eq!(host.host().roots, before.roots);
    // What is established is noted by the last step that establishes something, and by none before it.
    let steps = plan.steps.iter().filter(|step| step.key == web() && step.applied.is_some());
    assert!(steps.clone().count() > 0 && steps.clone().all(|step| step.action != Action::Note), "{steps:#?}");
    assert!(planned(&host, &Goal::Site(&with_older(NEW)), &options()).is_empty());
}

#[test]
fn what_is_not_ready_is_rolled_back_by_a_plan_of_its_own() {
    let host = host();
    let old = root(&host).identity.fingerprint;
    let goal = site(NEW, "image: replace", "");
    fail_probe(&host);
    let plan = planned(&host, &Goal::Site(&goal), &approving());
    let report = carry_out(&host, &plan, 2);
    assert!(!report.is_done());
    let back = rollback::due(&plan, &report);
    assert_eq!(back, [web()].into());
    host.edit_host(|host| host.failing_commands.clear());
    let goal_back = Goal::Rollback(back);
    let plan = planned(&host, &goal_back, &options());
    assert_golden("tests/it/plans/rollback.txt", &text(&plan));
    converge(&host, &goal_back, &options());
    let now = root(&host);
    assert_eq!((now.identity.fingerprint, now.replaced), (old.clone(), None));
    assert!(host.host().roots.values().all(|root| root.written.contains("/root/lost")) && kept(&host));
    assert!(planned(&host, &goal_back, &options()).is_empty(), "nothing more to take back");
    // It does not try the same again by itself, nor by an approval in the manifest.
    for update in ["image: replace", "image: replace, restart: allow"] {
        let goal = site(NEW, update, "");
        converge(&host, &Goal::Site(&goal), &options());
        let left = planned(&host, &Goal::Site(&goal), &options());
        assert!(
            left.is_empty() && left.pending[0].waits_for.contains("was rolled back"),
            "{:#?}",
            left.pending
        );
        assert_eq!(root(&host).identity.fingerprint, old);
    }
    // Asked for, it does; and another content is another matter.
    let other = site("directory: /srv/other", "image: replace, restart: allow", "");
    converge(&host, &Goal::Site(&other), &options());
    assert!(root(&host).identity.fingerprint != old && applied(&host).rolled_back.is_none());
}

#[test]
fn a_failed_preparation_leaves_the_container_running() {
    let host = host();
    let goal = site(NEW, "image: replace", "");
    let plan = planned(&host, &Goal::Site(&goal), &approving());
    let at = plan.steps.iter().position(|step| matches!(step.action, Action::PrepareRoot { .. })).unwrap();
    let faulty = Faulty::new(&host, Fault::Once { at: at as u64, side: Side::Before });
    let report = carry_out(&faulty, &plan, 1);
    assert_golden("tests/it/plans/replace-failed.txt", &report_text(&report, TextOptions::default()));
    assert_eq!(host.host().runs.len(), 1);
    let back = Goal::Rollback(rollback::due(&plan, &report));
    assert!(planned(&host, &back, &options()).is_empty(), "nothing was swapped");
}

#[test]
fn the_policies_say_who_approves() {
    let replaced = |update: &str, options: &PlanOptions| {
        let host = host();
        let before = root(&host).identity.fingerprint;
        let plan = converge(&host, &Goal::Site(&site(NEW, update, "")), options);
        (root(&host).identity.fingerprint != before, plan.pending.len(), plan.stale.len())
    };
    let restarts = PlanOptions { allow_restart: true, ..options() };
    assert_eq!(replaced("image: replace", &options()), (false, 1, 0));
    assert_eq!(replaced("image: replace", &restarts), (false, 1, 0), "a restart is no replace");
    assert_eq!(replaced("image: replace, restart: allow", &options()), (true, 0, 0));
    assert_eq!(replaced("image: replace, restart: deny", &approving()), (false, 1, 0));
    assert_eq!(replaced("image: keep", &approving()), (false, 0, 0), "an image serves creation");
}

#[test]
fn restarts_go_by_the_policy_too() {
    let restarted = |update: &str, options: &PlanOptions| {
        let host = host();
        let goal = site(OLD, update, ", config: {security.nesting: true}");
        let plan = converge(&host, &Goal::Site(&goal), options);
        (plan.steps.iter().any(|step| matches!(step.action, Action::Stop { .. })), plan.pending.len())
    };
    let restarts = PlanOptions { allow_restart: true, ..options() };
    assert_eq!(restarted("restart: ask", &options()), (false, 1));
    assert_eq!(restarted("restart: ask", &restarts), (true, 0));
    assert_eq!(restarted("restart: allow", &options()), (true, 0));
    assert_eq!(restarted("restart: deny", &restarts), (false, 1));
    let host = host();
    let goal = site(OLD, "restart: deny", ", config: {security.nesting: true}");
    converge(&host, &Goal::Site(&goal), &restarts);
    let plan = converge(&host, &Goal::Restart([web()].into()), &restarts);
    assert!(plan.steps.iter().any(|step| matches!(step.action, Action::Stop { .. })), "a verb always may");
    assert!(planned(&host, &Goal::Site(&goal), &options()).pending.is_empty());
}

#[test]
fn a_hold_is_kept_through_a_replace() {
    let host = host();
    let until = Some(Timestamp::from_second(SECOND + 3600).unwrap());
    converge(
        &host,
        &Goal::Power { keys: [web()].into(), power: Power::Stopped, hold: HoldTerms { until, reason: None } },
        &options(),
    );
    let goal = site(NEW, "image: replace", "");
    let plan = converge(&host, &Goal::Site(&goal), &approving());
    assert!(!plan.steps.iter().any(|step| matches!(step.action, Action::Start(_))));
    assert!(host.host().runs.is_empty() && kept(&host));
    let left = planned(&host, &Goal::Site(&goal), &approving());
    assert!(left.is_empty() && left.holds.len() == 1, "{left:#?}");
}

#[test]
fn a_persisted_folder_that_is_unmounted_inside_is_drift_and_mounted_again_live() {
    let text = "apiVersion: bayplan/v1\nkind: Image\nmetadata: {name: tiny}\nspec: {source: {busybox: {}}}\n---\n\
                kind: Container\nmetadata: {name: web-1}\nspec: {image: tiny, persist: [/srv/data, /srv/more]}\n";
    let desired = load_text(text).unwrap().desired;
    let host = server();
    let key = Key::container("web-1");
    converge(&host, &Goal::Site(&desired), &options());
    let pid = host.host().runs.values().next().unwrap().pid;
    assert!(host.unmount_persisted(&key, "/srv/data"));
    for goal in [Goal::Recorded, Goal::Site(&desired)] {
        let plan = planned(&host, &goal, &options());
        let [step] = &plan.steps[..] else { panic!("{:#?}", plan.steps) };
        assert!(matches!(&step.action, Action::AttachPersisted { path, .. } if path == "/srv/data"));
        assert_eq!((step.class, step.reasons[0].cause), (Class::Live, Cause::Drift));
    }
    converge(&host, &Goal::Recorded, &options());
    assert!(planned(&host, &Goal::Site(&desired), &options()).is_empty());
    assert_eq!(host.host().runs.values().next().unwrap().pid, pid);
    // Declared no longer, and not restarted yet: there is nothing to mend.
    let without = load_text(&text.replace("/srv/data, ", "")).unwrap().desired;
    assert!(host.unmount_persisted(&key, "/srv/data"));
    let plan = planned(&host, &Goal::Site(&without), &options());
    assert!(!plan.steps.iter().any(|step| matches!(step.action, Action::AttachPersisted { .. })));
}

#[test]
fn a_persisted_folder_that_is_lost_in_the_pool_waits_for_a_start() {
    let text = "apiVersion: bayplan/v1\nkind: Image\nmetadata: {name: tiny}\nspec: {source: {busybox: {}}}\n---\n\
                kind: Container\nmetadata: {name: web-1}\nspec: {image: tiny, persist: [/srv/data]}\n";
    let desired = load_text(text).unwrap().desired;
    let host = server();
    converge(&host, &Goal::Site(&desired), &options());
    assert!(host.lose_persisted(&Key::container("web-1"), "/srv/data"));
    let plan = planned(&host, &Goal::Site(&desired), &options());
    assert!(plan.steps.is_empty(), "{:#?}", plan.steps);
    let [pending] = &plan.pending[..] else { panic!("{:#?}", plan.pending) };
    assert_eq!(pending.reasons[0].note.as_deref(), Some("the place of /srv/data in pool default is gone"));
    let approving = PlanOptions { allow_restart: true, ..options() };
    converge(&host, &Goal::Site(&desired), &approving);
    let left = planned(&host, &Goal::Site(&desired), &options());
    assert!(left.is_empty() && left.pending.is_empty(), "{left:#?}");
}

#[test]
fn a_folder_that_is_persisted_later_takes_its_content_along_with_a_restart() {
    let host = server();
    let text = |persist: &str| {
        format!(
            "apiVersion: bayplan/v1\nkind: Site\nmetadata: {{name: edge}}\n---\nkind: Image\nmetadata: {{name: tiny}}\n\
             spec: {{source: {{busybox: {{}}}}}}\n---\nkind: Container\nmetadata: {{name: web-1}}\n\
             spec: {{image: tiny{persist}}}\n"
        )
    };
    let (plain, persisted) =
        (load_text(&text("")).unwrap().desired, load_text(&text(", persist: [/srv/data]")).unwrap().desired);
    converge(&host, &Goal::Site(&plain), &options());
    assert!(host.write_inside(&web(), "/srv/data/file"));
    let plan = planned(&host, &Goal::Site(&persisted), &options());
    assert_eq!(plan.pending[0].class, Class::Restart);
    converge(&host, &Goal::Site(&persisted), &PlanOptions { allow_restart: true, ..options() });
    assert!(host.host().roots.values().all(|root| root.persisted["/srv/data"].contains("/srv/data/file")));
    assert!(planned(&host, &Goal::Site(&persisted), &options()).is_empty());
}

/// The site with its image under another name, from this source; what is no longer declared goes at once.
fn moved(source: &str, update: &str) -> Desired {
    let text = format!(
        "apiVersion: bayplan/v1\nkind: Site\nmetadata: {{name: edge}}\nspec: {{prune: {{mode: auto, max: 100%}}}}\n---\n\
         kind: Image\nmetadata: {{name: mini}}\nspec: {{source: {{{source}}}}}\n---\nkind: Container\n\
         metadata: {{name: web-1}}\nspec: {{image: mini, update: {{{update}}}, persist: [/var/lib/app], \
         files: {{/etc/motd: {{content: hello}}}}, ready: {{exec: [check, it]}}}}\n"
    );
    load_text(&text).unwrap().desired
}

#[test]
fn an_image_with_another_name_and_the_same_content_replaces_nothing_and_the_former_one_goes_at_once() {
    // The same content from another source, too: what counts is what a source gives.
    for source in [OLD, NEW] {
        let host = host();
        let given = root(&host).identity.fingerprint;
        if source == NEW {
            host.edit_host(|host| {
                drop(host.contents.insert("{\"directory\":{\"path\":\"/srv/tree\"}}".to_owned(), given))
            });
        }
        let (before, records) = (host.host(), look(&host).records);
        let goal = moved(source, "image: replace");
        let plan = converge(&host, &Goal::Site(&goal), &approving());
        if source == OLD {
            assert_golden("tests/it/plans/image-moved.txt", &text(&plan));
        }
        assert!(host.host().runs == before.runs && host.host().roots == before.roots, "nothing is touched");
        let after = look(&host).records;
        assert!(records.contains_key(&Key::image("tiny")) && !after.contains_key(&Key::image("tiny")));
        let Spec::Container(container) = &applied(&host).object.spec else { panic!("{after:#?}") };
        assert_eq!(container.image, Key::image("mini"));
        assert!(planned(&host, &Goal::Site(&goal), &approving()).steps.is_empty());
        assert!(planned(&host, &Goal::Recorded, &approving()).is_empty());
    }
}

#[test]
fn a_crash_after_any_step_of_a_moved_image_replaces_nothing_either() {
    let goal = moved(OLD, "image: replace");
    let steps = planned(&host(), &Goal::Site(&goal), &approving()).steps.len();
    for (at, side) in (0..steps).flat_map(|at| [(at, Side::Before), (at, Side::After)]) {
        let host = host();
        let roots = host.host().roots;
        let plan = planned(&host, &Goal::Site(&goal), &approving());
        let at = u64::try_from(at).unwrap();
        carry_out(&Faulty::new(&host, Fault::Crash { at, side }), &plan, 1);
        converge(&host, &Goal::Recorded, &approving());
        converge(&host, &Goal::Site(&goal), &approving());
        assert_eq!(host.host().roots, roots, "{at} {side:?}");
        assert!(planned(&host, &Goal::Site(&goal), &approving()).steps.is_empty(), "{at} {side:?}");
    }
}

#[test]
fn an_image_goes_with_the_replaced_root_that_it_was_kept_for() {
    let host = host();
    converge(&host, &Goal::Site(&moved(NEW, "image: replace")), &approving());
    assert!(look(&host).records.contains_key(&Key::image("tiny")), "its content is kept");
    let (goal, later) = (moved(NEW, "image: replace"), on_day(8));
    let plan = converge(&host, &Goal::Site(&goal), &later);
    assert_golden("tests/it/plans/image-freed.txt", &text(&plan));
    let images = (look(&host).records, host.host().images);
    assert!(!images.0.contains_key(&Key::image("tiny")) && images.1.len() == 1, "{images:#?}");
    assert!(planned(&host, &Goal::Site(&goal), &later).steps.is_empty());
}

#[test]
fn an_image_stays_as_long_as_a_replaced_root_stands_on_it() {
    let load = |images: &[(&str, &str)], image: &str| {
        let mut text = "apiVersion: bayplan/v1\nkind: Site\nmetadata: {name: edge}\nspec: {prune: {mode: auto, max: 100%}}\n"
            .to_owned();
        for (name, source) in images {
            text +=
                &format!("---\nkind: Image\nmetadata: {{name: {name}}}\nspec: {{source: {{{source}}}}}\n");
        }
        text += &format!(
            "---\nkind: Container\nmetadata: {{name: web-1}}\nspec: {{image: {image}, update: {{image: replace, restart: allow}}}}\n"
        );
        load_text(&text).unwrap().desired
    };
    let host = server();
    converge(&host, &Goal::Site(&load(&[("old", OLD)], "old")), &options());
    let goal = load(&[("new", NEW)], "new");
    converge(&host, &Goal::Site(&goal), &options());
    let plan = planned(&host, &Goal::Site(&goal), &options());
    assert!(plan.is_empty() && plan.kept == [Key::image("old")], "{plan:#?}");
    assert_eq!(host.host().images.len(), 2);
    converge(&host, &Goal::Site(&goal), &on_day(8));
    assert_eq!(host.host().images.len(), 1);
    assert!(planned(&host, &Goal::Site(&goal), &on_day(8)).is_empty());
}

#[test]
fn a_lost_state_folder_finds_both_roots() {
    let host = host();
    let goal = site(NEW, "image: replace", "");
    converge(&host, &Goal::Site(&goal), &approving());
    let before = host.host();
    host.lose_records().unwrap();
    converge(&host, &Goal::Site(&goal), &approving());
    assert_eq!((host.host().roots, host.host().runs), (before.roots, before.runs));
    let left = planned(&host, &Goal::Site(&goal), &approving());
    assert!(left.is_empty() && left.pending.is_empty(), "{:#?}", left.steps);
    converge(&host, &Goal::Site(&goal), &on_day(8));
    assert_eq!(root(&host).replaced, None);
}

#[test]
fn a_content_that_one_was_rolled_back_from_is_not_tried_on_the_next() {
    let fleet = |source: &str| {
        let set = "kind: ContainerSet\nmetadata: {name: c}\nspec: {replicas: 5, template: {image: tiny, update: {image: \
                   replace, restart: allow}, ready: {exec: [check, it]}}}\n";
        let text = format!(
            "apiVersion: bayplan/v1\nkind: Site\nmetadata: {{name: edge}}\n---\nkind: Image\nmetadata: {{name: tiny}}\n\
             spec: {{source: {{{source}}}}}\n---\n{set}"
        );
        load_text(&text).unwrap().desired
    };
    let host = server();
    converge(&host, &Goal::Site(&fleet(OLD)), &options());
    fail_probe(&host);
    let bad = fleet(NEW);
    for key in look(&host).records.into_keys().filter(|key| key.kind == Kind::Container) {
        assert!(host.write_inside(&key, "/root/lost"));
    }
    // As a daemon's passes do.
    for pass in 0..3 {
        let plan = planned(&host, &Goal::Site(&bad), &options());
        if pass == 1 {
            // The roots that were prepared go, and with them nothing that was written inside.
            let told = losses(&plan);
            assert_eq!((plan.pending.len(), plan.summary().change), (5, 4), "{}", text(&plan));
            assert_eq!(told.iter().filter(|line| line.contains("drops 1 file")).count(), 5, "{told:#?}");
        }
        let report = carry_out(&host, &plan, 4);
        let back = rollback::due(&plan, &report);
        host.edit_host(|host| host.failing_commands.clear());
        converge(&host, &Goal::Rollback(back), &options());
        fail_probe(&host);
    }
    let incarnations: Vec<u64> = look(&host)
        .containers
        .into_values()
        .filter_map(|facts| facts.run)
        .map(|run| run.incarnation)
        .collect();
    assert_eq!(incarnations.iter().filter(|incarnation| **incarnation > 1).count(), 1, "{incarnations:?}");
    let plan = planned(&host, &Goal::Site(&bad), &options());
    assert!(plan.is_empty() && plan.pending.len() == 5, "{plan:#?}");
    host.edit_host(|host| host.failing_commands.clear());
    converge(&host, &Goal::Site(&bad), &approving());
    assert!(planned(&host, &Goal::Site(&bad), &options()).pending.is_empty());
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_replace_that_is_cut_short_is_made_good(
        at in 0_u64..16, after in any::<bool>(), crash in any::<bool>(), heal in any::<bool>(), reboot in any::<bool>(),
    ) {
        let host = host();
        let (before, old) = (identity(&host), root(&host).identity.fingerprint);
        let goal = site(NEW, "image: replace", "");
        let side = if after { Side::After } else { Side::Before };
        let fault = if crash { Fault::Crash { at, side } } else { Fault::Once { at, side } };
        let plan = planned(&host, &Goal::Site(&goal), &approving());
        carry_out(&Faulty::new(&host, fault), &plan, 2);
        if reboot {
            host.reboot_host();
        }
        if heal {
            converge(&host, &Goal::Recorded, &options());
            prop_assert_eq!(host.host().runs.len(), 1);
        }
        converge(&host, &Goal::Site(&goal), &approving());
        let left = planned(&host, &Goal::Site(&goal), &approving());
        prop_assert!(left.is_empty() && left.pending.is_empty(), "{:#?}", left.steps);
        prop_assert!(root(&host).identity.fingerprint != old && kept(&host));
        prop_assert_eq!(identity(&host), before);
        prop_assert!(root(&host).next.is_none());
    }

    #[test]
    fn a_rollback_that_is_cut_short_is_made_good(
        at in 0_u64..10, after in any::<bool>(), crash in any::<bool>(), heal in any::<bool>(),
    ) {
        let host = host();
        let old = root(&host).identity.fingerprint;
        let goal = site(NEW, "image: replace, restart: allow", "");
        fail_probe(&host);
        let plan = planned(&host, &Goal::Site(&goal), &options());
        let report = carry_out(&host, &plan, 2);
        host.edit_host(|host| host.failing_commands.clear());
        let back = Goal::Rollback(rollback::due(&plan, &report));
        let plan = planned(&host, &back, &options());
        let side = if after { Side::After } else { Side::Before };
        let fault = if crash { Fault::Crash { at, side } } else { Fault::Once { at, side } };
        carry_out(&Faulty::new(&host, fault), &plan, 2);
        if heal {
            converge(&host, &Goal::Recorded, &options());
        }
        converge(&host, &back, &options());
        converge(&host, &Goal::Site(&goal), &options());
        let left = planned(&host, &Goal::Site(&goal), &options());
        prop_assert!(left.is_empty(), "{:#?}", left.steps);
        // Healed before the rollback, the new root may have been seen ready; else the old one is back.
        let is_old = root(&host).identity.fingerprint == old;
        prop_assert!(is_old || heal, "{:#?}", root(&host));
        prop_assert!(kept(&host) && root(&host).next.is_none());
    }
}
