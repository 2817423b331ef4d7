//! All tests that need no root, in one binary.

mod reconcile_cases;
mod reconcile_support;
