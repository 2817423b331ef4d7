//! The floor: a program that does about the same isolation with nothing else. It is no part of Bayplan; `make bench
//! FLOOR=PATH` names it.

use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The floor's program with its folder.
pub struct Floor {
    program: PathBuf,
    folder: PathBuf,
}

/// What it says of a run, for one container.
pub struct Said {
    pub start: Duration,
    /// Making and removing, one after another.
    pub life: Duration,
}

impl Floor {
    /// `rootfs` is the unshifted one, `filter` the compiled filter of a Bayplan container.
    pub fn new(base: &Path, program: &Path, rootfs: &Path, filter: &Path) -> Result<Floor> {
        let folder = base.join("floor");
        fs::create_dir_all(&folder)?;
        std::os::unix::fs::symlink(rootfs, folder.join("lower-root"))?;
        fs::copy(filter, folder.join("seccomp.bpf"))?;
        Ok(Floor { program: fs::canonicalize(program)?, folder })
    }

    /// User and net namespace, overlay, masks, cgroups (v1 memory, pids, cpu), seccomp.
    pub fn plain(&self) -> Result<Said> {
        self.run(&["-N", "10", "-u", "-o", "-m", "-s", "-a", "-c", "1"])
    }

    /// And a veth on a bridge.
    pub fn bridged(&self) -> Result<Said> {
        self.run(&["-N", "10", "-u", "-o", "-m", "-s", "-a", "-c", "1", "-n", "-b", "-D"])
    }

    /// The time to start 100 that are held, on one thread: with two it forks while the other thread may hold a lock, and
    /// can wait for ever.
    pub fn hundred(&self) -> Result<Duration> {
        let said = self.run(&["-N", "100", "-T", "1", "-k", "-u", "-o", "-m", "-s", "-a", "-c", "1"])?;
        Ok(said.life * 100)
    }

    fn run(&self, words: &[&str]) -> Result<Said> {
        let output = Command::new(&self.program).arg("-q").args(words).current_dir(&self.folder).output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "the floor said {}", String::from_utf8_lossy(&output.stderr));
        let start = after(&text, "median ").context("the floor gave no median")?;
        let rate = after(&text, "create+destroy ")
            .or(after(&text, "; create "))
            .context("the floor gave no rate")?;
        Ok(Said { start: Duration::from_secs_f64(start / 1e6), life: Duration::from_secs_f64(1.0 / rate) })
    }
}

fn after(text: &str, words: &str) -> Option<f64> {
    text.split_once(words)?.1.split_whitespace().next()?.parse().ok()
}
