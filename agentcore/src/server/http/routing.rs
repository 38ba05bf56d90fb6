//! The router of an application: consumers, status routes and the application's own routes.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::from_fn;
use axum::routing::{MethodFilter, on};

use super::app_state::AppState;
use super::host::with_host;
use super::status;
use super::upgrade::upgrade;
use crate::consumer::Mount;
use crate::error::{Error, ErrorCategory, Result};
use crate::panic::{Panic, catch_panic_sync};
use crate::sync::{Mutex, lock};

/// All methods, listed one by one. With axum's `any`, a route of the application on a consumer's path would silently
/// take some methods away from the consumer.
const EVERY_METHOD: MethodFilter = MethodFilter::GET
    .or(MethodFilter::HEAD)
    .or(MethodFilter::POST)
    .or(MethodFilter::PUT)
    .or(MethodFilter::PATCH)
    .or(MethodFilter::DELETE)
    .or(MethodFilter::OPTIONS)
    .or(MethodFilter::TRACE)
    .or(MethodFilter::CONNECT);

/// Builds the router from the consumers, the status routes and the application's own routes.
///
/// # Errors
/// When a path is malformed, or two routes overlap.
pub(in crate::server) fn router(
    state: &Arc<AppState>,
    mounts: &[Mount],
    routes: Router,
    status_routes: bool,
) -> Result<Router> {
    let mut framework = Router::new();
    for mount in mounts {
        let (state, mount) = (state.clone(), *mount);
        framework = with_routes(framework, mount.path, move |router| {
            router.route(mount.path, on(EVERY_METHOD, move |request| upgrade(state.clone(), mount, request)))
        })?;
    }
    if status_routes {
        framework = status::add_routes(framework, state);
    }
    // Set before the merge: on the application's routes this fallback would bypass the layers around them, such as
    // CORS.
    framework = framework.method_not_allowed_fallback(async || method_not_allowed());
    let has_own_fallback = has_fallback(&routes);
    let merged = with_routes(framework, "of the application", |router| router.merge(routes))?;
    let merged = if has_own_fallback { merged } else { merged.fallback(async || not_found()) };
    Ok(merged.layer(axum::Extension(state.clone())).layer(from_fn(with_host)))
}

/// Adds routes to `router`. axum panics on a malformed or duplicate route; the panic becomes an error that stops the
/// start.
///
/// # Errors
/// When `add` panics. `what` names the routes in the error.
pub(in crate::server) fn with_routes(router: Router, what: &str, add: impl FnOnce(Router) -> Router) -> Result<Router> {
    // The panic hook is global. Without the lock, the second of two threads could restore the silent hook of the first.
    static PANIC_HOOK: Mutex<()> = Mutex::new(());
    let added = {
        let _guard = lock(&PANIC_HOOK);
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let added = catch_panic_sync(|| add(router));
        std::panic::set_hook(hook);
        added
    };
    added.map_err(|Panic(text)| Error::start(format!("the routes {what} cannot be mounted: {text}")))
}

/// Whether the application answers unknown paths itself. axum has no query for that, but refuses to merge two routers
/// that both have a fallback.
fn has_fallback(routes: &Router) -> bool {
    let probe = Router::new().fallback(async || not_found());
    with_routes(probe, "of the application", |probe| probe.merge(routes.clone())).is_err()
}

/// The answer to an unknown path.
fn not_found() -> Error {
    let error = Error::new(ErrorCategory::Validation, "NOT_FOUND", "there is nothing at this path");
    error.with_status(StatusCode::NOT_FOUND)
}

/// The answer to a method that a path does not support; axum adds the header `allow` (RFC 9110, section 15.5.6).
fn method_not_allowed() -> Error {
    let text = "this path does not support this method; the header `allow` lists the methods it supports";
    Error::new(ErrorCategory::Validation, "METHOD_NOT_ALLOWED", text).with_status(StatusCode::METHOD_NOT_ALLOWED)
}
