//! The system calls that nix and rustix lack, and probes for what the kernel has.
//!
//! This crate holds the only unsafe code of Bayplan: one operation a block, each with the fact that makes it
//! sound. It decides nothing, knows nothing of containers, and never touches a thread or an executor.

pub mod device_filter;
pub mod ids;
pub mod link;
pub mod memory;
pub mod mount;
pub mod probe;
pub mod process;
pub mod seccomp;
pub mod signals;
