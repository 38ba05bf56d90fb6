//! Payloads that carry messages: batches with sequence numbers, and messages without.

use bytes::{BufMut, Bytes};

use super::cursor::Cursor;
use super::header::{self, BATCH, UNSEQUENCED, VERSION};
use super::record;
use crate::backend::redis::keys::Channel;
use crate::message::OutboundMessage;

/// Length of the encoded header in bytes.
pub(crate) const BATCH_HEADER_LEN: usize = 27;

/// Flag: messages right before the batch are lost.
const LOST: u8 = 1;

/// The position of a batch in a sequence: the messages that one node sends on one channel.
///
/// A batch without records is a watermark: it tells receivers which number comes next, so that they notice the loss of
/// the last messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchHeader {
    /// The incarnation of the sending node.
    pub(crate) sender: u64,
    /// Id of the sequence. A channel that was idle for long gets a new one, with a greater id.
    pub(crate) sequence: u64,
    /// Sequence number of the first record; of the next message in a watermark.
    pub(crate) first: u64,
    /// Whether messages right before the batch may not have been sent.
    pub(crate) lost: bool,
}

impl BatchHeader {
    /// Encodes the header.
    pub(crate) fn encode(&self) -> [u8; BATCH_HEADER_LEN] {
        let mut bytes = [0; BATCH_HEADER_LEN];
        let mut rest = &mut bytes[..];
        rest.put_slice(&[VERSION, BATCH]);
        rest.put_u64(self.sender);
        rest.put_u64(self.sequence);
        rest.put_u64(self.first);
        rest.put_u8(if self.lost { LOST } else { 0 });
        bytes
    }
}

/// Reads a batch after its first ten bytes.
pub(super) fn read(
    channel: &Channel,
    sender: u64,
    mut cursor: Cursor<'_>,
) -> Option<(BatchHeader, Vec<OutboundMessage>)> {
    let (sequence, first, flags) = (cursor.u64()?, cursor.u64()?, cursor.u8()?);
    if flags & !LOST != 0 {
        return None;
    }
    let header = BatchHeader { sender, sequence, first, lost: flags & LOST != 0 };
    Some((header, read_records(channel, cursor)?))
}

/// Reads records until the end of the payload.
pub(super) fn read_records(channel: &Channel, mut cursor: Cursor<'_>) -> Option<Vec<OutboundMessage>> {
    let mut messages = Vec::new();
    while !cursor.is_empty() {
        messages.push(record::read(channel, cursor.long()?)?);
    }
    Some(messages)
}

/// Encodes one message without a sequence number.
pub(crate) fn unsequenced(sender: u64, message: &OutboundMessage) -> Bytes {
    let mut buffer = header::start(UNSEQUENCED, sender);
    record::put(&mut buffer, message);
    buffer.into()
}

/// Encodes a payload without messages, which receivers ignore.
pub(crate) fn no_messages(sender: u64) -> Bytes {
    header::start(UNSEQUENCED, sender).into()
}
