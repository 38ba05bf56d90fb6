//! The routes of an application: ours and its own in one router.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{MethodFilter, on};

use super::state::AppState;
use super::{status, upgrade};
use crate::consumer::Mount;
use crate::error::{Error, ErrorCategory, Result};

/// A consumer takes its path for all methods, one by one: with axum's `any`, a route of the application on the same path
/// would silently take some of them away.
const EVERY_METHOD: MethodFilter = MethodFilter::GET
    .or(MethodFilter::HEAD)
    .or(MethodFilter::POST)
    .or(MethodFilter::PUT)
    .or(MethodFilter::PATCH)
    .or(MethodFilter::DELETE)
    .or(MethodFilter::OPTIONS)
    .or(MethodFilter::TRACE)
    .or(MethodFilter::CONNECT);

/// Joins our routes with those of the application.
pub(in crate::server) fn router(
    state: &Arc<AppState>,
    mounts: &[Mount],
    routes: Router,
    status_routes: bool,
) -> Result<Router> {
    let mut ours = Router::new();
    for mount in mounts {
        let (state, mount) = (state.clone(), *mount);
        ours = with_route(ours, mount.path, move |router| {
            router.route(mount.path, on(EVERY_METHOD, move |request| upgrade::upgrade(state.clone(), mount, request)))
        })?;
    }
    if status_routes {
        ours = status::routes(ours, state);
    }
    // Ours alone: on the routes of the application it would stand outside of their layers, CORS among them.
    ours = ours.method_not_allowed_fallback(async || not_so());
    let fallback = has_fallback(&routes);
    let joined = with_route(ours, "of the application", |ours| ours.merge(routes))?;
    let joined = if fallback { joined } else { joined.fallback(async || nothing_here()) };
    Ok(joined.layer(axum::Extension(state.clone())))
}

/// What a path is answered that nobody has.
fn nothing_here() -> Error {
    let error = Error::new(ErrorCategory::Validation, "NOT_FOUND", "there is nothing at this path");
    error.with_status(StatusCode::NOT_FOUND)
}

/// What a method is answered that a path does not have; axum names those it has (RFC 9110, section 15.5.6).
fn not_so() -> Error {
    let text = "this path does not answer this method; the header `allow` says which it does";
    Error::new(ErrorCategory::Validation, "METHOD_NOT_ALLOWED", text).with_status(StatusCode::METHOD_NOT_ALLOWED)
}

/// Whether the application answers unknown paths itself. axum tells it only so: two routers with a fallback cannot be
/// merged.
fn has_fallback(routes: &Router) -> bool {
    let probe = Router::new().fallback(async || nothing_here());
    with_route(probe, "of the application", |probe| probe.merge(routes.clone())).is_err()
}

/// axum reports a malformed or doubled route by a panic; here it is an error of the start.
pub(in crate::server) fn with_route(router: Router, what: &str, add: impl FnOnce(Router) -> Router) -> Result<Router> {
    // One at a time: of two that take the hook, the second would put back the silence of the first for good.
    static ALONE: Mutex<()> = Mutex::new(());
    let added = {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let added = catch_unwind(AssertUnwindSafe(|| add(router)));
        std::panic::set_hook(hook);
        added
    };
    added.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        Error::start(format!("the routes {what} cannot be mounted: {}", text.unwrap_or("they overlap with others")))
    })
}
