//! Signals that only raise a flag.

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

static RAISED: AtomicBool = AtomicBool::new(false);
static LAST: AtomicI32 = AtomicI32::new(0);

extern "C" fn raise(signal: nix::libc::c_int) {
    LAST.store(signal, Ordering::Relaxed);
    RAISED.store(true, Ordering::Relaxed);
}

/// From now on SIGINT and SIGTERM set the flag that is given back, and end a blocking call with EINTR. Programs that
/// are executed have the default again (execve(2)).
pub fn flag_on_interrupt() -> nix::Result<&'static AtomicBool> {
    let action = SigAction::new(SigHandler::Handler(raise), SaFlags::empty(), SigSet::empty());
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        // SAFETY: the handler only stores into an atomic, which is async-signal-safe (signal-safety(7)).
        unsafe { sigaction(signal, &action) }?;
    }
    Ok(&RAISED)
}

/// Takes the signal that came last; each is taken once.
pub fn take_interrupt() -> Option<i32> {
    Some(LAST.swap(0, Ordering::Relaxed)).filter(|signal| *signal != 0)
}
