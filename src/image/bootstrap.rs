//! A Debian made by mmdebstrap(1) from the host's own mirror, streamed as a tar into our unpacker.
//!
//! Two runs give the same fingerprint when the packages are the same: mmdebstrap clamps times to `SOURCE_DATE_EPOCH`
//! and removes what differs (seen for bookworm). Packages move with the mirror; `snapshot` holds them still. Without
//! it an image that was lost may come back with another fingerprint.

use super::apt;
use super::error::ImageError;
use super::unpack::{self, Limits};
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};

/// What to make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BootstrapSpec {
    /// Debian's release: `bookworm`.
    pub suite: String,
    /// Packages besides mmdebstrap's variant and [`BASE`].
    pub include: Vec<String>,
    /// mmdebstrap's variant; none: `minbase`.
    pub variant: Option<String>,
    /// None: the mirror that the host's apt uses.
    pub mirror: Option<String>,
    /// A time stamp of snapshot.debian.org (`20250520T000000Z`): the archive as it was then.
    pub snapshot: Option<String>,
}

/// What makes a system container of a minimal Debian: an init, its bus, and the tools one expects.
const BASE: &str = "systemd-sysv,dbus,libpam-systemd,iproute2,netbase,procps,ca-certificates";

/// Units that only fail in a container.
const MASKED: [&str; 8] = [
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "sys-kernel-config.mount",
    "sys-fs-fuse-connections.mount",
    "dev-hugepages.mount",
    "systemd-modules-load.service",
    "systemd-udevd.service",
    "systemd-udev-trigger.service",
];

/// Runs mmdebstrap and unpacks its output into the existing folder `into`; its words go to `progress`, line by line.
/// It works in `scratch`, an existing folder, which the caller removes.
pub fn build(
    spec: &BootstrapSpec,
    into: &Path,
    scratch: &Path,
    progress: &(dyn Fn(&str) + Sync),
) -> Result<Vec<PathBuf>, ImageError> {
    if !is_on_path("mmdebstrap") {
        return Err(ImageError::NoMmdebstrap);
    }
    let child = command(spec, scratch).spawn();
    let mut child = child.map_err(|error| ImageError::io("run", Path::new(CONFINED[0]), error))?;
    let words = child.stderr.take();
    let (unpacked, last_words) = std::thread::scope(|scope| {
        let listener = scope.spawn(|| listen(words, progress));
        let unpacked = unpack_output(&mut child, into);
        if unpacked.is_err() {
            // Its output is read no more: it would wait for ever.
            let _ = child.kill();
        }
        (unpacked, listener.join().unwrap_or_default())
    });
    let status = child.wait().map_err(|error| ImageError::io("wait for", Path::new("mmdebstrap"), error))?;
    // A failed mmdebstrap leaves a cut archive: its own words tell more. Another error is ours, and ended it.
    if !status.success() && matches!(unpacked, Ok(_) | Err(ImageError::Archive { .. })) {
        return Err(ImageError::Bootstrap { status: status.to_string(), output: last_words });
    }
    let skipped = unpacked?;
    adapt(into)?;
    Ok(skipped)
}

/// It runs in pid and mount namespaces of its own, whose first process ends when this thread ends, even by SIGKILL
/// (`PR_SET_PDEATHSIG`, prctl(2)): all of mmdebstrap's processes and mounts go with it. (It holds SIGTERM off.)
const CONFINED: [&str; 9] = [
    "setpriv",
    "--pdeathsig",
    "KILL",
    "unshare",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
    "mmdebstrap",
];

fn command(spec: &BootstrapSpec, scratch: &Path) -> Command {
    let mut include = vec![BASE.to_owned()];
    include.extend(spec.include.iter().cloned());
    let mut command = Command::new(CONFINED[0]);
    command.args(&CONFINED[1..]);
    command
        .env("TMPDIR", scratch)
        .arg("--format=tar")
        .arg(format!("--variant={}", spec.variant.as_deref().unwrap_or("minbase")))
        .arg(format!("--include={}", include.join(",")))
        .arg("--aptopt=APT::Sandbox::User \"root\"")
        .arg("--aptopt=APT::Install-Recommends \"false\"")
        .arg("--aptopt=Acquire::Languages \"none\"");
    if spec.snapshot.is_some() {
        command.arg("--aptopt=Acquire::Check-Valid-Until \"false\"");
    }
    for path in ["doc", "man", "info", "locale"] {
        command.arg(format!("--dpkgopt=path-exclude=/usr/share/{path}/*"));
    }
    command.arg("--dpkgopt=path-include=/usr/share/doc/*/copyright");
    command.args([&spec.suite, "-"]).args(apt::sources(spec));
    command
        .env("LC_ALL", "C")
        // Times inside files that packages write at installation; fixed, so that two runs can agree.
        .env("SOURCE_DATE_EPOCH", "1700000000")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn unpack_output(child: &mut Child, into: &Path) -> Result<Vec<PathBuf>, ImageError> {
    match child.stdout.take() {
        Some(output) => unpack::unpack(BufReader::with_capacity(1 << 20, output), into, Limits::default()),
        None => Ok(Vec::new()),
    }
}

fn is_on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Gives the last lines, for an error.
fn listen(words: Option<ChildStderr>, progress: &(dyn Fn(&str) + Sync)) -> String {
    const KEPT: usize = 30;
    let mut last = std::collections::VecDeque::new();
    for line in words.into_iter().flat_map(|pipe| BufReader::new(pipe).lines()).map_while(Result::ok) {
        progress(&line);
        if last.len() == KEPT {
            last.pop_front();
        }
        last.push_back(line);
    }
    Vec::from(last).join("\n")
}

/// What a container needs otherwise than a machine: no machine id of its own (machine-id(5): empty means made at boot),
/// units that fail masked, no resolv.conf link into the host's ways.
fn adapt(into: &Path) -> Result<(), ImageError> {
    use super::attributes::Attributes;
    let mut tree = super::place::Tree::open(into)?;
    for (path, content) in [("etc/machine-id", ""), ("etc/hostname", "debian\n"), ("etc/resolv.conf", "")] {
        let path = Path::new(path);
        let mut file = tree.file(path)?;
        io::Write::write_all(&mut file, content.as_bytes())
            .map_err(|error| ImageError::io("write", path, error))?;
        tree.finish_file(path, &file, &Attributes::plain(0o644))?;
    }
    for unit in MASKED {
        let path = Path::new("etc/systemd/system").join(unit);
        tree.symlink(&path, Path::new("/dev/null"), &Attributes::plain(0o777))?;
    }
    tree.finish()
}
