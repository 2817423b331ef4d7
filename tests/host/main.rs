//! Tests on the real host, as root, with real containers, links, mounts and trees. Each cleans up after itself.

mod config;
mod crash;
mod drift;
mod image;
mod lifecycle;
mod network;
mod processes;
mod product;
mod runtime;
mod storage;
mod systemd;
