//! The address and the current identity of a connection's client.

use std::net::IpAddr;
use std::sync::Arc;

use super::identity::Identity;
use super::renewal::Renewal;
use crate::sync::{Mutex, lock};

/// The client of a connection.
#[derive(Debug)]
pub(crate) struct Access {
    ip: Option<IpAddr>,
    /// Replaced when the client sends a fresh token.
    identity: Mutex<Identity>,
    /// `None` without an authenticator, since there is no token to renew.
    renewal: Option<Arc<Renewal>>,
}

impl Access {
    pub(crate) fn new(identity: Identity, ip: Option<IpAddr>) -> Self {
        Self { ip, identity: Mutex::new(identity), renewal: None }
    }

    /// Lets the client send fresh tokens.
    pub(crate) fn with_renewal(mut self, renewal: Renewal) -> Self {
        self.renewal = Some(Arc::new(renewal));
        self
    }

    pub(crate) fn ip(&self) -> Option<IpAddr> {
        self.ip
    }

    pub(crate) fn identity(&self) -> Identity {
        lock(&self.identity).clone()
    }

    pub(crate) fn set_identity(&self, identity: Identity) {
        *lock(&self.identity) = identity;
    }

    pub(crate) fn renewal(&self) -> Option<&Arc<Renewal>> {
        self.renewal.as_ref()
    }
}
