//! What runs operations: in a command's own process, or for its whole life as the daemon.
//!
//! | file | what |
//! | --- | --- |
//! | `wiring` | [`wiring::Bay`]: a state folder with its driver; the only place that builds a driver |
//! | `operations/` | plan, apply, get, describe …: written once, for commands and for the daemon's routes |

pub mod operations;
pub mod wiring;
