//! `why`: explanations as people and machines see them (`why/NAME.txt`, `.json`; `BAYPLAN_BLESS=1` writes them anew),
//! and the command.

use crate::cli::Bench;
use crate::golden::assert_golden;
use crate::reconcile_support::*;
use crate::spec_load::load_text;
use bayplan::driver::memory::Memory;
use bayplan::model::desired::Desired;
use bayplan::model::key::Key;
use bayplan::model::object::Power;
use bayplan::model::origin::Layer;
use bayplan::model::run::{MemoryEnforce, MemoryLimit};
use bayplan::reconcile::goal::{Goal, HoldTerms, PlanOptions};
use bayplan::reconcile::why::standing::State;
use bayplan::reconcile::why::text::text;
use bayplan::reconcile::why::{Explanation, Subject, explain};

/// Values of every layer: the built-in profile, a profile, the document, the Site's values; one taken away, one the same
/// as the default, one secret over a plain one.
const LAYERS: &str = "\
apiVersion: bayplan/v1
kind: Site
metadata: {name: edge}
spec:
  values: {memory: 1GiB}
---
kind: Image
metadata: {name: busybox}
spec: {source: {busybox: {}}}
---
kind: Profile
metadata: {name: web}
spec:
  config: {limits.memory: 512MiB, limits.processes: 100, user.note: from-web, environment.TOKEN: plain}
  devices:
    eth0: {ipv4.address: 10.66.0.99, mtu: 1400}
    data: {type: disk, source: /srv/web, path: /srv, readonly: true}
---
kind: Container
metadata: {name: web-1, labels: {tier: front}}
spec:
  image: busybox
  profiles: [default, web]
  config:
    limits.memory: \"${values.memory}\"
    security.nesting: false
    user.note: null
  environment: {TOKEN: {secretRef: {env: APP_TOKEN}}}
  ready: {timeout: 10s}
  devices:
    eth0: {ipv4.address: 10.66.0.21}
    data: {type: disk, source: /srv/own, path: /srv}
";

fn desired(manifest: &str) -> Desired {
    load_text(manifest).unwrap().desired
}

/// A host that has what the manifest says.
fn host(manifest: &str) -> Memory {
    let host = server();
    converge(&host, &Goal::Site(&desired(manifest)), &options());
    host
}

/// Asked from manifests, where there are any; else from what was last declared.
fn why(host: &Memory, key: &Key, manifest: Option<&str>) -> Explanation {
    let loaded = manifest.map(|manifest| load_text(manifest).unwrap());
    let goal = loaded.as_ref().map_or(Goal::Recorded, |loaded| Goal::Site(&loaded.desired));
    let plan = planned(host, &goal, &options());
    let desired = loaded.as_ref().map(|loaded| &loaded.desired);
    let elsewhere = loaded.as_ref().and_then(|loaded| loaded.elsewhere.get(key));
    explain(&Subject { key, plan: &plan, observed: &look(host), desired, elsewhere }).unwrap()
}

fn web() -> Key {
    Key::container("web-1")
}

#[track_caller]
fn golden(name: &str, explanation: &Explanation) {
    assert_golden(&format!("tests/it/why/{name}.txt"), &text(explanation, &|_| None));
    let json = serde_json::to_string_pretty(explanation).unwrap() + "\n";
    assert_golden(&format!("tests/it/why/{name}.json"), &json);
}

#[track_caller]
fn has(explanation: &Explanation, state: State, words: &str) {
    let found = explanation.standing.iter().find(|standing| standing.state == state);
    let message = &found.unwrap_or_else(|| panic!("no {state:?} in {:#?}", explanation.standing)).message;
    assert!(message.contains(words), "{message}");
}

#[test]
fn every_layer_of_a_value_has_its_line() {
    golden("layers", &why(&host(LAYERS), &web(), None));
}

#[test]
fn manifests_and_records_tell_the_same_of_what_is_applied() {
    let host = host(LAYERS);
    assert_eq!(why(&host, &web(), None).values, why(&host, &web(), Some(LAYERS)).values);
}

#[test]
fn a_limit_changed_by_hand_a_changed_one_and_both_at_once_are_told_apart() {
    let host = host(LAYERS);
    let by_hand = MemoryLimit { bytes: 2 << 30, enforce: MemoryEnforce::Hard };
    assert!(host.edit_limits(&web(), |limits| limits.memory = Some(by_hand)));
    let drifted = why(&host, &web(), None).narrowed("limits.memory").unwrap();
    golden("drift", &drifted);
    let changed = LAYERS
        .replace("memory: 1GiB}", "memory: 3GiB}")
        .replace("limits.processes: 100", "limits.processes: 7");
    let both = why(&host, &web(), Some(&changed)).narrowed("limits").unwrap();
    golden("both", &both);
}

