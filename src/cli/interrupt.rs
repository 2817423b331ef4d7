//! Ctrl-C and SIGTERM: a flag, so that the running step ends and nothing new begins.

use std::sync::atomic::AtomicBool;

static NEVER: AtomicBool = AtomicBool::new(false);

/// The flag; where signals cannot be had, one that nothing sets.
pub fn flag() -> &'static AtomicBool {
    linux::signals::flag_on_interrupt().unwrap_or(&NEVER)
}
