//! A command's side of the daemon's socket: typed questions, typed answers, and the same failures.

use super::error::{Failure, FailureKind};
use super::saved::SavedPlan;
use super::types::{
    ApplyEvent, ApplyRequest, DaemonStatus, Description, Export, ExportRequest, FileRequest, FileText,
    HoldListing, HostStatus, Listing, PlanRequest, ProgressLine, WhyRequest,
};
use crate::daemon::operations::listing::Selection;
use crate::model::key::Key;
use crate::reconcile::plan::Plan;
use crate::reconcile::report::Report;
use crate::reconcile::why::Explanation;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::runtime::Runtime;
use uuid::Uuid;

/// Between two looks at the flag that Ctrl-C sets.
const CANCEL_POLL: Duration = Duration::from_millis(100);

/// The daemon of one state folder.
pub struct Client {
    socket: PathBuf,
    runtime: Runtime,
}

impl Client {
    /// None: no daemon answers at this socket.
    pub fn connect(socket: &Path) -> Option<Client> {
        std::os::unix::net::UnixStream::connect(socket).ok()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
        let client = Client { socket: socket.to_owned(), runtime };
        // A daemon that is just ending still has a socket that can be connected to.
        client.status().ok().map(|_| client)
    }

    pub fn status(&self) -> Result<DaemonStatus, Failure> {
        self.get("/1.0/bayplan")
    }

    pub fn plan(&self, request: &PlanRequest) -> Result<Plan, Failure> {
        self.post("/1.0/bayplan/plan", request)
    }

    pub fn save(&self, request: &PlanRequest) -> Result<SavedPlan, Failure> {
        self.runtime.block_on(async {
            read(self.send(Method::POST, "/1.0/bayplan/saved-plan", Some(request)).await?).await
        })
    }

    pub fn list(&self, selection: &Selection) -> Result<Listing, Failure> {
        match selection {
            Selection::All => self.get("/1.0/bayplan/objects"),
            Selection::Parked => self.get("/1.0/bayplan/objects?parked=true"),
            Selection::Kind(kind) => self.get(&format!("/1.0/bayplan/objects?kind={}", kind.slug())),
            Selection::Key(key) => {
                self.get(&format!("/1.0/bayplan/objects?key={}", escaped(&key.to_string())))
            }
        }
    }

    pub fn describe(&self, key: &Key) -> Result<Description, Failure> {
        self.get(&format!("/1.0/bayplan/description?key={}", escaped(&key.to_string())))
    }

    pub fn why(&self, request: &WhyRequest) -> Result<Explanation, Failure> {
        self.post("/1.0/bayplan/why", request)
    }

    pub fn export(&self, request: &ExportRequest) -> Result<Export, Failure> {
        self.post("/1.0/bayplan/export", request)
    }

    pub fn file_text(&self, request: &FileRequest) -> Result<FileText, Failure> {
        self.post("/1.0/bayplan/file", request)
    }

    pub fn holds(&self) -> Result<HoldListing, Failure> {
        self.get("/1.0/bayplan/holds")
    }

    pub fn host_status(&self) -> Result<HostStatus, Failure> {
        self.get("/1.0/bayplan/status")
    }

    /// Waits for the report. When `cancel` is set the daemon is told; its running step ends.
    pub fn apply(
        &self,
        request: &ApplyRequest,
        cancel: &AtomicBool,
        progress: &(dyn Fn(ProgressLine) + Sync),
    ) -> Result<Report, Failure> {
        self.runtime.block_on(async {
            let mut answer =
                checked(self.send(Method::POST, "/1.0/bayplan/apply", Some(request)).await?).await?;
            let mut lines = Lines::default();
            let mut operation = None;
            let mut told = false;
            loop {
                while let Some(event) = lines.next()? {
                    match event {
                        ApplyEvent::Operation(id) => operation = Some(id),
                        ApplyEvent::Progress(line) => progress(line),
                        ApplyEvent::Report(report) => return Ok(report),
                        ApplyEvent::Failure(failure) => return Err(failure),
                    }
                }
                if let (false, true, Some(id)) = (told, cancel.load(Ordering::Relaxed), operation) {
                    told = true;
                    self.cancel(id).await?;
                }
                match tokio::time::timeout(CANCEL_POLL, answer.body_mut().frame()).await {
                    Err(_) => {}
                    Ok(None) => return Err(lost()),
                    Ok(Some(Err(error))) => return Err(Failure::from_error(FailureKind::Host, &error)),
                    Ok(Some(Ok(frame))) => lines.push(frame.data_ref()),
                }
            }
        })
    }