#[test]
fn what_waits_for_a_restart_is_pending_and_says_for_what() {
    let host = host(LAYERS);
    let nesting = LAYERS.replace("security.nesting: false", "security.nesting: true");
    let explanation = why(&host, &web(), Some(&nesting));
    has(&explanation, State::Pending, "--allow restart");
    golden("pending", &explanation.narrowed("security.nesting").unwrap());
}

#[test]
fn a_hold_is_told_with_who_set_it() {
    let host = host(LAYERS);
    let until = Some(jiff::Timestamp::from_second(SECOND + 3600).unwrap());
    converge(
        &host,
        &Goal::Power { keys: [web()].into(), power: Power::Stopped, hold: HoldTerms { until, reason: None } },
        &options(),
    );
    has(&why(&host, &web(), None), State::Held, "held stopped by apply by test");
}

#[test]
fn what_the_manifests_no_longer_declare_says_what_becomes_of_it() {
    let host = host(LAYERS);
    let without = LAYERS.split("---\nkind: Container").next().unwrap();
    let explanation = why(&host, &web(), Some(without));
    has(&explanation, State::Undeclared, "site edge do not declare it");
    has(&explanation, State::Pending, "parks it (--allow delete");
    let off = without.replace("  values:", "  prune: {mode: off}\n  values:");
    has(&why(&host, &web(), Some(&off)), State::Kept, "prune.mode is off");
    let approved = PlanOptions { deletions: bayplan::reconcile::goal::DeletionApproval::Any, ..options() };
    converge(&host, &Goal::Site(&desired(without)), &approved);
    has(&why(&host, &web(), None), State::Parked, "by apply by test");
}

