//! Healing: from the kill of an init to the next init, under a daemon.

use crate::Bench;
use crate::measure::{Side, Table, interleave, time};
use crate::ours::{Net, Ours, stop};
use anyhow::{Context, Result, ensure};
use bayplan::model::object::Power;
use bayplan::reconcile::goal::Goal;
use bayplan::runtime::records::{self, Started};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// Containers that are killed in turn: so each lives longer than what the daemon takes for a crash loop (2 s).
const KILLED: usize = 10;
const BETWEEN_KILLS: Duration = Duration::from_millis(250);
const KILLS: usize = 30;
/// The longest wait for one.
const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_micros(200);

/// Kills among so many containers, interleaved with whole starts of one of another state folder.
pub fn heal(bench: &Bench, table: &mut Table) -> Result<()> {
    for count in [KILLED, bench.most.clamp(KILLED, 100)] {
        let ours = bench.ours(&format!("heal{count}"))?;
        let other = bench.ours(&format!("reference{count}"))?;
        other.pass(&Goal::Site(&other.load(&other.site(1, Net::Bridged))?.desired))?;
        stop(&other)?;
        let daemon = Daemon::start(&ours, count)?;
        let mut next = 0;
        let mut sides = [
            Side::timed("daemon, kill -9 to the next init", || {
                std::thread::sleep(BETWEEN_KILLS);
                next += 1;
                daemon.heal(next % KILLED)
            }),
            Side::timed("a whole start: warm, pass", || {
                let spent = time(|| other.carry_out(&other.power(Power::Running)?))?;
                stop(&other)?;
                Ok(spent)
            }),
        ];
        let samples = interleave(KILLS, &mut sides)?;
        let (healed, started) = (&samples[0], &samples[1]);
        table.compare(&format!("heal one of {count}"), "ms", &[healed], &[started]);
        table.tail(&format!("heal one of {count}, p99 ÷ median"), "ms", healed, started);
        drop(sides);
        drop(daemon);
    }
    Ok(())
}

/// A daemon that follows a manifest; ended when dropped, and its containers stay for their owner to delete.
struct Daemon {
    process: Child,
    /// The run folders of its containers.
    folders: Vec<PathBuf>,
}

impl Daemon {
    fn start(ours: &Ours, count: usize) -> Result<Daemon> {
        let manifest = ours.declare(count, Net::Bridged)?;
        let log = fs::File::create(manifest.with_extension("log"))?;
        let mut command = ours.program();
        command.arg("daemon").arg("-f").arg(&manifest).stdout(Stdio::null()).stderr(log);
        let mut daemon = Daemon { process: command.spawn()?, folders: vec![] };
        let run = &ours.native.layout().run;
        until(PATIENCE + Duration::from_millis(100) * count as u32, || {
            daemon.folders = folders(run)?;
            let running = daemon.folders.iter().filter(|folder| runs(folder, 0).is_some());
            Ok((running.count() == count).then_some(()))
        })
        .context("the containers do not run")?;
        daemon.folders.sort();
        // All have lived long enough to be healed at once.
        std::thread::sleep(Duration::from_secs(3));
        Ok(daemon)
    }

    fn heal(&self, number: usize) -> Result<Duration> {
        let folder = &self.folders[number];
        let before = runs(folder, 0).with_context(|| format!("{} does not run", folder.display()))?;
        let begun = Instant::now();
        kill(Pid::from_raw(before.init.pid), Signal::SIGKILL)?;
        until(PATIENCE, || Ok(runs(folder, before.incarnation)))?;
        Ok(begun.elapsed())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let ended =
            kill(Pid::from_raw(self.process.id() as i32), Signal::SIGTERM).map_err(anyhow::Error::from);
        if let Err(error) = ended.and_then(|()| Ok(self.process.wait()?)) {
            crate::complain(&format!("the daemon was not ended: {error:#}"));
        }
    }
}

fn folders(run: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(run) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(vec![]),
        entries => entries?,
    };
    let paths: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    Ok(paths.into_iter().filter(|path| path.is_dir()).collect())
}

/// Its start, once init itself runs (it has executed its program), of an incarnation after `incarnation`.
fn runs(folder: &Path, incarnation: u64) -> Option<Started> {
    let started = records::read::<Started>(folder, records::STARTED).ok()??;
    let name = fs::read_to_string(format!("/proc/{}/comm", started.init.pid)).ok()?;
    (started.incarnation > incarnation && name.trim() == "init" && started.init.is_alive()).then_some(started)
}

fn until<T>(patience: Duration, mut done: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let begun = Instant::now();
    loop {
        if let Some(value) = done()? {
            return Ok(value);
        }
        ensure!(begun.elapsed() < patience, "not within {} s", patience.as_secs());
        std::thread::sleep(POLL);
    }
}
