//! Bayplan: the declarative controller for Linux system containers.
//!
//! ```text
//! manifests ─ spec::load ─► Desired  ─┐
//!                                     ├─► diff ► ChangeSet ► graph ► Plan ► apply(driver) ► Report
//! host ─── driver.observe ► Observed ─┘   └─────────── pure ───────────┘    └── effect ──┘
//! ```
//!
//! Modules stand in the order of their layers; `tests/it/layers.rs` holds who may import whom.
#![forbid(unsafe_code)]

pub mod api;
pub mod cli;
pub mod content;
pub mod daemon;
pub mod driver;
pub mod image;
pub mod model;
pub mod network;
pub mod reconcile;
pub mod runtime;
pub mod source;
pub mod spec;
pub mod storage;
pub mod store;
