//! HTTP/1 on one accepted connection, until it is upgraded or ends.

mod body;
mod observed_io;
mod open;
mod progress;

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::ConnectInfo;
use axum::http::{Request, Response, StatusCode};
use axum::response::IntoResponse;
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_service::Service;

use self::body::{BodyEnd, Cut, RequestBody, ResponseBody};
pub(in crate::server) use self::observed_io::ObservedIo;
use self::open::OpenConnections;
use self::progress::{Progress, Timeouts};
use crate::error::Error;
use crate::manager::ConnectionManager;
use crate::panic::{Panic, catch_panic};

/// Longest path and query of a request, in bytes.
const MAX_TARGET: usize = 8 * 1024;

/// Largest request line and headers, in bytes. hyper answers 431 to more, and to more than 100 headers.
const MAX_HEADERS: usize = 64 * 1024;

/// Time in which a connection without a request may still send one when the node stops.
const FIRST_REQUEST_TIMEOUT: Duration = Duration::from_millis(500);

/// The open HTTP connections of a server, and how they learn that it stops.
#[derive(Clone)]
pub(crate) struct HttpConnections {
    manager: ConnectionManager,
    timeouts: Timeouts,
    open: Arc<OpenConnections>,
    pub(super) connections: TaskTracker,
    /// The requests whose handler runs.
    pub(super) requests: TaskTracker,
    /// Cancelled when connections must end after their current request.
    pub(super) stopping: CancellationToken,
}

impl HttpConnections {
    /// Creates the set of connections of a process that may open `files` files.
    pub(crate) fn new(manager: &ConnectionManager, files: u64) -> Self {
        let settings = manager.settings();
        // The larger part of the files is left to upgraded connections.
        let max = settings.max_http_connections.min(usize::try_from(files / 4).unwrap_or(usize::MAX));
        Self {
            manager: manager.clone(),
            timeouts: Timeouts::new(settings),
            open: Arc::new(OpenConnections::new(max.max(1))),
            connections: TaskTracker::new(),
            requests: TaskTracker::new(),
            stopping: CancellationToken::new(),
        }
    }

    /// Serves HTTP/1 on `socket` until the connection ends or is upgraded.
    pub(crate) async fn serve<S>(self, socket: S, peer: SocketAddr, router: Router)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let progress = Arc::new(Progress::new(self.timeouts));
        let address = Some(peer.ip()).filter(|address| !self.manager.settings().trusted_proxies.contains(*address));
        // Without a permit, every open connection is busy with a request; one of them will have ended when the client
        // tries again.
        let Some(permit) = self.open.admit(address, progress.clone()) else { return };
        let requested = CancellationToken::new();
        let service = hyper::service::service_fn(|request: Request<Incoming>| {
            requested.cancel();
            progress.requested();
            let answer = self.answer(request, peer, router.clone());
            let progress = progress.clone();
            async move {
                let response = answer.await;
                Ok::<_, Infallible>(response.map(|body| ResponseBody::new(body, progress)))
            }
        });
        let mut builder = Builder::new();
        builder.max_buf_size(MAX_HEADERS);
        let socket = TokioIo::new(ObservedIo::new(socket, progress.clone()));
        let mut serving = pin!(builder.serve_connection(socket, service).with_upgrades());
        let mut stopping = pin!(async {
            self.stopping.cancelled().await;
            // A connection that is shut down before its first request ends without an answer, so its client would not
            // learn why. It gets a moment to send one.
            let _ = tokio::time::timeout(FIRST_REQUEST_TIMEOUT, requested.cancelled()).await;
        });
        let mut evicted = pin!(permit.evicted.cancelled());
        let (mut deadline, mut stops) = (pin!(tokio::time::sleep(Duration::ZERO)), false);
        let served = poll_fn(|cx| {
            if !stops && stopping.as_mut().poll(cx).is_ready() {
                stops = true;
                serving.as_mut().graceful_shutdown();
            }
            // The connection is polled first, because its progress moves the deadline.
            match serving.as_mut().poll(cx) {
                Poll::Ready(served) => Poll::Ready(served.map_err(|error| error.to_string())),
                Poll::Pending if evicted.as_mut().poll(cx).is_ready() => {
                    Poll::Ready(Err("it has waited longest for its client, and another one needs its place".to_owned()))
                }
                Poll::Pending if is_over(&progress, stops, deadline.as_mut(), cx) => {
                    Poll::Ready(Err("its client took too long".to_owned()))
                }
                Poll::Pending => Poll::Pending,
            }
        });
        if let Err(reason) = served.await {
            tracing::debug!(%reason, %peer, "an HTTP connection ends early");
        }
    }

    /// Calls the application. The request counts as running except while the client has yet to send a part of its body.
    fn answer(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
        mut router: Router,
    ) -> impl Future<Output = Response<Body>> + use<> {
        let (running, manager) = (self.requests.token(), self.manager.clone());
        let (limit, stopping, end) = (self.timeouts.body, self.stopping.clone(), BodyEnd::default());
        async move {
            let _running = running;
            if request.uri().path_and_query().is_some_and(|target| target.as_str().len() > MAX_TARGET) {
                return target_too_long().into_response();
            }
            let mut request = request.map(|body| match body.is_end_stream() {
                true => Body::empty(),
                false => Body::new(RequestBody::new(body, limit, stopping, end.clone())),
            });
            request.extensions_mut().insert(ConnectInfo(peer));
            let answer = catch_panic(router.call(request)).await;
            match (end.cut(), answer) {
                (Some(Cut::TooSlow), _) => body_too_slow(limit).into_response(),
                (Some(Cut::Stopping), _) => manager.restarting().into_response(),
                (None, Ok(response)) => response.unwrap_or_else(|never| match never {}),
                (None, Err(Panic(text))) => {
                    Error::internal(format!("an HTTP handler panicked: {text}")).into_response()
                }
            }
        }
    }
}

/// Returns whether the deadline of the connection has passed; wakes the task when it passes.
fn is_over(progress: &Progress, stopping: bool, mut timer: Pin<&mut Sleep>, cx: &mut Context<'_>) -> bool {
    let Some(deadline) = progress.deadline(stopping) else { return false };
    if timer.deadline() != deadline {
        timer.as_mut().reset(deadline);
    }
    timer.poll(cx).is_ready()
}

fn target_too_long() -> Error {
    Error::validation(format!("the path and query of a request have at most {MAX_TARGET} bytes"))
        .with_status(StatusCode::URI_TOO_LONG)
}

fn body_too_slow(limit: Duration) -> Error {
    Error::timeout(format!("the body of the request did not arrive within {} s", limit.as_secs_f64()))
        .with_status(StatusCode::REQUEST_TIMEOUT)
}
