//! Tests without root: goldens, properties, the command line, schemas, layers.

mod conformance;
mod findings;
mod golden;
mod layers;
mod properties;
mod random_site;
mod reconcile_cases;
mod reconcile_support;
mod schemas;
mod spec_load;
mod spec_registry;
mod spec_source;
