//! What went wrong between the nodes, counted; told to the log once a second at most.

use std::sync::atomic::{AtomicU64, Ordering};

use super::keys::Channel;
use crate::error::one_line;
use crate::log_throttle::LogThrottle;

/// The counts since the start.
#[derive(Debug, Default)]
pub(super) struct FaultCounters {
    unreadable: AtomicU64,
    gaps: AtomicU64,
    overruns: AtomicU64,
    links: AtomicU64,
    throttle: LogThrottle,
}

impl FaultCounters {
    /// A payload was dropped that this version cannot read.
    pub(super) fn unreadable(&self, why: impl FnOnce() -> String, channel: &Channel) {
        let count = self.unreadable.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(suppressed) = self.throttle.permit() {
            tracing::warn!(?channel, count, suppressed, "dropped: {}", one_line(&why()));
        }
    }

    /// Another node's messages did not all come.
    pub(super) fn gap(&self) {
        self.gaps.fetch_add(1, Ordering::Relaxed);
    }

    /// Messages were dropped because this node could not keep up.
    pub(super) fn overrun(&self) {
        self.overruns.fetch_add(1, Ordering::Relaxed);
    }

    /// A link to Redis was lost.
    pub(super) fn link_lost(&self) {
        self.links.fetch_add(1, Ordering::Relaxed);
    }

    /// The counts, by their names.
    pub(super) fn all(&self) -> Vec<(&'static str, u64)> {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        vec![
            ("unreadable", of(&self.unreadable)),
            ("hole", of(&self.gaps)),
            ("overrun", of(&self.overruns)),
            ("link_lost", of(&self.links)),
        ]
    }
}
