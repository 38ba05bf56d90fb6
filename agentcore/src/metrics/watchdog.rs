//! Finds handlers that block their worker, by computing or by a blocking call, and so delay its other connections.
//!
//! A worker measures each poll itself, which is exact but comes after the fact. A thread observes all workers, so a
//! handler that never returns is reported too. A poll is counted once.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use super::labels::SeriesIndex;
use super::node::Metrics;
use super::worker::{HandlerPoll, WorkerMetrics};
use crate::panic::log_anyway;
use crate::time::millis;

/// The duration from which a poll of a handler counts as blocking.
pub(super) const BLOCKING: Duration = Duration::from_millis(100);
/// The interval at which the thread observes the workers.
const TICK: Duration = Duration::from_millis(50);

/// The thread that observes all workers of a node. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Watchdog {
    _stop: Sender<()>,
}

impl Watchdog {
    /// Starts the thread.
    ///
    /// # Errors
    /// The operating system cannot create a thread.
    pub(crate) fn start(metrics: Arc<Metrics>) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        // The thread logs to the subscriber of the caller, which may not be the global one.
        let log = tracing::dispatcher::get_default(Clone::clone);
        std::thread::Builder::new().name("agentcore-watch".to_owned()).spawn(move || {
            let _log = tracing::dispatcher::set_default(&log);
            let mut seen: Vec<_> = metrics.workers.iter().map(|worker| (worker.poll(), Instant::now())).collect();
            while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                for (worker, seen) in metrics.workers.iter().zip(&mut seen) {
                    // The log line may panic, and the thread goes on.
                    log_anyway(|| observe(&metrics, worker, seen));
                }
            }
        })?;
        Ok(Self { _stop: stop })
    }
}

/// Compares the current poll of a worker with the last one seen and the time when it was first seen.
fn observe(metrics: &Metrics, worker: &WorkerMetrics, seen: &mut (HandlerPoll, Instant)) {
    let (poll, now) = (worker.poll(), Instant::now());
    if poll != seen.0 {
        *seen = (poll, now);
        return;
    }
    let duration = now.duration_since(seen.1);
    if let Some(series) = poll.series()
        && duration > BLOCKING
    {
        metrics.blocked(worker, poll, series, duration);
    }
}

impl Metrics {
    /// Counts and logs a poll that blocks its worker, and may still run.
    pub(super) fn blocked(&self, worker: &WorkerMetrics, poll: HandlerPoll, series: SeriesIndex, duration: Duration) {
        let Some(labels) = self.labels.received.get(usize::from(series.0)) else { return };
        if worker.blocked(poll, series)
            && let Some(suppressed) = self.blocked_log.permit_key(&series.0)
        {
            tracing::warn!(
                suppressed,
                consumer = labels.consumer,
                handler = labels.method,
                blocked_ms = millis(duration),
                "a handler blocks its worker and delays its other connections; move blocking or computing code to \
                 `tokio::task::spawn_blocking`"
            );
        }
    }
}
