//! Objects as they stand.

use super::{Shareable, blocking};
use crate::api::error::{Failure, FailureKind};
use crate::api::types::{Description, HoldListing, Listing};
use crate::daemon::operations::listing::Selection;
use crate::model::key::{Key, Kind};
use axum::extract::{Query, State};
use axum::response::Json;
use axum::routing::get;
use serde::Deserialize;

#[derive(Deserialize)]
struct Which {
    kind: Option<String>,
    key: Option<Key>,
    #[serde(default)]
    parked: bool,
}

#[derive(Deserialize)]
struct One {
    key: Key,
}

pub fn routes() -> axum::Router<Shareable> {
    axum::Router::new()
        .route("/1.0/bayplan/objects", get(list))
        .route("/1.0/bayplan/description", get(describe))
        .route("/1.0/bayplan/holds", get(holds))
}

async fn list(State(daemon): State<Shareable>, Query(which): Query<Which>) -> Result<Json<Listing>, Failure> {
    let selection = match (which.key, which.kind) {
        (Some(key), _) => Selection::Key(key),
        (None, Some(word)) => Selection::Kind(
            Kind::from_word(&word)
                .ok_or_else(|| Failure::new(FailureKind::NotFound, format!("`{word}` is no kind")))?,
        ),
        (None, None) if which.parked => Selection::Parked,
        (None, None) => Selection::All,
    };
    blocking(move || daemon.bay.list(&selection)).await.map(Json)
}

async fn describe(
    State(daemon): State<Shareable>,
    Query(one): Query<One>,
) -> Result<Json<Description>, Failure> {
    blocking(move || daemon.bay.describe(&one.key)).await.map(Json)
}

async fn holds(State(daemon): State<Shareable>) -> Result<Json<HoldListing>, Failure> {
    blocking(move || daemon.bay.holds()).await.map(Json)
}
