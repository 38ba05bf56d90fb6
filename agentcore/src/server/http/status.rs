//! The status routes: `/health`, `/ready` and `/metrics`.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
#[cfg(feature = "metrics")]
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;

use super::app_state::AppState;
use super::response::json_response;
#[cfg(feature = "metrics")]
use crate::metrics::Format;
use crate::supervise::TaskStatus;

/// The paths that the framework takes for itself.
pub(in crate::server) const STATUS_PATHS: &[&str] =
    if cfg!(feature = "metrics") { &["/health", "/ready", "/metrics"] } else { &["/health", "/ready"] };

/// Adds the status routes to `router`.
pub(super) fn add_routes(router: Router, state: &Arc<AppState>) -> Router {
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

/// Reports the background tasks. Always answers 200, so that no orchestrator kills a process because one of its
/// background tasks restarts.
fn health(state: &AppState) -> Response {
    #[derive(Serialize)]
    struct HealthBody<'a> {
        status: &'a str,
        node: &'a str,
        tasks: Vec<TaskStatus>,
    }
    let manager = state.manager();
    let supervisor = manager.supervisor();
    let status = if supervisor.is_healthy() { "ok" } else { "degraded" };
    json_response(StatusCode::OK, &HealthBody { status, node: manager.node().as_str(), tasks: supervisor.tasks() })
}

/// Answers 200 while the node admits connections, and 503 with the reason while it does not.
fn ready(state: &AppState) -> Response {
    if let Err(reason) = state.manager().readiness() {
        return reason.into_response();
    }
    #[derive(Serialize)]
    struct ReadyBody {
        status: &'static str,
    }
    json_response(StatusCode::OK, &ReadyBody { status: "ready" })
}

/// Serves the metrics in the text format of Prometheus, or in OpenMetrics if the `Accept` header asks for it.
#[cfg(feature = "metrics")]
fn metrics(state: &AppState, headers: &HeaderMap) -> Response {
    let format = Format::accepted(headers);
    let manager = state.manager();
    let text = manager.metrics().render(manager.node_metrics(), format);
    ([(header::CONTENT_TYPE, format.content_type())], text).into_response()
}
