//! Payloads that are published in one round trip.

use bytes::Bytes;

use crate::backend::redis::keys::Channel;

/// A set of payloads, and what is lost if they do not arrive.
#[derive(Debug, Default)]
pub(crate) struct PublishRound {
    /// The payloads with their channels, in order.
    pub(crate) payloads: Vec<(Channel, Bytes)>,
    /// Channels with batches or watermarks in this round.
    pub(super) channels: Vec<Channel>,
    /// Whether the round carries a message without a sequence number: if it fails, all connections need a resync.
    pub(super) carries_unsequenced: bool,
}

impl PublishRound {
    pub(crate) fn is_empty(&self) -> bool {
        self.payloads.is_empty()
    }

    pub(crate) fn append(&mut self, mut other: Self) {
        self.payloads.append(&mut other.payloads);
        self.channels.append(&mut other.channels);
        self.carries_unsequenced |= other.carries_unsequenced;
    }
}
