//! What HTTP sees: the state parts of the application, its states, and errors as responses.

use std::fmt;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::{HeaderValue, StatusCode, header, request::Parts};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::identify::Identification;
use crate::error::{Error, ErrorResponse};
use crate::manager::ConnectionManager;
use crate::middleware::Pipeline;
use crate::state::States;

/// What all routes of an application share.
pub(crate) struct AppState {
    manager: ConnectionManager,
    states: States,
    chain: Option<Arc<dyn Pipeline>>,
    identification: Identification,
}

impl fmt::Debug for AppState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppState").field("manager", &self.manager).field("states", &self.states).finish_non_exhaustive()
    }
}

impl AppState {
    pub(in crate::server) fn new(
        manager: ConnectionManager,
        states: States,
        chain: Option<Arc<dyn Pipeline>>,
        identification: Identification,
    ) -> Self {
        Self { manager, states, chain, identification }
    }

    pub(in crate::server) fn manager(&self) -> &ConnectionManager {
        &self.manager
    }

    pub(in crate::server) fn states(&self) -> &States {
        &self.states
    }

    /// What messages pass before their handlers.
    pub(in crate::server) fn chain(&self) -> Option<&Arc<dyn Pipeline>> {
        self.chain.as_ref()
    }

    /// Who may come in.
    pub(in crate::server) fn identification(&self) -> &Identification {
        &self.identification
    }
}

/// A state of the application in a REST handler: every value that `.state(..)` was given, and the
/// [`ConnectionManager`].
///
/// ```
/// use agentcore::{ConnectionManager, State, axum::Router, axum::routing::get};
///
/// async fn status(State(manager): State<ConnectionManager>) -> String {
///     manager.stats().connections.to_string()
/// }
/// let routes: Router = Router::new().route("/status", get(status));
/// ```
#[derive(Debug, Clone)]
pub struct State<T>(pub T);

impl<S, T> FromRequestParts<S> for State<T>
where
    S: Send + Sync,
    T: Clone + Send + Sync + 'static,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let state = parts.extensions.get::<Arc<AppState>>();
        state.and_then(|state| state.states().get::<T>()).map(Self).ok_or_else(|| {
            Error::internal(format!("no state of type `{}` was given to the application", std::any::type_name::<T>()))
        })
    }
}

/// An error as an HTTP response: `{"error": {..}}` with its [`status`](Error::status).
impl IntoResponse for Error {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct ErrorBody<'a> {
            error: ErrorResponse<'a>,
        }
        self.log();
        let mut response = respond(self.status(), &ErrorBody { error: ErrorResponse::new(&self, None) });
        if self.status() == StatusCode::UNAUTHORIZED {
            // Asked for by RFC 9110 15.5.2.
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

pub(in crate::server) fn respond(status: StatusCode, body: &impl Serialize) -> Response {
    (status, axum::Json(body)).into_response()
}
