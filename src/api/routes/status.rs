//! `/1.0/bayplan`: the daemon about itself; `/1.0/bayplan/status`: about the host.

use super::{Daemon, Shareable, blocking};
use crate::api::error::Failure;
use crate::api::types::{DaemonStatus, HostStatus, OUTPUT_VERSION};
use axum::extract::State;
use axum::response::Json;
use axum::routing::get;

pub fn routes() -> axum::Router<Shareable> {
    axum::Router::new().route("/1.0/bayplan", get(itself)).route("/1.0/bayplan/status", get(host))
}

async fn itself(State(daemon): State<Shareable>) -> Json<DaemonStatus> {
    Json(about(&daemon))
}

async fn host(State(daemon): State<Shareable>) -> Result<Json<HostStatus>, Failure> {
    let status = move || Ok(HostStatus { daemon: Some(about(&daemon)), ..daemon.bay.host_status()? });
    blocking(status).await.map(Json)
}

fn about(daemon: &Daemon) -> DaemonStatus {
    DaemonStatus {
        version: OUTPUT_VERSION,
        pid: std::process::id(),
        bayplan: env!("CARGO_PKG_VERSION").to_owned(),
        driver: daemon.bay.places.driver.word().to_owned(),
        follows: daemon.shared.followed().status.clone(),
    }
}
