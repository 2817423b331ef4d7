//! `apply --watch` and `plan --watch`: manifests are followed however they change, and a broken load leaves the last good
//! one in force.

use crate::cli::{Bench, SITE, wait_until};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// A running `apply --watch` or `plan --watch`; ended when dropped.
struct Watching {
    child: Child,
    said: Receiver<String>,
}

impl Watching {
    fn begin(bench: &Bench, words: &str) -> Watching {
        let mut command = bench.command(words);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, said) = channel();
        tell_lines(child.stderr.take().unwrap(), sender.clone());
        tell_lines(child.stdout.take().unwrap(), sender);
        Watching { child, said }
    }

    /// Waits for a line that has these words.
    #[track_caller]
    fn hear(&self, words: &str) -> String {
        let mut heard = vec![];
        loop {
            let line = self.said.recv_timeout(Duration::from_secs(30));
            let line = line.unwrap_or_else(|_| panic!("never said `{words}`, but:\n{}", heard.join("\n")));
            if line.contains(words) {
                return line;
            }
            heard.push(line);
        }
    }

    fn interrupt(mut self) -> Option<i32> {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
        self.child.wait().unwrap().code()
    }
}

fn tell_lines(stream: impl Read + Send + 'static, sender: Sender<String>) {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
}

impl Drop for Watching {
    fn drop(&mut self) {
        // Already waited for where the test ended it itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn with_memory(size: &str) -> String {
    SITE.replace("1GiB", size)
}

#[track_caller]
fn wait_for_memory(bench: &Bench, size: &str) {
    wait_until(&format!("the limit is {size}"), || {
        let said = bench.run("describe web-1 -o json");
        let fields =
            serde_json::from_str(&said.stdout).map(|value: serde_json::Value| value["fields"].clone());
        let is_applied =
            |field: &serde_json::Value| field["field"] == "config.limits.memory" && field["applied"] == size;
        fields.is_ok_and(|fields| fields.as_array().into_iter().flatten().any(is_applied))
    });
}

#[test]
fn edits_are_applied_and_a_broken_load_keeps_the_last_good_one_and_says_so() {
    let bench = Bench::new();
    let watching = Watching::begin(&bench, "apply --watch");
    wait_for_memory(&bench, "1GiB");
    bench.write("site.yaml", &with_memory("2GiB"));
    wait_for_memory(&bench, "2GiB");

    bench.write("site.yaml", &with_memory("3GiB").replace("limits.memory", "limits.memroy"));
    watching.hear("the manifests are broken; the last good ones stay in force");
    watching.hear("`limits.memroy` is no config key");
    watching.hear("site.yaml:");
    wait_for_memory(&bench, "2GiB");
    bench.write("site.yaml", &with_memory("4GiB"));
    wait_for_memory(&bench, "4GiB");
    assert_eq!(watching.interrupt(), Some(0));
    bench.expect(0, "plan");
}

/// What a kubelet does with a mounted ConfigMap: the new texts in a fresh folder, then `..data` renamed over.
fn publish(volume: &Path, version: &str, text: &str) {
    let folder = volume.join(version);
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("site.yaml"), text).unwrap();
    let former = std::fs::read_link(volume.join("..data"));
    symlink(version, volume.join("..data_tmp")).unwrap();
    std::fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
    if let Ok(former) = former {
        std::fs::remove_dir_all(volume.join(former)).unwrap();
    }
}

#[test]
fn a_mounted_config_map_is_followed_as_a_folder_and_as_a_file() {
    for named in ["volume", "volume/site.yaml"] {
        let bench = Bench::new();
        let volume = bench.path().join("volume");
        std::fs::create_dir(&volume).unwrap();
        publish(&volume, "..2026_01", &with_memory("1GiB"));
        symlink("..data/site.yaml", volume.join("site.yaml")).unwrap();
        let _watching = Watching::begin(&bench, &format!("apply --watch -f {named}"));
        wait_for_memory(&bench, "1GiB");
        for (version, size) in [("..2026_02", "2GiB"), ("..2026_03", "3GiB")] {
            publish(&volume, version, &with_memory(size));
            wait_for_memory(&bench, size);
        }
    }
}

