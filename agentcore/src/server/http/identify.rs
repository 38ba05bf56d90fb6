//! Who asks to come in: the page's origin, the client's address, its identity. All before the upgrade.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::RequestPartsExt;
use axum::extract::RawPathParams;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};

use super::address::address;
use super::state::AppState;
use super::test_credentials;
use crate::auth::{ANONYMOUS, Access, AnyAuthenticator, Identity, Renewal};
use crate::consumer::{Mount, PendingSession, UpgradeRequest};
use crate::error::{Error, Result};
use crate::log_throttle::LogThrottle;
use crate::metrics::Bound;
use crate::server::authentication::authenticate;

/// Who may come in, and what was logged of those who may not.
#[derive(Default)]
pub(in crate::server) struct Identification {
    authenticator: Option<Arc<dyn AnyAuthenticator>>,
    origins: LogThrottle,
    refusals: LogThrottle,
    /// The log has said that addresses are unknown.
    addressless: AtomicBool,
}

impl Identification {
    pub(in crate::server) fn new(authenticator: Option<Arc<dyn AnyAuthenticator>>) -> Self {
        Self { authenticator, ..Self::default() }
    }
}

/// Finds out who asks, and builds the consumer.
///
/// # Errors
/// The refusal: 403 for a page of another origin, what the authenticator says, 403 for a path that names another user
/// than it does, 400 for a path or a query that cannot be parsed.
pub(in crate::server) async fn identify(
    state: &AppState,
    mount: Mount,
    parts: &mut Parts,
) -> Result<(Box<dyn PendingSession>, Access)> {
    check_origin(state, &parts.headers)?;
    let ip = address(state.manager().settings(), parts);
    if ip.is_none() {
        note_missing_address(state);
    }
    let authenticated = match (test_credentials::shown(parts), &state.identification().authenticator) {
        (Some(identity), _) => Some(identity.checked().map_err(|error| refused(state, error))?),
        (None, Some(authenticator)) => Some(run_authenticator(state, &**authenticator, parts).await?),
        (None, None) => None,
    };
    let path = path_of(parts).await?;
    let query: Vec<(String, String)> =
        form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let prepared = mount.open(&UpgradeRequest::new(&path, &query, state.states()))?;
    let identity = match (authenticated, prepared.user()) {
        (Some(identity), Some(user)) if identity.user() != user => {
            let error = Error::authorization("the request names another user than its credentials do");
            return Err(refused(state, error));
        }
        (Some(identity), _) => identity,
        (None, Some(user)) if user.as_str().starts_with(ANONYMOUS) => {
            return Err(Error::validation(format!("a user id must not start with `{ANONYMOUS}`")));
        }
        (None, Some(user)) => Identity::new(user.clone()),
        (None, None) => Identity::anonymous()?,
    };
    test_credentials::stamp(parts, identity.user());
    let access = Access::new(identity, ip);
    let access = match &state.identification().authenticator {
        Some(authenticator) => access.with_renewal(Renewal::new(authenticator.clone())),
        None => access,
    };
    Ok((prepared, access))
}

/// A browser says which page connects; whoever says nothing is no browser, and no page can make it connect.
fn check_origin(state: &AppState, headers: &HeaderMap) -> Result<()> {
    let mut origins = headers.get_all(header::ORIGIN).into_iter();
    let Some(origin) = origins.next() else { return Ok(()) };
    let origin = if origins.next().is_some() { "" } else { text(Some(origin)) };
    let mut hosts = headers.get_all(header::HOST).into_iter();
    let host = text(hosts.next().filter(|_| hosts.next().is_none()));
    let allowed = &state.manager().settings().allowed_origins;
    if allowed.allows(origin, host) {
        return Ok(());
    }
    state.manager().metrics().refused(Bound::Origin);
    if let Some(suppressed) = state.identification().origins.permit() {
        tracing::warn!(?origin, ?host, %allowed, suppressed, "origin_rejected");
    }
    Err(Error::authorization("pages of this origin may not connect; ALLOWED_ORIGINS says which may"))
}

fn text(value: Option<&HeaderValue>) -> &str {
    value.and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Says once that addresses are not known, where that matters.
fn note_missing_address(state: &AppState) {
    let matters = state.manager().settings().max_connections_per_ip > 0;
    if matters && !state.identification().addressless.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            "the server that runs the router hands no addresses on, so MAX_CONNECTIONS_PER_IP has no effect; serve \
             `router.into_make_service_with_connect_info::<SocketAddr>()`"
        );
    }
}

async fn run_authenticator(state: &AppState, authenticator: &dyn AnyAuthenticator, parts: &Parts) -> Result<Identity> {
    let limit = state.manager().settings().ws_handler_timeout;
    let identity = authenticate(limit, async { authenticator.authenticate(parts).await }).await;
    identity.and_then(Identity::checked).map_err(|error| refused(state, error))
}

/// Notes a refusal.
fn refused(state: &AppState, error: Error) -> Error {
    state.manager().metrics().refused(Bound::Identity);
    if let Some(suppressed) = state.identification().refusals.permit() {
        let error_id = error.id();
        tracing::warn!(%error_id, code = error.code(), reason = ?error.message(), suppressed, "auth_failed");
    }
    error
}

async fn path_of(parts: &mut Parts) -> Result<Vec<(String, String)>> {
    let params = parts
        .extract::<RawPathParams>()
        .await
        .map_err(|_| Error::validation("the path is not percent-encoded UTF-8"))?;
    Ok(params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}
