//! A request to a route of the application.

use std::net::SocketAddr;
use std::pin::Pin;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, header};
use serde::Serialize;

use super::app::TestApp;
use super::dial::{TestResponse, ask};
use super::failing::Place;

/// A request over HTTP: awaiting it sends it.
#[derive(Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct TestRequest {
    place: Place,
    app: TestApp,
    method: Method,
    path: String,
    headers: HeaderMap,
    from: Option<SocketAddr>,
    body: Vec<u8>,
}

impl TestRequest {
    #[track_caller]
    pub(super) fn new(app: TestApp, method: Method, path: String) -> Self {
        let place = Place::here(format!("{method} {path}"));
        Self { place, app, method, path, headers: HeaderMap::new(), from: None, body: Vec::new() }
    }

    /// Adds a header.
    ///
    /// # Panics
    /// When it is no header.
    #[track_caller]
    pub fn header(mut self, name: &str, value: impl AsRef<str>) -> Self {
        add_header(&mut self.headers, name, value.as_ref(), &self.place);
        self
    }

    /// Adds `Authorization: Bearer <token>`.
    ///
    /// # Panics
    /// When a header cannot hold it.
    #[track_caller]
    pub fn token(self, token: impl AsRef<str>) -> Self {
        self.header("authorization", format!("Bearer {}", token.as_ref()))
    }

    /// Sends this body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends this value as JSON.
    ///
    /// # Panics
    /// When it cannot be written as JSON.
    #[track_caller]
    pub fn json(self, value: &impl Serialize) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => self.header("content-type", "application/json").body(body),
            Err(error) => self.place.fail(format_args!("the body cannot be written as JSON: {error}")),
        }
    }

    /// Comes from this address instead of 127.0.0.1.
    pub fn from_address(mut self, from: SocketAddr) -> Self {
        self.from = Some(from);
        self
    }

    async fn send(self) -> TestResponse {
        let Self { place, app, method, path, headers, from, body } = self;
        let request = Request::builder().method(method).uri(&path).header(header::HOST, "localhost");
        let mut request = match request.body(Body::from(body)) {
            Ok(request) => request,
            Err(error) => place.fail(format_args!("this is no request: {error}")),
        };
        request.headers_mut().extend(headers);
        let from = from.unwrap_or_else(|| app.next_address());
        let asking = async { TestResponse::read(place.who(), ask(app.router(), from, request).await?).await };
        match place.within(|| "no answer came".to_owned(), asking).await {
            Ok(response) => response,
            Err(error) => place.fail(format_args!("no answer came: {error}")),
        }
    }
}

impl IntoFuture for TestRequest {
    type Output = TestResponse;
    type IntoFuture = Pin<Box<dyn Future<Output = TestResponse> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

/// Adds a header, or ends the test.
pub(super) fn add_header(headers: &mut HeaderMap, name: &str, value: &str, place: &Place) {
    match (header::HeaderName::try_from(name), header::HeaderValue::try_from(value)) {
        (Ok(name), Ok(value)) => {
            headers.append(name, value);
        }
        _ => place.fail(format_args!("`{name}: {value}` is no header")),
    }
}
