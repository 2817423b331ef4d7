//! The figures of docs/benchmarks.md: Bayplan beside crun, lxc-start and the floor, interleaved in one run.
//!
//! ```text
//! figures [--floor PATH] [--rounds N] [--most N] [WORK …]      as root; WORK: one of `WORKS`, all without one
//! ```
//!
//! | file | what |
//! | --- | --- |
//! | `measure` | interleaving, medians, the table |
//! | `ours`, `peers`, `floor` | the sides |
//! | `starts` | start; start, stop and delete; a hundred at once |
//! | `memory` | what a running container costs |
//! | `looks` | no-op plans, one object's state, parsing |
//! | `heal` | from a kill to the next init |
//!
//! All that it makes is in one folder of /var/tmp, on bridges named after its pid, and gone when it ends. It measures
//! and never judges: no time makes it fail.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "its output is what it is for")]

mod floor;
mod heal;
mod looks;
mod measure;
mod memory;
mod ours;
mod peers;
mod starts;

use anyhow::{Context, Result, bail, ensure};
use floor::Floor;
use measure::Table;
use ours::Ours;
use peers::{Bridge, Crun, FIRST_ID, Lxc};
use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

type Work = fn(&Bench, &mut Table) -> Result<()>;

/// The works by name, in the table's order.
const WORKS: [(&str, Work); 11] = [
    ("start", starts::start),
    ("start-nic", starts::start_with_nic),
    ("life", starts::life),
    ("hundred", starts::hundred),
    ("hundred-nic", starts::hundred_with_nic),
    ("memory", memory::memory),
    ("plan-modelled", looks::plan_modelled),
    ("plan-real", looks::plan_real),
    ("most", looks::most),
    ("parse", looks::parse),
    ("heal", heal::heal),
];

/// All sides, on one root file system.
pub struct Bench {
    pub folder: PathBuf,
    pub program: PathBuf,
    /// Ids as in the image.
    pub rootfs: PathBuf,
    pub crun: Crun,
    pub lxc: Lxc,
    pub floor: Option<Floor>,
    pub rounds: usize,
    /// The most real containers at once.
    pub most: usize,
    /// How many state folders.
    made: Cell<usize>,
    _bridge: Bridge,
}

struct Options {
    floor: Option<PathBuf>,
    rounds: usize,
    most: usize,
    works: Vec<String>,
}

fn main() -> Result<()> {
    let options = options()?;
    ensure!(nix::unistd::geteuid().is_root(), "real containers are measured: run it as root");
    let name = format!("bayplan-bench-{}", std::process::id());
    let base = Path::new("/var/tmp").join(&name);
    fs::create_dir(&base).with_context(|| format!("make {}", base.display()))?;
    let outcome = run(&base, &options);
    let cleared = tree::remove::remove(Path::new("/var/tmp"), Path::new(&name));
    outcome?;
    cleared.map(drop).with_context(|| format!("remove {}", base.display()))
}

fn run(base: &Path, options: &Options) -> Result<()> {
    let bench = Bench::new(base, options)?;
    let mut table = Table::new();
    for (name, work) in WORKS {
        if options.works.is_empty() || options.works.iter().any(|wanted| wanted == name) {
            let load = load();
            eprintln!("measuring {name} (load {load})");
            table.at_load(load);
            work(&bench, &mut table).with_context(|| format!("the work {name}"))?;
        }
    }
    println!("{}", table.text());
    Ok(())
}

impl Bench {
    fn new(base: &Path, options: &Options) -> Result<Bench> {
        let program = program()?;
        let rootfs = base.join("rootfs");
        make_rootfs(&rootfs)?;
        let shifted = base.join("shifted");
        peers::run(Command::new("cp").arg("-a").arg(&rootfs).arg(&shifted))?;
        // Without -h a link would give away what it points at; nothing is mounted below.
        peers::run(
            Command::new("chown").args(["-R", "-h", &format!("{FIRST_ID}:{FIRST_ID}")]).arg(&shifted),
        )?;
        let bridge = Bridge::new()?;
        let floor = match &options.floor {
            Some(path) => Some(Floor::new(base, path, &rootfs, &filter(base, &program, &rootfs)?)?),
            None => None,
        };
        Ok(Bench {
            folder: base.to_owned(),
            crun: Crun::new(base, &shifted, &bridge.0)?,
            lxc: Lxc::new(base, &shifted, &bridge.0)?,
            program,
            rootfs,
            floor,
            rounds: options.rounds,
            most: options.most,
            made: Cell::new(0),
            _bridge: bridge,
        })
    }

    /// A fresh Bayplan. Two works may ask for the same name.
    pub fn ours(&self, name: &str) -> Result<Ours> {
        let number = self.made.get();
        self.made.set(number + 1);
        Ours::new(&self.folder, &format!("{name}-{number}"), &self.program, &self.rootfs)
    }
}

/// Bayplan's own busybox image, with an init that starts nothing: what is measured is the container.
fn make_rootfs(folder: &Path) -> Result<()> {
    fs::create_dir(folder)?;
    bayplan::image::busybox::build(&bayplan::image::busybox::find()?, folder)?;
    Ok(fs::write(folder.join("etc/inittab"), "::ctrlaltdel:/sbin/reboot\n")?)
}

/// The compiled denylist, as a Bayplan leaves it in its run folder.
fn filter(base: &Path, program: &Path, rootfs: &Path) -> Result<PathBuf> {
    let ours = Ours::new(base, "filter", program, rootfs)?;
    let made = bayplan::runtime::seccomp::cached(&ours.native.layout().run)?;
    let copy = base.join("filter.bpf");
    fs::copy(&made, &copy)?;
    fs::remove_dir_all(&ours.native.layout().run)?;
    Ok(copy)
}

/// The release build beside this program (target/release/examples/figures).
fn program() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own.parent().and_then(Path::parent).context("no target folder")?;
    let program = folder.join("bayplan");
    ensure!(program.exists(), "{} is missing: cargo build --release", program.display());
    Ok(program)
}

fn options() -> Result<Options> {
    let mut options = Options { floor: None, rounds: 11, most: 500, works: vec![] };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().with_context(|| format!("{word} needs a value"));
        match word.as_str() {
            "--floor" => options.floor = Some(value()?.into()),
            "--rounds" => options.rounds = value()?.parse()?,
            "--most" => options.most = value()?.parse()?,
            name if WORKS.iter().any(|(work, _)| *work == name) => options.works.push(word),
            other => bail!("{other} is no work; there are {}", WORKS.map(|(name, _)| name).join(", ")),
        }
    }
    Ok(options)
}

/// The machine's load over the last minute, to tell how quiet it was.
fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("?").to_owned()
}

pub fn complain(text: &str) {
    eprintln!("warning: {text}");
}
