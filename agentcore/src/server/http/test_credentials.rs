//! Credentials that a client of the test kit attaches to its request. They are extensions of the request and not bytes
//! of it, so they cannot arrive over a network; without the feature `test-util` they do not exist.

use axum::http::request::Parts;

use crate::auth::Identity;
use crate::id::UserId;

/// The credentials of one test client.
#[cfg(feature = "test-util")]
#[derive(Debug, Clone, Default)]
pub(crate) struct TestCredentials {
    identity: Option<Identity>,
    /// Set when the request is accepted, and read by the test client afterwards.
    user: std::sync::Arc<std::sync::OnceLock<UserId>>,
}

#[cfg(feature = "test-util")]
impl TestCredentials {
    /// Creates credentials. With an identity, the authenticator is skipped.
    pub(crate) fn new(identity: Option<Identity>) -> Self {
        Self { identity, ..Self::default() }
    }

    /// Returns the user as whom the client was accepted.
    pub(crate) fn user(&self) -> Option<&UserId> {
        self.user.get()
    }
}

/// Returns the identity that the request's credentials name.
#[cfg(feature = "test-util")]
pub(super) fn identity(request: &Parts) -> Option<Identity> {
    request.extensions.get::<TestCredentials>()?.identity.clone()
}

/// Records the user as whom the test client is accepted.
#[cfg(feature = "test-util")]
pub(super) fn record_user(request: &Parts, user: &UserId) {
    if let Some(credentials) = request.extensions.get::<TestCredentials>() {
        let _ = credentials.user.set(user.clone());
    }
}

#[cfg(not(feature = "test-util"))]
pub(super) fn identity(_: &Parts) -> Option<Identity> {
    None
}

#[cfg(not(feature = "test-util"))]
pub(super) fn record_user(_: &Parts, _: &UserId) {}
