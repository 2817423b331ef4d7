//! What a Bayplan can be asked, as methods of [`super::wiring::Bay`]: the same for a command's own process and for the
//! daemon's routes.
//!
//! | file | operations |
//! | --- | --- |
//! | `load` | texts → desired |
//! | `plan`, `apply` | every change, verbs too, is a goal, its plan, and the plan carried out |
//! | `saved` | a plan that waits in a file, and whether it still holds |
//! | `sets` | a set's key stands for its members |
//! | `checkup` | what the host has for containers |
//! | `inside`, `relay` | programs in containers, their streams, consoles and their logs |
//! | `adopt` | what the host has, as edits of the manifests |
//! | `listing`, `describe`, `holds`, `status`, `why`, `export`, `file` | reads; they never wait for a writer |

pub mod adopt;
pub mod apply;
pub mod checkup;
pub mod describe;
pub mod export;
pub mod file;
pub mod holds;
pub mod inside;
pub mod listing;
pub mod load;
pub mod plan;
mod relay;
pub mod saved;
pub mod sets;
mod status;
pub mod why;
