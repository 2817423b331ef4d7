//! Signals that only raise a flag.

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use std::sync::atomic::{AtomicBool, Ordering};

static RAISED: AtomicBool = AtomicBool::new(false);

extern "C" fn raise(_signal: nix::libc::c_int) {
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
