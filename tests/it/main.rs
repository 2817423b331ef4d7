//! The tests that need no root and no network, in one binary.

mod findings;
mod golden;
mod spec_load;
