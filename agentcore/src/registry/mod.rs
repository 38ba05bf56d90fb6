//! The connections of this node, their groups and their outboxes.
//!
//! Each worker owns one [`Shard`]: the outboxes of its connections and its part of every group's members. The
//! [`Directory`] maps a group to the shards that hold members, so a message goes only to those. This module knows
//! nothing about other nodes, HTTP or handlers.

mod connection;
mod directory;
mod handle;
mod heartbeat;
mod info;
mod metadata;
mod shard;

pub use connection::Connection;
pub(crate) use connection::Membership;
pub(crate) use directory::{Directory, GroupPermit};
pub(crate) use handle::{Closing, ConnectionHandle, Urgent};
pub(crate) use heartbeat::Heartbeat;
pub use info::ConnectionInfo;
pub use metadata::Metadata;
pub(crate) use shard::{
    Affected, Command, LoadGuard, LossReason, OutboxLimits, Receipt, Shard, ShardSettings, ShardStats, Sink, Target,
};

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;

use crate::id::{ConnectionId, GroupName, UserId};

/// All connections of this node, by id and by user.
#[derive(Debug)]
pub(crate) struct ConnectionRegistry {
    incarnation: u64,
    next_serial: AtomicU64,
    shards: Vec<Arc<Shard>>,
    directory: Directory,
    connections: DashMap<u64, Arc<Connection>>,
    users: DashMap<UserId, Vec<Arc<Connection>>>,
}

impl ConnectionRegistry {
    pub(crate) fn new(incarnation: u64, shards: Vec<Arc<Shard>>) -> Self {
        Self {
            incarnation,
            next_serial: AtomicU64::new(1),
            shards,
            directory: Directory::default(),
            connections: DashMap::new(),
            users: DashMap::new(),
        }
    }

    /// Returns a new connection id.
    pub(crate) fn next_id(&self) -> ConnectionId {
        ConnectionId { incarnation: self.incarnation, serial: self.next_serial.fetch_add(1, Ordering::Relaxed) }
    }

    /// The shard with the fewest connections, which takes the next one.
    pub(crate) fn least_loaded(&self) -> Option<&Arc<Shard>> {
        self.shards.iter().min_by_key(|shard| shard.load())
    }

    pub(crate) fn shards(&self) -> &[Arc<Shard>] {
        &self.shards
    }

    pub(crate) fn shard(&self, index: u16) -> Option<&Arc<Shard>> {
        self.shards.get(usize::from(index))
    }

    pub(crate) fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Adds a connection.
    pub(crate) fn register(&self, connection: &Arc<Connection>) {
        self.connections.insert(connection.id().serial, connection.clone());
        self.users.entry(connection.user_id().clone()).or_default().push(connection.clone());
    }

    /// Removes a connection.
    pub(crate) fn deregister(&self, connection: &Connection) {
        // In the reverse order of `register`, so that a count of zero connections implies zero users.
        if let Entry::Occupied(mut entry) = self.users.entry(connection.user_id().clone()) {
            entry.get_mut().retain(|other| other.id() != connection.id());
            if entry.get().is_empty() {
                entry.remove();
            }
        }
        self.connections.remove(&connection.id().serial);
    }

    /// Whether this incarnation of the node issued `id`.
    pub(crate) fn is_own(&self, id: ConnectionId) -> bool {
        id.incarnation == self.incarnation
    }

    pub(crate) fn connection(&self, id: ConnectionId) -> Option<Arc<Connection>> {
        if !self.is_own(id) {
            return None;
        }
        self.connections.get(&id.serial).map(|entry| entry.clone())
    }

    /// The connections of a user on this node.
    pub(crate) fn user_connections(&self, user: &UserId) -> Vec<Arc<Connection>> {
        self.users.get(user).map(|entry| entry.clone()).unwrap_or_default()
    }

    pub(crate) fn has_user(&self, user: &UserId) -> bool {
        self.users.contains_key(user)
    }

    pub(crate) fn connection_count(&self) -> usize {
        self.connections.len()
    }

    pub(crate) fn user_count(&self) -> usize {
        self.users.len()
    }

    /// A snapshot of all connection ids.
    pub(crate) fn ids(&self) -> Vec<ConnectionId> {
        self.connections.iter().map(|entry| entry.value().id()).collect()
    }

    /// The sum of all shards' statistics.
    pub(crate) fn stats(&self) -> ShardStats {
        let mut sum = ShardStats::default();
        for shard in &self.shards {
            sum.merge(&shard.stats());
        }
        sum
    }

    /// The members of `group` on this node.
    pub(crate) fn members(&self, group: &GroupName) -> Vec<Arc<ConnectionHandle>> {
        let mut members = Vec::new();
        for index in self.directory.shards(group) {
            if let Some(shard) = self.shard(index) {
                shard.members(group, &mut members);
            }
        }
        members
    }
}
