//! Schedule of the pings of a shard: one timer and a wheel for all connections.

use std::time::Duration;

/// How often connections are pinged, and how long a connection may be silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Heartbeat {
    /// `WS_HEARTBEAT_INTERVAL`.
    pub(crate) interval: Duration,
    /// `WS_HEARTBEAT_TIMEOUT`.
    pub(crate) timeout: Duration,
}

/// Longest period of a shard's timer. A shard without a heartbeat always uses it.
const MAX_TICK: Duration = Duration::from_millis(250);
/// Shortest period of a shard's timer.
const MIN_TICK: Duration = Duration::from_millis(10);
/// Target number of ticks per heartbeat interval: each tick pings one of as many parts of the connections.
const TICKS_PER_INTERVAL: u32 = 256;

/// Visits every entry once per heartbeat interval.
///
/// Entries are scattered over the buckets by their serial numbers, so connections that arrive together, for example
/// after a restart of the server or the network, are not pinged together.
#[derive(Debug)]
pub(super) struct HeartbeatWheel<T> {
    heartbeat: Option<Heartbeat>,
    tick: Duration,
    now: u32,
    buckets: Vec<Vec<T>>,
}

impl<T> HeartbeatWheel<T> {
    pub(super) fn new(heartbeat: Option<Heartbeat>) -> Self {
        let tick = tick_period(heartbeat);
        let buckets = heartbeat.map_or(0, |heartbeat| bucket_count(heartbeat.interval, tick));
        Self { heartbeat, tick, now: 0, buckets: (0..buckets).map(|_| Vec::new()).collect() }
    }

    /// Current time of the shard, in ticks of its timer.
    pub(super) fn now(&self) -> u32 {
        self.now
    }

    /// Time elapsed since `tick`.
    pub(super) fn elapsed(&self, tick: u32) -> Duration {
        self.tick * self.now.wrapping_sub(tick)
    }

    pub(super) fn add(&mut self, serial: u64, entry: T) {
        // Multiples of the golden ratio are evenly distributed, however many there are (Knuth 6.4).
        let scattered = serial.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        let buckets = self.buckets.len() as u64;
        if let Some(at) = scattered.checked_rem(buckets)
            && let Some(bucket) = self.buckets.get_mut(usize::try_from(at).unwrap_or(0))
        {
            bucket.push(entry);
        }
    }

    /// Advances to the next bucket and takes its entries. The caller passes those that remain to
    /// [`put_back`](Self::put_back).
    pub(super) fn advance(&mut self) -> Vec<T> {
        self.now = self.now.wrapping_add(1);
        self.bucket().map(std::mem::take).unwrap_or_default()
    }

    /// Returns entries to the current bucket.
    pub(super) fn put_back(&mut self, entries: Vec<T>) {
        if let Some(bucket) = self.bucket() {
            *bucket = entries;
        }
    }

    /// Whether a connection that was last active at `tick` has timed out.
    pub(super) fn has_timed_out(&self, tick: u32) -> bool {
        self.heartbeat.is_some_and(|heartbeat| self.elapsed(tick) >= heartbeat.timeout)
    }

    fn bucket(&mut self) -> Option<&mut Vec<T>> {
        let at = (self.now as usize).checked_rem(self.buckets.len())?;
        self.buckets.get_mut(at)
    }
}

/// Period of a shard's timer.
pub(super) fn tick_period(heartbeat: Option<Heartbeat>) -> Duration {
    heartbeat.map_or(MAX_TICK, |heartbeat| (heartbeat.interval / TICKS_PER_INTERVAL).clamp(MIN_TICK, MAX_TICK))
}

/// Number of buckets: rounded down, so that a full turn takes at most one interval.
fn bucket_count(interval: Duration, tick: Duration) -> usize {
    usize::try_from(interval.as_nanos() / tick.as_nanos().max(1)).unwrap_or(usize::MAX).clamp(1, 1 << 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_connection_is_visited_once_per_interval_and_visits_are_spread() {
        for (interval, timeout) in [(30, 60), (1, 2), (3600, 7200)] {
            let heartbeat =
                Heartbeat { interval: Duration::from_secs(interval), timeout: Duration::from_secs(timeout) };
            let mut wheel = HeartbeatWheel::new(Some(heartbeat));
            for serial in 1..=1000 {
                wheel.add(serial, serial);
            }
            let buckets = wheel.buckets.len();
            assert!(wheel.tick * u32::try_from(buckets).unwrap_or(0) <= heartbeat.interval);
            let max_visits = 1000usize.div_ceil(buckets) * 3 + 3;
            for _ in 0..2 {
                let mut visited = 0;
                for _ in 0..buckets {
                    let entries = wheel.advance();
                    assert!(entries.len() <= max_visits, "{} of 1000 in one of {buckets} buckets", entries.len());
                    visited += entries.len();
                    wheel.put_back(entries);
                }
                assert_eq!(visited, 1000);
            }
        }
    }
}
