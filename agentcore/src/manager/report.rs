//! Statistics in the log: one line per minute with `LOG_STATS=true`.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::inner::{ConnectionManager, ManagerInner};

/// Interval between two lines.
const PERIOD: Duration = Duration::from_secs(60);

impl ConnectionManager {
    /// Starts to log the statistics if `LOG_STATS` is set.
    pub(super) fn log_stats(&self) {
        if self.settings().log_stats {
            let inner = Arc::downgrade(&self.inner);
            self.inner.supervisor.spawn("stats", move || report(inner.clone()));
        }
    }
}

/// Holds a weak reference, so that it does not keep the node alive.
async fn report(inner: Weak<ManagerInner>) {
    let mut last = (0, 0);
    loop {
        tokio::time::sleep(PERIOD).await;
        let Some(inner) = inner.upgrade() else { return };
        let stats = ConnectionManager { inner }.stats();
        let per_second = |now: u64, before: u64| now.saturating_sub(before) / PERIOD.as_secs();
        tracing::info!(
            connections = stats.connections,
            users = stats.users,
            groups = stats.groups,
            connections_opened = stats.connections_opened,
            messages_in = stats.messages_in,
            messages_in_per_second = per_second(stats.messages_in, last.0),
            bytes_in = stats.bytes_in,
            messages_out = stats.messages_out,
            messages_out_per_second = per_second(stats.messages_out, last.1),
            bytes_out = stats.bytes_out,
            outbox_bytes = stats.outbox_bytes,
            dropped = stats.dropped,
            slow_consumers = stats.slow_consumers,
            heartbeats_lost = stats.heartbeats_lost,
            "statistics"
        );
        last = (stats.messages_in, stats.messages_out);
    }
}
