//! One line a step that changed something, on standard error.

use super::session::Session;
use crate::api::types::{ProgressLine, ProgressWord};

pub fn show(session: &Session, line: &ProgressLine) {
    let ProgressLine { key, what, line } = line;
    match line {
        ProgressWord::Line(text) => session.out.progress(&format!("{key}: {text}")),
        ProgressWord::Changed => session.out.progress(&format!("{key}: {what}: done")),
        ProgressWord::Failed(why) => session.out.progress(&format!("{key}: {what}: failed: {why}")),
        ProgressWord::Begin | ProgressWord::Unchanged | ProgressWord::Blocked | ProgressWord::Skipped => {}
    }
}
