//! One container: from a start spec to a running system, and back to nothing.

pub mod cgroup;
pub mod channel;
pub mod confinement;
pub mod devices;
pub mod error;
pub mod identity;
pub mod records;
pub mod seccomp;
pub mod start_spec;
