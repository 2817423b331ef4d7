//! What goes on while a plan is carried out: on a terminal a bar, and a line for each step that runs now; elsewhere a
//! line for each step that changed something.

use super::output::{Chatter, Output, live_terminal};
use crate::api::types::{ProgressLine, ProgressWord};
use crate::model::key::Key;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Between two frames, so that a long step is seen to go on.
const TICK: Duration = Duration::from_millis(200);

/// The display of one apply.
pub struct Display {
    out: Output,
    live: Option<Live>,
}

/// Bars on a terminal.
struct Live {
    frame: MultiProgress,
    total: ProgressBar,
    running: Mutex<BTreeMap<(Key, String), ProgressBar>>,
}

impl Display {
    pub fn new(out: Output, steps: usize) -> Display {
        let live = (out.chatter == Chatter::Progress && live_terminal()).then(|| Live::new(steps));
        Display { out, live }
    }

    pub fn show(&self, line: &ProgressLine) {
        match &self.live {
            Some(live) => live.show(line),
            None => plain(self.out, line),
        }
    }

    /// Takes the bars away.
    pub fn end(self) {
        if let Some(live) = &self.live {
            live.total.finish_and_clear();
            // What cannot be taken away stays to be seen.
            let _ = live.frame.clear();
        }
    }
}

impl Live {
    fn new(steps: usize) -> Live {
        let frame = MultiProgress::new();
        let total = frame.add(ProgressBar::new(u64::try_from(steps).unwrap_or(u64::MAX)));
        total.set_style(style("[{wide_bar}] {pos}/{len}").progress_chars("=> "));
        total.enable_steady_tick(TICK);
        Live { frame, total, running: Mutex::default() }
    }

    fn show(&self, line: &ProgressLine) {
        let ProgressLine { key, what, line } = line;
        let step = (key.clone(), what.clone());
        match line {
            ProgressWord::Begin => {
                let bar = self.frame.insert_before(&self.total, ProgressBar::new_spinner());
                bar.set_style(style("{spinner} {wide_msg} {elapsed}"));
                bar.set_message(format!("{key}: {what}"));
                bar.enable_steady_tick(TICK);
                lock(&self.running).insert(step, bar);
            }
            ProgressWord::Line(text) => {
                if let Some(bar) = lock(&self.running).get(&step) {
                    bar.set_message(format!("{key}: {what}: {text}"));
                }
            }
            ProgressWord::Changed
            | ProgressWord::Unchanged
            | ProgressWord::Failed(_)
            | ProgressWord::Blocked
            | ProgressWord::Skipped => {
                if let Some(bar) = lock(&self.running).remove(&step) {
                    bar.finish_and_clear();
                }
                if let ProgressWord::Failed(why) = line {
                    // The report says it again.
                    let _ = self.frame.println(format!("{key}: {what}: failed: {why}"));
                }
                self.total.inc(1);
            }
        }
    }
}

fn plain(out: Output, line: &ProgressLine) {
    let ProgressLine { key, what, line } = line;
    match line {
        ProgressWord::Line(text) => out.progress(&format!("{key}: {text}")),
        ProgressWord::Changed => out.progress(&format!("{key}: {what}: done")),
        ProgressWord::Failed(why) => out.progress(&format!("{key}: {what}: failed: {why}")),
        ProgressWord::Begin | ProgressWord::Unchanged | ProgressWord::Blocked | ProgressWord::Skipped => {}
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
