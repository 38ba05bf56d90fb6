//! HTTP requests to the application, over in-memory streams.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::app::TestApp;
use super::call_site::{CallSite, shortened};
use super::pipe::Pipe;
use crate::error::ErrorResponse;
use crate::server::HttpConnections;

impl TestApp {
    /// Requests `path` with GET; the returned builder is awaited.
    #[track_caller]
    pub fn get(&self, path: impl Into<String>) -> TestRequest {
        self.request(Method::GET, path)
    }

    /// Requests `path` with any method; the returned builder is awaited.
    #[track_caller]
    pub fn request(&self, method: Method, path: impl Into<String>) -> TestRequest {
        TestRequest::new(self.clone(), method, path.into())
    }
}

/// An HTTP request to the application. Awaiting it sends it, and returns a [`TestResponse`].
#[derive(Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct TestRequest {
    site: CallSite,
    app: TestApp,
    method: Method,
    path: String,
    headers: HeaderMap,
    from: SocketAddr,
    body: Vec<u8>,
}

impl TestRequest {
    #[track_caller]
    fn new(app: TestApp, method: Method, path: String) -> Self {
        let (site, from) = (CallSite::here(format!("{method} {path}")), app.next_address());
        Self { site, app, method, path, headers: HeaderMap::new(), from, body: Vec::new() }
    }

    /// Adds a header.
    ///
    /// # Panics
    /// The name or the value is not valid in a header.
    #[track_caller]
    pub fn header(mut self, name: &str, value: impl AsRef<str>) -> Self {
        add_header(&mut self.headers, name, value.as_ref(), &self.site);
        self
    }

    /// Adds `Authorization: Bearer <token>`.
    ///
    /// # Panics
    /// The token is not valid in a header.
    #[track_caller]
    pub fn token(self, token: impl AsRef<str>) -> Self {
        self.header("authorization", format!("Bearer {}", token.as_ref()))
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets the body to `value` as JSON.
    ///
    /// # Panics
    /// `value` cannot be written as JSON.
    #[track_caller]
    pub fn json(self, value: &impl Serialize) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => self.header("content-type", "application/json").body(body),
            Err(error) => self.site.fail(format_args!("the body cannot be written as JSON: {error}")),
        }
    }

    /// Sends from this address instead of 127.0.0.1.
    pub fn ip(mut self, ip: impl Into<IpAddr>) -> Self {
        self.from.set_ip(ip.into());
        self
    }

    async fn send(self) -> TestResponse {
        let Self { site, app, method, path, headers, from, body } = self;
        let request = Request::builder().method(method).uri(&path).header(header::HOST, "localhost");
        let mut request = match request.body(Body::from(body)) {
            Ok(request) => request,
            Err(error) => site.fail(format_args!("the request is invalid: {error}")),
        };
        request.headers_mut().extend(headers);
        let response = async {
            TestResponse::read(site.subject(), send_request(app.http(), app.router(), from, request).await?).await
        };
        match site.within(|| "no answer came".to_owned(), response).await {
            Ok(response) => response,
            Err(error) => site.fail(format_args!("no answer came: {error}")),
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

/// An HTTP response, from a route or for a refused connection.
#[derive(Debug, Clone)]
pub struct TestResponse {
    /// The request that it answers, for failures.
    request: String,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl TestResponse {
    pub(super) async fn read(request: &str, response: Response<Incoming>) -> Result<Self, String> {
        let (parts, body) = response.into_parts();
        let body = to_bytes(Body::new(body), usize::MAX).await.map_err(|error| error.to_string())?;
        Ok(Self { request: request.to_owned(), status: parts.status, headers: parts.headers, body })
    }

    /// Returns the status, such as 404.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// Returns a header by its case-insensitive name; `None` also for a value that is not text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns the body.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Returns the body as text, with invalid UTF-8 replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Decodes the body as JSON.
    ///
    /// # Panics
    /// The body is not JSON, or not a `T`.
    #[must_use]
    #[track_caller]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => self.fail_expecting(&format!("a `{}` in JSON ({error})", std::any::type_name::<T>())),
        }
    }

    /// Returns the error object under `error`.
    ///
    /// # Panics
    /// The body is not an error of this framework.
    #[must_use]
    #[track_caller]
    pub fn error(&self) -> ErrorResponse<'static> {
        #[derive(serde::Deserialize)]
        struct TestErrorBody {
            error: ErrorResponse<'static>,
        }
        match serde_json::from_slice::<TestErrorBody>(&self.body) {
            Ok(body) => body.error,
            Err(error) => self.fail_expecting(&format!("an error of the application ({error})")),
        }
    }

    #[track_caller]
    fn fail_expecting(&self, what: &str) -> ! {
        panic!("{}: expected {what}, but the answer is {self}", self.request)
    }
}

/// Writes the status and the body, for failures of a test.
impl fmt::Display for TestResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status, shortened(&self.text()))
    }
}

/// Sends one request over its own stream.
///
/// # Errors
/// The application ends the stream without a response.
pub(super) async fn send_request(
    http: HttpConnections,
    router: Router,
    peer: SocketAddr,
    request: Request<Body>,
) -> Result<Response<Incoming>, String> {
    let (client, server) = Pipe::new();
    tokio::spawn(http.serve(server, peer, router));
    let opened = hyper::client::conn::http1::handshake(TokioIo::new(client)).await;
    let (mut requests, connection) = opened.map_err(|error| error.to_string())?;
    tokio::spawn(connection.with_upgrades());
    requests.send_request(request).await.map_err(|error| error.to_string())
}

/// Adds a header, or fails the test.
pub(super) fn add_header(headers: &mut HeaderMap, name: &str, value: &str, site: &CallSite) {
    match (header::HeaderName::try_from(name), header::HeaderValue::try_from(value)) {
        (Ok(name), Ok(value)) => {
            headers.append(name, value);
        }
        _ => site.fail(format_args!("`{name}: {value}` is not a valid header")),
    }
}
