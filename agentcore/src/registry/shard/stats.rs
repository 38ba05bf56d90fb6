//! What a shard counts. Its own thread writes, without atomics; whoever asks takes a copy.

use std::collections::HashMap;

/// Types are counted by name up to this many; what comes from outside could have any number of them.
const MAX_TYPES: usize = 1000;
/// Where the others are counted, and what comes from outside in another form than ours.
const OTHER: &str = "other";

/// What the connections of a shard were sent, and what they were not.
#[derive(Debug, Clone, Default)]
pub(crate) struct ShardStats {
    types: HashMap<Box<str>, usize>,
    /// In the order in which the types were first seen.
    sent: Vec<SentCounts>,
    /// Messages that did not fit, by their policy.
    pub(crate) dropped: DroppedCounts,
    /// Connections closed because they did not read.
    pub(crate) slow: u64,
    /// Connections closed because nothing was heard of them.
    pub(crate) reaped: u64,
    /// Bytes that wait to be written.
    pub(crate) outbox_bytes: u64,
}

/// Messages and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct SentCounts {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
}

/// Messages that were not sent, by policy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct DroppedCounts {
    pub(crate) newest: u64,
    pub(crate) oldest: u64,
    pub(crate) latest: u64,
    /// A newer one of the same key took the place; nothing was missed.
    pub(crate) replaced: u64,
}

impl SentCounts {
    pub(crate) fn add(&mut self, messages: usize, bytes: usize) {
        self.messages += messages as u64;
        self.bytes += bytes as u64;
    }

    fn merge(&mut self, other: Self) {
        self.messages += other.messages;
        self.bytes += other.bytes;
    }
}

impl ShardStats {
    pub(super) fn count(&mut self, message_type: Option<&str>, messages: usize, bytes: usize) {
        let at = self.place_of(message_type);
        self.count_at(at, messages, bytes);
    }

    /// Where a type is counted, for [`count_at`](Self::count_at): before a message is handed over, of which it is not known
    /// yet whether it is taken.
    pub(super) fn place_of(&mut self, message_type: Option<&str>) -> usize {
        let message_type = message_type.unwrap_or(OTHER);
        if let Some(at) = self.types.get(message_type) {
            return *at;
        }
        let name = if self.types.len() < MAX_TYPES { message_type } else { OTHER };
        *self.types.entry(name.into()).or_insert_with(|| {
            self.sent.push(SentCounts::default());
            self.sent.len() - 1
        })
    }

    pub(super) fn count_at(&mut self, at: usize, messages: usize, bytes: usize) {
        if let Some(sent) = self.sent.get_mut(at) {
            sent.add(messages, bytes);
        }
    }

    /// Messages to connections, by type.
    pub(crate) fn by_type(&self) -> impl Iterator<Item = (&str, SentCounts)> {
        self.types.iter().filter_map(|(name, at)| Some((&**name, *self.sent.get(*at)?)))
    }

    /// Adds the counts of another shard.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (message_type, sent) in other.by_type() {
            let at = self.place_of(Some(message_type));
            if let Some(sum) = self.sent.get_mut(at) {
                sum.merge(sent);
            }
        }
        self.dropped.newest += other.dropped.newest;
        self.dropped.oldest += other.dropped.oldest;
        self.dropped.latest += other.dropped.latest;
        self.dropped.replaced += other.dropped.replaced;
        self.slow += other.slow;
        self.reaped += other.reaped;
        self.outbox_bytes += other.outbox_bytes;
    }

    /// All messages and their bytes.
    pub(crate) fn total(&self) -> SentCounts {
        self.sent.iter().fold(SentCounts::default(), |mut total, sent| {
            total.merge(*sent);
            total
        })
    }
}
