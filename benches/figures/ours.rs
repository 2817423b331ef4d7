//! Bayplan itself: one state folder, driven by commands and in this process ("warm": what a daemon does).

use crate::measure::time;
use anyhow::{Context, Result, ensure};
use bayplan::driver::native::{Layout, Native};
use bayplan::driver::{Driver, Scope, StepContext};
use bayplan::model::key::Key;
use bayplan::model::object::Power;
use bayplan::model::step::{Action, StopHow};
use bayplan::reconcile::apply::{ApplyOptions, WORKERS, apply};
use bayplan::reconcile::goal::{Goal, HoldTerms, PlanOptions};
use bayplan::reconcile::plan::Plan;
use bayplan::reconcile::{propose, render};
use bayplan::runtime::spawner::Spawner;
use bayplan::spec::{LoadContext, Loaded, SourceText, TextRole, load};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

pub const ACTOR: &str = "bench";

/// Whether containers have a nic on the bench's bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Net {
    None,
    Bridged,
}

/// One state folder.
pub struct Ours {
    pub native: Native,
    program: PathBuf,
    folder: PathBuf,
    rootfs: PathBuf,
    bridge: String,
}

impl Ours {
    /// `name` is a new folder in `base`; `rootfs` is what its image is made from.
    pub fn new(base: &Path, name: &str, program: &Path, rootfs: &Path) -> Result<Ours> {
        let folder = base.join(name);
        fs::create_dir(&folder)?;
        let layout = Layout::new(&folder.join("state"), None)?;
        let spawner = Spawner::from_program(program);
        let native = Native::new(layout, spawner, program.to_owned())?;
        let bridge = format!("bpb{}{}", std::process::id() % 100_000, name.chars().next().unwrap_or('x'));
        Ok(Ours { native, program: program.to_owned(), folder, rootfs: rootfs.to_owned(), bridge })
    }

    /// The site of `count` containers `c0`, `c1` …, all running.
    pub fn site(&self, count: usize, net: Net) -> String {
        let rootfs = self.rootfs.display();
        let head = |kind: &str, name: &str| {
            format!("---\napiVersion: bayplan/v1\nkind: {kind}\nmetadata: {{name: {name}}}\n")
        };
        let mut text = head("Image", "tiny") + &format!("spec: {{source: {{directory: {rootfs}}}}}\n");
        let nic = match net {
            Net::None => String::new(),
            Net::Bridged => {
                let address = "config: {ipv4.address: 10.213.0.1/16, ipv4.nat: true, ipv6.address: none}";
                text += &(head("Network", &self.bridge) + &format!("spec: {{type: bridge, {address}}}\n"));
                format!(", eth0: {{type: nic, network: {}}}", self.bridge)
            }
        };
        text += &head("Profile", "bare");
        text += &format!("spec: {{devices: {{root: {{type: disk, path: /, pool: default}}{nic}}}}}\n");
        for number in 0..count {
            text += &head("Container", &format!("c{number}"));
            text += "spec: {image: tiny, profiles: [bare]}\n";
        }
        text
    }

    /// Writes the manifest that `plan` and `apply` commands take.
    pub fn declare(&self, count: usize, net: Net) -> Result<PathBuf> {
        let path = self.folder.join("site.yaml");
        fs::write(&path, self.site(count, net))?;
        Ok(path)
    }

    /// Makes so many containers run, each with a nic on the bridge; their site.
    pub fn run_many(&self, count: usize) -> Result<Loaded> {
        let site = self.load(&self.site(count, Net::Bridged))?;
        let spent = self.pass(&Goal::Site(&site.desired))?;
        eprintln!("  {count} containers run after {} s", spent.as_secs());
        Ok(site)
    }

    pub fn load(&self, text: &str) -> Result<Loaded> {
        loaded(text)
    }

    /// Plans and carries out, as a daemon's pass does; its time, planning included.
    pub fn pass(&self, goal: &Goal<'_>) -> Result<Duration> {
        time(|| self.carry_out(&self.plan(goal)?))
    }

    pub fn plan(&self, goal: &Goal<'_>) -> Result<Plan> {
        Ok(propose(&self.native, goal, &options())?)
    }

    pub fn carry_out(&self, plan: &Plan) -> Result<()> {
        carry_out(&self.native, plan)
    }

