//! The bytes that travel through Redis.
//!
//! Version 1, all numbers big endian: `0x01`, a kind, the sender's origin (u64), then by kind
//!
//! - `0`, a **pack**: stream (u64), number of the first record (u64), flags (u8: 1 = something before it was lost), records;
//!   without records it is a mark, and says which number comes next;
//! - `1`, **loose** records, which have no number: their order is that of Redis;
//! - `2`, **talk** between nodes: questions, answers, greetings.
//!
//! A record is its length (u32) and a [`record`]. A payload that begins with `{` comes from [`external`]. Whatever else
//! comes is [`UnreadablePayload`], never fatal: other versions of this software may be about.

mod control;
mod cursor;
mod external;
mod record;
#[cfg(test)]
mod tests;

use bytes::{BufMut, Bytes};

pub(crate) use control::Control;
use cursor::Cursor;
pub(crate) use external::MAX_EXTERNAL;
pub(super) use record::put as put_record;

use crate::backend::redis::keys::Channel;
use crate::message::OutboundMessage;

/// The version this software writes, and the only one it reads.
pub(super) const VERSION: u8 = 1;

const PACK: u8 = 0;
const LOOSE: u8 = 1;
const TALK: u8 = 2;

const LOST: u8 = 1;

/// So long is the head of a pack.
pub(super) const HEAD: usize = 27;

/// Where a pack stands in what its sender said on a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BatchHeader {
    /// The life of the node that sent it.
    pub(super) origin: u64,
    /// Which of its streams: a channel that was silent for long gets a new one.
    pub(super) stream: u64,
    /// The number of the first record.
    pub(super) number: u64,
    /// Records right before it may not have been sent.
    pub(super) lost: bool,
}

/// What a payload says.
#[derive(Debug)]
pub(super) enum BusPayload {
    /// Numbered messages.
    Batch(BatchHeader, Vec<OutboundMessage>),
    /// Messages without numbers.
    Unsequenced(Vec<OutboundMessage>),
    /// Something between nodes, with the origin of who says it.
    Control(u64, Control),
    /// Published by a program that is no node.
    External(OutboundMessage),
}

/// A payload that says nothing to this version, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum UnreadablePayload {
    /// Another version, or damaged: messages may have been in it.
    Lossy(&'static str),
    /// From outside, and not what may come from there.
    External(String),
}

impl BusPayload {
    /// Reads what came on a channel.
    pub(super) fn read(channel: &Channel, bytes: &Bytes) -> Result<Self, UnreadablePayload> {
        if bytes.first() == Some(&b'{') {
            return external::read(channel, bytes).map(Self::External).map_err(UnreadablePayload::External);
        }
        read(channel, bytes).ok_or(UnreadablePayload::Lossy(match bytes.first() {
            Some(&VERSION) => "damaged",
            _ => "of an unknown version",
        }))
    }
}

fn read(channel: &Channel, bytes: &[u8]) -> Option<BusPayload> {
    let mut cursor = Cursor(bytes);
    if cursor.u8()? != VERSION {
        return None;
    }
    let kind = cursor.u8()?;
    let origin = cursor.u64()?;
    match kind {
        PACK => {
            let (stream, number, flags) = (cursor.u64()?, cursor.u64()?, cursor.u8()?);
            if flags & !LOST != 0 {
                return None;
            }
            let head = BatchHeader { origin, stream, number, lost: flags & LOST != 0 };
            Some(BusPayload::Batch(head, records(channel, cursor)?))
        }
        LOOSE => Some(BusPayload::Unsequenced(records(channel, cursor)?)),
        TALK => Some(BusPayload::Control(origin, Control::read(cursor)?)),
        _ => None,
    }
}

fn records(channel: &Channel, mut cursor: Cursor<'_>) -> Option<Vec<OutboundMessage>> {
    let mut messages = Vec::new();
    while !cursor.is_empty() {
        messages.push(record::read(channel, cursor.long()?)?);
    }
    Some(messages)
}

impl BatchHeader {
    /// What a pack begins with.
    pub(super) fn bytes(&self) -> [u8; HEAD] {
        let mut bytes = [0; HEAD];
        let mut rest = &mut bytes[..];
        rest.put_slice(&[VERSION, PACK]);
        rest.put_u64(self.origin);
        rest.put_u64(self.stream);
        rest.put_u64(self.number);
        rest.put_u8(if self.lost { LOST } else { 0 });
        bytes
    }
}

/// One message without a number.
pub(crate) fn unsequenced(origin: u64, message: &OutboundMessage) -> Bytes {
    let mut buffer = vec![VERSION, LOOSE];
    buffer.put_u64(origin);
    put_record(&mut buffer, message);
    buffer.into()
}
