//! `/1.0/sites`: the sites of this host.

use super::{Shareable, blocking};
use crate::api::error::{Failure, FailureKind};
use crate::api::types::Listing;
use crate::daemon::operations::listing::Selection;
use crate::model::key::{Key, Kind};
use axum::extract::{Path, State};
use axum::response::Json;
use axum::routing::get;

pub fn routes() -> axum::Router<Shareable> {
    axum::Router::new().route("/1.0/sites", get(list)).route("/1.0/sites/{name}", get(one))
}

async fn list(State(daemon): State<Shareable>) -> Result<Json<Listing>, Failure> {
    blocking(move || daemon.bay.list(&Selection::Kind(Kind::Site))).await.map(Json)
}

/// The objects that belong to a site.
async fn one(State(daemon): State<Shareable>, Path(name): Path<String>) -> Result<Json<Listing>, Failure> {
    blocking(move || {
        let mut listing = daemon.bay.list(&Selection::All)?;
        let (owner, site) = (format!("site {name}"), Key::site(&name));
        listing.objects.retain(|object| object.owner == owner || object.key == site);
        match listing.objects.is_empty() {
            true => Err(Failure::new(FailureKind::NotFound, format!("there is no site {name}"))),
            false => Ok(listing),
        }
    })
    .await
    .map(Json)
}
