//! The accept loop: one task a connection, all owned by one `JoinSet`.

use crate::stall::StallGuard;
use crate::{ApiState, routes};
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

/// Bytes of a request's headers, at most: hyper answers 431 to more.
const HEADERS_LENGTH_MAX: usize = 16 << 10;
/// Bytes buffered for a connection, at most.
const BUFFER_LENGTH_MAX: usize = 64 << 10;
/// How long to pause when the process has no descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// Serves the API on a bound socket until `shutdown` resolves.
///
/// Then it stops accepting, ends the event streams, lets answers under way finish for at most
/// [`crate::Limits::drain_time`], and returns. HTTP/1.1 without TLS: a proxy of the hospital's terminates TLS.
///
/// # Errors
///
/// When the listener itself is broken. Errors of single connections end only those.
pub async fn serve(
    listener: TcpListener,
    state: ApiState,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    listener.local_addr()?;
    let router = routes::router(state.clone());
    let permits = Arc::new(Semaphore::new(state.limits().connections));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = accept(&listener, &permits) => match accepted {
                Ok((socket, permit)) => {
                    let connection = graceful.watch(connect(socket, router.clone(), &state));
                    connections.spawn(async move {
                        let _permit = permit;
                        if let Err(error) = connection.await {
                            tracing::debug!(%error, "a connection ended early");
                        }
                    });
                }
                Err(error) => recover(&error).await,
            }
        }
    }
    drop(listener);
    state.stop();
    let drained = tokio::time::timeout(state.limits().drain_time, async {
        graceful.shutdown().await;
        while connections.join_next().await.is_some() {}
    });
    if drained.await.is_err() {
        tracing::warn!(
            connections = connections.len(),
            "connections were still busy when the API stopped"
        );
    }
    connections.shutdown().await;
    Ok(())
}

/// The next connection, once there is room for one. Cancel-safe: a permit without a connection is given back.
async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (socket, _) = listener.accept().await?;
    Ok((socket, permit))
}

type Connection = http1::Connection<TokioIo<StallGuard<TcpStream>>, TowerToHyperService<Router>>;

fn connect(socket: TcpStream, router: Router, state: &ApiState) -> Connection {
    // Answers are small and waited for; Nagle's algorithm would hold them back by up to 40 ms.
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    let socket = StallGuard::new(socket, state.limits().stall_time);
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(state.limits().header_time)
        .max_header_size(HEADERS_LENGTH_MAX)
        .max_buf_size(BUFFER_LENGTH_MAX)
        .serve_connection(TokioIo::new(socket), TowerToHyperService::new(router))
}

/// A connection that broke before it was accepted is nobody's fault; anything else is likely a lack of
/// descriptors, which a pause heals and a tight loop would not.
async fn recover(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    ) {
        tracing::warn!(%error, "connections can't be accepted; trying again in a second");
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }
}
