//! HTTP between a client and the application, over a stream in memory.

use std::net::SocketAddr;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;

use super::pipe::Pipe;
use crate::error::ErrorResponse;
use crate::server::serve_stream;

/// Sends one request over a stream of its own.
///
/// # Errors
/// When the application ends the stream without an answer.
pub(super) async fn ask(
    router: Router,
    peer: SocketAddr,
    request: Request<Body>,
) -> Result<Response<Incoming>, String> {
    let (ours, theirs) = Pipe::new();
    tokio::spawn(serve_stream(theirs, peer, router));
    let opened = hyper::client::conn::http1::handshake(TokioIo::new(ours)).await;
    let (mut requests, connection) = opened.map_err(|error| error.to_string())?;
    tokio::spawn(connection.with_upgrades());
    requests.send_request(request).await.map_err(|error| error.to_string())
}

/// An answer over HTTP, of a route or of a connection that was refused.
#[derive(Debug, Clone)]
pub struct TestResponse {
    /// What was asked for.
    asked: String,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl TestResponse {
    pub(super) async fn read(asked: &str, response: Response<Incoming>) -> Result<Self, String> {
        let (parts, body) = response.into_parts();
        let body = to_bytes(Body::new(body), usize::MAX).await.map_err(|error| error.to_string())?;
        Ok(Self { asked: asked.to_owned(), status: parts.status, headers: parts.headers, body })
    }

    /// The status, such as 404.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// A header, by its name in any case; `None` also for one that is no text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The body as a text; what is no UTF-8 in it is replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body, which is JSON.
    ///
    /// # Panics
    /// When it is none, or none of a `T`.
    #[must_use]
    #[track_caller]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => self.is_not(&format!("a `{}` in JSON ({error})", std::any::type_name::<T>())),
        }
    }

    /// The error object under `error`.
    ///
    /// # Panics
    /// When the answer is no error of this framework.
    #[must_use]
    #[track_caller]
    pub fn error(&self) -> ErrorResponse<'static> {
        #[derive(serde::Deserialize)]
        struct Refusal {
            error: ErrorResponse<'static>,
        }
        match serde_json::from_slice::<Refusal>(&self.body) {
            Ok(refusal) => refusal.error,
            Err(error) => self.is_not(&format!("an error of the application ({error})")),
        }
    }

    #[track_caller]
    fn is_not(&self, what: &str) -> ! {
        panic!("{}: expected {what}, but the answer is {self}", self.asked)
    }
}

/// The status and the body, for panics.
impl std::fmt::Display for TestResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.status, super::failing::shown(&self.text()))
    }
}
