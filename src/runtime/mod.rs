//! One container: from a start spec to a running system, and back to nothing.

pub mod cgroup;
pub mod channel;
pub mod confinement;
pub mod console;
pub mod container;
pub mod devices;
pub mod entry;
pub mod error;
pub mod exec;
mod exec_inside;
pub mod files;
pub mod identity;
mod init;
mod monitor;
mod monitor_loop;
pub mod mount_table;
pub mod mounts;
pub mod observe;
mod oom;
pub mod records;
pub mod rootfs;
mod sealed;
pub mod seccomp;
pub mod secrets;
pub mod spawner;
pub mod start_spec;
pub mod user;
