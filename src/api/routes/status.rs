//! `/1.0/bayplan`: the daemon about itself.

use super::Shareable;
use crate::api::types::{DaemonStatus, OUTPUT_VERSION};
use axum::extract::State;
use axum::response::Json;
use axum::routing::get;

pub fn routes() -> axum::Router<Shareable> {
    axum::Router::new().route("/1.0/bayplan", get(status))
}

async fn status(State(daemon): State<Shareable>) -> Json<DaemonStatus> {
    Json(DaemonStatus {
        version: OUTPUT_VERSION,
        pid: std::process::id(),
        bayplan: env!("CARGO_PKG_VERSION").to_owned(),
        driver: daemon.bay.places.driver.word().to_owned(),
        follows: daemon.shared.followed().status.clone(),
    })
}