#[test]
fn a_folder_that_is_deleted_and_made_again_is_followed_wherever_it_stands() {
    for named in ["sites/edge", "sites/edge/site.yaml"] {
        let bench = Bench::new();
        let sites = bench.path().join("sites");
        let make = |size: &str| {
            std::fs::create_dir_all(sites.join("edge")).unwrap();
            std::fs::write(sites.join("edge/site.yaml"), with_memory(size)).unwrap();
        };
        make("1GiB");
        let watching = Watching::begin(&bench, &format!("apply --watch -f {named}"));
        wait_for_memory(&bench, "1GiB");
        // The folder itself, then the one that it stands in.
        for (gone, size) in [(sites.join("edge"), "2GiB"), (sites.clone(), "3GiB")] {
            std::fs::remove_dir_all(&gone).unwrap();
            watching.hear("the last good ones stay in force");
            make(size);
            wait_for_memory(&bench, size);
        }
    }
}

#[test]
fn what_cannot_be_followed_is_refused() {
    let bench = Bench::new();
    for words in ["apply --watch -f -", "plan --watch -f -", "daemon -f -"] {
        let said = bench.expect(64, words);
        assert!(said.stderr.contains("standard input cannot be followed"), "{}", said.stderr);
    }
    bench.expect(64, "apply --watch --allow restart");
    for words in ["--out plan.json", "--fail-on drift", "-o junit"] {
        bench.expect(64, &format!("plan --watch {words}"));
    }
}

#[test]
fn a_plan_is_shown_again_when_the_manifests_or_the_host_change() {
    let bench = Bench::new();
    let watching = Watching::begin(&bench, "plan --watch");
    watching.hear(": as it is now");
    watching.hear("plan: 6 to create");
    bench.write("site.yaml", &with_memory("2GiB"));
    watching.hear(": the manifests changed");
    watching.hear("limits.memory: 2GiB");
    bench.expect(0, "apply --yes");
    watching.hear(": the host changed");
    watching.hear("nothing to do");
    bench.expect(0, "stop web-1 --for 1h");
    watching.hear(": the host changed");
    watching.hear("held stopped");
    assert_eq!(watching.interrupt(), Some(0));
}

#[test]
fn a_plan_is_not_shown_again_when_nothing_changes() {
    let bench = Bench::new();
    let watching = Watching::begin(&bench, "plan --watch");
    watching.hear("plan: 6 to create");
    // Longer than between two looks.
    let again = watching.said.recv_timeout(Duration::from_secs(5));
    assert_eq!(again, Err(RecvTimeoutError::Timeout));
}

#[test]
fn a_broken_load_is_told_once_and_the_last_good_one_goes_on_being_planned() {
    let bench = Bench::new();
    bench.expect(0, "apply --yes");
    let watching = Watching::begin(&bench, "plan --watch");
    watching.hear("nothing to do");
    bench.write("site.yaml", &with_memory("3GiB").replace("limits.memory", "limits.memroy"));
    watching.hear("the last good manifests are planned on");
    watching.hear("`limits.memroy` is no config key");
    watching.hear("error: 1 finding");
    bench.expect(0, "stop web-1 --for 1h");
    watching.hear(": the host changed");
    watching.hear("held stopped");
    bench.write("site.yaml", &with_memory("4GiB"));
    watching.hear(": as it is now");
    watching.hear("4GiB");
    // Broken and mended again, to the same text.
    bench.write("site.yaml", "kind: Container\n");
    watching.hear("the last good manifests are planned on");
    bench.write("site.yaml", &with_memory("4GiB"));
    watching.hear(": as it is now");
    assert_eq!(watching.interrupt(), Some(0));
}

#[test]
fn a_plan_is_watched_from_a_broken_load_on_and_through_a_daemon_that_comes_and_goes() {
    let bench = Bench::new();
    bench.write("site.yaml", "kind: Container\n");
    let watching = Watching::begin(&bench, "plan --watch -o json");
    watching.hear("no plan yet");
    bench.write("site.yaml", &with_memory("1GiB"));
    watching.hear("\"steps\"");
    let daemon = bench.daemon("");
    bench.expect(0, "apply --yes");
    watching.hear("\"unchangedKeys\"");
    drop(daemon);
    bench.expect(0, "stop web-1 --for 1h");
    watching.hear("\"held\": \"stopped\"");
    assert_eq!(watching.interrupt(), Some(0));
}
