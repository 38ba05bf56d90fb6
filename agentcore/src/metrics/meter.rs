//! Counts what happens on one connection.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::labels::{ConsumerSeries, SeriesIndex};
use super::node::Metrics;
use super::watchdog::BLOCKING;
use super::worker::WorkerMetrics;
use crate::error::{Error, ErrorCategory};

/// Counts the messages of one connection with the counters of its worker and its consumer.
#[derive(Clone)]
pub(crate) struct Meter {
    metrics: Arc<Metrics>,
    worker: Arc<WorkerMetrics>,
    series: ConsumerSeries,
}

/// A kind of message or of application code that a [`Meter`] counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Metered {
    /// A message for the handler with this index.
    Handler(usize),
    /// A message without a handler.
    Unknown,
    /// The message `ping`.
    Ping,
    /// A fresh token.
    Renewal,
    /// `#[on(connect)]`.
    Connect,
    /// `#[on(disconnect)]`.
    Disconnect,
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meter").field("series", &self.series).finish_non_exhaustive()
    }
}

impl Metrics {
    /// Returns the meter of a connection on the worker at index `worker`, served by the consumer at index `consumer`.
    /// An index out of range counts with the last worker.
    pub(crate) fn meter(self: &Arc<Self>, worker: u16, consumer: usize) -> Meter {
        let worker = self.workers.get(usize::from(worker)).or(self.workers.last()).cloned();
        Meter { metrics: self.clone(), worker: worker.unwrap_or_default(), series: self.labels.consumer(consumer) }
    }
}

impl Meter {
    /// Creates a meter whose counts are not reported anywhere.
    #[cfg(test)]
    pub(crate) fn detached() -> Self {
        Arc::new(Metrics::new(super::Labels::default(), 1, crate::supervise::Supervisor::new())).meter(0, 0)
    }

    /// Counts the opening of the connection.
    pub(crate) fn opened(&self) {
        self.metrics.connections.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a received message.
    pub(crate) fn received(&self, metered: Metered, bytes: usize) {
        self.worker.received(self.index(metered), bytes);
    }

    /// Counts a run of a handler or a hook, whether it returned, panicked or was dropped.
    pub(crate) fn handled(&self, metered: Metered, duration: Duration) {
        self.worker.handled(self.index(metered), duration);
    }

    /// Records that a poll of application code begins; the watchdog observes it until [`leave`](Self::leave).
    pub(crate) fn enter(&self, metered: Metered) {
        self.worker.enter(self.index(metered));
    }

    /// Records that the poll has ended after `duration`.
    pub(crate) fn leave(&self, metered: Metered, duration: Duration) {
        let poll = self.worker.leave();
        if duration > BLOCKING {
            self.metrics.blocked(&self.worker, poll, self.index(metered), duration);
        }
    }

    /// Returns whether an error with this code may be logged, as [`LogThrottle`](crate::log_throttle::LogThrottle) does.
    pub(crate) fn permit_error_line(&self, code: &str) -> Option<u64> {
        self.metrics.error_log.permit_key(code)
    }

    /// Returns whether it may be logged that a connection is closed with this code.
    pub(crate) fn permit_closed_line(&self, code: &str) -> Option<u64> {
        self.metrics.closed_log.permit_key(code)
    }

    /// Counts an error that was sent to the client.
    pub(crate) fn error(&self, error: &Error) {
        self.metrics.error(error.code());
        if error.category() == ErrorCategory::RateLimit {
            self.metrics.rate_limited.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn index(&self, metered: Metered) -> SeriesIndex {
        match metered {
            Metered::Handler(index) => self.series.handler(index),
            Metered::Unknown => self.series.unknown(),
            Metered::Ping => self.series.ping(),
            Metered::Renewal => self.series.renewal(),
            Metered::Connect => self.series.connect(),
            Metered::Disconnect => self.series.disconnect(),
        }
    }
}
