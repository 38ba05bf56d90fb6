//! CORS for the application's own routes: pages of the origins that may connect may also call them.

use axum::Router;
use axum::http::HeaderValue;
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer};

use crate::settings::AllowedOrigins;

/// Returns the problem of credentials that are allowed for every origin.
pub(in crate::server) fn contradiction(allowed: &AllowedOrigins, credentials: bool) -> Option<String> {
    (credentials && allowed.is_any()).then(|| {
        "`.allow_credentials()` and ALLOWED_ORIGINS=* contradict each other: every page could act as its visitor; list \
         the origins, such as ALLOWED_ORIGINS=https://example.com"
            .to_owned()
    })
}

/// Adds the CORS headers for the origins of `ALLOWED_ORIGINS`. Without listed origins, only pages of the server itself
/// may call the routes.
pub(in crate::server) fn layer(routes: Router, allowed: &AllowedOrigins, credentials: bool) -> Router {
    if allowed.is_same() {
        return routes;
    }
    let origins = if allowed.is_any() {
        AllowOrigin::any()
    } else {
        let allowed = allowed.clone();
        AllowOrigin::predicate(move |origin: &HeaderValue, _| {
            origin.to_str().is_ok_and(|origin| allowed.allows(origin, ""))
        })
    };
    routes.layer(
        CorsLayer::new()
            .allow_origin(origins)
            .allow_methods(AllowMethods::mirror_request())
            .allow_headers(AllowHeaders::mirror_request())
            .allow_credentials(credentials),
    )
}
