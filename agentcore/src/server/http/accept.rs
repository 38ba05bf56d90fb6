//! The accept loop, and the end of a server.

use std::convert::Infallible;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use axum::response::IntoResponse;
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_service::Service;

use super::state::AppState;
use crate::error::{Error, Result};
use crate::panic::{Panic, catch_panic};

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 4096;
/// How long a client may take for its request's headers.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the path and query of a request may be, in bytes.
const MAX_TARGET: usize = 8 * 1024;
/// How much of a request's line and headers is kept until they are complete, in bytes; to more, and to more than 100
/// headers, hyper answers 431.
const MAX_HEADERS: usize = 64 * 1024;
/// How long a connection that has not asked for anything may still do so when the node is about to end.
const FIRST_REQUEST: Duration = Duration::from_millis(500);

/// Listens, or says why not.
pub(in crate::server) fn listen(address: SocketAddr) -> Result<TcpListener> {
    let listen = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    listen().map_err(|error: io::Error| {
        Error::start(match error.kind() {
            io::ErrorKind::AddrInUse => {
                format!("cannot listen on {address}: the port is taken; set PORT to another one, or to 0 for any")
            }
            io::ErrorKind::AddrNotAvailable => {
                format!("cannot listen on {address}: this machine has no such address; set HOST to one it has")
            }
            _ => format!("cannot listen on {address}: {error}"),
        })
    })
}

/// The signals that end the process: Ctrl-C, and SIGTERM where there is one.
pub(in crate::server) struct ShutdownSignals {
    #[cfg(unix)]
    terminate: Option<tokio::signal::unix::Signal>,
}

impl ShutdownSignals {
    /// Listens from now on, so that none is missed between two calls of [`next`](Self::next).
    pub(in crate::server) fn listen() -> Self {
        Self {
            #[cfg(unix)]
            terminate: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).ok(),
        }
    }

    /// The next one.
    pub(in crate::server) async fn next(&mut self) {
        let interrupt = async {
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        #[cfg(unix)]
        let terminate = async {
            match &mut self.terminate {
                Some(signal) => {
                    signal.recv().await;
                }
                None => std::future::pending().await,
            }
        };
        #[cfg(not(unix))]
        let terminate = std::future::pending::<()>();
        tokio::select! {
            () = interrupt => {}
            () = terminate => {}
        }
    }
}

/// Accepts until `stop` ends, then drains the node; while that takes, new connections hear 503.
pub(in crate::server) async fn serve(
    state: Arc<AppState>,
    router: Router,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send,
) -> Result<()> {
    let address = listener.local_addr().map_err(Error::internal)?;
    announce(address);
    let manager = state.manager();
    raise_file_limit(manager.settings().max_total_connections);
    let http = HttpConnections::default();
    let end = async {
        stop.await;
        let deadline = Instant::now() + manager.settings().shutdown_timeout;
        http.requests.close();
        http.stopping.cancel();
        manager.shutdown_after(http.requests.wait()).await;
        http.connections.close();
        let _ = tokio::time::timeout_at(deadline, http.connections.wait()).await;
    };
    tokio::select! {
        () = accept(&listener, &router, &http) => {}
        () = end => {}
    }
    Ok(())
}

/// The one line of output, which scripts wait for. Nobody may be left to read it.
fn announce(address: SocketAddr) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "listening on http://{address}").and_then(|()| out.flush());
}

/// A connection is a file descriptor: the soft limit is raised to the hard one.
fn raise_file_limit(max_total_connections: usize) {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) if limit < max_total_connections as u64 => tracing::warn!(
            limit,
            max_total_connections,
            "the limit of open files is below MAX_TOTAL_CONNECTIONS; raise the hard limit (ulimit -Hn)"
        ),
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "the limit of open files could not be raised"),
    }
}

/// The HTTP connections that were accepted: each is told to end after the request it is at, and waited for.
#[derive(Default, Clone)]
struct HttpConnections {
    connections: TaskTracker,
    /// The requests whose handler runs.
    requests: TaskTracker,
    stopping: CancellationToken,
}

async fn accept(listener: &TcpListener, router: &Router, http: &HttpConnections) {
    let mut pause = Duration::from_millis(5);
    loop {
        match listener.accept().await {
            Ok((socket, peer)) => {
                pause = Duration::from_millis(5);
                let _ = socket.set_nodelay(true);
                http.connections.spawn(speak_http(socket, peer, router.clone(), http.clone()));
            }
            // The client went away again: nothing to wait for.
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                // Out of file descriptors, most likely: those that end make room.
                tracing::error!(%error, "accepting failed; trying again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(1));
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}

/// Serves one connection that was not accepted here: a stream of a test.
#[cfg(feature = "test-util")]
pub(crate) async fn speak_alone<S>(stream: S, peer: SocketAddr, router: Router)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    speak_http(stream, peer, router, HttpConnections::default()).await;
}

async fn speak_http<S>(socket: S, peer: SocketAddr, router: Router, http: HttpConnections)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let asked = CancellationToken::new();
    let (requests, first) = (http.requests.clone(), asked.clone());
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        let mut router = router.clone();
        request.extensions_mut().insert(ConnectInfo(peer));
        let running = requests.token();
        first.cancel();
        async move {
            if request.uri().path_and_query().is_some_and(|target| target.as_str().len() > MAX_TARGET) {
                return Ok(too_long().into_response());
            }
            let answer = catch_panic(router.call(request.map(Body::new))).await;
            drop(running);
            Ok::<_, Infallible>(match answer {
                Ok(response) => response.unwrap_or_else(|never| match never {}),
                Err(Panic(text)) => Error::internal(format!("an HTTP handler panicked: {text}")).into_response(),
            })
        }
    });
    let mut builder = Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(MAX_HEADERS);
    let mut serving = pin!(builder.serve_connection(TokioIo::new(socket), service).with_upgrades());
    let stopping = async {
        http.stopping.cancelled().await;
        // Told to end before its first request, it would end without an answer, and nobody would hear why.
        let _ = tokio::time::timeout(FIRST_REQUEST, asked.cancelled()).await;
    };
    let served = tokio::select! {
        served = serving.as_mut() => served,
        () = stopping => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "an HTTP connection ended early");
    }
}

fn too_long() -> Error {
    Error::validation(format!("the path and query of a request have at most {MAX_TARGET} bytes"))
        .with_status(StatusCode::URI_TOO_LONG)
}
