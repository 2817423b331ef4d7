//! Secrets: they reach the container, and nothing else. The canary: a value that is looked for in everything that
//! Bayplan says and keeps.

use crate::product::{Product, eventually};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const CANARY: &str = "canary-7f3a91c04d";
const OTHER: &str = "canary-5b22e8aa10";

fn key(product: &Product) -> PathBuf {
    product.folder().join("app.key")
}

fn site(product: &Product, more: &str) -> String {
    product.base()
        + "---\nkind: Secret\nmetadata: {name: app-key}\nspec: {file: app.key}\n"
        + &Product::container(
            "a",
            &format!(
                "files: {{/etc/app.key: {{secretRef: app-key, mode: \"0400\"{more}}}, \
                 /etc/by-env: {{secretRef: {{env: BAYPLAN_TEST_SECRET}}}}}}, \
                 environment: {{TOKEN: {{secretRef: app-key}}, CREDENTIAL: {{secretRef: {{credential: other}}}}}}"
            ),
        )
}

/// A command as the daemon's unit would start it: traced to the utmost, with its variable and its credentials.
fn command(product: &Product, arguments: &[&str]) -> Command {
    let mut command = product.command(arguments);
    command
        .env("RUST_LOG", "trace")
        .env("BAYPLAN_TEST_SECRET", CANARY)
        .env("CREDENTIALS_DIRECTORY", product.folder().join("credentials"));
    command
}

fn give(product: &Product, value: &str) {
    fs::write(key(product), format!("{value}\n")).unwrap();
    fs::create_dir_all(product.folder().join("credentials")).unwrap();
    fs::write(product.folder().join("credentials/other"), value).unwrap();
}

/// Ended when dropped.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let pid = nix::unistd::Pid::from_raw(self.0.id() as i32);
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        let _ = self.0.wait();
    }
}

/// Every output is searched as it comes.
struct Ear<'p> {
    product: &'p Product,
}

impl Ear<'_> {
    #[track_caller]
    fn run(&self, arguments: &[&str], status: i32) -> String {
        let output = command(self.product, arguments).output().unwrap();
        let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        for text in &said {
            assert!(!text.contains("canary-"), "{arguments:?} says the secret:\n{text}");
        }
        assert_eq!(output.status.code(), Some(status), "{arguments:?}\n{}\n{}", said[0], said[1]);
        said.concat()
    }
}

/// Saves a plan, and looks into the file.
#[track_caller]
fn save(ear: &Ear<'_>, manifest: &str, status: i32) -> String {
    let path = ear.product.folder().join("saved.plan");
    let path_text = path.display().to_string();
    ear.run(&["plan", "-f", manifest, "--out", &path_text], status);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("app-key"), "the file has the places of secrets: {text}");
    assert!(!text.contains("canary-"), "the saved plan has the secret:\n{text}");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    path_text
}

/// Whether containers' own roots are searched too.
#[derive(Clone, Copy, PartialEq)]
enum Roots {
    Searched,
    LeftOut,
}

/// Every file below a folder that is no container's root.
fn files_with_canary(folder: &Path, roots: Roots) -> Vec<PathBuf> {
    let mut found = vec![];
    let mut open = vec![folder.to_owned()];
    while let Some(path) = open.pop() {
        for entry in fs::read_dir(&path).into_iter().flatten().flatten() {
            let path = entry.path();
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                // SOURCE/containers/UUID/upper is the container's root.
                if roots == Roots::Searched || !path.ends_with("upper") {
                    open.push(path);
                }
            } else if kind.is_file() {
                let bytes = fs::read(&path).unwrap_or_default();
                if bytes.windows(7).any(|window| window == b"canary-") {
                    found.push(path);
                }
            }
        }
    }
    found
}

