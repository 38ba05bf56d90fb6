//! Sequence numbers of the messages of other nodes: finds duplicates and gaps.
//!
//! Nothing fills a gap, because the bus stores no messages: the receive task turns it into a resync.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::payload::BatchHeader;
use crate::backend::redis::keys::Channel;

/// Time without messages after which a sender forgets a sequence and starts another one on the next message.
pub(super) const SEQUENCE_IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// The sequences that this node receives.
///
/// The first batch received of a sequence sets the expected number; its header tells whether messages right before it
/// are lost.
#[derive(Debug, Default)]
pub(super) struct SequenceTracker {
    received: HashMap<Channel, Vec<ChannelSequence>>,
}

/// The sequence of one node on one channel.
#[derive(Debug)]
struct ChannelSequence {
    /// The incarnation of the node.
    sender: u64,
    sequence: u64,
    /// The sequence number that is expected next.
    next: u64,
    last_received: Instant,
}

/// The result of comparing a batch with the expected sequence number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BatchCheck {
    /// Number of records at the start of the batch that were received before.
    pub(super) duplicates: usize,
    /// Whether messages before the batch are lost.
    pub(super) gap: bool,
}

impl SequenceTracker {
    /// Compares a batch of `count` records with the expected sequence number and updates it. A watermark has no
    /// records.
    pub(super) fn check(&mut self, channel: &Channel, header: &BatchHeader, count: usize, now: Instant) -> BatchCheck {
        let sequences = match self.received.get_mut(channel) {
            Some(sequences) => sequences,
            None => self.received.entry(channel.clone()).or_default(),
        };
        let end = header.first.saturating_add(count as u64);
        let Some(known) = sequences.iter_mut().find(|known| known.sender == header.sender) else {
            let (sender, sequence) = (header.sender, header.sequence);
            sequences.push(ChannelSequence { sender, sequence, next: end, last_received: now });
            return BatchCheck { duplicates: 0, gap: header.lost };
        };
        if header.sequence < known.sequence {
            // A late batch of a connection that the sender has given up. The sender has reported its messages as lost.
            return BatchCheck { duplicates: count, gap: false };
        }
        known.last_received = now;
        if known.sequence != header.sequence {
            // The sender published a watermark before it forgot the old sequence. A new sequence starts at 0.
            (known.sequence, known.next) = (header.sequence, end);
            return BatchCheck { duplicates: 0, gap: header.lost || header.first > 0 };
        }
        let duplicates = known.next.saturating_sub(header.first);
        let gap = header.first > known.next;
        known.next = known.next.max(end);
        BatchCheck { duplicates: usize::try_from(duplicates).unwrap_or(usize::MAX).min(count), gap }
    }

    /// Forgets a channel after its unsubscription. The next batch on it sets the expected number again.
    pub(super) fn forget(&mut self, channel: &Channel) {
        self.received.remove(channel);
    }

    /// Forgets a node that has left the cluster.
    pub(super) fn forget_sender(&mut self, sender: u64) {
        self.retain(|sequence| sequence.sender != sender);
    }

    /// Forgets idle sequences.
    pub(super) fn sweep(&mut self, now: Instant) {
        // Later than the sender: if the receiver forgot first, it would accept the rest of the old sequence as a new
        // one.
        self.retain(|sequence| now.saturating_duration_since(sequence.last_received) < SEQUENCE_IDLE_TIMEOUT * 3);
    }

    fn retain(&mut self, keep: impl Fn(&ChannelSequence) -> bool) {
        self.received.retain(|_, sequences| {
            sequences.retain(&keep);
            !sequences.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IN_ORDER: BatchCheck = BatchCheck { duplicates: 0, gap: false };
    const GAP: BatchCheck = BatchCheck { duplicates: 0, gap: true };

    fn header(sequence: u64, first: u64, lost: bool) -> BatchHeader {
        BatchHeader { sender: 1, sequence, first, lost }
    }

    fn duplicates(count: usize) -> BatchCheck {
        BatchCheck { duplicates: count, gap: false }
    }

    #[test]
    fn a_gap_is_reported_once_and_duplicates_are_found() {
        let (mut tracker, channel, now) = (SequenceTracker::default(), Channel::Everyone, Instant::now());
        let mut check = |first, count| tracker.check(&channel, &header(1, first, false), count, now);
        assert_eq!(check(5, 2), IN_ORDER, "the first batch sets the expected number");
        assert_eq!(check(7, 1), IN_ORDER);
        assert_eq!(check(6, 3), duplicates(2), "two of three were received before");
        assert_eq!(check(5, 2), duplicates(2));
        assert_eq!(check(11, 1), GAP);
        assert_eq!(check(12, 0), IN_ORDER, "a watermark at the end");
        assert_eq!(check(14, 0), GAP, "a watermark after a lost end");
        assert_eq!(check(14, 0), IN_ORDER);
    }

    #[test]
    fn the_first_batch_received_reports_what_its_sender_lost_before_it() {
        let (mut tracker, channel, now) = (SequenceTracker::default(), Channel::Everyone, Instant::now());
        assert_eq!(tracker.check(&channel, &header(1, 9, true), 1, now), GAP);
        assert_eq!(tracker.check(&channel, &header(1, 10, true), 1, now), IN_ORDER, "nothing before it is missing");
        assert_eq!(tracker.check(&channel, &header(2, 0, false), 1, now), IN_ORDER, "a new sequence");
        tracker.forget(&channel);
        assert_eq!(tracker.check(&channel, &header(2, 20, false), 1, now), IN_ORDER, "not subscribed in between");
    }

    #[test]
    fn late_batches_of_an_old_sequence_are_dropped() {
        let (mut tracker, channel, now) = (SequenceTracker::default(), Channel::Everyone, Instant::now());
        assert_eq!(tracker.check(&channel, &header(1, 4, false), 1, now), IN_ORDER);
        assert_eq!(tracker.check(&channel, &header(2, 0, false), 2, now), IN_ORDER, "the sender has started again");
        assert_eq!(tracker.check(&channel, &header(1, 5, false), 3, now), duplicates(3), "too late");
        assert_eq!(tracker.check(&channel, &header(2, 2, false), 1, now), IN_ORDER, "nothing is missing");
    }
}
