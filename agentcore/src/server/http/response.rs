//! Errors as HTTP responses.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::error::{Error, ErrorResponse};

/// An error as an HTTP response: `{"error": {..}}` with its [`status`](Error::status).
impl IntoResponse for Error {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct ErrorBody<'a> {
            error: ErrorResponse<'a>,
        }
        self.log();
        let mut response = json_response(self.status(), &ErrorBody { error: ErrorResponse::new(&self, None) });
        if self.status() == StatusCode::UNAUTHORIZED {
            // Required by RFC 9110, section 15.5.2.
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(after) = self.retry_after() {
            let seconds = after.as_secs_f64().ceil();
            if let Ok(value) = HeaderValue::try_from(format!("{seconds}")) {
                response.headers_mut().insert(header::RETRY_AFTER, value);
            }
        }
        response
    }
}

/// Returns a response with a JSON body.
pub(super) fn json_response(status: StatusCode, body: &impl Serialize) -> Response {
    (status, axum::Json(body)).into_response()
}
