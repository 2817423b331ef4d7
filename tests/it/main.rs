//! Tests without root: goldens, properties, the command line, schemas, layers.

mod conformance;
mod findings;
mod golden;
mod host_findings;
mod layers;
mod plan_goldens;
mod properties;
mod random_site;
mod reconcile_cases;
mod reconcile_support;
mod reconcile_verbs;
mod schemas;
mod spec_load;
mod spec_registry;
mod spec_source;
