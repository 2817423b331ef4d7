//! The tests that need no root and no network, in one binary.

mod spec_load;
