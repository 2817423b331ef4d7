//! Tests on the real host, as root, with real containers, links, mounts and trees. Each cleans up after itself.

mod bad_input;
mod config;
mod conformance;
mod crash;
mod daemon;
mod drift;
mod image;
mod images;
mod lifecycle;
mod network;
mod product;
mod runtime;
mod storage;
mod systemd;
