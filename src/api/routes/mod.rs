//! The daemon's routes, one file a resource. LXD's come beside them in a later part.
//!
//! | path | file |
//! | --- | --- |
//! | `/1.0/bayplan`, `/1.0/bayplan/status` | `status` |
//! | `/1.0/bayplan/{objects,description,holds,why,export,file}` | `objects` |
//! | `/1.0/bayplan/{plan,saved-plan,apply}`, `/1.0/bayplan/operations/ID/cancel` | `changes` |
//! | `/1.0/bayplan/containers/NAME/log` | `containers` |
//! | `/1.0/bayplan/containers/NAME/{exec,console}` | `inside` |
//! | `/1.0/sites` | `sites` |

mod changes;
mod containers;
mod inside;
mod objects;
mod sites;
mod status;

use crate::api::error::{Failure, FailureKind};
use crate::daemon::shared::Shared;
use crate::daemon::wiring::Bay;
use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use uuid::Uuid;

/// What routes work on.
pub struct Daemon {
    pub bay: Arc<Bay>,
    pub shared: Arc<Shared>,
    operations: Mutex<BTreeMap<Uuid, Arc<AtomicBool>>>,
}

impl Daemon {
    pub fn new(bay: Arc<Bay>, shared: Arc<Shared>) -> Daemon {
        Daemon { bay, shared, operations: Mutex::default() }
    }

    /// The running steps of every operation end; none begins.
    pub fn cancel_all(&self) {
        self.operations().values().for_each(|cancel| cancel.store(true, Ordering::Relaxed));
    }

    fn operations(&self) -> MutexGuard<'_, BTreeMap<Uuid, Arc<AtomicBool>>> {
        self.operations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Shareable = Arc<Daemon>;

/// Every route.
pub fn router(daemon: Shareable) -> Router {
    Router::new()
        .merge(status::routes())
        .merge(objects::routes())
        .merge(changes::routes())
        .merge(containers::routes())
        .merge(inside::routes())
        .merge(sites::routes())
        .fallback(|| async { Failure::new(FailureKind::NotFound, "no such endpoint") })
        .layer(axum::extract::DefaultBodyLimit::max(256 << 20))
        .with_state(daemon)
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(self)).into_response()
    }
}

/// Work that may block, away from the threads that serve.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Failure::from_error(FailureKind::Host, &error)),
    }
}