    async fn cancel(&self, operation: Uuid) -> Result<(), Failure> {
        let path = format!("/1.0/bayplan/operations/{operation}/cancel");
        checked(self.send(Method::POST, &path, None::<&()>).await?).await.map(drop)
    }

    /// The path of the socket, for those who open a websocket on it.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Where websockets are driven.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.runtime.block_on(async { read(self.send(Method::GET, path, None::<&()>).await?).await })
    }

    fn post<T: DeserializeOwned>(&self, path: &str, request: &impl Serialize) -> Result<T, Failure> {
        self.runtime.block_on(async { read(self.send(Method::POST, path, Some(request)).await?).await })
    }

    /// The body of an answer as it is.
    pub fn bytes(&self, path: &str) -> Result<Vec<u8>, Failure> {
        self.runtime.block_on(async {
            let answer = checked(self.send(Method::GET, path, None::<&()>).await?).await?;
            collect(answer).await.map(|bytes| bytes.to_vec())
        })
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<Response<Incoming>, Failure> {
        let body = match body {
            Some(body) => serde_json::to_vec(body).map_err(|error| broken(&error))?,
            None => vec![],
        };
        let stream = UnixStream::connect(&self.socket).await.map_err(|error| self.unreachable(&error))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| broken(&error))?;
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "bayplan")
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| broken(&error))?;
        sender.send_request(request).await.map_err(|error| broken(&error))
    }

    fn unreachable(&self, error: &io::Error) -> Failure {
        let failure = Failure::from_error(FailureKind::Host, error);
        Failure {
            message: format!("the daemon at {} does not answer: {error}", self.socket.display()),
            ..failure
        }
    }
}

/// The lines of an answer that comes bit by bit.
#[derive(Default)]
struct Lines {
    buffer: Vec<u8>,
}

impl Lines {
    fn push(&mut self, bytes: Option<&Bytes>) {
        self.buffer.extend_from_slice(bytes.map(Bytes::as_ref).unwrap_or_default());
    }

    fn next(&mut self) -> Result<Option<ApplyEvent>, Failure> {
        let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
        let line: Vec<u8> = self.buffer.drain(..=end).collect();
        serde_json::from_slice(&line).map(Some).map_err(|error| broken(&error))
    }
}

/// The answer, if it is no failure.
async fn checked(answer: Response<Incoming>) -> Result<Response<Incoming>, Failure> {
    if answer.status().is_success() {
        return Ok(answer);
    }
    let status = answer.status();
    let body = collect(answer).await?;
    Err(serde_json::from_slice(&body)
        .unwrap_or_else(|_| Failure::new(FailureKind::Host, format!("the daemon answers {status}"))))
}

async fn read<T: DeserializeOwned>(answer: Response<Incoming>) -> Result<T, Failure> {
    let body = collect(checked(answer).await?).await?;
    serde_json::from_slice(&body).map_err(|error| broken(&error))
}

async fn collect(answer: Response<Incoming>) -> Result<Bytes, Failure> {
    Ok(answer.into_body().collect().await.map_err(|error| broken(&error))?.to_bytes())
}

fn broken(error: &dyn std::error::Error) -> Failure {
    let failure = Failure::from_error(FailureKind::Host, error);
    Failure { message: format!("talking to the daemon failed: {}", failure.message), ..failure }
}

fn lost() -> Failure {
    let message = "the daemon ended while it worked; run the command again, it goes on from what was done";
    Failure::new(FailureKind::Host, message)
}

/// A query's value: what is not plain becomes %XX (RFC 3986).
pub fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/:".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