/// The pid of the monitor of container a.
fn monitor(product: &Product) -> u64 {
    let uuid = product.container_json("a")["uuid"].as_str().unwrap().to_owned();
    let tags = fs::read_dir("/run/bayplan").unwrap().flatten();
    let records = tags.map(|tag| tag.path().join(&uuid).join("started.json"));
    let text = records.filter_map(|path| fs::read_to_string(path).ok()).next().unwrap();
    let started: serde_json::Value = serde_json::from_str(&text).unwrap();
    started["monitor"]["pid"].as_u64().unwrap()
}

#[track_caller]
fn assert_kept_nowhere(product: &Product) {
    let mut found = vec![];
    for folder in [product.state(), product.folder().join("state.data"), PathBuf::from("/run/bayplan")] {
        found.extend(files_with_canary(&folder, Roots::LeftOut));
    }
    assert!(found.is_empty(), "the secret is in {found:?}");
    // The search finds what is there.
    let inside = files_with_canary(&product.folder().join("state.data"), Roots::Searched);
    assert!(inside.iter().any(|path| path.ends_with("upper/etc/by-env")), "{inside:?}");
    let held = fs::read_dir(format!("/proc/{}/fd", monitor(product))).unwrap().flatten();
    let held: Vec<PathBuf> = held.filter_map(|fd| fs::read_link(fd.path()).ok()).collect();
    let holds = held.iter().any(|file| file.to_string_lossy().contains("memfd:content"));
    assert!(!holds, "the monitor holds the secret: {held:?}");
}

