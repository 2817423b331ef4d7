//! Errors, rendered once: what is wrong, where, what lies behind it; and the exit code that belongs to it.

use super::exit::Exit;
use super::manifests::Shown;
use super::output::complain;
use super::session::Session;
use crate::api::error::{Failure, FailureKind};
use crate::reconcile::render::outline;
use serde::Serialize;

/// A command line that is well-formed and still wrong.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// A failure with the texts that its findings point into.
#[derive(Debug, thiserror::Error)]
#[error("{failure}")]
pub struct Told {
    pub failure: Failure,
    pub excerpts: Shown,
}

#[derive(Serialize)]
struct ErrorJson<'a> {
    version: u32,
    error: &'a Failure,
}

/// Shows an error and says how the command ends.
pub fn show(session: &Session, error: &anyhow::Error) -> Exit {
    if let Some(usage) = error.downcast_ref::<Usage>() {
        complain(&format!("error: {usage}"));
        return Exit::Usage;
    }
    if error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    {
        return Exit::Unread;
    }
    let told = error.downcast_ref::<Told>();
    let failure = told.map(|told| &told.failure).or_else(|| error.downcast_ref::<Failure>());
    let Some(failure) = failure else {
        complain(&format!("error: {}", chain(error)));
        let _ = session.out.outline(|| outline::failure(&chain(error), &[]));
        return Exit::Error;
    };
    if !failure.findings.is_empty() {
        let bare = Shown::default();
        let excerpts = told.map_or(&bare, |told| &told.excerpts);
        complain(&excerpts.render(&failure.findings));
    }
    let causes: String = failure.causes.iter().map(|cause| format!(": {cause}")).collect();
    complain(&format!("error: {}{causes}", failure.message));
    // The error on standard error is what counts; a closed standard output changes nothing.
    let _ = session.out.json(&ErrorJson { version: crate::api::types::OUTPUT_VERSION, error: failure });
    let _ = session.out.outline(|| outline::failure(&failure.message, &failure.findings));
    match failure.kind {
        FailureKind::Locked => Exit::Locked,
        FailureKind::Guarded => Exit::Declined,
        _ => Exit::Error,
    }
}

fn chain(error: &anyhow::Error) -> String {
    let mut words: Vec<String> = error.chain().map(ToString::to_string).collect();
    words.dedup();
    words.join(": ")
}
