//! What a node counts, and `/metrics`.
//!
//! Each node has its own [`Metrics`], so two in one process do not mix. What happens with every message is counted in
//! the cells of the worker that handles it, so no two threads write to one place; they are summed when somebody
//! asks. Names and types come from the catalogue alone, so no client can add a label.

mod cells;
mod labels;
mod meter;
#[cfg(feature = "metrics")]
mod report;
mod watchdog;

pub(crate) use labels::{ConsumerTypes, Labels, Named};
pub(crate) use meter::{Kind, Meter};
#[cfg(feature = "metrics")]
pub(crate) use report::{Format, Gauges, Outgoing};
use watchdog::TOO_LONG;
pub(crate) use watchdog::Watchdog;

use cells::Cells;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crate::log_throttle::LogThrottle;
use crate::supervise::Supervisor;
use crate::time::Timestamp;

/// So many codes of errors are told apart; the rest counts as `other`.
const MAX_CODES: usize = 200;
const OTHER: &str = "other";

/// The counts of one node.
pub(crate) struct Metrics {
    started_at: Timestamp,
    labels: Labels,
    workers: Box<[Arc<Cells>]>,
    supervisor: Supervisor,
    errors: RwLock<HashMap<Cow<'static, str>, AtomicU64>>,
    refused: [AtomicU64; Bound::ALL.len()],
    rate_limited: AtomicU64,
    connections: AtomicU64,
    /// Log lines about handlers that hold their worker, by handler.
    held_lines: LogThrottle<u16>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").field("labels", &self.labels).finish_non_exhaustive()
    }
}

/// Why a connection or a group is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bound {
    /// `MAX_TOTAL_CONNECTIONS`.
    Total,
    /// `MAX_CONNECTIONS_PER_CLIENT`.
    User,
    /// `MAX_CONNECTIONS_PER_IP`.
    Ip,
    /// `MAX_TOTAL_GROUPS`.
    Groups,
    /// `ALLOWED_ORIGINS`.
    Origin,
    /// The authenticator.
    Identity,
    /// The backend could not decide.
    Backend,
    /// The node is about to end.
    Stopping,
}

impl Bound {
    const ALL: [Self; 8] =
        [Self::Total, Self::User, Self::Ip, Self::Groups, Self::Origin, Self::Identity, Self::Backend, Self::Stopping];

    fn label(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::User => "user",
            Self::Ip => "ip",
            Self::Groups => "groups",
            Self::Origin => "origin",
            Self::Identity => "identity",
            Self::Backend => "backend",
            Self::Stopping => "stopping",
        }
    }
}

impl Metrics {
    /// Counts nothing yet, for `workers` workers; one is enough for tests and for `WORKERS=0`.
    pub(crate) fn new(labels: Labels, workers: usize, supervisor: Supervisor) -> Self {
        let workers = (0..workers.max(1)).map(|_| Arc::new(Cells::new(&labels))).collect();
        Self {
            started_at: Timestamp::now(),
            labels,
            workers,
            supervisor,
            errors: RwLock::default(),
            refused: Default::default(),
            rate_limited: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            held_lines: LogThrottle::per_second(usize::from(u16::MAX)),
        }
    }

    pub(crate) fn started_at(&self) -> Timestamp {
        self.started_at
    }

    /// Messages that came in, and their bytes.
    pub(crate) fn received(&self) -> (u64, u64) {
        self.workers
            .iter()
            .map(|cells| cells.total())
            .fold((0, 0), |(messages, bytes), (more, longer)| (messages + more, bytes + longer))
    }

    /// Connections that were opened.
    pub(crate) fn opened(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    fn error(&self, code: &str) {
        let known = |errors: &HashMap<Cow<'static, str>, AtomicU64>| {
            let Some(count) = errors.get(code) else { return false };
            count.fetch_add(1, Ordering::Relaxed);
            true
        };
        if known(&self.errors.read().unwrap_or_else(PoisonError::into_inner)) {
            return;
        }
        let mut errors = self.errors.write().unwrap_or_else(PoisonError::into_inner);
        let code = if errors.len() < MAX_CODES || errors.contains_key(code) { code } else { OTHER };
        errors.entry(Cow::Owned(code.to_owned())).or_default().fetch_add(1, Ordering::Relaxed);
    }

    /// A connection was refused.
    pub(crate) fn refused(&self, bound: Bound) {
        if let Some(count) = self.refused.get(bound as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests;
