//! Tests without root: goldens, properties, the command line, schemas, layers.
// Clippy's exception for tests does not cover functions that tests share.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod adopt;
mod agreement;
mod cli;
mod cli_sources;
mod closed_pipe;
mod conformance;
mod controller;
mod drawing;
mod edit;
mod edit_properties;
mod examples;
mod explain;
mod findings;
mod follow;
mod golden;
mod host_findings;
mod imprint;
mod layers;
mod layout;
mod leave_alone;
mod man_pages;
mod packaging;
mod plan_goldens;
mod properties;
mod prune;
mod prune_properties;
mod prune_rendered;
mod question;
mod random_edits;
mod random_manifests;
mod random_site;
mod ready;
mod reconcile_cases;
mod reconcile_files;
mod reconcile_support;
mod reconcile_verbs;
mod rename;
mod rendering;
mod replace;
mod report_forms;
mod rollout;
mod saved_plans;
mod schemas;
mod spec_load;
mod spec_registry;
mod spec_source;
mod templates;
#[path = "../support/terminal.rs"]
mod terminal;
mod verdicts;
mod watch;
mod why;
