//! Trees of files on the host: remove them without ever leaving their file system, write files that survive a
//! crash. What storage and image share; knows nothing of containers.
#![forbid(unsafe_code)]

pub mod durable;
pub mod error;
pub mod mounts;
pub mod remove;
