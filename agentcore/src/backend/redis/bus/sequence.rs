//! What the other nodes have said on each channel, by numbers: nothing twice, no hole unnoticed.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::payload::BatchHeader;
use crate::backend::redis::keys::Channel;

/// A stream that was silent for so long is forgotten, on both sides: its sender begins another.
pub(super) const SEQUENCE_IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// The streams that this node hears.
///
/// The first pack of a stream that is heard says where it stands; what its sender knows to be lost before it, it says too.
#[derive(Debug, Default)]
pub(super) struct SequenceTracker {
    heard: HashMap<Channel, Vec<ChannelSequence>>,
}

#[derive(Debug)]
struct ChannelSequence {
    origin: u64,
    stream: u64,
    next: u64,
    last: Instant,
}

/// What to do with a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BatchCheck {
    /// So many of its first records have been seen.
    pub(super) seen: usize,
    /// Something before it has not, and never will be.
    pub(super) hole: bool,
}

impl SequenceTracker {
    /// Notes a pack of `count` records; 0 is a mark.
    pub(super) fn note(&mut self, channel: &Channel, head: &BatchHeader, count: usize, now: Instant) -> BatchCheck {
        if !self.heard.contains_key(channel) {
            self.heard.insert(channel.clone(), Vec::new());
        }
        let Some(streams) = self.heard.get_mut(channel) else { return BatchCheck { seen: 0, hole: true } };
        let end = head.number.saturating_add(count as u64);
        let Some(known) = streams.iter_mut().find(|known| known.origin == head.origin) else {
            streams.push(ChannelSequence { origin: head.origin, stream: head.stream, next: end, last: now });
            return BatchCheck { seen: 0, hole: head.lost };
        };
        if head.stream < known.stream {
            // Bytes of a link that its sender has given up, after which it began anew: told to be lost, if they were anything.
            return BatchCheck { seen: count, hole: false };
        }
        known.last = now;
        if known.stream != head.stream {
            // Its sender had said its last number before it forgot the old one. A new one begins with 0.
            (known.stream, known.next) = (head.stream, end);
            return BatchCheck { seen: 0, hole: head.lost || head.number > 0 };
        }
        let seen = known.next.saturating_sub(head.number);
        let hole = head.number > known.next;
        known.next = known.next.max(end);
        BatchCheck { seen: usize::try_from(seen).unwrap_or(usize::MAX).min(count), hole }
    }

    /// Forgets a channel that this node hears no more: what comes when it hears it again is new.
    pub(super) fn forget(&mut self, channel: &Channel) {
        self.heard.remove(channel);
    }

    /// Forgets a node that has gone.
    pub(super) fn forget_origin(&mut self, origin: u64) {
        self.retain(|stream| stream.origin != origin);
    }

    /// Forgets streams that were silent for long.
    pub(super) fn sweep(&mut self, now: Instant) {
        // Later than the sender, who must be the first to forget: else the rest of the old stream would seem a new one.
        self.retain(|stream| now.saturating_duration_since(stream.last) < SEQUENCE_IDLE_TIMEOUT * 3);
    }

    fn retain(&mut self, keep: impl Fn(&ChannelSequence) -> bool) {
        self.heard.retain(|_, streams| {
            streams.retain(&keep);
            !streams.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: BatchCheck = BatchCheck { seen: 0, hole: false };

    fn head(stream: u64, number: u64, lost: bool) -> BatchHeader {
        BatchHeader { origin: 1, stream, number, lost }
    }

    #[test]
    fn a_hole_is_seen_once_and_nothing_is_taken_twice() {
        let (mut streams, channel, now) = (SequenceTracker::default(), Channel::Everyone, Instant::now());
        let mut note = |number, count| streams.note(&channel, &head(1, number, false), count, now);
        assert_eq!(note(5, 2), NOTHING, "the first says where the stream stands");
        assert_eq!(note(7, 1), NOTHING);
        assert_eq!(note(6, 3), BatchCheck { seen: 2, hole: false }, "two of three are known");
        assert_eq!(note(5, 2), BatchCheck { seen: 2, hole: false });
        assert_eq!(note(11, 1), BatchCheck { seen: 0, hole: true });
        assert_eq!(note(12, 0), NOTHING, "a mark at the end");
        assert_eq!(note(14, 0), BatchCheck { seen: 0, hole: true }, "a mark after a lost end");
        assert_eq!(note(14, 0), NOTHING);
    }

    #[test]
    fn what_was_lost_before_a_stream_was_heard_is_told_by_its_sender() {
        let (mut streams, channel, now) = (SequenceTracker::default(), Channel::Everyone, Instant::now());
        assert_eq!(streams.note(&channel, &head(1, 9, true), 1, now), BatchCheck { seen: 0, hole: true });
        assert_eq!(streams.note(&channel, &head(1, 10, true), 1, now), NOTHING, "all before it was heard");
        assert_eq!(streams.note(&channel, &head(2, 0, false), 1, now), NOTHING, "a new stream");
        streams.forget(&channel);
        assert_eq!(streams.note(&channel, &head(2, 20, false), 1, now), NOTHING, "not heard in between");
    }

    #[test]
    fn what_comes_late_of_a_stream_that_has_been_followed_by_another_is_not_taken() {
        let (mut streams, channel, now) = (SequenceTracker::default(), Channel::Everyone, Instant::now());
        assert_eq!(streams.note(&channel, &head(1, 4, false), 1, now), NOTHING);
        assert_eq!(streams.note(&channel, &head(2, 0, false), 2, now), NOTHING, "its sender has begun anew");
        assert_eq!(streams.note(&channel, &head(1, 5, false), 3, now), BatchCheck { seen: 3, hole: false }, "too late");
        assert_eq!(streams.note(&channel, &head(2, 2, false), 1, now), NOTHING, "and nothing is missing");
    }
}
