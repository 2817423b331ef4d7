//! Tests on the real host, as root, with real containers.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test says so by failing")]

mod runtime;
