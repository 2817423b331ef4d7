//! The tests that need no root and no network, in one binary.
// clippy.toml allows these in test functions; here they are allowed in the functions that tests share, too.
#![allow(clippy::unwrap_used, clippy::panic)]

mod findings;
mod golden;
mod schemas;
mod spec_load;
mod spec_registry;
mod spec_source;
