//! The open HTTP connections: how many there may be, and which one ends when there is no room for another.

use std::net::IpAddr;
use std::sync::Arc;

use slab::Slab;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::progress::Progress;
use crate::backend::network_of;
use crate::sync::{Mutex, lock};

/// The share of one address in all connections.
const ADDRESSES: usize = 4;

/// The open HTTP connections of a node. Upgraded connections do not belong to them.
#[derive(Debug)]
pub(super) struct OpenConnections {
    max: usize,
    open: Mutex<Slab<OpenConnection>>,
}

#[derive(Debug)]
struct OpenConnection {
    /// `None` for a trusted proxy, whose connections are those of many clients.
    address: Option<IpAddr>,
    progress: Arc<Progress>,
    evict: CancellationToken,
}

/// The place of one connection among the open ones; dropping it frees the place.
#[derive(Debug)]
pub(super) struct OpenPermit {
    all: Arc<OpenConnections>,
    key: usize,
    /// Cancelled when the connection must end to make room for another.
    pub(super) evicted: CancellationToken,
}

impl OpenConnections {
    /// Creates the set of at most `max` connections.
    pub(super) fn new(max: usize) -> Self {
        Self { max, open: Mutex::default() }
    }

    /// Adds a connection. When there is no room, the connection that has waited longest for its client ends: one of the
    /// same address if that has its share.
    ///
    /// Returns `None` if no connection waits for its client.
    pub(super) fn admit(self: &Arc<Self>, address: Option<IpAddr>, progress: Arc<Progress>) -> Option<OpenPermit> {
        let address = address.map(network_of);
        let mut open = lock(&self.open);
        // Evicted connections are about to end.
        let counted = || open.iter().filter(|(_, other)| !other.evict.is_cancelled());
        let of_address = |other: &OpenConnection| address.is_some() && other.address == address;
        let has_share = counted().filter(|(_, other)| of_address(other)).count() >= (self.max / ADDRESSES).max(1);
        if has_share || counted().count() >= self.max {
            let waiting = counted().filter(|(_, other)| !has_share || of_address(other));
            let waiting = waiting.filter_map(|(_, other)| Some((other.progress.stalled_since()?, &other.evict)));
            let (_, evict): (Instant, _) = waiting.min_by_key(|(since, _)| *since)?;
            evict.cancel();
        }
        let evicted = CancellationToken::new();
        let key = open.insert(OpenConnection { address, progress, evict: evicted.clone() });
        Some(OpenPermit { all: self.clone(), key, evicted })
    }
}

impl Drop for OpenPermit {
    fn drop(&mut self) {
        lock(&self.all.open).try_remove(self.key);
    }
}
