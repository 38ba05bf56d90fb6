//! State of a drain.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OnceCell, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::error::{CloseCode, Error};

/// Shortest delay in milliseconds after which clients reconnect.
const RETRY_AFTER_MS: u64 = 500;
/// Range in milliseconds of the random part of the delay. It grows by one millisecond per connection, so that 1,000
/// clients reconnect per second.
const SPREAD_MS: std::ops::RangeInclusive<u64> = 1_000..=60_000;

/// Progress of a drain. The drain writes it, connections read it.
#[derive(Debug)]
pub(super) struct DrainState {
    draining: AtomicBool,
    /// Number of connections that run a handler or may start one.
    active: AtomicUsize,
    /// A connection takes a permit before its last frame. The drain adds them batch by batch.
    pub(super) close_permits: Semaphore,
    spread_ms: AtomicU64,
    /// Cancelled when disconnect hooks have no more time.
    pub(super) hook_deadline: CancellationToken,
    pub(super) done: OnceCell<()>,
}

/// A connection that may start handlers. The drain waits until there is none.
#[derive(Debug)]
pub(crate) struct ActiveGuard(Arc<DrainState>);

impl Drop for ActiveGuard {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Default for DrainState {
    fn default() -> Self {
        Self {
            draining: AtomicBool::new(false),
            active: AtomicUsize::new(0),
            close_permits: Semaphore::new(0),
            spread_ms: AtomicU64::new(*SPREAD_MS.start()),
            hook_deadline: CancellationToken::new(),
            done: OnceCell::new(),
        }
    }
}

impl DrainState {
    /// Sets the spread of reconnects by the number of connections, then refuses new connections.
    pub(super) fn begin(&self, connections: usize) {
        let spread_ms = (connections as u64).clamp(*SPREAD_MS.start(), *SPREAD_MS.end());
        self.spread_ms.store(spread_ms, Ordering::Relaxed);
        self.draining.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    pub(super) fn activate(self: &Arc<Self>) -> ActiveGuard {
        self.active.fetch_add(1, Ordering::SeqCst);
        ActiveGuard(self.clone())
    }

    pub(super) fn active(&self) -> usize {
        self.active.load(Ordering::SeqCst)
    }

    /// Adds a random reconnect delay to an error that closes the connection.
    pub(super) fn with_retry_hint(&self, error: Error) -> Error {
        let random = uuid::Uuid::new_v4().as_u64_pair().0;
        let after = RETRY_AFTER_MS + random % self.spread_ms.load(Ordering::Relaxed);
        error.with_retry_after(Duration::from_millis(after)).with_close(CloseCode::Restart)
    }
}
