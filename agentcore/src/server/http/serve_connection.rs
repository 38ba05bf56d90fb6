//! HTTP on one accepted connection, until it is upgraded or ends.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
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
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_service::Service;

use crate::error::Error;
use crate::panic::{Panic, catch_panic};

/// Time a client may take to send the headers of a request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest path and query of a request, in bytes.
const MAX_TARGET: usize = 8 * 1024;

/// Largest request line and headers, in bytes. hyper answers 431 to more, and to more than 100 headers.
const MAX_HEADERS: usize = 64 * 1024;

/// Time in which a connection without a request may still send one when the node stops.
const FIRST_REQUEST_TIMEOUT: Duration = Duration::from_millis(500);

/// The open HTTP connections of a server, and how they learn that it stops.
#[derive(Default, Clone)]
pub(super) struct HttpConnections {
    pub(super) connections: TaskTracker,
    /// The requests whose handler runs.
    pub(super) requests: TaskTracker,
    /// Cancelled when connections must end after their current request.
    pub(super) stopping: CancellationToken,
}

/// Serves a stream that no listener accepted: the stream of a test.
#[cfg(feature = "test-util")]
pub(crate) async fn serve_stream<S>(stream: S, peer: SocketAddr, router: Router)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    serve_connection(stream, peer, router, HttpConnections::default()).await;
}

/// Serves HTTP/1 on `socket` until the connection ends or is upgraded.
pub(super) async fn serve_connection<S>(socket: S, peer: SocketAddr, router: Router, http: HttpConnections)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let requested = CancellationToken::new();
    let (requests, first_request) = (http.requests.clone(), requested.clone());
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        let mut router = router.clone();
        request.extensions_mut().insert(ConnectInfo(peer));
        let running = requests.token();
        first_request.cancel();
        async move {
            if request.uri().path_and_query().is_some_and(|target| target.as_str().len() > MAX_TARGET) {
                return Ok(target_too_long().into_response());
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
        // A connection that is shut down before its first request ends without an answer, so its client would not
        // learn why. It gets a moment to send one.
        let _ = tokio::time::timeout(FIRST_REQUEST_TIMEOUT, requested.cancelled()).await;
    };
    let served = tokio::select! {
        served = serving.as_mut() => served,
        () = stopping => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "an HTTP connection failed");
    }
}

fn target_too_long() -> Error {
    Error::validation(format!("the path and query of a request have at most {MAX_TARGET} bytes"))
        .with_status(StatusCode::URI_TOO_LONG)
}
