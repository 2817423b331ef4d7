//! The daemon's HTTP and JSON on `unix.socket`, and the client of it.
//!
//! | file | what |
//! | --- | --- |
//! | `types` | what travels: requests, answers, progress |
//! | `saved` | a plan in a file |
//! | `error` | [`error::Failure`]: why an operation has no answer, the same here and over the socket |
//! | `client` | a command's side of the socket |
//! | `bytes` | reading and writing a command's own streams |
//! | `inside` | a program or a console behind the socket |
//! | `routes/` | the daemon's side, one file a resource |

pub mod bytes;
pub mod client;
pub mod error;
pub mod inside;
pub mod routes;
pub mod saved;
pub mod types;
