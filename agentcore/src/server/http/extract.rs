//! Extractors for REST handlers: axum's own with this crate's errors, `{"error": {..}}`, and the client's address.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;

use super::address::client_address;
use super::app_state::AppState;
use crate::error::Error;

/// A JSON body, as [`axum::Json`]: 400 for a body that is not JSON, 415 for another content type, 422 for JSON that
/// does not fit `T`.
///
/// ```
/// use agentcore::axum::{Router, routing::post};
/// use agentcore::extract::{Json, Path};
///
/// async fn rename(Path(room): Path<String>, Json(name): Json<String>) -> String {
///     format!("{room} is now {name}")
/// }
/// let routes: Router = Router::new().route("/rooms/{room}", post(rename));
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Json<T>(pub T);

/// The query, as [`axum::extract::Query`]: 400 for a query that does not fit `T`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Query<T>(pub T);

/// The path parameters, as [`axum::extract::Path`]: 400 for parameters that do not fit `T`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Path<T>(pub T);

/// The address of a request's client; behind a proxy of `TRUSTED_PROXIES`, the address that the proxy forwards.
///
/// It is `None` when the server that runs the router does not record the peers of its connections;
/// [`App::into_router`](crate::App::into_router) says how to.
///
/// ```
/// use agentcore::extract::ClientIp;
///
/// async fn whoami(ClientIp(ip): ClientIp) -> String {
///     ip.map_or("unknown".to_owned(), |ip| ip.to_string())
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientIp(pub Option<IpAddr>);

impl<S: Send + Sync, T: serde::de::DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        let body = axum::Json::<T>::from_request(request, state).await;
        body.map(|axum::Json(value)| Self(value)).map_err(|rejection| error(rejection.status(), rejection.body_text()))
    }
}

impl<S: Send + Sync, T: serde::de::DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let query = axum::extract::Query::<T>::from_request_parts(parts, state).await;
        query.map(|query| Self(query.0)).map_err(|rejection| error(rejection.status(), rejection.body_text()))
    }
}

impl<S: Send + Sync, T: serde::de::DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let path = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        path.map(|path| Self(path.0)).map_err(|rejection| error(rejection.status(), rejection.body_text()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ClientIp {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let state = parts.extensions.get::<Arc<AppState>>();
        Ok(Self(state.and_then(|state| client_address(state.manager().settings(), parts))))
    }
}

fn error(status: StatusCode, text: String) -> Error {
    // axum answers 5xx for a mistake in the program, such as a missing path parameter. Its text is for the log only.
    if status.is_server_error() { Error::internal(text) } else { Error::validation(text).with_status(status) }
}
