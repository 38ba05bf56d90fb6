//! The counters of one worker: only its thread writes them, and scrapes read them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::labels::{Labels, SeriesIndex};

/// The upper bounds of the duration histogram; one more bucket holds longer durations.
pub(super) const BUCKET_BOUNDS: [Duration; 14] = [
    Duration::from_micros(10),
    Duration::from_micros(50),
    Duration::from_micros(100),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
];

/// The counters of one worker.
///
/// Only the worker's thread writes them, so an addition costs a few nanoseconds and no traffic between cores. With
/// `WORKERS=0` several threads may write, so they are atomic additions and not stores.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct WorkerMetrics {
    received: Box<[SeriesCounters]>,
    poll: AtomicU64,
    /// The last poll that was counted as blocking.
    reported: AtomicU64,
}

impl WorkerMetrics {
    pub(super) fn new(labels: &Labels) -> Self {
        Self { received: labels.received.iter().map(|_| SeriesCounters::default()).collect(), ..Self::default() }
    }

    /// Counts a received message.
    pub(super) fn received(&self, series: SeriesIndex, bytes: usize) {
        let Some(counters) = self.counters(series) else { return };
        counters.messages.fetch_add(1, Ordering::Relaxed);
        counters.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts a run of a handler or a hook, whether it returned, panicked or was dropped.
    pub(super) fn handled(&self, series: SeriesIndex, duration: Duration) {
        let Some(counters) = self.counters(series) else { return };
        let at = BUCKET_BOUNDS.iter().position(|bound| duration <= *bound).unwrap_or(BUCKET_BOUNDS.len());
        if let Some(bucket) = counters.buckets.get(at) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        counters.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    /// Counts a poll that blocked the worker, and returns whether it was counted now. A poll is counted once: the
    /// watchdog may report it while it runs, and the worker when it ends.
    pub(super) fn blocked(&self, poll: HandlerPoll, series: SeriesIndex) -> bool {
        let new = self.reported.swap(poll.0, Ordering::Relaxed) != poll.0;
        if new && let Some(counters) = self.counters(series) {
            counters.blocked.fetch_add(1, Ordering::Relaxed);
        }
        new
    }

    /// Returns the counters of a series.
    pub(super) fn counters(&self, series: SeriesIndex) -> Option<&SeriesCounters> {
        self.received.get(usize::from(series.0))
    }

    /// Returns the messages and bytes of all series.
    pub(super) fn received_total(&self) -> (u64, u64) {
        self.received.iter().fold((0, 0), |(messages, bytes), counters| {
            (messages + counters.messages.load(Ordering::Relaxed), bytes + counters.bytes.load(Ordering::Relaxed))
        })
    }

    /// Records that a poll of application code begins.
    pub(super) fn enter(&self, series: SeriesIndex) {
        self.poll.store(self.poll().next(series).0, Ordering::Relaxed);
    }

    /// Records that the poll has ended, and returns it.
    pub(super) fn leave(&self) -> HandlerPoll {
        let poll = self.poll();
        self.poll.store(poll.idle().0, Ordering::Relaxed);
        poll
    }

    /// Returns the current poll.
    pub(super) fn poll(&self) -> HandlerPoll {
        HandlerPoll(self.poll.load(Ordering::Relaxed))
    }
}

/// The counters of one series. The alignment keeps the counters of two workers out of one cache line.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(super) struct SeriesCounters {
    pub(super) messages: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) nanoseconds: AtomicU64,
    pub(super) buckets: [AtomicU64; BUCKET_BOUNDS.len() + 1],
    /// Polls that blocked the worker.
    pub(super) blocked: AtomicU64,
}

/// One poll of a handler on its worker.
///
/// The upper bits count polls; the lower 16 bits hold the series of the handler plus one, or 0 while no handler runs.
/// Both are in one word, so the watchdog never sees one without the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HandlerPoll(u64);

impl HandlerPoll {
    const SERIES: u64 = 0xffff;

    fn next(self, series: SeriesIndex) -> Self {
        Self((self.0 | Self::SERIES).wrapping_add(1) | (u64::from(series.0) + 1))
    }

    fn idle(self) -> Self {
        Self(self.0 & !Self::SERIES)
    }

    /// Returns the series of the handler that runs.
    pub(super) fn series(self) -> Option<SeriesIndex> {
        let series = (self.0 & Self::SERIES).checked_sub(1)?;
        u16::try_from(series).ok().map(SeriesIndex)
    }
}
