//! axum's extractors with this crate's errors: what they refuse is answered as `{"error": {..}}`.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;

use crate::error::Error;

pub use super::address::ClientIp;

/// A body of JSON, as [`axum::Json`]: 400 for what is no JSON, 415 for another content type, 422 for another shape.
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

/// The query, as [`axum::extract::Query`]: 400 for what does not fit `T`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Query<T>(pub T);

/// Names in the path, as [`axum::extract::Path`]: 400 for what does not fit `T`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: serde::de::DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        let body = axum::Json::<T>::from_request(request, state).await;
        body.map(|axum::Json(value)| Self(value)).map_err(|refused| error(refused.status(), refused.body_text()))
    }
}

impl<S: Send + Sync, T: serde::de::DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let query = axum::extract::Query::<T>::from_request_parts(parts, state).await;
        query.map(|query| Self(query.0)).map_err(|refused| error(refused.status(), refused.body_text()))
    }
}

impl<S: Send + Sync, T: serde::de::DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let path = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        path.map(|path| Self(path.0)).map_err(|refused| error(refused.status(), refused.body_text()))
    }
}

fn error(status: StatusCode, text: String) -> Error {
    // A route that has no such name is a fault of the program; its text is for the log.
    if status.is_server_error() { Error::internal(text) } else { Error::validation(text).with_status(status) }
}
