//! The messages that wait on one channel.

use tokio::time::Instant;

/// The queue of one channel and its sequence.
#[derive(Debug)]
pub(super) struct ChannelQueue {
    /// Id of the sequence.
    pub(super) sequence: u64,
    /// Sequence number of the next message.
    pub(super) next: u64,
    /// Full batches, then the one that is being filled.
    pub(super) batches: Vec<PendingBatch>,
    /// Whether the last messages were lost and receivers have not been notified yet.
    pub(super) lost: bool,
    /// Whether the channel is in the queue of due watermarks.
    pub(super) watermark_queued: bool,
    /// Whether the channel is in the queue of idle channels.
    pub(super) idle_queued: bool,
    pub(super) last_message: Instant,
}

/// A batch that has not been published yet.
#[derive(Debug)]
pub(super) struct PendingBatch {
    /// The phase of the queue to which it belongs.
    pub(super) phase: u64,
    /// Sequence number of the first record.
    pub(super) first: u64,
    /// Sequence number after that of the last record.
    pub(super) end: u64,
    /// Whether messages right before the batch were lost.
    pub(super) lost: bool,
    /// Space for the header, then the encoded records.
    pub(super) buffer: Vec<u8>,
}

impl ChannelQueue {
    pub(super) fn new(sequence: u64, now: Instant) -> Self {
        Self {
            sequence,
            next: 0,
            batches: Vec::new(),
            lost: false,
            watermark_queued: false,
            idle_queued: false,
            last_message: now,
        }
    }
}
