//! Plans, and carrying them out. An apply answers line by line: its operation's id, progress, and the report.

use super::{Daemon, Shareable, blocking};
use crate::api::error::{Failure, FailureKind};
use crate::api::saved::SavedPlan;
use crate::api::types::{ApplyEvent, ApplyRequest, GoalRequest, PlanRequest};
use crate::daemon::operations::apply::Surroundings;
use crate::daemon::operations::plan::digest;
use crate::daemon::operations::{load, sets};
use crate::model::key::Key;
use crate::reconcile::plan::Plan;
use crate::reconcile::refuse_guarded;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::post;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use uuid::Uuid;

pub fn routes() -> axum::Router<Shareable> {
    axum::Router::new()
        .route("/1.0/bayplan/plan", post(plan))
        .route("/1.0/bayplan/saved-plan", post(save))
        .route("/1.0/bayplan/apply", post(apply))
        .route("/1.0/bayplan/operations/{id}/cancel", post(cancel))
}

async fn plan(
    State(daemon): State<Shareable>,
    Json(request): Json<PlanRequest>,
) -> Result<Json<Plan>, Failure> {
    blocking(move || daemon.bay.plan(&request)).await.map(Json)
}

async fn save(
    State(daemon): State<Shareable>,
    Json(request): Json<PlanRequest>,
) -> Result<Json<SavedPlan>, Failure> {
    blocking(move || daemon.bay.save(&request)).await.map(Json)
}

async fn cancel(State(daemon): State<Shareable>, Path(id): Path<Uuid>) -> StatusCode {
    match daemon.operations().get(&id) {
        Some(cancel) => {
            cancel.store(true, Ordering::Relaxed);
            StatusCode::NO_CONTENT
        }
        None => StatusCode::NOT_FOUND,
    }
}

async fn apply(State(daemon): State<Shareable>, Json(request): Json<ApplyRequest>) -> Response {
    let (sender, receiver) = unbounded_channel();
    let id = Uuid::new_v4();
    let cancel = Arc::new(AtomicBool::new(false));
    daemon.operations().insert(id, Arc::clone(&cancel));
    tell(&sender, &ApplyEvent::Operation(id));
    tokio::task::spawn_blocking(move || {
        let last = match carry_out(&daemon, &request, &cancel, &sender) {
            Ok(event) => event,
            Err(failure) => ApplyEvent::Failure(failure),
        };
        daemon.operations().remove(&id);
        tell(&sender, &last);
    });
    let lines = futures_util::stream::unfold(receiver, |mut receiver| async {
        let line: Bytes = receiver.recv().await?;
        Some((Ok::<Bytes, std::io::Error>(line), receiver))
    });
    Body::from_stream(lines).into_response()
}

fn carry_out(
    daemon: &Daemon,
    request: &ApplyRequest,
    cancel: &AtomicBool,
    sender: &UnboundedSender<Bytes>,
) -> Result<ApplyEvent, Failure> {
    refuse_undone(daemon, &request.plan.goal)?;
    let writing = daemon.shared.writer();
    let plan = daemon.bay.plan(&request.plan)?;
    if request.shown.as_ref().is_some_and(|shown| *shown != digest(&plan)) {
        return Err(Failure::new(
            FailureKind::Moved,
            "the host has changed since the plan was shown; planning again",
        ));
    }
    refuse_guarded(&plan).map_err(|error| Failure::from_error(FailureKind::Guarded, &error))?;
    let progress = |line| tell(sender, &ApplyEvent::Progress(line));
    let around = Surroundings { cancel, progress: &progress, actor: &request.plan.actor };
    let report = daemon.bay.apply(&plan, &around);
    drop(writing);
    // The loop learns of new inits, and goes on with what was interrupted.
    daemon.shared.ask_for_pass();
    Ok(ApplyEvent::Report(report))
}

/// What the next pass would undo: a change of the site that is followed, and a stop without a hold.
fn refuse_undone(daemon: &Daemon, goal: &GoalRequest) -> Result<(), Failure> {
    if *goal == GoalRequest::PowerOff {
        let message = "the daemon would run them again; stop the daemon first";
        return Err(Failure::new(FailureKind::Refused, message));
    }
    let followed = daemon.shared.followed();
    let Some(status) = &followed.status else { return Ok(()) };
    let path = status.path.display();
    let Some(desired) = &followed.desired else {
        return match goal {
            GoalRequest::Site(_)
            | GoalRequest::Delete(_)
            | GoalRequest::Park(_)
            | GoalRequest::DeleteAll
            | GoalRequest::DeleteDeclared(_) => {
                let message = format!(
                    "the daemon follows {path}, which it could not load yet: mend that first (bayplan validate -f \
                     {path}), or stop the daemon"
                );
                Err(Failure::new(FailureKind::Refused, message))
            }
            _ => Ok(()),
        };
    };
    match goal {
        GoalRequest::Site(manifests) => {
            let texts = manifests.texts();
            let loaded = load::load(&texts, &daemon.bay.machine()?)?;
            let same = texts.iter().map(|text| &text.text).eq(followed.texts.iter().map(|text| &text.text));
            if loaded.desired.site != desired.site || same {
                return Ok(());
            }
            let message = format!("the daemon follows {path} for site {}; change it there", desired.site);
            Err(Failure::new(FailureKind::Refused, message))
        }
        GoalRequest::Delete(keys) | GoalRequest::Park(keys) => {
            let declared = |key: &&Key| desired.objects.contains_key(*key) && !desired.builtin.contains(*key);
            let keys = sets::members(keys, desired.objects.iter());
            match keys.iter().find(declared) {
                None => Ok(()),
                Some(key) => {
                    let message = format!(
                        "{key} is declared in {path}, which the daemon follows; remove it there first"
                    );
                    Err(Failure::new(FailureKind::Refused, message))
                }
            }
        }
        GoalRequest::DeleteAll | GoalRequest::DeleteDeclared(_) => {
            let message =
                format!("the daemon follows {path} and would make all of it again; stop the daemon first");
            Err(Failure::new(FailureKind::Refused, message))
        }
        _ => Ok(()),
    }
}

/// A client that is gone needs no lines; the apply goes on.
fn tell(sender: &UnboundedSender<Bytes>, event: &ApplyEvent) {
    if let Ok(mut line) = serde_json::to_vec(event) {
        line.push(b'\n');
        let _ = sender.send(Bytes::from(line));
    }
}
