//! Differences of one object → its steps.
