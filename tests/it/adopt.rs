//! `adopt`, `export` and `init` by the real binary on a modelled host whose state is edited behind its back.

use crate::cli::Bench;
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

const HEAD: &str = "\
apiVersion: bayplan/v1
kind: Site
metadata: {name: edge}
spec: {}
---
kind: Image
metadata: {name: busybox}
spec: {source: {busybox: {}}}
---
";

/// A bench whose host has what the site says.
fn applied(documents: &str) -> Bench {
    let bench = Bench::new();
    bench.write("site.yaml", &format!("{HEAD}{documents}"));
    bench.expect(0, "apply --yes");
    bench
}

/// Changes what runs of a container, as a hand on the host would.
fn by_hand(bench: &Bench, name: &str, edit: impl Fn(&mut Value)) {
    let path = bench.path().join("state/modelled-host.json");
    let mut host: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let runs = host["runs"].as_object_mut().unwrap().values_mut();
    let mut found = runs.filter(|run| run["run"]["key"] == format!("container/{name}")).peekable();
    assert!(found.peek().is_some(), "{name} does not run");
    found.for_each(edit);
    std::fs::write(&path, host.to_string()).unwrap();
}

fn memory(bytes: u64) -> impl Fn(&mut Value) {
    move |run| run["limits"]["memory"] = serde_json::json!({"bytes": bytes, "enforce": "hard"})
}

const GIB: u64 = 1 << 30;

fn read(bench: &Bench, name: &str) -> String {
    std::fs::read_to_string(bench.path().join(name)).unwrap()
}

/// The lines that adoption changes, one `-`/`+` a line; nothing else of the file may change.
#[track_caller]
fn changed_lines(before: &str, after: &str) -> String {
    let diff = similar::TextDiff::from_lines(before, after);
    let changes = diff.iter_all_changes().filter(|change| change.tag() != similar::ChangeTag::Equal);
    changes.map(|change| format!("{}{}", change.tag(), change.value())).collect()
}

/// Adopts by `words`; answers what changed in site.yaml. The plan is empty afterwards.
#[track_caller]
fn adopt(bench: &Bench, words: &str) -> String {
    let before = read(bench, "site.yaml");
    let shown = bench.expect(0, &format!("adopt {words} -o patch")).stdout;
    assert_eq!(read(bench, "site.yaml"), before, "a patch writes nothing");
    bench.expect(0, &format!("adopt {words} --write"));
    let after = read(bench, "site.yaml");
    bench.expect(0, "plan");
    bench.expect(0, "drift");
    // The patch says what was written.
    std::fs::create_dir_all(bench.path().join("check")).unwrap();
    for tool in TOOLS {
        bench.write("check/site.yaml", &before);
        patched(&bench.path().join("check"), tool, &shown);
        assert_eq!(read(bench, "check/site.yaml"), after, "{tool:?}");
    }
    changed_lines(&before, &after)
}

const TOOLS: [&[&str]; 2] = [&["git", "apply", "-"], &["patch", "-p1"]];

/// A folder after a patch.
#[track_caller]
fn patched(folder: &Path, tool: &[&str], patch: &str) {
    let mut command = Command::new(tool[0]);
    command.args(&tool[1..]).current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(patch.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "{tool:?}: {patch}");
}

