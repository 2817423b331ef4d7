//! Why an operation has no answer: one type for a local command and for one that went through the daemon, so that
//! both say the same and end with the same exit code.

use crate::model::finding::Finding;
use serde::{Deserialize, Serialize};

/// An operation that was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
#[error("{message}")]
pub struct Failure {
    pub kind: FailureKind,
    /// What is wrong and what to do, one line.
    pub message: String,
    /// What lies behind it, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// The input is wrong; `findings` say how.
    Findings,
    NotFound,
    /// The host is no longer as it was when the plan was shown.
    Moved,
    /// Not allowed as things are; the message says what would be.
    Refused,
    /// A guard stops the whole apply before its first step.
    Guarded,
    /// Another writer holds the state folder.
    Locked,
    /// exec: no such program in the container.
    ProgramNotFound,
    /// exec: it is there and cannot be executed.
    NotExecutable,
    /// The host, the records or the driver failed.
    Host,
}

impl Failure {
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Failure {
        Failure { kind, message: message.into(), causes: vec![], findings: vec![] }
    }

    /// Wrong input.
    pub fn findings(findings: Vec<Finding>) -> Failure {
        let message = match findings.len() {
            1 => "1 finding; nothing was changed".to_owned(),
            count => format!("{count} findings; nothing was changed"),
        };
        Failure { findings, ..Failure::new(FailureKind::Findings, message) }
    }

    /// The error with the chain of its sources.
    pub fn from_error(kind: FailureKind, error: &dyn std::error::Error) -> Failure {
        let mut causes = vec![];
        let mut source = error.source();
        while let Some(cause) = source {
            causes.push(cause.to_string());
            source = cause.source();
        }
        Failure { causes, ..Failure::new(kind, error.to_string()) }
    }

    /// The HTTP status that carries it.
    pub fn status(&self) -> u16 {
        match self.kind {
            FailureKind::Findings => 422,
            FailureKind::NotFound | FailureKind::ProgramNotFound => 404,
            FailureKind::Moved => 409,
            FailureKind::Refused | FailureKind::Guarded | FailureKind::NotExecutable => 403,
            FailureKind::Locked => 423,
            FailureKind::Host => 500,
        }
    }
}
