//! Objects as they stand.

use super::{Shareable, blocking};
use crate::api::error::{Failure, FailureKind};
use crate::api::types::{
    Condition, Description, Export, ExportRequest, FileRequest, FileText, HoldListing, Listing, ObjectStatus,
    WhyRequest,
};
use crate::daemon::operations::listing::Selection;
use crate::model::key::{Key, Kind};
use crate::model::object::Power;
use crate::reconcile::why::Explanation;
use axum::extract::{Query, State};
use axum::response::Json;
use axum::routing::{get, post};
use jiff::Timestamp;
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
        .route("/1.0/bayplan/why", post(why))
        .route("/1.0/bayplan/export", post(export))
        .route("/1.0/bayplan/file", post(file))
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
    let listing = blocking(move || {
        let mut listing = daemon.bay.list(&selection)?;
        listing.objects.iter_mut().for_each(|object| add_crash_loop(&daemon, object));
        Ok(listing)
    });
    listing.await.map(Json)
}

/// What only the daemon knows: that inits end again and again.
fn add_crash_loop(daemon: &Shareable, object: &mut ObjectStatus) {
    let Some(container) = &object.container else { return };
    if container.hold.is_some() || !matches!(container.declared, Some(Power::Running | Power::Frozen)) {
        return;
    }
    let Some(found) = daemon.shared.lives().crash_loop(&object.key, Timestamp::now()) else { return };
    let next = match found.not_before {
        Some(at) => format!("it is started again at {at:.0}"),
        None => "it was just started again".to_owned(),
    };
    object.conditions.push(Condition {
        condition_type: "CrashLoop".to_owned(),
        message: format!("its init ended {} times in a row as soon as it began; {next}", found.short_lives),
    });
}

async fn describe(
    State(daemon): State<Shareable>,
    Query(one): Query<One>,
) -> Result<Json<Description>, Failure> {
    let description = blocking(move || {
        let mut description = daemon.bay.describe(&one.key)?;
        add_crash_loop(&daemon, &mut description.status);
        Ok(description)
    });
    description.await.map(Json)
}

async fn holds(State(daemon): State<Shareable>) -> Result<Json<HoldListing>, Failure> {
    blocking(move || daemon.bay.holds()).await.map(Json)
}

async fn why(
    State(daemon): State<Shareable>,
    Json(request): Json<WhyRequest>,
) -> Result<Json<Explanation>, Failure> {
    blocking(move || daemon.bay.why(&request)).await.map(Json)
}

async fn export(
    State(daemon): State<Shareable>,
    Json(request): Json<ExportRequest>,
) -> Result<Json<Export>, Failure> {
    blocking(move || daemon.bay.export(&request)).await.map(Json)
}

async fn file(
    State(daemon): State<Shareable>,
    Json(request): Json<FileRequest>,
) -> Result<Json<FileText>, Failure> {
    blocking(move || daemon.bay.file_text(&request)).await.map(Json)
}