#[test]
fn a_member_tells_its_set_and_what_is_placed_elsewhere_the_label_that_is_missing() {
    let manifest = "\
apiVersion: bayplan/v1
kind: Host
metadata: {name: here, labels: {disk: ssd}}
spec: {}
---
kind: Host
metadata: {name: there, labels: {disk: ssd, gpu: nvidia}}
spec: {}
---
kind: Image
metadata: {name: busybox}
spec: {source: {busybox: {}}}
---
kind: ContainerSet
metadata: {name: runner}
spec: {replicas: 2, template: {image: busybox}}
---
kind: Container
metadata: {name: miner}
spec: {image: busybox, placement: {labels: {gpu: nvidia}}}
";
    let bench = Bench::new();
    let machine = "6d6f64656c6c6564686f737400000001";
    bench.write("site.yaml", &manifest.replacen("spec: {}", &format!("spec: {{machineId: {machine}}}"), 1));
    bench.expect(0, "apply --yes");
    insta::assert_snapshot!(bench.expect(0, "why runner-1 image").stdout, @r"
    container/runner-1
        a member of containerset/runner  (site.yaml:14:7)
        owner site default, generation 1

    image: image/busybox
        from       site.yaml:16:39 (containerset runner)
        host has   content 549e9b02fbba
    ");
    insta::assert_snapshot!(bench.expect(0, "why miner -f site.yaml").stdout, @r"
    container/miner
        declared for hosts with labels gpu=nvidia: host `here` has no label gpu (wanted nvidia)  (site.yaml:20:35)
    ");
    bench.expect(1, "why miner");
    insta::assert_snapshot!(bench.expect(0, "why containerset/runner").stdout, @r"
    containerset/runner
        a set with 2 members, each explained by its own key: runner-0, runner-1  (site.yaml:14:7)
    ");
    assert_eq!(
        bench.expect(0, "why containerset/runner").stdout,
        bench.expect(0, "why containerset/runner -f site.yaml").stdout
    );
    bench.expect(1, "why containerset/miner");
}

#[test]
fn built_in_and_external_objects_say_so() {
    let host = host(LAYERS);
    has(&why(&host, &Key::network("bay0"), None), State::BuiltIn, "nobody declares it");
    let external =
        LAYERS.to_owned() + "---\nkind: StoragePool\nmetadata: {name: default}\nspec: {external: true}\n";
    has(&why(&host, &Key::pool("default"), Some(&external)), State::External, "must be there");
}

#[test]
fn no_explanation_holds_the_value_of_a_secret() {
    let host = host(LAYERS);
    host.change_content("the secret in environment variable APP_TOKEN", "hunter2");
    let explanation = why(&host, &web(), None);
    assert!(explanation.values.iter().any(|value| !value.changes.is_empty()), "the rotation is planned");
    let json = serde_json::to_string(&explanation).unwrap();
    assert!(json.contains("APP_TOKEN") && !json.contains("hunter2"), "{json}");
}

#[test]
fn the_command_asks_records_manifests_and_a_daemon_alike() {
    let bench = Bench::new();
    bench.expect(0, "apply --yes");
    let whole = bench.expect(0, "why web-1").stdout;
    // Where the manifests are at hand their lines are shown.
    let with_lines = bench.expect(0, "why container/web-1 -f site.yaml").stdout;
    assert!(
        with_lines.contains(
            "site.yaml:14:48 (document)\n               14 | spec: {image: busybox, config: {limits"
        ),
        "{with_lines}"
    );
    let without = |text: &str| -> String {
        text.split_inclusive('\n').filter(|line| !line.trim_start().contains(" | ")).collect()
    };
    assert_eq!(whole, without(&with_lines));
    let json: serde_json::Value =
        serde_json::from_str(&bench.expect(0, "why web-1 state -o json").stdout).unwrap();
    assert_eq!((&json["version"], &json["values"][0]["value"]), (&1.into(), &"running".into()));
    assert!(
        bench
            .expect(0, "why web-1 limits.cpu.allowance")
            .stdout
            .contains("100%\n    from       built-in default")
    );
    for (words, help) in [
        ("why web-11", "there is no container/web-11; did you mean `container/web-1`?"),
        ("why nothing-like-it", "`bayplan get` lists"),
        ("why web-1 limits.memroy", "did you mean `limits.memory`?"),
        ("why web-1 zzz", "`bayplan why container/web-1` shows all"),
        ("why web-2 -f site.yaml", "did you mean `container/web-1`?"),
    ] {
        let said = bench.expect(1, words);
        assert!(said.stderr.contains(help), "{words}: {}", said.stderr);
    }
    bench.write("wrong.yaml", "kind: Nothing\n");
    assert!(bench.expect(1, "why web-1 -f wrong.yaml").stderr.contains("unknown kind"));
    let daemon = bench.daemon("");
    assert_eq!(whole, bench.expect(0, "why web-1").stdout);
    assert_eq!(with_lines, bench.expect(0, "why web-1 -f site.yaml").stdout);
    assert!(bench.expect(1, "why web-2").stderr.contains("did you mean `container/web-1`?"));
    drop(daemon);
}

#[test]
fn a_field_that_is_left_alone_says_so() {
    let ignored = LAYERS.replace(
        "  profiles: [default, web]",
        "  profiles: [default, web]\n  ignore: [config.limits.memory]",
    );
    let host = host(&ignored);
    let by_hand = MemoryLimit { bytes: 2 << 30, enforce: MemoryEnforce::Hard };
    assert!(host.edit_limits(&web(), |limits| limits.memory = Some(by_hand)));
    let said = text(&why(&host, &web(), None).narrowed("limits.memory").unwrap(), &|_| None);
    assert!(said.contains("host has   2GiB\n    ignored    neither compared nor written\n"), "{said}");
    assert!(!said.contains("planned"), "{said}");
}

#[test]
fn a_new_object_is_explained_before_it_is_there() {
    let bench = Bench::new();
    let said = bench.expect(0, "why web-1 limits.memory -f site.yaml").stdout;
    assert!(said.contains("changed in the manifest [create]: new, by `create root`"), "{said}");
}

#[test]
fn a_part_that_nobody_wrote_is_a_default_and_not_of_the_line_around_it() {
    let manifest = LAYERS
        .replace("  values:", "  prune: {mode: auto}\n  rollout: {maxUnavailable: 2}\n  values:")
        .replace("  ready:", "  update: {restart: allow}\n  ready:");
    let host = host(&manifest);
    let layer = |key: &Key, field: &str| {
        let explanation = why(&host, key, Some(&manifest));
        let value = explanation.values.into_iter().find(|value| value.field == field);
        value.and_then(|value| value.origin).map(|origin| (origin.layer, origin.place.is_some()))
    };
    let site = Key::site("edge");
    for (key, written, default) in [
        (&site, "prune.mode", "prune.max"),
        (&site, "rollout.maxUnavailable", "rollout.waitReady"),
        (&web(), "update.restart", "update.image"),
        (&web(), "ready.timeout", "ready.interval"),
    ] {
        assert_eq!(layer(key, written), Some((Layer::Document, true)), "{written}");
        assert_eq!(layer(key, default), Some((Layer::Default, false)), "{default}");
    }
}

#[test]
fn what_nobody_wrote_is_a_default_or_of_the_line_that_implies_it() {
    let manifest = "apiVersion: bayplan/v1\nkind: Site\nmetadata: {name: edge}\n---\nkind: Image\nmetadata: {name: tiny}\n\
         spec: {source: {busybox: {}}}\n---\nkind: Network\nmetadata: {name: lan}\nspec: {config: {ipv4.address: \
         10.9.0.1/24}}\n---\nkind: Container\nmetadata: {name: db}\nspec: {image: tiny}\n---\nkind: Container\n\
         metadata: {name: web-1}\nspec:\n  image: tiny\n  restartWith: [db]\n";
    let host = host(manifest);
    let origin = |key: Key, field: &str| {
        let explanation = why(&host, &key, None);
        explanation.values.iter().find(|value| value.field == field).unwrap().origin.clone().unwrap()
    };
    assert_eq!(origin(Key::site("edge"), "heal").layer, Layer::Default);
    assert_eq!(origin(Key::network("lan"), "type").layer, Layer::Default);
    let line = manifest.lines().position(|line| line.contains("restartWith")).unwrap() + 1;
    let depends = origin(web(), "dependsOn").place.unwrap();
    assert_eq!(usize::try_from(depends.line).unwrap(), line);
}

#[test]
fn a_probe_is_of_the_line_that_names_it_in_any_of_its_forms() {
    for (ready, written, default) in [
        ("{systemd: true}", "ready.systemd", "ready.timeout"),
        ("{exec: [check, it]}", "ready.exec", "ready.timeout"),
        ("{tcp: 80}", "ready.tcp", "ready.timeout"),
        ("{http: 80}", "ready.http.port", "ready.http.path"),
        ("{http: {port: 80}}", "ready.http.port", "ready.http.path"),
        ("{http: {port: 80, path: /}}", "ready.http.path", "ready.interval"),
        ("{interval: 1s}", "ready.interval", "ready.alive"),
    ] {
        let manifest = LAYERS.replace("{timeout: 10s}", ready);
        let explanation = why(&host(&manifest), &web(), Some(&manifest));
        let layer = |field: &str| {
            let value = explanation.values.iter().find(|value| value.field == field);
            let origin = value.and_then(|value| value.origin.clone()).map(|origin| origin.layer);
            origin.unwrap_or_else(|| panic!("{ready}: no {field} in {:#?}", explanation.values))
        };
        assert_eq!(layer(written), Layer::Document, "{ready}: {written}");
        assert_eq!(layer(default), Layer::Default, "{ready}: {default}");
    }
}

/// A file of a profile, one of the container over a profile's, one that placeholders fill.
const FILES: &str = "\
apiVersion: bayplan/v1
kind: Site
metadata: {name: edge}
spec:
  values: {greeting: hello}
---
kind: Image
metadata: {name: busybox}
spec: {source: {busybox: {}}}
---
kind: Profile
metadata: {name: web}
spec:
  files:
    /etc/motd:
      content: from the profile
      mode: \"0640\"
    /etc/hello: {content: below}
---
kind: Container
metadata: {name: web-1}
spec:
  image: busybox
  profiles: [default, web]
  files:
    /etc/hello:
      content: \"${values.greeting}\"
      owner: daemon
";

#[test]
fn each_field_of_a_file_has_the_line_that_gave_it_and_a_default_has_none() {
    let explanation = why(&host(FILES), &web(), Some(FILES));
    insta::assert_snapshot!(text(&explanation.narrowed("files").unwrap(), &|_| None), @r"
    container/web-1
        declared  (site.yaml:20:7)
        owner site edge, generation 1

    files./etc/hello:
        from       site.yaml:26:5 (document)
        overrides  a content  site.yaml:18:5 (profile web)
        host has   as written

    files./etc/hello.content: hello
        from       site.yaml:27:16 (document), filled from site.yaml:5
        overrides  a content  site.yaml:18:5 (profile web)

    files./etc/hello.group: root
        from       built-in default
        host has   root

    files./etc/hello.mode: 0644
        from       built-in default
        host has   0644

    files./etc/hello.owner: daemon
        from       site.yaml:28:14 (document)
        host has   daemon

    files./etc/motd:
        from       site.yaml:15:5 (profile web)
        host has   as written

    files./etc/motd.content: from the profile
        from       site.yaml:16:16 (profile web)

    files./etc/motd.group: root
        from       built-in default
        host has   root

    files./etc/motd.mode: 0640
        from       site.yaml:17:13 (profile web)
        host has   0640

    files./etc/motd.owner: root
        from       built-in default
        host has   root
    ");
}