    /// Carries out a plan step by step, and answers the time of the steps that `counts` is true for, with the syncing.
    pub fn steps(&self, plan: &Plan, counts: impl Fn(&Action) -> bool) -> Result<Duration> {
        let cancel = AtomicBool::new(false);
        let now = jiff::Timestamp::now();
        let context = StepContext { cancel: &cancel, deadline: None, progress: &|_| (), now, actor: ACTOR };
        let mut spent = Duration::ZERO;
        for step in &plan.steps {
            let begun = Instant::now();
            self.native.execute(step, &context)?;
            if counts(&step.action) {
                spent += begun.elapsed();
            }
        }
        // What they wrote has to last: the end of every apply.
        let begun = Instant::now();
        self.native.settle()?;
        Ok(spent + begun.elapsed())
    }

    /// A plan that starts or stops `c0`; a stop kills at once.
    pub fn power(&self, power: Power) -> Result<Plan> {
        let mut plan = self.plan(&Goal::Power {
            keys: [Key::container("c0")].into(),
            power,
            hold: HoldTerms::default(),
        })?;
        for step in &mut plan.steps {
            if let Action::Stop { how, .. } = &mut step.action {
                *how = StopHow::Forced;
            }
        }
        Ok(plan)
    }

    /// A command of the program on this state folder; its time.
    pub fn command(&self, words: &[&str]) -> Result<Duration> {
        let mut command = self.program();
        let mut output = None;
        let spent = time(|| {
            output = Some(command.args(words).output()?);
            Ok(())
        })?;
        let output = output.context("no output")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "bayplan {} ended with {}: {said}", words.join(" "), output.status);
        Ok(spent)
    }

    /// The program with this state folder, not yet started.
    pub fn program(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--state-dir").arg(&self.native.layout().state).stdin(Stdio::null());
        command
    }

    /// Deletes these containers, as an apply of a deletion does.
    pub fn delete_containers(&self) -> Result<()> {
        let containers =
            self.keys()?.into_iter().filter(|key| key.kind == bayplan::model::key::Kind::Container);
        self.delete(containers.collect())
    }

    /// Deletes everything; the state folder is as new.
    pub fn delete_all(&self) -> Result<()> {
        self.delete(self.keys()?)
    }

    fn delete(&self, keys: BTreeSet<Key>) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        let mut plan = self.plan(&Goal::Delete(keys))?;
        for step in &mut plan.steps {
            if let Action::Stop { how, .. } = &mut step.action {
                *how = StopHow::Forced;
            }
        }
        self.carry_out(&plan)
    }

    fn keys(&self) -> Result<BTreeSet<Key>> {
        Ok(self.native.observe(&Scope::All)?.records.into_keys().collect())
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        if let Err(error) = self.delete_all() {
            crate::complain(&format!("{} was not cleared: {error:#}", self.folder.display()));
        }
    }
}

/// Its container `c0` is killed, unmeasured.
pub fn stop(ours: &Ours) -> Result<()> {
    ours.carry_out(&ours.power(Power::Stopped)?)
}

pub fn options() -> PlanOptions {
    let seed = *uuid::Uuid::new_v4().as_bytes();
    PlanOptions { allow_restart: true, ..PlanOptions::new(jiff::Timestamp::now(), seed, ACTOR) }
}

/// As `apply` does; every step must succeed.
pub fn carry_out(driver: &dyn Driver, plan: &Plan) -> Result<()> {
    let cancel = AtomicBool::new(false);
    let now = jiff::Timestamp::now();
    let options = ApplyOptions {
        workers: WORKERS,
        cancel: &cancel,
        deadline: None,
        clock: &std::time::Instant::now,
        progress: &|_| (),
        now,
        actor: ACTOR,
    };
    let report = apply(driver, plan, &options);
    ensure!(report.is_done(), "{}", render::report_text(&report, Default::default()));
    Ok(())
}

/// Loads a manifest as the program does.
pub fn loaded(text: &str) -> Result<Loaded> {
    let here = PathBuf::from("/");
    let role = TextRole::Manifest;
    let texts =
        [SourceText { path: "site.yaml".into(), text: text.into(), base: here.clone(), root: here, role }];
    load(&texts, &LoadContext::new("amd64")).map_err(|findings| anyhow::anyhow!("{:?}", findings.first()))
}
