//! Tests on the real host, as root, with real containers, links, mounts and trees. Each cleans up after itself.
// Clippy's exception for tests does not cover functions that tests share.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod bad_input;
mod config;
mod conformance;
mod crash;
mod crash_loop;
mod daemon;
mod disks;
mod drift;
mod examples;
mod files;
mod heal_report;
mod image;
mod images;
mod inside;
mod leave_alone;
mod lifecycle;
mod names;
mod network;
mod processes;
mod product;
mod provenance;
mod prune;
mod ready;
mod rename_on_host;
mod replace;
mod restart_with;
mod rollout;
mod runtime;
mod saved_plans;
mod secrets;
mod storage;
mod systemd;
#[path = "../support/terminal.rs"]
mod terminal;
