//! The counters of one node.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::labels::Labels;
use super::worker::WorkerMetrics;
use crate::log_throttle::LogThrottle;
use crate::supervise::Supervisor;
use crate::sync::{RwLock, read, write};
use crate::time::Timestamp;

/// Error codes with a series of their own; further codes count as [`OTHER_CODE`], which bounds the page.
const MAX_CODES: usize = 200;
/// Errors with one code that are logged per second, of all connections together.
const LOGGED_ERRORS: u32 = 20;
const OTHER_CODE: &str = "other";

/// The counters of one node.
pub(crate) struct Metrics {
    pub(super) started_at: Timestamp,
    pub(super) labels: Labels,
    pub(super) workers: Box<[Arc<WorkerMetrics>]>,
    pub(super) supervisor: Supervisor,
    pub(super) errors: RwLock<HashMap<Cow<'static, str>, AtomicU64>>,
    pub(super) refused: [AtomicU64; RefusalReason::ALL.len()],
    pub(super) rate_limited: AtomicU64,
    pub(super) connections: AtomicU64,
    /// Limits the log lines about handlers that block their worker, by handler.
    pub(super) blocked_log: LogThrottle<u16>,
    /// Limits the log lines about errors of all connections, by error code.
    pub(super) error_log: LogThrottle<String>,
    /// Limits the log lines about connections that are closed for what their clients did, by error code.
    pub(super) closed_log: LogThrottle<String>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").field("labels", &self.labels).finish_non_exhaustive()
    }
}

impl Metrics {
    /// Creates counters at zero for `workers` workers, at least one: `WORKERS=0` and tests have one too.
    pub(crate) fn new(labels: Labels, workers: usize, supervisor: Supervisor) -> Self {
        let workers = (0..workers.max(1)).map(|_| Arc::new(WorkerMetrics::new(&labels))).collect();
        Self {
            started_at: Timestamp::now(),
            labels,
            workers,
            supervisor,
            errors: RwLock::default(),
            refused: Default::default(),
            rate_limited: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            blocked_log: LogThrottle::per_second(usize::from(u16::MAX)),
            error_log: LogThrottle::per_second(MAX_CODES).with_burst(LOGGED_ERRORS),
            closed_log: LogThrottle::per_second(MAX_CODES),
        }
    }

    pub(crate) fn started_at(&self) -> Timestamp {
        self.started_at
    }

    /// Returns the number of messages received, and their bytes.
    pub(crate) fn received(&self) -> (u64, u64) {
        self.workers
            .iter()
            .map(|worker| worker.received_total())
            .fold((0, 0), |(messages, bytes), (more, longer)| (messages + more, bytes + longer))
    }

    /// Returns the number of connections that were opened.
    pub(crate) fn opened(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Counts a refused connection or group.
    pub(crate) fn refused(&self, reason: RefusalReason) {
        if let Some(count) = self.refused.get(reason as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts an error that was sent to a client.
    pub(super) fn error(&self, code: &str) {
        let count_known = |errors: &HashMap<Cow<'static, str>, AtomicU64>| {
            let Some(count) = errors.get(code) else { return false };
            count.fetch_add(1, Ordering::Relaxed);
            true
        };
        if count_known(&read(&self.errors)) {
            return;
        }
        let mut errors = write(&self.errors);
        let code = if errors.len() < MAX_CODES || errors.contains_key(code) { code } else { OTHER_CODE };
        errors.entry(Cow::Owned(code.to_owned())).or_default().fetch_add(1, Ordering::Relaxed);
    }
}

/// Why a connection or a group is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefusalReason {
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
    /// The node is draining.
    Stopping,
}

impl RefusalReason {
    pub(super) const ALL: [Self; 8] =
        [Self::Total, Self::User, Self::Ip, Self::Groups, Self::Origin, Self::Identity, Self::Backend, Self::Stopping];

    /// Returns the value of the label `bound`.
    #[cfg(feature = "metrics")]
    pub(super) fn label(self) -> &'static str {
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
