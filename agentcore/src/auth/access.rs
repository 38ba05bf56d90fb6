//! What is known of a connection's peer since its upgrade: where it comes from, and who it is now.

use std::net::IpAddr;
use std::sync::Arc;

use super::{Identity, Renewal};
use crate::sync::{Mutex, lock};

/// Who is at the other end of a connection.
#[derive(Debug)]
pub(crate) struct Access {
    ip: Option<IpAddr>,
    /// Replaced when the client shows a fresh token.
    identity: Mutex<Identity>,
    /// `None` where nobody authenticates: then there is nothing to renew.
    renewal: Option<Arc<Renewal>>,
}

impl Access {
    pub(crate) fn new(identity: Identity, ip: Option<IpAddr>) -> Self {
        Self { ip, identity: Mutex::new(identity), renewal: None }
    }

    /// Lets the client show fresh tokens.
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
