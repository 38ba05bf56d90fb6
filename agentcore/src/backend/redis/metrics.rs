//! Counters of faults between nodes.

use std::sync::atomic::{AtomicU64, Ordering};

use super::keys::Channel;
use crate::error::{excerpt, one_line};
use crate::log_throttle::LogThrottle;

/// Characters of a text from another program that are logged.
const MAX_LOGGED: usize = 200;

/// The number of faults since the start, by kind.
#[derive(Debug, Default)]
pub(super) struct FaultCounters {
    unreadable: AtomicU64,
    gaps: AtomicU64,
    overruns: AtomicU64,
    lost_connections: AtomicU64,
    throttle: LogThrottle,
}

impl FaultCounters {
    /// Counts a payload that was dropped because this version cannot read it, and logs it once a second at most.
    pub(super) fn unreadable(&self, reason: impl FnOnce() -> String, channel: &Channel) {
        let count = self.unreadable.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(suppressed) = self.throttle.permit() {
            tracing::warn!(?channel, count, suppressed, "dropped: {}", one_line(&excerpt(&reason(), MAX_LOGGED)));
        }
    }

    /// Counts a gap in the messages of another node.
    pub(super) fn gap(&self) {
        self.gaps.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts messages that were dropped because this node could not keep up.
    pub(super) fn overrun(&self) {
        self.overruns.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a lost connection to Redis.
    pub(super) fn connection_lost(&self) {
        self.lost_connections.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the counts with their names.
    pub(super) fn all(&self) -> Vec<(&'static str, u64)> {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        vec![
            ("unreadable", count(&self.unreadable)),
            ("gap", count(&self.gaps)),
            ("overrun", count(&self.overruns)),
            ("connection_lost", count(&self.lost_connections)),
        ]
    }
}
