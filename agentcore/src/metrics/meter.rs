//! What a connection counts with: it knows its worker and its consumer.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Metrics;
use super::cells::Cells;
use super::labels::{Slot, Slots};
use crate::error::{Error, ErrorCategory};

/// The counts of one connection's messages, on the worker where it lives.
#[derive(Clone)]
pub(crate) struct Meter {
    metrics: Arc<Metrics>,
    cells: Arc<Cells>,
    slots: Slots,
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meter").field("slots", &self.slots).finish_non_exhaustive()
    }
}

/// What came in, or what runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A message for the handler with this number.
    Handler(usize),
    /// A message that no handler takes.
    Unknown,
    /// The application's `ping`.
    Ping,
    /// A fresh token.
    Renewal,
    /// `#[on(connect)]`.
    Connect,
    /// `#[on(disconnect)]`.
    Disconnect,
}

impl Metrics {
    /// For a connection on the worker with this index, served by the consumer with this number. What does not exist
    /// counts with the last one that does.
    pub(crate) fn meter(self: &Arc<Self>, worker: u16, consumer: usize) -> Meter {
        let cells = self.workers.get(usize::from(worker)).or(self.workers.last()).cloned();
        Meter { metrics: self.clone(), cells: cells.unwrap_or_default(), slots: self.labels.consumer(consumer) }
    }
}

impl Meter {
    /// One that nobody reads.
    #[cfg(test)]
    pub(crate) fn alone() -> Self {
        Arc::new(Metrics::new(super::Labels::default(), 1, crate::supervise::Supervisor::new())).meter(0, 0)
    }

    /// The connection was opened.
    pub(crate) fn opened(&self) {
        self.metrics.connections.fetch_add(1, Ordering::Relaxed);
    }

    /// A message came in.
    pub(crate) fn received(&self, kind: Kind, bytes: usize) {
        self.cells.received(self.slot(kind), bytes);
    }

    /// A handler or a hook has ended, however it did.
    pub(crate) fn handled(&self, kind: Kind, took: Duration) {
        self.cells.handled(self.slot(kind), took);
    }

    /// A poll of the application's code begins; the watchdog looks at it from here on.
    pub(crate) fn enter(&self, kind: Kind) {
        self.cells.enter(self.slot(kind));
    }

    /// The poll has ended.
    pub(crate) fn leave(&self, kind: Kind, took: Duration) {
        let turn = self.cells.leave();
        if took > super::TOO_LONG {
            self.metrics.held(&self.cells, turn, self.slot(kind), took);
        }
    }

    /// An error was told to the client.
    pub(crate) fn error(&self, error: &Error) {
        self.metrics.error(error.code());
        if error.category() == ErrorCategory::RateLimit {
            self.metrics.rate_limited.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn slot(&self, kind: Kind) -> Slot {
        match kind {
            Kind::Handler(number) => self.slots.handler(number),
            Kind::Unknown => self.slots.unknown(),
            Kind::Ping => self.slots.ping(),
            Kind::Renewal => self.slots.renewal(),
            Kind::Connect => self.slots.connect(),
            Kind::Disconnect => self.slots.disconnect(),
        }
    }
}
