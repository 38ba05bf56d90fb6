//! The status routes: `/health`, `/ready` and `/metrics`.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
#[cfg(feature = "metrics")]
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;

use super::state::{AppState, respond};
#[cfg(feature = "metrics")]
use crate::metrics::Format;
use crate::supervise::TaskStatus;

/// The paths that are ours.
pub(in crate::server) const STATUS_PATHS: &[&str] =
    if cfg!(feature = "metrics") { &["/health", "/ready", "/metrics"] } else { &["/health", "/ready"] };

/// Adds the routes.
pub(in crate::server) fn routes(router: Router, state: &Arc<AppState>) -> Router {
    let (for_health, for_ready) = (state.clone(), state.clone());
    let router = router
        .route("/health", get(async move || health(&for_health)))
        .route("/ready", get(async move || ready(&for_ready)));
    #[cfg(feature = "metrics")]
    let router = {
        let state = state.clone();
        router.route("/metrics", get(async move |headers: HeaderMap| metrics(&state, &headers)))
    };
    router
}

/// The process lives: always 200, so that nobody ends it for a background task that is being started again.
fn health(state: &AppState) -> Response {
    #[derive(Serialize)]
    struct HealthBody<'a> {
        status: &'a str,
        node: &'a str,
        tasks: Vec<TaskStatus>,
    }
    let manager = state.manager();
    let supervisor = manager.supervisor();
    let status = if supervisor.is_sound() { "ok" } else { "degraded" };
    respond(StatusCode::OK, &HealthBody { status, node: manager.node().as_str(), tasks: supervisor.tasks() })
}

/// New connections are welcome: 200, or 503 from the beginning of a stop on.
fn ready(state: &AppState) -> Response {
    if state.manager().is_draining() {
        return state.manager().restarting().into_response();
    }
    #[derive(Serialize)]
    struct ReadyBody {
        status: &'static str,
    }
    respond(StatusCode::OK, &ReadyBody { status: "ready" })
}

/// Serves the metrics in the text format of Prometheus, or in OpenMetrics if the `Accept` header asks for it.
#[cfg(feature = "metrics")]
fn metrics(state: &AppState, headers: &HeaderMap) -> Response {
    let format = Format::accepted(headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()));
    let manager = state.manager();
    let text = manager.metrics().render(manager.gauges(), format);
    ([(header::CONTENT_TYPE, format.content_type())], text).into_response()
}
