//! Iteration over the connections of a node.

use super::inner::ConnectionManager;
use crate::id::ConnectionId;
use crate::registry::{Connection, ConnectionInfo};

/// The connections of a node in batches, see [`ConnectionManager::batches`].
#[derive(Debug)]
pub struct Batches {
    manager: ConnectionManager,
    remaining: std::vec::IntoIter<ConnectionId>,
    size: usize,
}

impl ConnectionManager {
    /// Returns a snapshot of a connection of this node, or `None` if this node has no such connection.
    #[must_use]
    pub fn connection_info(&self, id: ConnectionId) -> Option<ConnectionInfo> {
        self.registry().connection(id).as_deref().map(Connection::info)
    }

    /// Returns the connections of this node in batches of at most `size` (at least 1), so that even 100,000 connections
    /// block no other task. Connections that end meanwhile are skipped; connections that open meanwhile are not
    /// included.
    ///
    /// ```
    /// # async fn example(manager: agentcore::ConnectionManager) {
    /// let mut batches = manager.batches(500);
    /// while let Some(batch) = batches.next().await {
    ///     for connection in batch {
    ///         println!("{} of {} since {}", connection.id, connection.user_id, connection.connected_at);
    ///     }
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn batches(&self, size: usize) -> Batches {
        Batches { manager: self.clone(), remaining: self.registry().ids().into_iter(), size: size.max(1) }
    }
}

impl Batches {
    /// Returns the next batch, or `None` after the last one.
    ///
    /// # Cancel safety
    /// Dropping the future skips no connection.
    pub async fn next(&mut self) -> Option<Vec<ConnectionInfo>> {
        // Other tasks of the thread run between two batches.
        tokio::task::yield_now().await;
        let mut batch = Vec::new();
        for id in self.remaining.by_ref() {
            batch.extend(self.manager.connection_info(id));
            if batch.len() == self.size {
                break;
            }
        }
        (!batch.is_empty()).then_some(batch)
    }
}
