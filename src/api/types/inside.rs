//! What is said on the websocket of a program or a console.

use crate::api::error::Failure;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A program to run in a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExecRequest {
    /// Program and arguments.
    pub arguments: Vec<String>,
    /// Stronger than the container's.
    pub environment: BTreeMap<String, String>,
    /// None: root.
    pub user: Option<String>,
    /// None: the user's home.
    pub folder: Option<String>,
    /// A terminal of so many columns and rows, instead of three streams.
    pub terminal: Option<(u16, u16)>,
}

/// What a client says on an exec's or a console's websocket, beside binary messages: those are standard input, one at
/// a time ([`InsideEvent::Taken`] asks for the next); an empty one is its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum InsideOrder {
    Signal(i32),
    /// Columns and rows.
    Resize(u16, u16),
}

/// What the daemon says there, beside binary messages: the first byte is 1 for standard output (also a terminal's) or
/// 2 for standard error, the rest is what was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum InsideEvent {
    /// Before [`InsideEvent::Started`]: something that the program was not given as it should be.
    Warning(String),
    /// The program runs, or the console is attached.
    Started,
    /// The last input was passed on.
    Taken,
    /// Last: the exit status; all output was sent before. A console's end is 0.
    Ended(i32),
    /// Last, instead.
    Failed(Failure),
}
