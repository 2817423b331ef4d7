//! The real binary with a modelled host: every verb, every exit code.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub const SITE: &str = "\
apiVersion: bayplan/v1
kind: Site
metadata: {name: edge}
spec: {}
---
apiVersion: bayplan/v1
kind: Image
metadata: {name: busybox}
spec: {source: {busybox: {}}}
---
apiVersion: bayplan/v1
kind: Container
metadata: {name: web-1}
spec: {image: busybox, config: {limits.memory: 1GiB}, devices: {eth0: {ipv4.address: 10.66.0.21}}}
";

/// A folder with `site.yaml` and, once something was applied, a modelled host.
pub struct Bench {
    folder: tempfile::TempDir,
}

/// What a command said, and how it ended.
pub struct Said {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

/// This machine's name, which a modelled one bears too.
pub fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim().to_owned()
}

impl Bench {
    pub fn new() -> Bench {
        let bench = Bench { folder: tempfile::tempdir().unwrap() };
        bench.write("site.yaml", SITE);
        bench
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    pub fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bayplan"));
        command
            .current_dir(self.path())
            .args(["--state-dir", "state", "--driver", "memory"])
            .args(words.split_whitespace())
            .env_remove("BAYPLAN_STATE_DIR")
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, words: &str) -> Said {
        let output = self.command(words).output().unwrap();
        Said {
            status: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs, and asks for an exit code.
    #[track_caller]
    pub fn expect(&self, status: i32, words: &str) -> Said {
        let said = self.run(words);
        assert_eq!(said.status, status, "bayplan {words}\n{}{}", said.stdout, said.stderr);
        said
    }

    /// A daemon that answers.
    pub fn daemon(&self, words: &str) -> Daemon {
        let child = self.command(&format!("daemon {words}")).stderr(Stdio::null()).spawn().unwrap();
        let socket = self.path().join("state/unix.socket");
        let daemon = Daemon { child, socket };
        wait_until("the daemon answers", || std::os::unix::net::UnixStream::connect(&daemon.socket).is_ok());
        daemon
    }
}

pub struct Daemon {
    child: Child,
    socket: PathBuf,
}

impl Daemon {
    fn end(mut self, signal: nix::sys::signal::Signal) -> Option<i32> {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        nix::sys::signal::kill(pid, signal).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Already waited for where the test ended it itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[track_caller]
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Times, uuids and hashes made alike.
pub fn redacted(text: &str) -> String {
    let mut words = String::new();
    for piece in text.split_inclusive(|mark: char| mark.is_whitespace() || mark == '"') {
        let core = piece.trim_matches(|mark: char| mark.is_whitespace() || "\"(),".contains(mark));
        let replaced = match core {
            uuid if uuid.len() == 36 && uuid.matches('-').count() == 4 => "UUID",
            hash if hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => "HASH",
            time if time.len() >= 20 && time.ends_with('Z') && time.contains('T') => "TIME",
            _ => core,
        };
        words.push_str(&piece.replace(core, replaced));
    }
    let user = nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten().map(|user| user.name);
    match user {
        Some(user) => words.replace(&format!("by {user}"), "by USER"),
        None => words,
    }
}

const TWO_HOSTS: &str = "\
apiVersion: bayplan/v1
kind: Site
metadata: {name: edge}
spec: {targets: [edge-berlin, edge-hamburg]}
---
kind: Host
metadata: {name: edge-berlin}
spec: {machineId: 6d6f64656c6c6564686f737400000001, values: {memory: 1GiB}}
---
kind: Host
metadata: {name: edge-hamburg}
spec: {values: {memory: 2GiB}}
---
kind: Image
metadata: {name: busybox}
spec: {source: {busybox: {}}}
---
kind: ContainerSet
metadata: {name: web}
spec: {replicas: 2, template: {image: busybox, config: {limits.memory: \"${values.memory}\"}}}
---
kind: Profile
metadata: {name: more}
spec: {placement: {hosts: [edge-hamburg]}}
";

#[test]
fn one_site_for_two_hosts_is_validated_rendered_and_applied_on_the_right_one() {
    let bench = Bench::new();
    bench.write("site.yaml", TWO_HOSTS);
    insta::assert_snapshot!(bench.expect(0, "validate").stdout, @r"
    valid: site edge, 5 objects
      host edge-berlin: 4 objects
      host edge-hamburg: 5 objects
    ");
    insta::assert_snapshot!(bench.expect(0, "validate --host edge-berlin").stdout, @r"
    valid: site edge, 4 objects
      host edge-berlin: 4 objects
    ");
    let json: serde_json::Value = serde_json::from_str(&bench.expect(0, "validate -o json").stdout).unwrap();
    assert_eq!((&json["objects"], &json["hosts"][1]["objects"]), (&5.into(), &5.into()));
    // The modelled host has edge-berlin's machine id.
    bench.expect(0, "apply --yes");
    assert!(bench.expect(0, "describe web-0").stdout.contains("1GiB"));
    bench.expect(0, "plan");
    assert_eq!(bench.expect(0, "get containerset/web").stdout.lines().count(), 3, "a head and two members");
    let rendered = bench.expect(0, "render --host edge-berlin").stdout;
    bench.write("rendered.yaml", &rendered);
    bench.expect(0, "plan -f rendered.yaml");
    let json: serde_json::Value =
        serde_json::from_str(&bench.expect(0, "render --host edge-hamburg -o json").stdout).unwrap();
    assert_eq!((&json["host"], json["documents"].as_array().unwrap().len()), (&"edge-hamburg".into(), 6));
    bench.expect(0, "render --host edge-hamburg -o yaml");
    assert!(bench.expect(64, "render").stderr.contains("edge-berlin, edge-hamburg"));
    assert!(bench.expect(1, "render --host edge-hamburk").stderr.contains("did you mean `edge-hamburg`?"));
    bench.expect(64, "plan --host edge-berlin");
    bench.expect(64, "plan -o yaml");
    bench.write("elsewhere.yaml", &bench.expect(0, "render --host edge-hamburg").stdout);
    for command in ["plan", "apply --yes", "delete --allow delete"] {
        let said = bench.expect(1, &format!("{command} -f elsewhere.yaml"));
        assert!(
            said.stderr.contains(&format!("this load is for edge-hamburg; this host is `{}`", hostname())),
            "{}",
            said.stderr
        );
    }
}

#[test]
fn a_sets_key_stands_for_its_members() {
    let bench = Bench::new();
    let set = |replicas: usize| {
        let template = "template: {image: busybox, config: {limits.memory: 1GiB}}";
        let site = SITE.replacen("spec: {}", "spec: {prune: {max: 50%}}", 1);
        format!(
            "{site}---\nkind: ContainerSet\nmetadata: {{name: web}}\nspec: {{name: \"w{{index}}\", replicas: {replicas}, {template}}}\n"
        )
    };
    bench.write("site.yaml", &set(3));
    assert!(bench.expect(0, "apply --yes --only containerset/web").stdout.contains("container/w2"));
    assert!(bench.expect(1, "get web-1").stderr.contains("there is no container/web-1"));
    assert!(bench.expect(0, "stop containerset/web --force").stdout.contains("container/w2"));
    assert_eq!(bench.expect(0, "holds").stdout.lines().count(), 4, "a head and three members");
    assert!(bench.expect(1, "start w0 w7").stderr.contains("there is no container/w7"));
    bench.expect(0, "start w0 w2");
    assert_eq!(bench.expect(0, "holds").stdout.lines().count(), 2);
    bench.expect(0, "resume containerset/web");
    assert_eq!(bench.expect(0, "holds").stdout, "no holds\n");
    bench.write("site.yaml", &set(1));
    let said = bench.expect(2, "plan").stdout;
    assert!(
        said.contains("containerset/web: 3 -> 1: 2 waiting for confirmation to be parked: w1, w2"),
        "{said}"
    );
    bench.expect(0, "apply --yes --allow delete=2");
    assert_eq!(bench.expect(0, "get --parked").stdout.lines().count(), 3, "a head and two members");
    assert!(bench.expect(0, "undelete containerset/web").stdout.contains("container/w2"));
    assert_eq!(bench.expect(0, "get --parked").stdout.lines().count(), 1);
    assert!(bench.expect(1, "undelete containerset/web").stderr.contains("container/w1 is not parked"));
    bench.expect(0, "delete --park containerset/web");
    assert_eq!(bench.expect(0, "get --parked").stdout.lines().count(), 4);
    bench.expect(0, "delete containerset/web");
    assert!(bench.expect(1, "get containerset/web").stderr.contains("there is no containerset/web"));
    bench.expect(1, "delete containerset/web");
}

#[test]
fn targets_refuse_another_host_by_both_names() {
    let bench = Bench::new();
    bench.write("site.yaml", &SITE.replacen("spec: {}", "spec: {targets: [edge-berlin]}", 1));
    let said = bench.expect(1, "apply --yes");
    let refused = format!("this load is for edge-berlin; this host is `{}`", hostname());
    assert!(said.stderr.contains(&refused), "{}", said.stderr);
    assert_eq!(bench.expect(0, "get").stdout.lines().count(), 1, "nothing was done");
    bench.write(
        "site.yaml",
        &SITE.replacen("spec: {}", &format!("spec: {{targets: [edge-berlin, {}]}}", hostname()), 1),
    );
    bench.expect(0, "apply --yes");
}

#[test]
fn validate_counts_objects_and_shows_findings_with_exit_1() {
    let bench = Bench::new();
    insta::assert_snapshot!(bench.expect(0, "validate").stdout, @"valid: site edge, 3 objects");
    bench.write("bad.yaml", &SITE.replace("image: busybox", "imgae: busybox"));
    let said = bench.expect(1, "validate -f bad.yaml");
    assert!(said.stderr.contains("bad.yaml:14:8"), "{}", said.stderr);
    assert!(said.stderr.contains("did you mean"), "{}", said.stderr);
    assert_eq!(said.stdout, "");
}

#[test]
fn a_finding_at_plan_and_apply_changes_nothing() {
    let bench = Bench::new();
    bench.write("bad.yaml", &SITE.replace("image: busybox", "image: debian"));
    bench.expect(1, "plan -f bad.yaml");
    bench.expect(1, "apply -f bad.yaml");
    assert_eq!(bench.expect(0, "get").stdout, "no objects\n");
}

#[test]
fn plan_apply_plan_ends_empty() {
    let bench = Bench::new();
    insta::assert_snapshot!("plan", redacted(&bench.expect(2, "plan").stdout));
    let said = bench.expect(0, "apply");
    assert!(said.stdout.contains("12 steps: 11 changed, 1 unchanged"), "{}", said.stdout);
    assert!(said.stderr.contains("container/web-1: start: done"), "{}", said.stderr);
    insta::assert_snapshot!(bench.expect(0, "plan").stdout, @"nothing to do: 6 unchanged");
    insta::assert_snapshot!(bench.expect(0, "apply --quiet").stdout, @"nothing to do: 6 unchanged");
    insta::assert_snapshot!(bench.expect(0, "drift").stdout, @"no drift");
}

#[test]
fn a_key_that_nothing_has_is_answered_with_the_likely_one() {
    let bench = Bench::new();
    bench.expect(0, "apply");
    for command in [
        "get web-2",
        "describe wbe-1",
        "stop web1",
        "resume web-11",
        "restart web-3",
        "delete web-0",
        "export web-2",
        "undelete web-2",
    ] {
        let said = bench.expect(1, command).stderr;
        assert!(said.contains("did you mean `container/web-1`?"), "{command}: {said}");
    }
    assert!(bench.expect(1, "plan --only web-2").stderr.contains("did you mean `container/web-1`?"));
    assert!(bench.expect(1, "get bay0").stderr.contains("did you mean `network/bay0`?"));
    for command in ["freeze network/bay0", "restart image/busybox"] {
        let said = bench.expect(1, command).stderr;
        assert!(said.contains(" is no container"), "{command}: {said}");
    }
}

#[test]
fn get_describe_and_holds_show_objects_as_they_stand() {
    let bench = Bench::new();
    bench.expect(0, "apply");
    insta::assert_snapshot!("get", bench.expect(0, "get").stdout);
    insta::assert_snapshot!("get_json", redacted(&bench.expect(0, "get web-1 -o json").stdout));
    insta::assert_snapshot!("describe", redacted(&bench.expect(0, "describe web-1").stdout));
    assert!(bench.expect(0, "get networks").stdout.contains("network/bay0"));
    insta::assert_snapshot!(bench.expect(1, "get container/nope").stderr, @"error: there is no container/nope; `bayplan get` lists what there is");
    bench.expect(1, "describe image/nope");
    insta::assert_snapshot!(bench.expect(0, "holds").stdout, @"no holds");
}

#[test]
fn a_stop_is_a_hold_until_resume() {
    let bench = Bench::new();
    bench.expect(0, "apply");
    bench.expect(0, "stop web-1 --for 10m");
    assert!(bench.expect(0, "get web-1").stdout.contains("stopped"));
    assert!(bench.expect(0, "holds").stdout.contains("container/web-1"));
    bench.expect(0, "plan");
    bench.expect(0, "apply");
    assert!(bench.expect(0, "get web-1").stdout.contains("stopped"), "the hold is stronger than an apply");
    bench.expect(0, "resume web-1");
    assert!(bench.expect(0, "get web-1").stdout.contains("running"));
    assert_eq!(bench.expect(0, "holds").stdout, "no holds\n");
}

#[test]
fn freeze_unfreeze_start_and_restart_work() {
    let bench = Bench::new();
    bench.expect(0, "apply");
    bench.expect(0, "freeze web-1");
    assert!(bench.expect(0, "get web-1").stdout.contains("frozen"));
    bench.expect(0, "unfreeze web-1");
    bench.expect(0, "stop web-1 --force --until-apply");
    bench.expect(0, "start web-1");
    let before = bench.expect(0, "get web-1 -o json").stdout;
    bench.expect(0, "restart web-1 --timeout 5");
    assert_ne!(before, bench.expect(0, "get web-1 -o json").stdout, "a restart is a new incarnation");
    bench.expect(1, "stop nope");
}

#[test]
fn a_restart_waits_for_approval() {
    let bench = Bench::new();
    bench.expect(0, "apply");
    bench.write(
        "site.yaml",
        &SITE.replace("limits.memory: 1GiB", "limits.memory: 1GiB, security.nesting: true"),
    );
    let said = bench.expect(0, "apply");
    assert!(said.stdout.contains("pending"), "{}", said.stdout);
    bench.expect(0, "plan");
    bench.expect(2, "plan --fail-on pending");
    bench.expect(0, "plan --fail-on drift");
    bench.expect(0, "apply --allow restart");
    bench.expect(0, "plan --fail-on pending");
}

#[test]
fn a_replaced_root_is_shown_as_long_as_it_is_kept() {
    let bench = Bench::new();
    let replacing = SITE.replace(
        "spec: {image: busybox,",
        "spec: {image: busybox, update: {restart: allow, image: replace},",
    );
    bench.write("site.yaml", &replacing);
    bench.expect(0, "apply");
    assert!(!bench.expect(0, "describe web-1").stdout.contains("replaced"));
    bench.write("site.yaml", &replacing.replace("busybox: {}", "directory: /srv/tree"));
    bench.expect(0, "apply");
    let said = bench.expect(0, "describe web-1").stdout;
    assert!(said.contains("replaced") && said.contains(" of image/busybox, kept until 2"), "{said}");
    let json: serde_json::Value = serde_json::from_str(&bench.expect(0, "get web-1 -o json").stdout).unwrap();
    assert!(json.to_string().contains("\"replaced\":{"), "{json}");
}

#[test]
fn an_apply_that_leaves_something_broken_is_not_done() {
    let bench = Bench::new();
    bench.expect(0, "apply");
    let model = bench.path().join("state/modelled-host.json");
    let mut host: serde_json::Value = serde_json::from_slice(&std::fs::read(&model).unwrap()).unwrap();
    host["images"] = serde_json::json!({});
    std::fs::write(&model, host.to_string()).unwrap();
    // The image comes back; below the container that runs it is still missing.
    bench.expect(3, "apply");
    let said = bench.expect(3, "apply");
    assert!(said.stdout.contains("nothing to do: 1 broken"), "{}", said.stdout);
    bench.expect(0, "restart web-1");
    bench.expect(0, "apply");
}

#[test]
fn what_is_no_longer_declared_waits_is_parked_and_is_listed() {
    let bench = Bench::new();
    let second = "---\nkind: Container\nmetadata: {name: web-2}\nspec: {image: busybox}\n";
    bench.write("site.yaml", &(SITE.to_owned() + second));
    bench.expect(0, "apply --yes");
    bench.write("site.yaml", SITE);
    let said = bench.expect(0, "apply --yes");
    assert!(said.stdout.contains("waits for confirmation"), "{}", said.stdout);
    assert_eq!(bench.expect(0, "get --parked").stdout, "nothing is parked\n");
    bench.expect(2, "plan --fail-on pending");
    let said = bench.expect(4, "apply --yes --allow delete=0");
    assert!(said.stderr.contains("1 object would be pruned, 0 allowed"), "{}", said.stderr);
    bench.expect(0, "apply --yes --allow restart,delete=1");
    let said = bench.expect(0, "get --parked");
    assert!(said.stdout.contains("container/web-2") && said.stdout.contains("site edge"), "{}", said.stdout);
    let listed: serde_json::Value =
        serde_json::from_str(&bench.expect(0, "get --parked -o json").stdout).unwrap();
    assert_eq!(listed["objects"][0]["state"], "parked");
    assert!(listed["objects"][0]["parked"]["until"].is_string(), "{listed}");
    bench.expect(1, "undelete web-1");
    bench.expect(1, "undelete web-9");
    bench.expect(0, "undelete web-2");
    bench.expect(0, "plan --allow delete");
    bench.expect(0, "delete web-2 --park");
    bench.expect(64, "delete --all --park");
    bench.expect(64, "delete web-2 --allow restart");
    bench.expect(64, "apply --allow deletes");
    // Through the daemon it is the same.
    let _daemon = bench.daemon("");
    bench.expect(0, "get --parked");
    bench.expect(0, "undelete web-2");
    assert_eq!(bench.expect(0, "get --parked").stdout, "nothing is parked\n");
    bench.expect(0, "delete web-2");
}

#[test]
fn delete_all_stops_at_its_guard() {
    let bench = Bench::new();
    bench.expect(0, "apply");
    let said = bench.expect(4, "delete --all");
    assert!(said.stderr.contains("--allow delete=6 lifts this"), "{}", said.stderr);
    bench.expect(4, "delete --all --allow delete=5");
    assert!(bench.expect(0, "get").stdout.contains("container/web-1"));
    bench.expect(0, "delete --all --yes --allow delete=6");
    insta::assert_snapshot!(bench.expect(0, "get").stdout, @"no objects");
}

#[test]
fn delete_removes_what_is_named_or_declared() {
    let bench = Bench::new();
    bench.expect(0, "apply");
    bench.expect(0, "delete web-1");
    assert!(!bench.expect(0, "get").stdout.contains("web-1"));
    bench.expect(0, "apply");
    bench.expect(0, "delete -f site.yaml --allow delete");
    assert!(!bench.expect(0, "get").stdout.contains("site edge"));
    bench.expect(1, "delete web-1");
    bench.expect(64, "delete");
}

#[test]
fn usage_errors_exit_64_and_later_verbs_are_refused_by_name() {
    let bench = Bench::new();
    insta::assert_snapshot!(bench.expect(64, "schema device").stderr, @"error: kind `device` is not supported yet");
    insta::assert_snapshot!(bench.expect(1, "explain Device.spec.share").stderr, @"error: there is no field `Device.spec.share`; kind `Device` is not supported yet");
    insta::assert_snapshot!(bench.expect(0, "explain update.window").stdout, @r"
    container.spec.update.window
        When changes that stop it may be made.
        supported  not yet: a manifest that has it is refused
        type       a mapping
    ");
    insta::assert_snapshot!(bench.expect(64, "history").stderr, @"error: `bayplan history` is not supported yet; `bayplan help` lists what is");
    assert!(bench.expect(64, "plna").stderr.contains("plan"));
    bench.expect(64, "plan --nope");
    bench.expect(64, "get thing/web-1");
    bench.expect(64, "plan --host https://edge.example");
    bench.expect(64, "schema Thing");
    bench.expect(64, "");
    bench.expect(0, "--help");
    assert_eq!(bench.expect(0, "--version").stdout, bench.expect(0, "version").stdout);
}

#[test]
fn json_is_one_document_with_a_version() {
    let bench = Bench::new();
    for (status, words) in [
        (0, "validate -o json"),
        (2, "plan -o json"),
        (0, "graph -o json"),
        (0, "apply -o json"),
        (0, "get -o json"),
        (0, "describe web-1 -o json"),
        (0, "why web-1 -o json"),
        (0, "why web-1 -f site.yaml -o json"),
        (1, "why web-7 -o json"),
        (0, "explain limits.memory -o json"),
        (0, "fmt --check -o json"),
        (0, "adopt -o json"),
        (0, "adopt --write -o json"),
        (0, "export -o json"),
        (0, "init other -o json"),
        (0, "drift -o json"),
        (0, "holds -o json"),
        (0, "status -o json"),
        (0, "version -o json"),
        (1, "get nope -o json"),
        (0, "schema Container"),
    ] {
        let said = bench.expect(status, words);
        let value: serde_json::Value = serde_json::from_str(&said.stdout)
            .unwrap_or_else(|error| panic!("bayplan {words}: {error}\n{}", said.stdout));
        let versioned = value["version"] == 1 || words.starts_with("schema");
        assert!(versioned, "bayplan {words}: {value}");
    }
}

#[test]
fn a_locked_state_folder_exits_5_and_names_the_holder() {
    let bench = Bench::new();
    let holder = "pid 4711, bayplan apply";
    let lock = bayplan::store::lock::acquire(&bench.path().join("state"), holder, Duration::ZERO).unwrap();
    let begun = Instant::now();
    let said = bench.expect(5, "apply");
    assert!(said.stderr.contains(holder), "{}", said.stderr);
    assert!(begun.elapsed() < Duration::from_secs(5), "a locked folder is told at once");
    bench.expect(2, "plan");
    let waiting = bench.command("apply --wait 20").stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut waiting = waiting.unwrap();
    std::thread::sleep(Duration::from_millis(300));
    drop(lock);
    assert_eq!(waiting.wait().unwrap().code(), Some(0), "--wait waits for the holder to end");
}

#[test]
fn the_modelled_host_is_not_taken_for_the_real_one() {
    let bench = Bench::new();
    bench.expect(0, "apply");
    let said = bench.expect(1, "get --driver native");
    assert!(said.stderr.contains("belongs to a modelled host"), "{}", said.stderr);
    bench.expect(125, "exec web-1 -- true");
}

#[test]
fn commands_through_a_daemon_say_what_they_say_without() {
    let (with, without) = (Bench::new(), Bench::new());
    let daemon = with.daemon("");
    for words in [
        "plan",
        "apply --quiet",
        "plan",
        "get",
        "stop web-1 --until-apply --quiet",
        "holds",
        "get",
        "resume web-1 --quiet",
        "hold web-1 --state stopped --quiet",
        "holds",
        "resume web-1 --quiet",
        "drift",
        "describe web-1",
        "get nope",
        "stop nope",
        "delete --all",
        "delete --all --allow delete --quiet",
        "get",
    ] {
        let (here, there) = (without.run(words), with.run(words));
        assert_eq!(here.status, there.status, "bayplan {words}\n{}", there.stderr);
        assert_eq!(redacted(&here.stdout), redacted(&there.stdout), "bayplan {words}");
        assert_eq!(redacted(&here.stderr), redacted(&there.stderr), "bayplan {words}");
    }
    assert_eq!(daemon.end(nix::sys::signal::Signal::SIGTERM), Some(0));
    with.expect(2, "plan");
}

#[test]
fn a_power_off_is_refused_by_a_daemon_which_would_run_them_again() {
    let bench = Bench::new();
    bench.expect(0, "apply -q");
    let daemon = bench.daemon("");
    let said = bench.expect(1, "power-off");
    assert!(said.stderr.contains("stop the daemon first"), "{}", said.stderr);
    assert_eq!(daemon.end(nix::sys::signal::Signal::SIGTERM), Some(0));
    bench.expect(0, "power-off -q");
    assert!(bench.expect(0, "get web-1").stdout.contains("stopped"));
    bench.expect(2, "plan");
}

#[test]
fn a_daemon_tells_systemd_once_commands_find_it() {
    let bench = Bench::new();
    let path = bench.path().join("notify");
    let systemd = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    systemd.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let child = bench.command("daemon").env("NOTIFY_SOCKET", &path).stderr(Stdio::null()).spawn().unwrap();
    let daemon = Daemon { child, socket: bench.path().join("state/unix.socket") };
    let mut told = [0; 64];
    let length = systemd.recv(&mut told).expect("the daemon tells");
    assert_eq!(&told[..length], b"READY=1");
    std::os::unix::net::UnixStream::connect(&daemon.socket).expect("its socket is there");
}

#[test]
fn a_daemon_follows_its_manifests_and_keeps_the_last_good_ones() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path().join("live")).unwrap();
    bench.write("live/site.yaml", SITE);
    let daemon = bench.daemon("-f live");
    let memory = || bench.run("describe web-1").stdout;
    wait_until("the first pass is done", || memory().contains("1GiB"));
    bench.write("live/new", &SITE.replace("1GiB", "2GiB"));
    std::fs::rename(bench.path().join("live/new"), bench.path().join("live/site.yaml")).unwrap();
    wait_until("a file renamed into place is seen", || memory().contains("2GiB"));
    bench.write("live/site.yaml", "kind: Nope\n");
    std::thread::sleep(Duration::from_millis(500));
    assert!(memory().contains("2GiB"), "a broken load changes nothing");
    std::fs::remove_dir_all(bench.path().join("live")).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    std::fs::create_dir(bench.path().join("live")).unwrap();
    bench.write("live/site.yaml", &SITE.replace("1GiB", "3GiB"));
    wait_until("a folder made again is seen", || memory().contains("3GiB"));
    let said = bench.expect(1, "apply -f site.yaml");
    assert!(said.stderr.contains("the daemon follows"), "{}", said.stderr);
    bench.expect(0, "apply -f live");
    bench.expect(1, "delete web-1");
    daemon.end(nix::sys::signal::Signal::SIGKILL);
    bench.expect(0, "plan -f live");
    bench.daemon("-f live");
}

#[test]
fn no_verb_but_restart_takes_what_waits_for_a_restart() {
    let bench = Bench::new();
    bench.expect(0, "apply --yes");
    bench.write("site.yaml", &SITE.replace("limits.memory: 1GiB", "security.nesting: true"));
    bench.expect(0, "apply --yes");
    for verb in ["freeze", "unfreeze", "start", "freeze", "resume"] {
        let said = bench.expect(0, &format!("{verb} web-1"));
        assert!(
            !said.stdout.contains("security.nesting") || said.stdout.contains("pending"),
            "{}",
            said.stdout
        );
        assert!(bench.expect(0, "plan").stdout.contains("pending: restart"), "{verb}");
    }
    bench.expect(0, "restart web-1");
    assert!(!bench.expect(0, "plan").stdout.contains("pending"));
}

#[test]
fn what_was_retained_is_shown_by_its_key_and_told_where_it_counts() {
    let bench = Bench::new();
    bench.write("site.yaml", &SITE.replace("{name: web-1}", "{name: web-1, deletion: retain}"));
    bench.expect(0, "apply");
    bench.write("site.yaml", SITE.split("---\napiVersion: bayplan/v1\nkind: Container").next().unwrap());
    bench.expect(0, "apply --allow delete");
    let all = bench.expect(0, "get").stdout;
    let line = all.lines().find(|line| line.starts_with("container/web-1")).unwrap();
    assert!(line.contains("Unrecorded") && line.contains(" none ") && !line.contains("site edge"), "{all}");
    let one = bench.expect(0, "get web-1").stdout;
    assert!(one.contains("Unrecorded") && one.lines().count() == 2, "{one}");
    for (status, command) in
        [(1, "describe web-1"), (1, "why web-1"), (1, "stop web-1"), (125, "exec web-1 -- true")]
    {
        let said = bench.expect(status, command).stderr;
        assert!(said.contains("has no record") && said.contains("bayplan delete container/web-1"), "{said}");
    }
    for command in ["plan", "drift"] {
        let told = |said: &str| {
            said.contains("container/web-1  unmanaged, running: it has no record; it was last of site edge")
        };
        assert!(!told(&bench.expect(0, command).stdout));
        let said = bench.expect(2, &format!("{command} --fail-on unmanaged")).stdout;
        assert!(told(&said), "{said}");
    }
    bench.expect(0, "delete web-1");
    bench.expect(1, "get web-1");
}

#[test]
fn a_hold_until_the_next_apply_outlasts_the_daemons_looks_and_ends_with_an_edit() {
    let bench = Bench::new();
    bench.write("live.yaml", SITE);
    let _daemon = bench.daemon("-f live.yaml");
    wait_until("the first pass is done", || bench.run("get web-1").stdout.contains("running"));
    bench.expect(0, "stop web-1 --until-apply");
    // The daemon looks at everything each ten seconds.
    std::thread::sleep(Duration::from_secs(11));
    let said = bench.expect(0, "get web-1").stdout;
    assert!(said.contains("stopped") && said.contains("Held"), "{said}");
    bench.write("live.yaml", &format!("{SITE}# edited\n"));
    wait_until("the edit ended the hold", || bench.run("get web-1").stdout.contains("running"));
    assert!(bench.expect(0, "holds").stdout.contains("no holds"));
}

#[test]
fn a_plan_as_text_tells_a_warning_once_and_a_network_shows_its_bridges_address() {
    let bench = Bench::new();
    let site = SITE.replace(", devices: {eth0: {ipv4.address: 10.66.0.21}}", "");
    bench.write("site.yaml", &site);
    bench.expect(0, "apply");
    let network = bench.expect(0, "get networks").stdout;
    assert!(network.contains("10.66.0.1/24"), "{network}");
    bench.write("site.yaml", &site.replace("web-1", "app"));
    let said = bench.expect(2, "plan");
    assert_eq!((said.stdout + &said.stderr).matches("renamedFrom").count(), 1);
    assert!(
        bench.expect(2, "plan -o json").stderr.contains("renamedFrom"),
        "beside a form that people do not read"
    );
}

#[test]
fn a_program_without_the_dashes_before_it_gets_the_line_that_was_meant() {
    let bench = Bench::new();
    let said = bench.expect(64, "exec web-1 cat -n /etc/hosts").stderr;
    assert!(said.contains("come after `--`"), "{said}");
    assert!(said.contains(" exec web-1 -- cat -n /etc/hosts\n"), "{said}");
    assert!(!bench.expect(64, "get web-1 cat").stderr.contains("after `--`"));
}
