//! What is put into containers: texts, files beside manifests, secrets; and their digests.
//!
//! | file | what |
//! | --- | --- |
//! | `resolve` | where a content is → its bytes |
//! | `digest` | bytes → a keyed hash, by the state folder's key |
//! | `kept` | the hashes of files that have not changed since |
//! | `sealed` | bytes → a descriptor that nobody can change |
//!
//! Bytes never leave as text: errors say where a content was looked for, never what was found.

pub mod digest;
pub mod kept;
pub mod resolve;
pub mod sealed;
