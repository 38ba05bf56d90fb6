//! Bounds how often a log line is written: at most one line per key and interval, or a few, with a count of those
//! suppressed.

use std::borrow::Borrow;
use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::sync::{Mutex, lock};

/// The usual interval between two lines of one kind.
const INTERVAL: Duration = Duration::from_secs(1);

/// Limits log lines that a client, a peer or a broken link could otherwise cause without bound.
///
/// Lines with different keys are limited independently. At most `max_keys` keys are remembered; a further one replaces
/// the least recently added, whose next line is then written at once.
#[derive(Debug)]
pub(crate) struct LogThrottle<K = ()> {
    interval: Duration,
    /// Lines per key and interval.
    burst: u32,
    max_keys: usize,
    lines: Mutex<VecDeque<ThrottledLine<K>>>,
}

#[derive(Debug)]
struct ThrottledLine<K> {
    key: K,
    /// Start of the interval, which is when its first line was written.
    since: Instant,
    /// Lines that were written in this interval.
    written: u32,
    /// Lines that were not written in this interval.
    suppressed: u64,
}

impl Default for LogThrottle {
    fn default() -> Self {
        Self::keyed(INTERVAL, 1)
    }
}

impl LogThrottle {
    /// Returns the number of lines suppressed since the last one if a line may be written now, and `None` otherwise.
    pub(crate) fn permit(&self) -> Option<u64> {
        self.permit_key(&())
    }
}

impl<K> LogThrottle<K> {
    /// Creates a throttle that allows one line per key and `interval`.
    pub(crate) fn keyed(interval: Duration, max_keys: usize) -> Self {
        Self { interval, burst: 1, max_keys, lines: Mutex::new(VecDeque::new()) }
    }

    /// Allows `burst` lines per key and interval.
    pub(crate) fn with_burst(self, burst: u32) -> Self {
        Self { burst, ..self }
    }

    /// Creates a throttle that allows one line per key and second.
    pub(crate) fn per_second(max_keys: usize) -> Self {
        Self::keyed(INTERVAL, max_keys)
    }

    /// Like [`permit`](LogThrottle::permit), for one key.
    pub(crate) fn permit_key<Q>(&self, key: &Q) -> Option<u64>
    where
        K: Borrow<Q>,
        Q: ToOwned<Owned = K> + PartialEq + ?Sized,
    {
        let now = Instant::now();
        let mut lines = lock(&self.lines);
        let Some(line) = lines.iter_mut().find(|line| line.key.borrow() == key) else {
            if lines.len() >= self.max_keys {
                lines.pop_front();
            }
            lines.push_back(ThrottledLine { key: key.to_owned(), since: now, written: 1, suppressed: 0 });
            return Some(0);
        };
        if now.saturating_duration_since(line.since) < self.interval {
            if line.written < self.burst {
                line.written += 1;
                return Some(0);
            }
            line.suppressed += 1;
            return None;
        }
        (line.since, line.written) = (now, 1);
        Some(std::mem::take(&mut line.suppressed))
    }

    /// Forgets all keys, so that the next line of each is written at once.
    #[cfg(feature = "redis")]
    pub(crate) fn reset(&self) {
        lock(&self.lines).clear();
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_line_per_key_and_second_is_written_and_the_others_are_counted() {
        let throttle = LogThrottle::<String>::per_second(2);
        assert_eq!(throttle.permit_key("a"), Some(0));
        assert_eq!(throttle.permit_key("b"), Some(0), "another key");
        for _ in 0..999 {
            assert_eq!(throttle.permit_key("a"), None);
        }
        advance(INTERVAL).await;
        assert_eq!(throttle.permit_key("a"), Some(999));
        advance(INTERVAL).await;
        assert_eq!(throttle.permit_key("a"), Some(0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_written_in_each_interval() {
        let throttle = LogThrottle::<String>::per_second(1).with_burst(3);
        for suppressed in [0, 7] {
            assert_eq!(throttle.permit_key("a"), Some(suppressed));
            assert_eq!((throttle.permit_key("a"), throttle.permit_key("a")), (Some(0), Some(0)));
            assert!((0..7).all(|_| throttle.permit_key("a").is_none()));
            advance(INTERVAL).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_number_of_keys_is_bounded() {
        let throttle = LogThrottle::<String>::per_second(2);
        for key in ["a", "b", "c"] {
            assert_eq!(throttle.permit_key(key), Some(0));
        }
        assert_eq!(throttle.permit_key("c"), None);
        assert_eq!(throttle.permit_key("a"), Some(0), "it was replaced by `c`");
        assert_eq!(lock(&throttle.lines).len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn with_one_key_a_line_is_written_when_the_reason_changes() {
        let throttle = LogThrottle::<String>::keyed(Duration::from_secs(60), 1);
        assert!(throttle.permit_key("refused").is_some());
        assert!(throttle.permit_key("refused").is_none());
        assert!(throttle.permit_key("gone").is_some());
        advance(Duration::from_secs(30)).await;
        assert!(throttle.permit_key("gone").is_none());
        advance(Duration::from_secs(30)).await;
        assert!(throttle.permit_key("gone").is_some());
    }
}
