//! What a shard counts. Its own thread writes, without atomics; whoever asks takes a copy.

use std::collections::HashMap;

/// Types are counted by name up to this many; what comes from outside could have any number of them.
const MAX_TYPES: usize = 1000;
/// Where the others are counted, and what comes from outside in another form than ours.
const OTHER: &str = "other";

/// What the connections of a shard were sent, and what they were not.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    /// Messages to the members of groups and to everyone, by type.
    pub(crate) sent: HashMap<Box<str>, Sent>,
    /// To single connections: replies, errors, messages to a user; not by type.
    pub(crate) direct: Sent,
    /// Messages that did not fit, by their policy.
    pub(crate) dropped: Dropped,
    /// Connections closed because they did not read.
    pub(crate) slow: u64,
    /// Connections closed because nothing was heard of them.
    pub(crate) reaped: u64,
    /// Bytes that wait to be written.
    pub(crate) outbox_bytes: u64,
}

/// Messages and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
}

/// Messages that were not sent, by policy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Dropped {
    pub(crate) newest: u64,
    pub(crate) oldest: u64,
    pub(crate) latest: u64,
    /// A newer one of the same key took the place; nothing was missed.
    pub(crate) replaced: u64,
}

impl Sent {
    pub(crate) fn add(&mut self, messages: usize, bytes: usize) {
        self.messages += messages as u64;
        self.bytes += bytes as u64;
    }

    fn merge(&mut self, other: Self) {
        self.messages += other.messages;
        self.bytes += other.bytes;
    }
}

impl Tally {
    pub(super) fn count(&mut self, message_type: Option<&str>, messages: usize, bytes: usize) {
        let message_type = message_type.unwrap_or(OTHER);
        if let Some(sent) = self.sent.get_mut(message_type) {
            sent.add(messages, bytes);
            return;
        }
        let name = if self.sent.len() < MAX_TYPES { message_type } else { OTHER };
        self.sent.entry(name.into()).or_default().add(messages, bytes);
    }

    /// Adds the counts of another shard.
    pub(crate) fn merge(&mut self, other: Self) {
        for (message_type, sent) in other.sent {
            self.sent.entry(message_type).or_default().merge(sent);
        }
        self.direct.merge(other.direct);
        self.dropped.newest += other.dropped.newest;
        self.dropped.oldest += other.dropped.oldest;
        self.dropped.latest += other.dropped.latest;
        self.dropped.replaced += other.dropped.replaced;
        self.slow += other.slow;
        self.reaped += other.reaped;
        self.outbox_bytes += other.outbox_bytes;
    }

    /// All messages and their bytes.
    pub(crate) fn total(&self) -> Sent {
        self.sent.values().fold(self.direct, |mut total, sent| {
            total.merge(*sent);
            total
        })
    }
}
