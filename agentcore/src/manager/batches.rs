//! Looking at the connections of a node one by one.

use std::sync::Arc;

use super::ConnectionManager;
use crate::id::ConnectionId;
use crate::registry::{Connection, ConnectionInfo};

/// The connections of a node, some at a time; see [`ConnectionManager::batches`].
#[derive(Debug)]
pub struct Batches {
    manager: ConnectionManager,
    rest: std::vec::IntoIter<ConnectionId>,
    size: usize,
}

impl ConnectionManager {
    /// What this node knows of one of its connections.
    #[must_use]
    pub fn connection_info(&self, id: ConnectionId) -> Option<ConnectionInfo> {
        self.registry().connection(id).as_deref().map(Connection::info)
    }

    /// The connections of this node, at most `size` at a time, so that 100,000 of them hold nothing up. Those that end
    /// meanwhile are left out, those that begin later are not seen.
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
        Batches { manager: self.clone(), rest: self.registry().ids().into_iter(), size: size.max(1) }
    }
}

impl Batches {
    /// The next connections; `None` after the last.
    ///
    /// # Cancel safety
    /// Dropping the future loses no connection.
    pub async fn next(&mut self) -> Option<Vec<ConnectionInfo>> {
        // Others have their turn between two batches.
        tokio::task::yield_now().await;
        let mut batch = Vec::new();
        for id in self.rest.by_ref() {
            batch.extend(self.manager.registry().connection(id).as_ref().map(Arc::as_ref).map(Connection::info));
            if batch.len() == self.size {
                break;
            }
        }
        (!batch.is_empty()).then_some(batch)
    }
}
