//! The daemon: the loop and the socket, until SIGTERM. The caller holds the writers' lock.

use super::follow::Follower;
use super::shared::Shared;
use super::wiring::Bay;
use crate::api::routes;
use crate::api::routes::Daemon;
use anyhow::Context;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::UnixListener;

/// Between two looks at the flag that SIGTERM sets.
const CANCEL_POLL: Duration = Duration::from_millis(100);

/// Serves until `cancel` is set; what runs in containers is left alone.
pub fn run(
    bay: &Arc<Bay>,
    (follower, shared): (Follower, Arc<Shared>),
    cancel: &'static AtomicBool,
) -> anyhow::Result<()> {
    let loop_thread =
        std::thread::Builder::new().name("follow".to_owned()).spawn(move || follower.run(cancel))?;
    let daemon = Arc::new(Daemon::new(Arc::clone(bay), shared));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let socket = bay.places.socket();
    let served = runtime.block_on(serve(&daemon, &socket, cancel));
    cancel.store(true, Ordering::Relaxed);
    daemon.cancel_all();
    // Steps that run end; none begins.
    if loop_thread.join().is_err() {
        tracing::error!("the loop ended by a panic");
    }
    drop(daemon.shared.writer());
    runtime.shutdown_timeout(Duration::from_secs(1));
    // A socket that is left over is replaced by the next daemon.
    let _ = std::fs::remove_file(&socket);
    served
}

async fn serve(daemon: &Arc<Daemon>, socket: &Path, cancel: &'static AtomicBool) -> anyhow::Result<()> {
    let listener = listen(socket).with_context(|| format!("cannot listen on {}", socket.display()))?;
    tracing::info!("serving on {}", socket.display());
    tell_ready();
    let ended = async move {
        while !cancel.load(Ordering::Relaxed) {
            tokio::time::sleep(CANCEL_POLL).await;
        }
    };
    let server = axum::serve(listener, routes::router(Arc::clone(daemon)));
    // Connections that stay open (an exec) do not keep the daemon.
    tokio::select! {
        served = async { server.await } => served.context("serving failed"),
        () = ended => Ok(()),
    }
}

/// A socket that is there is a dead daemon's: the lock is ours.
fn listen(socket: &Path) -> std::io::Result<UnixListener> {
    match std::fs::remove_file(socket) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // Nobody but root may ever connect, not even between bind and chmod.
    let before = nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o177));
    let listener = UnixListener::bind(socket);
    nix::sys::stat::umask(before);
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o600))?;
    listener
}

/// Tells systemd that commands find the daemon from now on (sd_notify(3)), if it is what started it.
fn tell_ready() {
    let Some(address) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let address = match address.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        _ => SocketAddr::from_pathname(&address),
    };
    let told = address.and_then(|address| UnixDatagram::unbound()?.send_to_addr(b"READY=1", &address));
    if let Err(error) = told {
        tracing::warn!("systemd cannot be told that the daemon is ready: {error}");
    }
}

/// Log lines go to standard error; BAYPLAN_LOG chooses what (`debug`).
pub fn begin_log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("BAYPLAN_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    // A second call keeps the first log.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_target(false)
        // It would panic where standard error takes nothing.
        .log_internal_errors(false)
        .try_init();
}
