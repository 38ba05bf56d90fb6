//! Identifies the requester of an upgrade: the page's origin, the client's address, the user. All of it happens before
//! the upgrade.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::RequestPartsExt;
use axum::extract::RawPathParams;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};

use super::address::client_address;
use super::test_credentials;
use crate::auth::{ANONYMOUS, Access, AnyAuthenticator, Identity, Renewal};
use crate::consumer::{Mount, PendingSession, UpgradeRequest};
use crate::error::{Error, Result, excerpt};
use crate::log_throttle::LogThrottle;
use crate::manager::ConnectionManager;
use crate::metrics::RefusalReason;
use crate::server::authentication::authenticate;
use crate::state::States;

/// Characters of a text from a client that are logged.
const MAX_LOGGED: usize = 200;

/// Identifies requesters with the application's authenticator, and limits the log lines about refused ones.
#[derive(Default)]
pub(in crate::server) struct Identification {
    authenticator: Option<Arc<dyn AnyAuthenticator>>,
    origin_log: LogThrottle,
    refusal_log: LogThrottle,
    /// The log has reported that client addresses are unknown.
    missing_address_logged: AtomicBool,
}

impl Identification {
    pub(in crate::server) fn new(authenticator: Option<Arc<dyn AnyAuthenticator>>) -> Self {
        Self { authenticator, ..Self::default() }
    }

    /// Identifies the requester, and builds the consumer from the request.
    ///
    /// # Errors
    /// 403 for a page of another origin, the authenticator's refusal, 403 for a path that names another user than the
    /// authenticator, 400 for a path or a query that cannot be parsed.
    pub(super) async fn identify(
        &self,
        manager: &ConnectionManager,
        states: &States,
        mount: Mount,
        parts: &mut Parts,
    ) -> Result<(Box<dyn PendingSession>, Access)> {
        self.check_origin(manager, &parts.headers)?;
        let ip = self.client_address(manager, parts);
        let authenticated = match (test_credentials::identity(parts), &self.authenticator) {
            (Some(identity), _) => Some(identity.checked().map_err(|error| self.refused(manager, error))?),
            (None, Some(authenticator)) => Some(self.authenticate(manager, &**authenticator, parts).await?),
            (None, None) => None,
        };
        let path = path_parameters(parts).await?;
        let query: Vec<(String, String)> =
            form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
        let consumer = mount.open(&UpgradeRequest::new(&path, &query, states))?;
        let identity = match (authenticated, consumer.user()) {
            (Some(identity), Some(user)) if identity.user() != user => {
                let error = Error::authorization("the request names another user than its credentials do");
                return Err(self.refused(manager, error));
            }
            (Some(identity), _) => identity,
            (None, Some(user)) if user.as_str().starts_with(ANONYMOUS) => {
                return Err(Error::validation(format!("a user id must not start with `{ANONYMOUS}`")));
            }
            (None, Some(user)) => Identity::new(user.clone()),
            (None, None) => Identity::anonymous()?,
        };
        test_credentials::record_user(parts, identity.user());
        let access = Access::new(identity, ip);
        let access = match &self.authenticator {
            Some(authenticator) => access.with_renewal(Renewal::new(authenticator.clone())),
            None => access,
        };
        Ok((consumer, access))
    }

    /// Refuses pages of other origins. Browsers always send the origin, so a request without one comes from no page.
    fn check_origin(&self, manager: &ConnectionManager, headers: &HeaderMap) -> Result<()> {
        let mut origins = headers.get_all(header::ORIGIN).into_iter();
        let Some(origin) = origins.next() else { return Ok(()) };
        let origin = if origins.next().is_some() { "" } else { text(Some(origin)) };
        let mut hosts = headers.get_all(header::HOST).into_iter();
        let host = text(hosts.next().filter(|_| hosts.next().is_none()));
        let allowed = &manager.settings().allowed_origins;
        if allowed.allows(origin, host) {
            return Ok(());
        }
        manager.metrics().refused(RefusalReason::Origin);
        if let Some(suppressed) = self.origin_log.permit() {
            let (origin, host) = (excerpt(origin, MAX_LOGGED), excerpt(host, MAX_LOGGED));
            tracing::warn!(?origin, ?host, %allowed, suppressed, "origin_rejected: ALLOWED_ORIGINS does not list this origin");
        }
        Err(Error::authorization("pages of this origin may not connect; ALLOWED_ORIGINS lists the origins that may"))
    }

    /// Returns the client's address. Logs once that addresses are unknown, if a limit depends on them.
    fn client_address(&self, manager: &ConnectionManager, parts: &Parts) -> Option<IpAddr> {
        let address = client_address(manager.settings(), parts);
        if address.is_none()
            && manager.settings().max_connections_per_ip > 0
            && !self.missing_address_logged.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(
                "the server that runs the router does not pass client addresses on, so MAX_CONNECTIONS_PER_IP has no \
                 effect; serve `router.into_make_service_with_connect_info::<SocketAddr>()`"
            );
        }
        address
    }

    async fn authenticate(
        &self,
        manager: &ConnectionManager,
        authenticator: &dyn AnyAuthenticator,
        parts: &Parts,
    ) -> Result<Identity> {
        let limit = manager.settings().ws_handler_timeout;
        let identity = authenticate(limit, async { authenticator.authenticate(parts).await }).await;
        identity.and_then(Identity::checked).map_err(|error| self.refused(manager, error))
    }

    /// Counts and logs a refusal.
    fn refused(&self, manager: &ConnectionManager, error: Error) -> Error {
        manager.metrics().refused(RefusalReason::Identity);
        if let Some(suppressed) = self.refusal_log.permit() {
            let error_id = error.id();
            tracing::warn!(%error_id, code = error.code(), reason = ?excerpt(error.message(), MAX_LOGGED), suppressed, "auth_failed");
        }
        error
    }
}

fn text(value: Option<&HeaderValue>) -> &str {
    value.and_then(|value| value.to_str().ok()).unwrap_or_default()
}

async fn path_parameters(parts: &mut Parts) -> Result<Vec<(String, String)>> {
    let params = parts
        .extract::<RawPathParams>()
        .await
        .map_err(|_| Error::validation("the path is not percent-encoded UTF-8"))?;
    Ok(params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}
