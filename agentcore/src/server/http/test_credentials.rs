//! What a client of the test kit brings along with its request: who it is. Without the kit there are no tickets, and
//! never any that came over a network: they are extensions of a request, not bytes of it.

use axum::http::request::Parts;

use crate::auth::Identity;
use crate::id::UserId;

/// A client of a test.
#[cfg(feature = "test-util")]
#[derive(Debug, Clone, Default)]
pub(crate) struct TestCredentials {
    identity: Option<Identity>,
    /// Written here, read by the client when it is in.
    user: std::sync::Arc<std::sync::OnceLock<UserId>>,
}

#[cfg(feature = "test-util")]
impl TestCredentials {
    /// With an identity, no authenticator is asked.
    pub(crate) fn new(identity: Option<Identity>) -> Self {
        Self { identity, ..Self::default() }
    }

    /// As whom the client was let in.
    pub(crate) fn user(&self) -> Option<&UserId> {
        self.user.get()
    }
}

/// The identity that a test_credentials names.
#[cfg(feature = "test-util")]
pub(in crate::server) fn shown(request: &Parts) -> Option<Identity> {
    request.extensions.get::<TestCredentials>()?.identity.clone()
}

/// Tells a client of a test as whom it is let in.
#[cfg(feature = "test-util")]
pub(in crate::server) fn stamp(request: &Parts, user: &UserId) {
    if let Some(test_credentials) = request.extensions.get::<TestCredentials>() {
        let _ = test_credentials.user.set(user.clone());
    }
}

#[cfg(not(feature = "test-util"))]
pub(in crate::server) fn shown(_: &Parts) -> Option<Identity> {
    None
}

#[cfg(not(feature = "test-util"))]
pub(in crate::server) fn stamp(_: &Parts, _: &UserId) {}
