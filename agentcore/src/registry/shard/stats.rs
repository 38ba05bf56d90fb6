//! Statistics of a shard. They are written under the lock of the shard, without atomics; readers get a copy.

use std::collections::HashMap;

/// Largest number of message types that are counted by name. External messages can have any number of types.
const MAX_TYPES: usize = 1000;
/// Name under which all other types are counted, and external messages whose envelope has a different layout than ours.
const OTHER: &str = "other";

/// Messages that the connections of a shard were sent, and those that they were not.
#[derive(Debug, Clone, Default)]
pub(crate) struct ShardStats {
    /// Indexes into `sent`.
    types: HashMap<Box<str>, usize>,
    /// In the order in which the types were first seen.
    sent: Vec<SentCounts>,
    /// Messages that did not fit.
    pub(crate) dropped: DroppedCounts,
    /// Connections closed with `SLOW_CONSUMER`: the outbox was full, or the socket took nothing for `WS_WRITE_TIMEOUT`.
    pub(crate) slow: u64,
    /// Connections closed because they were silent for too long.
    pub(crate) reaped: u64,
    /// Bytes in outboxes.
    pub(crate) outbox_bytes: u64,
}

/// A number of messages and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct SentCounts {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
}

/// Messages that were not sent, by overflow policy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct DroppedCounts {
    pub(crate) newest: u64,
    pub(crate) oldest: u64,
    pub(crate) latest: u64,
    /// Replaced by a newer message with the same key, which is no loss.
    pub(crate) replaced: u64,
}

impl ShardStats {
    /// All messages and their bytes.
    pub(crate) fn total(&self) -> SentCounts {
        self.sent.iter().fold(SentCounts::default(), |mut total, sent| {
            total.merge(*sent);
            total
        })
    }

    /// Messages and their bytes by message type.
    pub(crate) fn by_type(&self) -> impl Iterator<Item = (&str, SentCounts)> {
        self.types.iter().filter_map(|(name, at)| Some((&**name, *self.sent.get(*at)?)))
    }

    /// Adds the statistics of another shard.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (message_type, sent) in other.by_type() {
            let at = self.type_index(Some(message_type));
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

    pub(super) fn count(&mut self, message_type: Option<&str>, messages: usize, bytes: usize) {
        let at = self.type_index(message_type);
        self.count_at(at, messages, bytes);
    }

    /// Index of a type for [`count_at`](Self::count_at). It is looked up while the message can still be read, before
    /// the outbox takes it.
    pub(super) fn type_index(&mut self, message_type: Option<&str>) -> usize {
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
}

impl SentCounts {
    pub(super) fn add(&mut self, messages: usize, bytes: usize) {
        self.messages += messages as u64;
        self.bytes += bytes as u64;
    }

    fn merge(&mut self, other: Self) {
        self.messages += other.messages;
        self.bytes += other.bytes;
    }
}
