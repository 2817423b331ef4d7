//! Errors of the rooms below as the driver's.

use crate::driver::Error;
use crate::model::key::Key;
use std::error::Error as StdError;

/// A failure of the host, with its cause.
pub fn failed(what: impl Into<String>, source: impl StdError + Send + Sync + 'static) -> Error {
    Error::Host { what: what.into(), source: Box::new(source) }
}

/// A step that does not fit what is there.
pub fn precondition(key: &Key, wanted: impl Into<String>, found: impl Into<String>) -> Error {
    Error::Precondition { key: key.clone(), wanted: wanted.into(), found: found.into() }
}
