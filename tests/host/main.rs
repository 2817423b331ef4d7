//! Tests that need root and change a host: real links, mounts, trees. Each cleans up after itself.

mod image;
mod network;
mod storage;
