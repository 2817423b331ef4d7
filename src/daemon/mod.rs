//! What runs operations: in a command's own process, or for its whole life as the daemon.
//!
//! | file | what |
//! | --- | --- |
//! | `wiring` | [`wiring::Bay`]: a state folder with its driver; the only place that builds a driver |
//! | `operations/` | plan, apply, get, describe …: written once, for commands and for the daemon's routes |
//! | `follow` | the loop of the daemon and of `apply --watch`: looks when something happens, and now and then |
//! | `shared` | what the loop and those who serve beside it have in common |
//! | `manifests`, `inits` | what may happen: a manifest changes, an init ends |
//! | `lives` | PURE: inits that end as soon as they are started must wait |
//! | `reporting` | PURE: what is drift of a site that wants it reported only |
//! | `serve` | the daemon: the loop and the socket, until SIGTERM |

pub mod follow;
pub mod inits;
pub mod lives;
pub mod manifests;
pub mod operations;
pub mod reporting;
pub mod serve;
pub mod shared;
pub mod wiring;
