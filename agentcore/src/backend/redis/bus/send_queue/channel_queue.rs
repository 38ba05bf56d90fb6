//! What the queue is made of: lanes of packs, and the batches that are taken out of it.

use bytes::Bytes;
use tokio::time::Instant;

use crate::backend::redis::keys::Channel;

/// Something to send.
#[derive(Debug)]
pub(super) enum QueueItem {
    /// The packs of a channel, of one turn.
    Channel(Channel),
    /// A payload that is ready as it is.
    Control {
        channel: Channel,
        payload: Bytes,
        /// It carries a message, which has no number: when it does not arrive, all are told.
        delivers: bool,
    },
}

/// One channel's part.
#[derive(Debug)]
pub(super) struct ChannelQueue {
    pub(super) stream: u64,
    /// The number of the next record.
    pub(super) next: u64,
    /// Full payloads, then the one that is being filled.
    pub(super) packs: Vec<PendingBatch>,
    /// Its last records were lost, and nobody was told yet.
    pub(super) lost: bool,
    /// Its last number is to be told.
    pub(super) in_marks: bool,
    pub(super) in_silent: bool,
    pub(super) last: Instant,
}

#[derive(Debug)]
pub(super) struct PendingBatch {
    pub(super) turn: u64,
    pub(super) number: u64,
    /// The number after its last record.
    pub(super) end: u64,
    /// Records right before it were lost.
    pub(super) lost: bool,
    pub(super) buffer: Vec<u8>,
}

/// Payloads that go out together, and what must be told if they do not arrive.
#[derive(Debug, Default)]
pub(in super::super) struct PublishRound {
    pub(in super::super) messages: Vec<(Channel, Bytes)>,
    pub(super) channels: Vec<Channel>,
    /// Something in it belongs to no channel's numbers: if it does not arrive, all are told.
    pub(super) tells_all: bool,
}

impl PublishRound {
    pub(in super::super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(in super::super) fn append(&mut self, mut more: Self) {
        self.messages.append(&mut more.messages);
        self.channels.append(&mut more.channels);
        self.tells_all |= more.tells_all;
    }
}