#[test]
fn a_secret_is_in_the_container_and_nowhere_else() {
    let product = Product::new();
    let ear = Ear { product: &product };
    let manifest = product.manifest().display().to_string();
    give(&product, CANARY);
    product.declare(&site(&product, ""));
    ear.run(&["validate", "-f", &manifest], 0);
    ear.run(&["plan", "-f", &manifest], 2);
    ear.run(&["plan", "-f", &manifest, "-o", "json"], 2);
    for form in ["markdown", "junit", "sarif"] {
        ear.run(&["plan", "-f", &manifest, "-o", form], 2);
    }
    // On a new state folder the saved plan's digests need a key that lasts until it is carried out.
    let saved = save(&ear, &manifest, 2);
    ear.run(&["apply", "--plan", &saved, "--yes"], 0);
    ear.run(&["plan", "-f", &manifest], 0);
    // Inside, not through the ear: this is where it belongs.
    let inside = |script: &str| {
        let output =
            command(&product, &["exec", "a", "-T", "--", "sh", "-c", script]).env("RUST_LOG", "off").output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    assert_eq!(inside("cat /etc/app.key"), format!("{CANARY}\n"));
    assert_eq!(inside("cat /etc/by-env"), CANARY);
    assert_eq!(inside("stat -c %a /etc/app.key"), "400\n");
    assert_eq!(inside("echo $TOKEN $CREDENTIAL"), format!("{CANARY} {CANARY}\n"));
    let pid = product.pid("a");
    let environment = fs::read_to_string(format!("/proc/{pid}/environ")).unwrap();
    assert!(environment.split('\0').any(|word| word == format!("TOKEN={CANARY}")), "init has it too");
    assert_kept_nowhere(&product);

    for arguments in [
        &["get"][..],
        &["get", "-o", "json"],
        &["get", "container/a", "-o", "json"],
        &["describe", "container/a"],
        &["describe", "container/a", "-o", "json"],
        &["describe", "secret/app-key"],
        &["drift"],
        &["drift", "-o", "json"],
        &["logs", "a"],
    ] {
        ear.run(arguments, 0);
    }

    // Another value, and a command that says it and fails.
    give(&product, OTHER);
    product
        .declare(&site(&product, ", onChange: [sh, -c, \"cat /etc/app.key; cat /etc/app.key >&2; exit 9\"]"));
    let said = ear.run(&["plan", "-f", &manifest, "-o", "json"], 2);
    assert!(said.contains("digest"), "{said}");
    ear.run(&["plan", "-f", &manifest], 2);
    // What was saved with one value is not carried out with another.
    let saved = save(&ear, &manifest, 2);
    give(&product, CANARY);
    let said = ear.run(&["apply", "--plan", &saved, "--yes"], 1);
    assert!(said.contains("what the plan stands on has changed since it was made for container/a"), "{said}");
    give(&product, OTHER);
    let said = ear.run(&["apply", "-f", &manifest, "--yes", "-o", "json"], 3);
    assert!(said.contains("status 9"), "{said}");
    assert_eq!(
        inside("cat /etc/app.key; echo $TOKEN"),
        format!("{OTHER}\n{OTHER}\n"),
        "exec has the new one"
    );
    assert_kept_nowhere(&product);
    product.declare(&site(&product, ""));
    ear.run(&["apply", "-f", &manifest, "--yes"], 0);
    ear.run(&["plan", "-f", &manifest], 0);

    // Drift of a secret file, and a secret that is gone: what stands is left alone, what does not cannot be repaired.
    inside("echo spoiled > /etc/app.key");
    let said = ear.run(&["drift"], 2);
    assert!(said.contains("/etc/app.key"), "{said}");
    ear.run(&["apply", "-f", &manifest, "--yes"], 0);
    fs::remove_file(key(&product)).unwrap();
    let said = ear.run(&["plan", "-f", &manifest], 1);
    assert!(said.contains("app.key) is not there") && said.contains("site.yaml:"), "{said}");
    ear.run(&["drift"], 0);
    assert_eq!(inside("echo $TOKEN"), format!("{CANARY}\n"), "what init was started with");
    let warned = |expected: &str| {
        let output = command(&product, &["exec", "a", "-T", "--", "true"]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && said.contains(expected), "{said}");
    };
    warned(
        "warning: variable TOKEN is as container/a was started with it, and not as last applied: secret app-key",
    );
    let daemon = Ended(command(&product, &["daemon"]).stderr(Stdio::null()).spawn().unwrap());
    let socket = product.state().join("unix.socket");
    eventually(30, "the daemon answers", || std::os::unix::net::UnixStream::connect(&socket).is_ok());
    warned("warning: variable TOKEN is as container/a was started with it");
    drop(daemon);
    assert_kept_nowhere(&product);
}

#[test]
fn a_daemon_rotates_a_secret_and_says_nothing_of_it() {
    let product = Product::new();
    give(&product, CANARY);
    product.declare(&site(&product, ""));
    let log = product.folder().join("daemon.log");
    let file = fs::File::create(&log).unwrap();
    let manifest = product.manifest().display().to_string();
    let daemon = command(&product, &["daemon", "-f", &manifest])
        .stdout(Stdio::from(file.try_clone().unwrap()))
        .stderr(Stdio::from(file))
        .spawn()
        .unwrap();
    let daemon = Ended(daemon);
    let inside = |script: &str| {
        let output = product.command(&["exec", "a", "-T", "--", "sh", "-c", script]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    eventually(30, "the container runs", || {
        inside("cat /etc/app.key; echo $TOKEN") == format!("{CANARY}\n{CANARY}\n")
    });
    give(&product, OTHER);
    eventually(30, "the secret is rotated", || {
        inside("cat /etc/app.key; echo $TOKEN") == format!("{OTHER}\n{OTHER}\n")
    });
    let ear = Ear { product: &product };
    for arguments in
        [&["get", "-o", "json"][..], &["describe", "container/a", "-o", "json"], &["drift", "-o", "json"]]
    {
        ear.run(arguments, 0);
    }
    ear.run(&["plan", "-f", &manifest, "-o", "json"], 0);
    assert_kept_nowhere(&product);
    drop(daemon);
    let said = fs::read_to_string(&log).unwrap();
    assert!(said.contains("write file /etc/app.key"), "{said}");
    assert!(!said.contains("canary-"), "the daemon says the secret:\n{said}");
}
