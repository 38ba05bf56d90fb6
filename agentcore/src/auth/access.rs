//! What is known of a connection's peer since its upgrade: where it comes from, and who it is now.

use std::net::IpAddr;

use super::Identity;
use crate::sync::{Mutex, lock};

/// Who is at the other end of a connection.
#[derive(Debug)]
pub(crate) struct Access {
    ip: Option<IpAddr>,
    identity: Mutex<Identity>,
}

impl Access {
    pub(crate) fn new(identity: Identity, ip: Option<IpAddr>) -> Self {
        Self { ip, identity: Mutex::new(identity) }
    }

    pub(crate) fn ip(&self) -> Option<IpAddr> {
        self.ip
    }

    pub(crate) fn identity(&self) -> Identity {
        lock(&self.identity).clone()
    }
}
