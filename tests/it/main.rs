//! Tests without root: goldens, properties, the command line, schemas, layers.

mod findings;
mod golden;
mod reconcile_cases;
mod reconcile_support;
mod spec_load;
