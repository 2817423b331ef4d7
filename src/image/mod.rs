//! Images: trees of files by their fingerprint, made from a source, kept unpacked with ids as they are inside.
//!
//! ```text
//! source ─► busybox | copy (directory) | bootstrap ─► unpack ─► place (openat2, never outside) ─► store
//!                     walk ─► fingerprint                archive (tar stream; touches no files)
//! ```
//!
//! Never follows a symbolic link of an image, and never makes a device node.

mod apt;
pub mod archive;
pub mod attributes;
pub mod bootstrap;
pub mod busybox;
pub mod copy;
pub mod error;
pub mod fingerprint;
pub mod meta;
pub mod place;
pub mod source;
pub mod store;
pub mod unpack;
pub mod walk;
