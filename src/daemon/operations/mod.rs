//! What a Bayplan can be asked, as methods of [`super::wiring::Bay`]: the same for a command's own process and for the
//! daemon's routes.
//!
//! | file | operations |
//! | --- | --- |
//! | `load` | texts → desired |
//! | `plan`, `apply` | every change, verbs too, is a goal, its plan, and the plan carried out |
//! | `listing`, `describe`, `holds` | reads; they never wait for a writer |

pub mod apply;
pub mod describe;
pub mod holds;
pub mod listing;
pub mod load;
pub mod plan;
