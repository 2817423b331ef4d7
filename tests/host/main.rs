//! Tests that need root and change a host: real links, mounts, trees. Each cleans up after itself.
// The lints' exception for tests does not reach the functions that tests share.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod image;
mod network;
mod storage;