#[test]
fn a_limit_raised_by_hand_goes_into_the_line_that_declared_it() {
    let bench = applied(
        "\
# the web server
kind: Container
metadata: {name: web-1}
spec:
  image: busybox
  config:
    limits.memory: '512MiB'   # as agreed
    limits.processes: 100
",
    );
    by_hand(&bench, "web-1", memory(2 * GIB));
    let said = bench.expect(0, "why web-1 limits.memory").stdout;
    assert!(said.contains("host has   2GiB") && said.contains("drift [live]: 2GiB -> 512MiB"), "{said}");
    insta::assert_snapshot!(bench.expect(0, "adopt -o json").stdout);
    insta::assert_snapshot!(adopt(&bench, ""), @r"
    -    limits.memory: '512MiB'   # as agreed
    +    limits.memory: '2GiB'   # as agreed
    ");
    assert_eq!(bench.expect(0, "adopt").stdout, "nothing to adopt\n");
}

#[test]
fn a_value_that_nobody_wrote_is_added_to_the_document_in_its_own_style() {
    let bench = applied(
        "\
kind: Container
metadata: {name: flow}
spec: {image: busybox}   # small
---
kind: Container
metadata: {name: block}
spec:
  image: busybox   # small

# the end
",
    );
    by_hand(&bench, "flow", memory(GIB));
    by_hand(&bench, "block", memory(GIB));
    by_hand(&bench, "block", |run| run["limits"]["processes"] = 9.into());
    insta::assert_snapshot!(adopt(&bench, ""), @r"
    -spec: {image: busybox}   # small
    +spec: {image: busybox, config: {limits.memory: 1GiB}}   # small
    +  config:
    +    limits.memory: 1GiB
    +    limits.processes: 9
    ");
}

#[test]
fn a_limit_taken_away_by_hand_goes_with_its_line_and_a_single_processor_stays_a_set() {
    let bench = applied(
        "kind: Container\nmetadata: {name: a}\nspec: {image: busybox, config: {limits.memory: 1GiB, limits.cpu: 2}}\n",
    );
    by_hand(&bench, "a", |run| run["limits"]["memory"] = Value::Null);
    by_hand(&bench, "a", |run| run["limits"]["cpus"] = serde_json::json!({"set": "1"}));
    insta::assert_snapshot!(adopt(&bench, "a"), @r"
    -spec: {image: busybox, config: {limits.memory: 1GiB, limits.cpu: 2}}
    +spec: {image: busybox, config: {limits.cpu: 1-1}}
    ");
}

/// Changes the modelled host as a hand would.
fn on_the_host(bench: &Bench, edit: impl Fn(&mut Value)) {
    let path = bench.path().join("state/modelled-host.json");
    let mut host: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    edit(&mut host);
    std::fs::write(&path, host.to_string()).unwrap();
}

#[test]
fn a_state_is_adopted_in_its_line_and_where_there_is_none() {
    let bench = applied(
        "\
kind: Container
metadata: {name: a}
spec:
  image: busybox
  state: running # for now
---
kind: Container
metadata: {name: b}
spec: {image: busybox}
",
    );
    by_hand(&bench, "a", |run| run["frozen"] = true.into());
    by_hand(&bench, "b", |run| run["frozen"] = true.into());
    insta::assert_snapshot!(adopt(&bench, ""), @r"
    -  state: running # for now
    +  state: frozen # for now
    -spec: {image: busybox}
    +spec: {image: busybox, state: frozen}
    ");
}

const BRIDGE: &str = "\
kind: Network
metadata: {name: lan0}
spec:
  type: bridge
  config:
    ipv4.address: 10.9.0.1/24   # the office
";

#[test]
fn a_bridges_address_and_mtu_are_adopted_when_that_is_all() {
    let bench = applied(BRIDGE);
    on_the_host(&bench, |host| {
        host["networks"]["lan0"]["addresses"] = serde_json::json!(["10.9.0.254/24"]);
        host["networks"]["lan0"]["mtu"] = 1400.into();
    });
    insta::assert_snapshot!(adopt(&bench, ""), @r"
    -    ipv4.address: 10.9.0.1/24   # the office
    +    ipv4.address: 10.9.0.254/24   # the office
    +    bridge.mtu: 1400
    ");
    // Another subnet: the rules are the former one's, and `apply` has to do with it.
    on_the_host(&bench, |host| {
        host["networks"]["lan0"]["addresses"] = serde_json::json!(["10.9.7.1/24"]);
    });
    let said = bench.expect(1, "adopt --write").stderr;
    assert!(said.contains("network/lan0 config.ipv4.address: set up network is left to do"), "{said}");
    on_the_host(&bench, |host| {
        host["networks"]["lan0"]["addresses"] = serde_json::json!(["10.9.0.254/24", "10.9.0.9/24"]);
    });
    let said = bench.expect(1, "adopt --write").stderr;
    assert!(said.contains("the bridge has 2 addresses of one family, a manifest says one"), "{said}");
    on_the_host(&bench, |host| {
        host["networks"]["lan0"]["addresses"] = serde_json::json!(["10.9.0.254/24"]);
        host["networks"]["lan0"]["up"] = false.into();
    });
    let said = bench.expect(1, "adopt --write").stderr;
    assert!(said.contains("network/lan0 link: bridge lan0 is down; a manifest cannot say that"), "{said}");
}

#[test]
fn a_bridge_with_containers_on_it_is_adopted_only_if_they_stay_as_they_are() {
    let on_it = "---\nkind: Container\nmetadata: {name: a}\nspec: {image: busybox, devices: {eth0: {network: lan0}}}\n";
    let bench = applied(&format!("{BRIDGE}{on_it}"));
    on_the_host(&bench, |host| {
        host["networks"]["lan0"]["addresses"] = serde_json::json!(["10.9.0.254/24"]);
    });
    let before = read(&bench, "site.yaml");
    let said = bench.expect(1, "adopt --write").stderr;
    assert!(said.contains("container/a: it would change too"), "{said}");
    assert_eq!(read(&bench, "site.yaml"), before);
}

#[test]
fn a_device_taken_away_by_hand_is_declared_away() {
    let bench = applied(
        "\
kind: Container
metadata: {name: a}
spec:
  image: busybox
  devices:
    # what it serves
    data:
      type: disk
      source: /srv/web
      path: /srv   # inside
    more: {type: disk, source: /a, path: /a}
---
kind: Container
metadata: {name: b}
spec: {image: busybox}
",
    );
    by_hand(&bench, "a", |run| run["disks"] = serde_json::json!(["more"]));
    by_hand(&bench, "b", |run| run["nics"] = serde_json::json!({}));
    insta::assert_snapshot!(adopt(&bench, ""), @r"
    -    data:
    -      type: disk
    -      source: /srv/web
    -      path: /srv   # inside
    +    # inside
    -spec: {image: busybox}
    +spec: {image: busybox, devices: {eth0: {type: none}}}
    ");
    // It was only forgotten: a restart starts it without.
    bench.expect(0, "restart a");
    bench.expect(0, "plan");
}

#[test]
fn a_file_removed_or_given_another_mode_and_owner_by_hand_is_adopted() {
    let bench = applied(
        "\
kind: Profile
metadata: {name: p}
spec:
  files:
    /etc/a: {content: a, mode: \"0600\"}   # secret-ish
---
kind: Container
metadata: {name: c}
spec:
  image: busybox
  profiles: [default, p]
  files: {/etc/gone: {content: x}, /etc/key: {secretRef: {env: KEY}}}
",
    );
    on_the_host(&bench, |host| {
        let root = host["roots"].as_object_mut().unwrap().values_mut().next().unwrap();
        root["files"]["/etc/a"]["mode"] = "0644".into();
        root["files"]["/etc/a"]["owner"] = serde_json::json!(["33", "www-data"]);
        root["files"].as_object_mut().unwrap().remove("/etc/gone");
    });
    insta::assert_snapshot!(adopt(&bench, ""), @r#"
    -    /etc/a: {content: a, mode: "0600"}   # secret-ish
    +    /etc/a: {content: a, mode: "0644", owner: www-data}   # secret-ish
    -  files: {/etc/gone: {content: x}, /etc/key: {secretRef: {env: KEY}}}
    +  files: {/etc/key: {secretRef: {env: KEY}}}
    "#);
    // Contents of a modelled host are known by their digests alone; a secret's is taken from no host.
    for (path, words) in [("/etc/a", "is modelled, without a content"), ("/etc/key", "it is a secret's")] {
        let digest = |host: &mut Value, with: &str| {
            let root = host["roots"].as_object_mut().unwrap().values_mut().next().unwrap();
            let digest = root["files"][path]["digest"].as_str().unwrap().to_owned();
            root["files"][path]["digest"] = match with {
                "" => digest.strip_suffix("ff").unwrap_or(&digest).into(),
                with => format!("{digest}{with}").into(),
            };
        };
        on_the_host(&bench, |host| digest(host, "ff"));
        let said = bench.expect(1, "adopt --write").stderr;
        assert!(said.contains(words), "{said}");
        on_the_host(&bench, |host| digest(host, ""));
    }
}

const PROFILE: &str = "\
kind: Profile
metadata: {name: web}
spec: {config: {limits.memory: 512MiB}}
---
kind: Container
metadata: {name: web-1}
spec: {image: busybox, profiles: [default, web]}
---
kind: Container
metadata: {name: web-2}
spec: {image: busybox, profiles: [default, web]}
";

#[test]
fn a_profiles_value_goes_into_the_container_or_into_the_profile_when_all_of_it_agree() {
    let bench = applied(PROFILE);
    by_hand(&bench, "web-1", memory(2 * GIB));
    let said = bench.expect(1, "adopt --into profile --write").stderr;
    assert!(said.contains("container/web-2: it would change too"), "{said}");
    insta::assert_snapshot!(adopt(&bench, "--into container"), @r"
    -spec: {image: busybox, profiles: [default, web]}
    +spec: {image: busybox, profiles: [default, web], config: {limits.memory: 2GiB}}
    ");
    let bench = applied(PROFILE);
    by_hand(&bench, "web-1", memory(2 * GIB));
    by_hand(&bench, "web-2", memory(2 * GIB));
    insta::assert_snapshot!(adopt(&bench, "--into profile"), @r"
    -spec: {config: {limits.memory: 512MiB}}
    +spec: {config: {limits.memory: 2GiB}}
    ");
}

const SET: &str = "\
kind: ContainerSet
metadata: {name: runner}
spec:
  for:
    a: {memory: 1GiB}
    b: {memory: 1GiB}
  template:
    image: busybox
    config: {limits.memory: \"${each.memory}\", limits.processes: 50}
";

#[test]
fn members_of_a_set_are_adopted_in_the_template_when_they_agree_and_in_their_own_values() {
    let bench = applied(SET);
    by_hand(&bench, "runner-a", memory(2 * GIB));
    insta::assert_snapshot!(adopt(&bench, ""), @r"
    -    a: {memory: 1GiB}
    +    a: {memory: 2GiB}
    ");
    by_hand(&bench, "runner-a", |run| run["limits"]["processes"] = 7.into());
    let before = read(&bench, "site.yaml");
    let said = bench.expect(1, "adopt --write").stderr;
    assert!(said.contains("container/runner-b: it would change too"), "{said}");
    by_hand(&bench, "runner-b", |run| run["limits"]["processes"] = 8.into());
    let said = bench.expect(1, "adopt --write").stderr;
    assert!(said.contains("they do not agree: container/runner-a has 7, container/runner-b has 8"), "{said}");
    assert_eq!(read(&bench, "site.yaml"), before, "nothing is written");
    by_hand(&bench, "runner-b", |run| run["limits"]["processes"] = 7.into());
    let lines = adopt(&bench, "");
    assert!(
        lines.contains("+    config: {limits.memory: \"${each.memory}\", limits.processes: 7}"),
        "{lines}"
    );
}

#[test]
fn what_a_profile_gives_and_is_gone_is_taken_away_in_the_container() {
    let bench = applied(PROFILE);
    by_hand(&bench, "web-1", |run| run["limits"]["memory"] = Value::Null);
    insta::assert_snapshot!(adopt(&bench, ""), @r"
    -spec: {image: busybox, profiles: [default, web]}
    +spec: {image: busybox, profiles: [default, web], config: {limits.memory: null}}
    ");
    // A line that hides the profile's: without it the profile's would come back.
    by_hand(&bench, "web-2", memory(2 * GIB));
    adopt(&bench, "");
    by_hand(&bench, "web-2", |run| run["limits"]["memory"] = Value::Null);
    insta::assert_snapshot!(adopt(&bench, ""), @r"
    -spec: {image: busybox, profiles: [default, web], config: {limits.memory: 2GiB}}
    +spec: {image: busybox, profiles: [default, web], config: {limits.memory: null}}
    ");
}

#[test]
fn what_can_be_adopted_is_and_the_rest_is_named_unless_it_was_asked_for() {
    let web =
        |name: &str| format!("---\nkind: Container\nmetadata: {{name: {name}}}\nspec: {{image: busybox}}\n");
    let bench = applied(&format!("{PROFILE}{SET_AFTER}{}{}", web("odd"), web("plain")));
    by_hand(&bench, "odd", |run| run["supervised"] = false.into());
    by_hand(&bench, "odd", memory(GIB));
    by_hand(&bench, "plain", memory(GIB));
    by_hand(&bench, "web-1", memory(2 * GIB));
    // Two members that agree are one group, and are adopted together.
    by_hand(&bench, "runner-a", |run| run["limits"]["processes"] = 7.into());
    by_hand(&bench, "runner-b", |run| run["limits"]["processes"] = 7.into());
    let before = read(&bench, "site.yaml");
    for (words, code) in
        [("adopt odd --write", 1), ("adopt odd plain --write", 1), ("adopt --into profile", 3)]
    {
        bench.expect(code, words);
        assert_eq!(read(&bench, "site.yaml"), before, "{words}");
    }
    let said = bench.expect(3, "adopt --into profile --write").stderr;
    for not in [
        "not adopted:\n  container/odd monitor: its monitor is gone",
        "\n  container/web-1: container/web-2: it would change too: the same lines declare it\n",
    ] {
        assert!(said.contains(not), "{said}");
    }
    insta::assert_snapshot!(changed_lines(&before, &read(&bench, "site.yaml")), @r"
    -spec: {for: {a: {}, b: {}}, template: {image: busybox, config: {limits.processes: 50}}}
    +spec: {for: {a: {}, b: {}}, template: {image: busybox, config: {limits.processes: 7}}}
    -spec: {image: busybox}
    +spec: {image: busybox, config: {limits.memory: 1GiB}}
    ");
    let json: Value = serde_json::from_str(&bench.expect(1, "adopt --into profile -o json").stdout).unwrap();
    assert_eq!(json["error"]["kind"], "refused", "nothing that is left can be adopted: {json}");
}

const SET_AFTER: &str = "\
---
kind: ContainerSet
metadata: {name: runner}
spec: {for: {a: {}, b: {}}, template: {image: busybox, config: {limits.processes: 50}}}
";

#[test]
fn what_no_manifest_can_say_is_refused_by_name_and_nothing_is_written() {
    let bench = applied("kind: Container\nmetadata: {name: a}\nspec: {image: busybox}\n");
    by_hand(&bench, "a", memory(GIB));
    by_hand(&bench, "a", |run| run["supervised"] = false.into());
    let before = read(&bench, "site.yaml");
    let said = bench.expect(1, "adopt --write").stderr;
    assert!(said.contains("container/a monitor: its monitor is gone; a manifest cannot say that"), "{said}");
    assert_eq!(read(&bench, "site.yaml"), before);
    assert!(bench.expect(1, "adopt nobody").stderr.contains("there is no container/nobody"));
    bench.expect(64, "adopt -f - --write");
    bench.expect(64, "plan -o patch");
}

#[test]
fn a_container_that_no_manifest_declares_gets_a_file_of_its_own() {
    let bench = Bench::new();
    let site = bench.path().join("site");
    std::fs::create_dir(&site).unwrap();
    let web = "apiVersion: bayplan/v1\nkind: Container\nmetadata: {name: web-1, labels: {tier: front}}\n\
               spec: {image: busybox, config: {limits.memory: 1GiB, security.nesting: true}, state: stopped}\n";
    std::fs::write(site.join("base.yaml"), HEAD.trim_end_matches("---\n")).unwrap();
    std::fs::write(site.join("web.yaml"), web).unwrap();
    bench.expect(0, "apply --yes -f site");
    std::fs::remove_file(site.join("web.yaml")).unwrap();
    let patch = bench.expect(0, "adopt container/web-1 -f site -o patch").stdout;
    bench.expect(0, "adopt container/web-1 -f site --write");
    for tool in TOOLS {
        let other = tempfile::tempdir().unwrap();
        patched(other.path(), tool, &patch);
        let made = std::fs::read_to_string(other.path().join("site/container-web-1.yaml")).unwrap();
        assert_eq!(made, std::fs::read_to_string(site.join("container-web-1.yaml")).unwrap(), "{tool:?}");
    }
    insta::assert_snapshot!(std::fs::read_to_string(site.join("container-web-1.yaml")).unwrap(), @r"
    apiVersion: bayplan/v1
    kind: Container
    metadata:
      name: web-1
      labels:
        tier: front
    spec:
      image: busybox
      config:
        limits.memory: 1GiB
        security.nesting: true
      state: stopped
    ");
    bench.expect(0, "plan -f site");
    let said = bench.expect(0, "adopt container/web-1 -f site --write").stdout;
    assert_eq!(said, "nothing to adopt\n");
    // In a single manifest it is one document more.
    let bench = applied(&format!("kind: Profile\nmetadata: {{name: p}}\nspec: {{}}\n---\n{web}"));
    bench.write("site.yaml", &format!("{HEAD}kind: Profile\nmetadata: {{name: p}}\nspec: {{}}\n# the end\n"));
    let lines = adopt(&bench, "web-1");
    let kept = applied(
        "kind: Container\nmetadata: {name: b}\nspec: {image: busybox, config: {limits.memory: 1GiB}}\n",
    );
    kept.write("site.yaml", HEAD.trim_end_matches("---\n"));
    by_hand(&kept, "b", memory(2 * GIB));
    let raised = adopt(&kept, "b");
    assert!(
        raised.contains("+    limits.memory: 2GiB\n"),
        "what it has by hand is in its document: {raised}"
    );
    assert!(
        lines.starts_with("+---\n+apiVersion: bayplan/v1\n+kind: Container\n") && !lines.contains("-kind"),
        "{lines}"
    );
}

#[test]
fn adoption_through_a_daemon_is_the_same() {
    let bench = applied("kind: Container\nmetadata: {name: a}\nspec: {image: busybox, state: stopped}\n");
    bench.write("site.yaml", HEAD.trim_end_matches("---\n"));
    let shown = bench.expect(0, "adopt a").stdout;
    let exported = bench.expect(0, "export").stdout;
    let _daemon = bench.daemon("");
    assert_eq!(bench.expect(0, "adopt a").stdout, shown);
    assert_eq!(bench.expect(0, "export").stdout, exported);
    bench.expect(0, "adopt a --write");
    bench.expect(0, "plan");
    assert!(read(&bench, "site.yaml").ends_with("  state: stopped\n"));
}

/// Each of its policies says one thing, and leaves the rest as it is by default.
const RICH_SITE: &str =
    "kind: Site\nmetadata: {name: edge}\nspec: {prune: {max: 7}, rollout: {maxUnavailable: 2}}";

#[test]
fn what_is_exported_is_short_and_its_plan_is_empty() {
    let bench = Bench::new();
    let rich = format!("{HEAD}{PROFILE}---\n{SET}---\n\
kind: Secret
metadata: {{name: key}}
spec: {{file: /etc/keys/app}}
---
kind: Profile
metadata: {{name: full}}
spec:
  config: {{user.a: \"1\", security.nesting: true, environment.B: b, environment.C: c}}
  files: {{/etc/a: {{content: a}}, /etc/b: {{content: b}}}}
  environment: {{D: {{secretRef: key}}}}
  devices: {{eth0: {{mtu: 1400}}, data: {{type: disk, source: /srv, path: /srv, readonly: true}}, more: {{type: disk, source: /a, path: /a}}}}
---
kind: Container
metadata: {{name: odd, annotations: {{note: \"$${{x}}\"}}, deletion: retain}}
spec:
  image: busybox
  profiles: [default, web, full]
  config: {{user.a: null, security.nesting: false, user.text: \"- # odd: ${{\" }}
  environment: {{B: {{secretRef: {{env: TOKEN}}}}, C: null, D: plain}}
  files: {{/etc/a: null, /etc/c: {{secretRef: key, mode: \"0400\"}}}}
  devices: {{eth0: {{mtu: null}}, data: {{readonly: null}}, more: {{type: none}}}}
  ready: {{timeout: 5s}}
  state: frozen
  update: {{restart: allow}}
  dependsOn: [container/web-1]
  restartWith: [container/side]
---
kind: Container
metadata: {{name: side}}
spec: {{image: busybox}}
");
    let rich = rich.replacen("kind: Site\nmetadata: {name: edge}\nspec: {}", RICH_SITE, 1);
    assert!(rich.contains(RICH_SITE), "{rich}");
    let rich = rich.replace("odd: ${\"", "odd: $${\"");
    bench.write("site.yaml", &rich);
    bench.expect(0, "apply --yes");
    let exported = bench.expect(0, "export").stdout;
    insta::assert_snapshot!(exported);
    bench.write("exported.yaml", &exported);
    bench.expect(0, "plan -f exported.yaml");
    assert_eq!(exported, bench.expect(0, "export --site edge").stdout);
    assert_eq!(exported, bench.expect(0, "export -o yaml").stdout);
    let one = bench.expect(0, "export odd").stdout;
    bench.write("one.yaml", &one);
    bench.expect(0, "validate -f one.yaml");
    assert!(!one.contains("kind: Site") && one.contains("kind: Secret"), "{one}");
    bench.expect(1, "export nobody");
    bench.expect(1, "export --site other");
}

#[test]
fn a_first_site_loads_plans_is_tidy_and_is_never_written_over() {
    let bench = Bench::new();
    // It is written for this machine, and the modelled host stands for it.
    let host = crate::cli::hostname();
    bench.expect(0, "init first");
    assert!(read(&bench, "first/site.yaml").contains(&format!("targets: [{host}]")));
    bench.expect(0, "validate -f first");
    bench.expect(2, "plan -f first");
    bench.expect(0, "fmt --check first");
    bench.expect(0, "apply --yes -f first");
    bench.expect(0, "plan -f first");
    let manifest = read(&bench, "first/site.yaml");
    assert!(manifest.starts_with("# yaml-language-server: $schema=bayplan.schema.json\n"), "{manifest}");
    let schema: Value = serde_json::from_str(&read(&bench, "first/bayplan.schema.json")).unwrap();
    assert!(schema["$defs"]["Container"].is_object());
    assert!(bench.expect(1, "init first").stderr.contains("writes over nothing"));
    assert_eq!(read(&bench, "first/site.yaml"), manifest);
    assert!(bench.expect(1, "init .").stderr.contains("site.yaml is there already"));
    std::fs::create_dir(bench.path().join("other")).unwrap();
    bench.write("other/more.yml", "a: 1\n");
    assert!(bench.expect(1, "init other").stderr.contains("other/more.yml is there already"));
    // With a host's name it is for that host alone, and loads as well.
    let named = bayplan::spec::first_site::text(&bayplan::spec::first_site::FirstSite {
        host: Some("edge-1.example.net"),
        schema: "s.json",
    });
    assert!(named.contains("targets: [edge-1.example.net]") && named.contains("metadata: {name: edge-1}"));
    assert_eq!(bayplan::spec::layout::format(&named).unwrap(), named);
    let number = bayplan::spec::first_site::text(&bayplan::spec::first_site::FirstSite {
        host: Some("17"),
        schema: "s.json",
    });
    assert!(
        crate::spec_load::load_text(&number.replace("targets: [\"17\"]", "values: {}")).is_ok(),
        "{number}"
    );
}

/// Another text in a file inside a container, as a hand on the host would write it.
fn write_inside(bench: &Bench, name: &str, path: &str, text: &str) {
    use sha2::Digest;
    let hash = sha2::Sha256::digest(format!("modelled {text}"));
    let digest: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    on_the_host(bench, |host| {
        let key = format!("container/{name}");
        let mut roots = host["roots"].as_object_mut().unwrap().values_mut();
        let root = roots.find(|root| root["identity"]["key"] == key.as_str()).unwrap();
        root["files"][path]["digest"] = digest.as_str().into();
        let texts = host.as_object_mut().unwrap().entry("texts").or_insert_with(|| serde_json::json!({}));
        texts[&digest] = text.into();
    });
}

const SOURCES: &str = "\
kind: Profile
metadata: {name: p}
spec: {files: {/etc/motd: {source: etc/my motd}}}
---
kind: Container
metadata: {name: a}
spec:
  image: busybox
  profiles: [default, p]
  files:
    /etc/app.conf: {source: etc/app.conf}   # ours
    /etc/inline: {content: \"x\", mode: \"0600\"}
";

fn with_sources(documents: &str) -> Bench {
    let bench = Bench::new();
    bench.write("site.yaml", &format!("{HEAD}{documents}"));
    std::fs::create_dir(bench.path().join("etc")).unwrap();
    bench.write("etc/app.conf", "# ours\nport = 80\n");
    bench.write("etc/my motd", "hello\n");
    bench.expect(0, "apply --yes");
    bench
}

#[test]
fn the_content_of_a_source_is_written_into_that_file() {
    let bench = with_sources(SOURCES);
    write_inside(&bench, "a", "/etc/app.conf", "# ours\nport = ${81}\r\n\ttab");
    write_inside(&bench, "a", "/etc/motd", "");
    write_inside(&bench, "a", "/etc/inline", "one\ntwo\n");
    let patch = bench.expect(0, "adopt -o patch").stdout;
    insta::assert_snapshot!(patch.replace('\r', "<CR>"));
    for tool in TOOLS {
        let other = with_sources(SOURCES);
        patched(other.path(), tool, &patch);
        assert_eq!(read(&other, "etc/app.conf"), "# ours\nport = ${81}\r\n\ttab", "{tool:?}");
        assert_eq!(read(&other, "etc/my motd"), "", "{tool:?}");
        assert!(
            read(&other, "site.yaml").contains("/etc/inline: {content: \"one\\ntwo\\n\", mode: \"0600\"}")
        );
    }
    assert_eq!(read(&bench, "etc/my motd"), "hello\n", "a patch writes nothing");
    let shown = bench.expect(0, "adopt").stdout;
    assert!(
        shown.contains("+port = ${81}\\r\n+\ttab\n") && !shown.contains('\r'),
        "no order for a terminal: {shown}"
    );
    bench.expect(0, "adopt --write");
    bench.expect(0, "plan");
    bench.expect(0, "drift");
    assert_eq!(read(&bench, "etc/app.conf"), "# ours\nport = ${81}\r\n\ttab");
    // What it holds now is what was written: the next change is a change alone.
    bench.write("etc/app.conf", "port = 82\n");
    let plan = bench.expect(2, "plan").stdout;
    assert!(plan.contains("/etc/app.conf") && !plan.contains("drift"), "{plan}");
}

#[test]
fn a_source_of_several_is_adopted_when_all_of_them_have_it() {
    let both = SOURCES.replace("metadata: {name: a}", "metadata: {name: b}");
    let bench = with_sources(&format!("{SOURCES}---\n{}", both.split_once("---\n").unwrap().1));
    write_inside(&bench, "a", "/etc/motd", "bye\n");
    let said = bench.expect(1, "adopt a --write").stderr;
    assert!(said.contains("container/b: it would change too: the same lines declare it"), "{said}");
    write_inside(&bench, "b", "/etc/motd", "good bye\n");
    let said = bench.expect(1, "adopt --write").stderr;
    assert!(said.contains("they do not agree"), "{said}");
    assert_eq!(read(&bench, "etc/my motd"), "hello\n");
    write_inside(&bench, "b", "/etc/motd", "bye\n");
    bench.expect(0, "adopt --write");
    assert_eq!(read(&bench, "etc/my motd"), "bye\n");
    bench.expect(0, "plan");
}

#[test]
fn a_source_that_is_a_secrets_or_no_text_is_refused_and_never_shown() {
    let secret = "---\nkind: Secret\nmetadata: {name: s}\nspec: {file: etc/app.conf}\n";
    let bench = with_sources(&format!("{SOURCES}{secret}"));
    write_inside(&bench, "a", "/etc/app.conf", "canary");
    for words in ["adopt", "adopt -o patch", "adopt --write", "adopt -o json"] {
        let said = bench.expect(1, words);
        assert!(said.stderr.contains("/etc/app.conf is a secret's"), "{}", said.stderr);
        assert!(!said.stderr.contains("canary") && !said.stdout.contains("canary"), "{words}");
        assert!(!said.stderr.contains("port = 80") && !said.stdout.contains("port = 80"), "{words}");
    }
    let bench = with_sources(SOURCES);
    write_inside(&bench, "a", "/etc/app.conf", "x");
    std::fs::write(bench.path().join("etc/app.conf"), b"\xff\xfe").unwrap();
    let said = bench.expect(1, "adopt --write").stderr;
    assert!(said.contains("etc/app.conf is not UTF-8: byte 0 begins no character"), "{said}");
    bench.write("etc/app.conf", &"x".repeat((1 << 20) + 1));
    let said = bench.expect(1, "adopt --write").stderr;
    assert!(said.contains("etc/app.conf has more than 1024 KiB"), "{said}");
    // A manifest that is a file inside, too.
    let bench = with_sources(&SOURCES.replace("source: etc/app.conf", "source: site.yaml"));
    write_inside(&bench, "a", "/etc/app.conf", "x");
    let said = bench.expect(1, "adopt --write").stderr;
    assert!(said.contains("its source site.yaml is more than that here"), "{said}");
}

const TWO_BRIDGES: &str = "\
kind: Network
metadata: {name: lan0}
spec: {type: bridge, config: {ipv4.address: none, ipv6.address: none}}
---
kind: Network
metadata: {name: lan1}
spec: {type: bridge, config: {ipv4.address: none, ipv6.address: none}}
---
kind: Network
metadata: {name: lan2}
spec: {type: bridge, config: {ipv4.address: 10.9.2.1/24}}
---
kind: Container
metadata: {name: a}
spec:
  image: busybox
  devices:
    eth0:
      # the office
      network: \"lan0\"   # for now
";

fn on_bridge(bridge: &str) -> impl Fn(&mut Value) {
    move |run| run["nics"]["eth0"]["bridge"] = bridge.into()
}

#[test]
fn a_nic_moved_to_another_bridge_is_adopted_if_its_addresses_stay() {
    let bench = applied(TWO_BRIDGES);
    by_hand(&bench, "a", on_bridge("lan1"));
    let said = bench.expect(2, "drift").stdout;
    assert!(said.contains("devices.eth0.network") && said.contains("a port of lan1, not of lan0"), "{said}");
    insta::assert_snapshot!(adopt(&bench, ""), @r#"
    -      network: "lan0"   # for now
    +      network: "lan1"   # for now
    "#);
    // In lan2 it would need an address; a bridge of nobody's is no network.
    for (bridge, why) in [("lan2", "is left to do"), ("docker0", "docker0")] {
        by_hand(&bench, "a", on_bridge(bridge));
        let before = read(&bench, "site.yaml");
        let said = bench.expect(1, "adopt --write").stderr;
        assert!(said.contains(why), "{said}");
        assert_eq!(read(&bench, "site.yaml"), before);
    }
    bench.expect(0, "apply --yes");
    bench.expect(0, "plan");
}

#[test]
fn what_is_left_after_adopting_is_told_and_is_the_exit_code() {
    let web =
        |name: &str| format!("---\nkind: Container\nmetadata: {{name: {name}}}\nspec: {{image: busybox}}\n");
    let bench = applied(&format!("{BRIDGE}{}{}", web("a"), web("b")));
    by_hand(&bench, "a", memory(GIB));
    by_hand(&bench, "b", |run| run["supervised"] = false.into());
    let said = bench.expect(3, "adopt a --write -q");
    assert!(
        said.stderr.contains("still to do") && said.stderr.contains("container/b: supervise"),
        "{}",
        said.stderr
    );
    assert!(!said.stderr.contains("container/a"), "{}", said.stderr);
    bench.expect(0, "plan --only container/a");
    by_hand(&bench, "a", memory(2 * GIB));
    let json: Value = serde_json::from_str(&bench.expect(3, "adopt a --write -o json").stdout).unwrap();
    assert!(json["left"][0].as_str().unwrap().starts_with("container/b: "), "{json}");
    // What the adopted one needs has drifted: nothing can be recorded.
    bench.expect(0, "apply --yes");
    on_the_host(&bench, |host| host["networks"]["bay0"]["up"] = false.into());
    by_hand(&bench, "a", memory(4 * GIB));
    let said = bench.expect(3, "adopt a --write -q");
    assert!(
        said.stderr.contains("network/bay0: ") && said.stderr.contains("container/a: "),
        "{}",
        said.stderr
    );
    bench.expect(0, "apply --yes");
    bench.expect(0, "drift");
}
