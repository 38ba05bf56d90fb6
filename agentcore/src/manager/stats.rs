//! Statistics of a node.

use serde::Serialize;

use super::inner::ConnectionManager;
use crate::id::NodeId;
#[cfg(feature = "metrics")]
use crate::metrics::{NodeMetrics, OutboxMetrics};
#[cfg(feature = "metrics")]
use crate::registry::ShardStats;
use crate::time::Timestamp;

/// Statistics of this node, see [`ConnectionManager::stats`].
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// Name of the node.
    pub node: NodeId,
    /// Name of the backend.
    pub backend_type: &'static str,
    /// Time at which the node started.
    pub started_at: Timestamp,
    /// Number of open connections.
    pub connections: usize,
    /// Number of users with a connection.
    pub users: usize,
    /// Number of groups with a member on this node.
    pub groups: usize,
    /// Connections opened since the start.
    pub connections_opened: u64,
    /// Messages received from clients since the start, including rejected ones.
    pub messages_in: u64,
    /// Size of those messages in bytes, without frame headers.
    pub bytes_in: u64,
    /// Messages that entered outboxes since the start.
    pub messages_out: u64,
    /// Size of those messages in bytes, frame headers included.
    pub bytes_out: u64,
    /// Bytes in outboxes now.
    pub outbox_bytes: u64,
    /// Messages that connections missed since the start because they did not read fast enough.
    pub dropped: u64,
    /// Messages since the start that were replaced by a newer one because the connection did not read fast enough.
    pub replaced: u64,
    /// Connections closed since the start because they did not read fast enough.
    pub slow_consumers: u64,
    /// Connections closed since the start because they were silent for longer than the heartbeat timeout.
    pub heartbeats_lost: u64,
}

impl ConnectionManager {
    /// Returns the statistics of this node.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let registry = self.registry();
        let shards = registry.stats();
        let sent = shards.total();
        let (messages_in, bytes_in) = self.inner.metrics.received();
        Stats {
            node: self.inner.node.clone(),
            backend_type: self.inner.backend.name(),
            started_at: self.inner.metrics.started_at(),
            connections: registry.connection_count(),
            users: registry.user_count(),
            groups: registry.directory().len(),
            connections_opened: self.inner.metrics.opened(),
            messages_in,
            bytes_in,
            messages_out: sent.messages,
            bytes_out: sent.bytes,
            outbox_bytes: shards.outbox_bytes,
            dropped: shards.dropped.newest + shards.dropped.oldest + shards.dropped.latest,
            replaced: shards.dropped.replaced,
            slow_consumers: shards.slow,
            heartbeats_lost: shards.reaped,
        }
    }

    /// Returns the current values for `/metrics`.
    #[cfg(feature = "metrics")]
    pub(crate) fn node_metrics(&self) -> NodeMetrics {
        let registry = self.registry();
        NodeMetrics {
            node: self.inner.node.to_string(),
            connections: registry.connection_count(),
            users: registry.user_count(),
            groups: registry.directory().len(),
            draining: self.is_draining(),
            outboxes: outbox_metrics(&registry.stats()),
            backend: self.inner.backend.events(),
        }
    }
}

#[cfg(feature = "metrics")]
fn outbox_metrics(shards: &ShardStats) -> OutboxMetrics {
    let by_type = shards.by_type().map(|(name, sent)| (name.to_owned(), sent.messages, sent.bytes));
    OutboxMetrics {
        outbox_bytes: shards.outbox_bytes,
        sent: by_type.collect(),
        dropped: vec![
            ("drop_newest", shards.dropped.newest),
            ("drop_oldest", shards.dropped.oldest),
            ("latest", shards.dropped.latest),
        ],
        replaced: shards.dropped.replaced,
        slow_disconnects: shards.slow,
        heartbeat_reaps: shards.reaped,
    }
}
