//! The real binary on this host, as a user has it: a state folder of the test's own, manifests beside it, and
//! nothing left when it ends.

use serde_json::Value;
use std::io::Write;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// One Bayplan: its state folder, its manifest, and names that no other test has.
pub struct Product {
    folder: tempfile::TempDir,
    /// A bridge's name and the third byte of its subnet are made from it.
    number: u8,
    /// As long as it is bound, no other test has the number, of whatever checkout.
    _claim: UnixListener,
}

/// What a command said and how it ended.
#[derive(Debug)]
pub struct Said {
    pub status: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    /// Asserts the exit status, showing everything that was said otherwise.
    #[track_caller]
    pub fn expect(self, status: i32) -> Said {
        assert_eq!(self.status, status, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.out))
    }
}

impl Product {
    /// An empty state folder. On /var/tmp: an overlay's upper folder needs a file system that takes its attributes.
    pub fn new() -> Product {
        assert!(nix::unistd::geteuid().is_root(), "the host tests make real containers: run them as root");
        let (number, claim) =
            (0..250).find_map(|number| Some((number, claim(&number.to_string())?))).unwrap();
        let folder = tempfile::Builder::new().prefix("bayplan-test-").tempdir_in("/var/tmp").unwrap();
        Product { folder, number, _claim: claim }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn state(&self) -> PathBuf {
        self.folder().join("state")
    }

    /// The test's bridge.
    pub fn bridge(&self) -> String {
        format!("bptest{}", self.number)
    }

    /// An address in the test's subnet.
    pub fn address(&self, host: u8) -> String {
        format!("10.99.{}.{host}", self.number)
    }

    /// The objects that most sites begin with: an image, a network of its own, and a profile with a nic on it.
    pub fn base(&self) -> String {
        let (bridge, gateway) = (self.bridge(), self.address(1));
        format!(
            "apiVersion: bayplan/v1\nkind: Site\nmetadata: {{name: test}}\nspec: {{}}\n---\n\
             apiVersion: bayplan/v1\nkind: Image\nmetadata: {{name: busybox}}\nspec: {{source: {{busybox: {{}}}}}}\n---\n\
             apiVersion: bayplan/v1\nkind: Network\nmetadata: {{name: {bridge}}}\n\
             spec: {{type: bridge, config: {{ipv4.address: {gateway}/24, ipv4.nat: true, ipv6.address: none}}}}\n---\n\
             apiVersion: bayplan/v1\nkind: Profile\nmetadata: {{name: net}}\n\
             spec: {{devices: {{eth0: {{type: nic, network: {bridge}}}, root: {{type: disk, path: /, pool: default}}}}}}\n"
        )
    }

    /// One container document; `spec` in flow style without braces.
    pub fn container(name: &str, spec: &str) -> String {
        format!(
            "---\napiVersion: bayplan/v1\nkind: Container\nmetadata: {{name: {name}}}\n\
             spec: {{image: busybox, profiles: [net], {spec}}}\n"
        )
    }

    /// Writes the manifest that [`Product::apply`] and [`Product::plan`] take.
    pub fn declare(&self, text: &str) {
        std::fs::write(self.manifest(), text).unwrap();
    }

    pub fn manifest(&self) -> PathBuf {
        self.folder().join("site.yaml")
    }

    /// A command with this state folder, not yet started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bayplan"));
        command
            .arg("--state-dir")
            .arg(self.state())
            .args(arguments)
            .env("NO_COLOR", "1")
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Said {
        said(self.command(arguments).output().unwrap())
    }

    /// A command in the background; end it by [`Child::kill`] or let it end.
    pub fn spawn(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    pub fn apply(&self) -> Said {
        self.run(&["apply", "-f", &self.manifest().to_string_lossy(), "--yes"])
    }

    pub fn plan(&self) -> Said {
        self.run(&["plan", "-f", &self.manifest().to_string_lossy()])
    }

    pub fn drift(&self) -> Said {
        self.run(&["drift"])
    }

    /// What `get -o json` says of a container.
    #[track_caller]
    pub fn container_json(&self, name: &str) -> Value {
        let value = self.run(&["get", &format!("container/{name}"), "-o", "json"]).expect(0).json();
        let mut object = value["objects"][0].clone();
        let container = object["container"].take();
        for (field, found) in container.as_object().unwrap_or_else(|| panic!("no container in {value}")) {
            object[field] = found.clone();
        }
        object
    }

    /// The host's pid of a container's init; 0: none runs.
    #[track_caller]
    pub fn pid(&self, name: &str) -> u32 {
        self.container_json(name)["pid"].as_u64().unwrap_or(0) as u32
    }

    /// What a command inside prints, trimmed.
    #[track_caller]
    pub fn inside(&self, name: &str, script: &str) -> String {
        self.run(&["exec", name, "-T", "--", "sh", "-c", script]).expect(0).out.trim().to_owned()
    }

    /// The words of a cgroup file of a container's init, v1 or v2.
    #[track_caller]
    pub fn cgroup_folder(&self, name: &str, controller: &str) -> PathBuf {
        let pid = self.pid(name);
        assert_ne!(pid, 0, "{name} does not run");
        cgroup_folder(pid, controller)
    }
}

/// Takes a name for this test alone: an abstract socket, which nobody can bind twice, and which goes with its process.
/// None: another test has it.
pub fn claim(name: &str) -> Option<UnixListener> {
    let address = SocketAddr::from_abstract_name(format!("bayplan-test-{name}")).unwrap();
    UnixListener::bind_addr(&address).ok()
}

/// The folder of a process's cgroup for a controller.
pub fn cgroup_folder(pid: u32, controller: &str) -> PathBuf {
    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let v1 = groups.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':');
        let (_, names, path) = (fields.next()?, fields.next()?, fields.next()?);
        names.split(',').any(|name| name == controller).then(|| (names.to_owned(), path.to_owned()))
    });
    match v1 {
        Some((names, path)) => Path::new("/sys/fs/cgroup").join(names).join(path.trim_start_matches('/')),
        None => {
            let path = groups.lines().find_map(|line| line.strip_prefix("0::")).unwrap();
            Path::new("/sys/fs/cgroup").join(path.trim_start_matches('/'))
        }
    }
}

fn said(output: Output) -> Said {
    Said {
        status: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// How long a test waits at most for what a usual machine does within `seconds`. BAYPLAN_TEST_PATIENCE says how many
/// times slower this machine may be; tools/test-vm.sh sets it.
pub fn patient(seconds: u64) -> Duration {
    let factor = std::env::var("BAYPLAN_TEST_PATIENCE").map_or(1, |text| text.parse().unwrap());
    Duration::from_secs(seconds * factor)
}

/// Says that a test, or a part of it, was not run. Not by println: what a passing test prints so is not shown.
pub fn skipped(why: &str) {
    let mut past_capture = std::io::stderr();
    writeln!(past_capture, "skipped: {why}").unwrap();
}

/// Waits at most `seconds` (see [`patient`]) for something to become true.
#[track_caller]
pub fn eventually(seconds: u64, what: &str, mut holds: impl FnMut() -> bool) {
    let limit = patient(seconds);
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < limit, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

impl Drop for Product {
    /// Also after a failed test: its containers must not outlive it.
    fn drop(&mut self) {
        let said = self.run(&["delete", "--all", "--yes", "--allow", "delete"]);
        if said.status != 0 && !std::thread::panicking() {
            panic!("the test's objects could not be deleted:\n{}\n{}", said.out, said.err);
        }
    }
}
