//! Consoles' logs.

use super::{Shareable, blocking};
use crate::api::error::Failure;
use crate::model::key::Key;
use axum::extract::{Path, State};
use axum::routing::get;

pub fn routes() -> axum::Router<Shareable> {
    axum::Router::new().route("/1.0/bayplan/containers/{name}/log", get(log))
}

async fn log(State(daemon): State<Shareable>, Path(name): Path<String>) -> Result<Vec<u8>, Failure> {
    blocking(move || daemon.bay.console_log(&Key::container(name), 0).map(|(text, _)| text)).await
}
