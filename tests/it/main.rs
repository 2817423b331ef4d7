//! The tests that need no root and no network, in one binary.

mod findings;
mod golden;
mod schemas;
mod spec_load;
mod spec_registry;
mod spec_source;
